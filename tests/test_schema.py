"""Properties of the values and of their JSON form: nothing is lost, nothing broken goes unseen.

In: traces drawn by hypothesis, and small files. Out: pass or fail.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from socratic.errors import DataError
from socratic.schema import (
    Badge,
    BrokenLine,
    Check,
    Ended,
    Operand,
    Origin,
    Problem,
    Report,
    Source,
    Step,
    Trace,
    Verdict,
    read_jsonl,
    write_jsonl,
)

CALM = settings(deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])

TEXT = st.text(max_size=12)
PROBLEMS = st.builds(Problem, TEXT, TEXT, st.none() | TEXT, TEXT, TEXT)
OPERANDS = st.builds(Operand, TEXT, st.sampled_from(Origin), st.none() | st.integers(0, 20))
CHECKS = st.builds(Check, TEXT, TEXT, TEXT, st.sampled_from(Verdict), st.lists(OPERANDS, max_size=2).map(tuple))
STEPS = st.builds(Step, TEXT, TEXT, TEXT, st.lists(CHECKS, max_size=2).map(tuple), st.none() | st.floats(0, 1))
SOURCES = st.builds(Source, TEXT, TEXT, TEXT, st.integers(0, 9))
TRACES = st.builds(
    Trace, PROBLEMS, st.lists(STEPS, max_size=3).map(tuple), st.none() | TEXT, st.none() | st.sampled_from(Ended), SOURCES
)
SEPARATED = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\rh\ti\u00a0j"  # everything that str.splitlines would break on


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def broken(path: Path) -> list[BrokenLine]:
    return [line for _, line in read_jsonl(path) if isinstance(line, BrokenLine)]


@CALM
@given(TRACES)
def test_a_trace_survives_json(trace: Trace) -> None:
    found = Trace.from_dict(json.loads(json.dumps(trace.to_dict())))
    assert found == trace and [step.likelihood for step in found.steps] == [step.likelihood for step in trace.steps]


@CALM
@given(st.lists(TRACES, max_size=3))
def test_traces_survive_a_file(tmp_path_factory: pytest.TempPathFactory, traces: list[Trace]) -> None:
    path = tmp_path_factory.mktemp("traces") / "traces.jsonl"
    assert write_jsonl(path, [trace.to_dict() for trace in traces]) == len(traces)
    assert [Trace.from_dict(line) for _, line in read_jsonl(path) if isinstance(line, dict)] == traces


def test_the_json_shape_is_the_one_that_the_design_shows() -> None:
    shown = {
        "problem": {"id": "gsm8k-train-0", "question": "Natalia sold", "answer": "72", "dataset": "gsm8k", "split": "train"},
        "steps": [{"question": "How many?", "solution": "48/2 = <<48/2=24>>24", "answer": "24"}],
        "answer": "72",
        "ended": "done",
        "source": {"kind": "human", "name": "", "prompt_sha256": "", "sample": 0},
    }
    trace = Trace.from_dict(shown)
    assert trace.steps == (Step("How many?", "48/2 = <<48/2=24>>24", "24"),)
    assert trace.to_dict() | {"steps": shown["steps"]} == shown


def test_only_the_problem_is_needed_of_a_trace() -> None:
    trace = Trace.from_dict({"problem": {"id": "1", "question": "q"}})
    assert (trace.steps, trace.answer, trace.ended, trace.source.kind) == ((), None, None, "human")


PROBLEM = {"id": "1", "question": "q"}
STEP = {"question": "q", "solution": "s", "answer": "a"}
CHECK = {"expression": "1+1", "stated": "2", "computed": "2", "verdict": "correct"}


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({}, "problem"),
        ([], "list"),
        ({"problem": []}, "mapping"),
        ({"problem": {"id": "1"}}, "question"),
        ({"problem": PROBLEM | {"colour": "red"}}, "colour"),
        ({"problem": PROBLEM | {"question": None}}, "Problem.question: expected str, found None"),
        ({"problem": PROBLEM | {"answer": 72}}, "Problem.answer: expected str | None, found 72"),
        ({"problem": PROBLEM, "answer": 72}, "Trace.answer: expected str | None, found 72"),
        ({"problem": PROBLEM, "ended": "bored"}, "bored"),
        ({"problem": PROBLEM, "steps": 3}, "int"),
        ({"problem": PROBLEM, "steps": ["s"]}, "'str' object"),
        ({"problem": PROBLEM, "steps": [{"question": "q"}]}, "solution"),
        ({"problem": PROBLEM, "steps": [STEP | {"answer": 24}]}, "Step.answer: expected str, found 24"),
        ({"problem": PROBLEM, "steps": [STEP | {"checks": [CHECK | {"verdict": "maybe"}]}]}, "maybe"),
        ({"problem": PROBLEM, "steps": [STEP | {"checks": [CHECK | {"operands": [{"text": "1"}]}]}]}, "origin"),
        ({"problem": PROBLEM, "source": {"kind": "human"}}, "name"),
        ({"problem": PROBLEM, "source": {"kind": "human", "name": "", "sample": "0"}}, "Source.sample"),
    ],
)
def test_what_is_no_trace_is_an_error_that_names_the_fault(data: Any, named: str) -> None:
    with pytest.raises(DataError) as caught:
        Trace.from_dict(data)
    assert named in str(caught.value)


def test_values_are_frozen_and_equal_by_content() -> None:
    for value in (Problem("1", "q"), Step("q", "s", "a"), Source("human", ""), Operand("1", Origin.NOWHERE)):
        with pytest.raises(FrozenInstanceError):
            setattr(value, fields(value)[0].name, "other")
    assert Trace(Problem("1", "q")) == Trace(Problem("1", "q"))
    assert len({Trace(Problem("1", "q")), Trace(Problem("1", "q"))}) == 1


def test_the_accuracy_of_an_empty_report_is_zero() -> None:
    empty = Report("svamp", "m", True, 0, 0, 0.0, 1.0, 0, 0.0, {Badge.WRONG: 0}, {})
    assert empty.accuracy == 0.0


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
