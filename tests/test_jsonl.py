"""Files with one object a line: what is written is read again, what is broken is seen. Run: pytest tests/test_jsonl.py"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from socratic.errors import DataError
from socratic.jsonl import BrokenLine, read_jsonl, write_jsonl

SEPARATED = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\rh\ti\u00a0j"  # everything that str.splitlines would break on


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"nonsense",
        b"[1, 2]",
        b"3",
        b"null",
        b'"text"',
        b'{"a": 1} {"b": 2}',
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\xbd"}',  # half an emoji in bytes
        b'{"a": "\\ud83d"}',  # half an emoji as an escape
        b'{"a": ' + b"1" * 5000 + b"}",  # longer than Python turns into an integer
        b'{"a": ' + b"[" * 100_000 + b"}",
        '{"a": 1}'.encode("utf-16"),
    ],
    ids=lambda line: repr(line[:24]),
)
def test_a_broken_line_is_a_value_with_its_place_and_the_rest_goes_on(tmp_path: Path, line: bytes) -> None:
    path = written(tmp_path / "data.jsonl", b'{"n": 1}\n' + line + b'\n\n{"n": 4}\n')
    read = dict(read_jsonl(path))
    assert read[f"{path}:1"] == {"n": 1}
    assert read[f"{path}:4"] == {"n": 4}
    fault = read[f"{path}:2"]
    assert isinstance(fault, BrokenLine)
    assert fault.where == f"{path}:2"
    assert fault.reason.startswith("expected one JSON object, found ")


def test_empty_lines_are_no_lines_and_the_last_needs_no_newline(tmp_path: Path) -> None:
    path = written(tmp_path / "data.jsonl", '\n \t\r\n{"n": 3}\r\n\n{"n": 5}')
    assert list(read_jsonl(path)) == [(f"{path}:3", {"n": 3}), (f"{path}:5", {"n": 5})]


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = written(tmp_path / "data.jsonl", b'\xef\xbb\xbf{"n": 1}\n')
    assert [line for _, line in read_jsonl(path)] == [{"n": 1}]


@pytest.mark.parametrize("name", ["data.jsonl", "data.jsonl.gz"])
def test_line_separators_inside_text_survive(tmp_path: Path, name: str) -> None:
    rows = [{"text": SEPARATED}, {"text": "\N{FIRE} \u200b \x00"}]
    assert write_jsonl(tmp_path / name, rows) == 2
    assert [line for _, line in read_jsonl(tmp_path / name)] == rows
    raw = (tmp_path / name).read_bytes()
    assert (gzip.decompress(raw) if name.endswith(".gz") else raw).count(b"\n") == 2


def test_a_gz_that_was_cut_off_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"n": 1}\n' * 10_000)
    for raw in (whole[: len(whole) // 2], b"no gzip at all\n"):
        path = written(tmp_path / "data.jsonl.gz", raw)
        with pytest.raises(DataError, match=r"data\.jsonl\.gz") as caught:
            list(read_jsonl(path))
        assert caught.value.hint


def test_a_missing_file_is_an_error_before_any_line_is_read(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(DataError, match="no file at"):
            next(read_jsonl(path))


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def failing() -> Iterator[dict[str, Any]]:
        yield {"n": 1}
        raise RuntimeError("power cut")

    for path in (tmp_path / "new" / "data.jsonl", tmp_path / "new" / "data.jsonl.gz"):
        with pytest.raises(RuntimeError):
            write_jsonl(path, failing())
        assert not path.exists()
        write_jsonl(path, [{"n": 0}])
        with pytest.raises(RuntimeError):
            write_jsonl(path, failing())
        assert [line for _, line in read_jsonl(path)] == [{"n": 0}]


def test_writing_nothing_makes_an_empty_file(tmp_path: Path) -> None:
    assert write_jsonl(tmp_path / "empty.jsonl", []) == 0
    assert list(read_jsonl(tmp_path / "empty.jsonl")) == []
