"""Problems of one's own: what people write is read, and what cannot be is told apart."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from socratic.own_problems import read_problems
from socratic.schema import Problem


def put(path: Path, text: str) -> None:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def test_own_problems_take_what_people_write(tmp_path: Path) -> None:
    lines = [
        {"question": " 1 + 1? ", "answer": 2},
        {"question": "b", "answer": 72.0, "id": "mine"},
        {"question": "c", "answer": "$1,200.50", "id": 7},
        {"question": "d", "answer": True},
        {"question": "e", "answer": "thus\n#### 72"},
        {"question": "Line\u2028separator", "answer": None, "more": [1]},
        {"question": "g", "answer": 0.1 + 0.2},
        {"question": "h", "answer": "(b)"},
        {"question": "i", "answer": "3/8+3/8=3/4 #### 3/4"},
        {"question": "j", "answer": "####$1,200"},
    ]
    put(tmp_path / "my.problems.jsonl.gz", "\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + "\n\n")
    found, broken = read_problems(tmp_path / "my.problems.jsonl.gz")
    assert broken == []
    assert [problem.id for problem in found] == ["my-1", "mine", "7", "my-4", "my-5", "my-6", "my-7", "my-8", "my-9", "my-10"]
    assert [problem.answer for problem in found] == ["2", "72", "1200.5", "yes", "72", None, "0.3", "B", "0.75", "1200"]
    assert found[0] == Problem("my-1", "1 + 1?", "2")


def test_broken_lines_are_told_apart_and_the_rest_is_read(tmp_path: Path) -> None:
    bad = ["{", "[1]", "{}", '{"question": 5}', '{"question": " "}', '{"question": "x", "answer": "12 apples"}']
    bad += ['{"question": "x", "answer": "no mark ####"}', '{"question": "x", "answer": [1]}', '{"question": "x", "answer": NaN}']
    bad += ['{"question": "twice", "id": "first"}', "\ufeff\x00"]
    put(tmp_path / "p.jsonl", "\n".join(['{"question": "a", "id": "first"}', *bad, '{"question": "z"}']))
    found, broken = read_problems(tmp_path / "p.jsonl")
    assert [problem.id for problem in found] == ["first", f"p-{len(bad) + 2}"]
    assert [line.where for line in broken] == [f"{tmp_path / 'p.jsonl'}:{number}" for number in range(2, len(bad) + 2)]
    assert all("expected" in line.reason for line in broken)
