"""Properties of corpus.py: what a written file never holds, that it repeats, and that its summary is true."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from socratic.corpus import Coverage, Summary, plot, write
from socratic.curriculum import Family, draw_many, parse_family
from socratic.errors import FamilyError
from socratic.jsonl import read_jsonl
from socratic.leakage import Guard, Likeness
from socratic.schema import Problem, Trace

OPEN = Guard([], missing=("gsm8k",))
FEW: dict[str, Any] = {  # 3 x 4 different problems in each of 3 wordings; with numbers spelled out or not, 144
    "id": "few",
    "topic": "apples",
    "text": [
        "Ann has {a} apples and eats {b}. How many are left?",
        "Of {a} apples, {b} go. How many stay?",
        "Find {a} less {b}.",
    ],
    "vars": {"a": "11..13", "b": "2..5"},
    "steps": [{"q": "How many apples are left?", "eq": "a - b", "as": "left", "say": "{left} are left."}],
}


@pytest.fixture(scope="module")
def few() -> Family:
    return parse_family(FEW, "few.jsonl:1")


@pytest.fixture(scope="module")
def taught(families: tuple[list[Family], list[Family]]) -> list[Family]:
    return families[0]


def read(path: Path) -> list[Trace]:
    return [Trace.from_dict(line) for _, line in read_jsonl(path) if isinstance(line, dict)]


def written(path: Path, families: list[Family], n: int, seed: int = 1, guard: Guard = OPEN) -> tuple[Summary, list[Trace]]:
    summary = write(path, families, n, seed=seed, guard=guard)
    return summary, read(path)


# The file


def test_it_holds_as_many_problems_as_were_asked_for(taught: list[Family], tmp_path: Path) -> None:
    calls = list[None]()
    summary = write(tmp_path / "c.jsonl", taught, 150, seed=1, guard=OPEN, progress=lambda: calls.append(None))
    assert summary.written == len(read(tmp_path / "c.jsonl")) == len(calls) == 150


def test_it_holds_what_is_drawn_in_order_less_what_stands_there_already(few: Family, tmp_path: Path) -> None:
    summary, traces = written(tmp_path / "c.jsonl", [few], 20)
    drawn = list(draw_many([few], 80, seed=1))
    first = list({trace.problem.question: trace for trace in reversed(drawn)}.values())
    expected = sorted(first, key=drawn.index)[:20]
    assert [(trace.problem.id, trace.answer) for trace in traces] == [(trace.problem.id, trace.answer) for trace in expected]
    assert summary.duplicates == drawn.index(expected[-1]) + 1 - 20 > 0


def test_stories_of_several_families_count_under_the_topic_of_the_first(taught: list[Family], tmp_path: Path) -> None:
    summary = write(tmp_path / "c.jsonl", taught, 60, seed=1, guard=OPEN, parts=2)
    composed = [trace for trace in read(tmp_path / "c.jsonl") if "+" in trace.source.name]
    assert 0 < len(composed) < 60 == summary.coverage.topics.total()
    assert "continued" not in summary.coverage.topics


@pytest.mark.parametrize("name", ["c.jsonl", "c.jsonl.gz"])
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(name: str, taught: list[Family], tmp_path: Path) -> None:
    files = [tmp_path / place / name for place in ("one", "same", "other")]
    for path, seed in zip(files, (1, 1, 2), strict=True):
        write(path, taught, 40, seed=seed, guard=OPEN)
    one, same, other = (path.read_bytes() for path in files)
    assert one == same != other


def test_gz_is_the_same_text(taught: list[Family], tmp_path: Path) -> None:
    for name in ("c.jsonl", "c.jsonl.gz"):
        write(tmp_path / name, taught, 30, seed=1, guard=OPEN)
    assert gzip.decompress((tmp_path / "c.jsonl.gz").read_bytes()) == (tmp_path / "c.jsonl").read_bytes()


def test_drawing_ends_where_no_more_problems_differ_and_says_so(few: Family, tmp_path: Path) -> None:
    summary, traces = written(tmp_path / "c.jsonl", [few], 500)
    questions = [trace.problem.question for trace in traces]
    assert len(questions) == len(set(questions)) == summary.written <= 144
    assert summary.written + summary.duplicates == 2000
    assert "of 500 (the families have no more that differ)" in str(summary)


def test_no_leak_is_written(few: Family, tmp_path: Path) -> None:
    guard = Guard([Problem("t", "Ann has 99 apples and eats seven. How many are left?", dataset="tests")])
    summary, traces = written(tmp_path / "c.jsonl", [few], 500, guard=guard)
    assert traces and not any(trace.problem.question.startswith("Ann") for trace in traces)
    assert summary.leaks.refused == {Likeness.MASKED: summary.leaks.refused.total()}
    assert summary.leaks.refused.total() > 0
    assert summary.written + summary.duplicates + summary.leaks.refused.total() == 2000


def test_a_file_appears_whole_or_not_at_all(few: Family, tmp_path: Path) -> None:
    impossible = parse_family({**FEW, "id": "impossible", "where": ["a < b"]}, "few.jsonl:2")
    path = tmp_path / "c.jsonl"
    with pytest.raises(FamilyError):
        write(path, [few, impossible], 12, seed=1, guard=OPEN)
    assert not path.exists()
    path.write_text("an older file\n")
    with pytest.raises(FamilyError):
        write(path, [few, impossible], 12, seed=1, guard=OPEN)
    assert path.read_text() == "an older file\n"


# Summary and coverage


def test_the_summary_says_what_could_not_be_checked(few: Family, tmp_path: Path) -> None:
    summary, _ = written(tmp_path / "c.jsonl", [few], 5)
    assert "NOT checked: gsm8k" in str(summary)


def test_coverage_counts_what_was_written(taught: list[Family], tmp_path: Path) -> None:
    summary, traces = written(tmp_path / "c.jsonl", taught, 200)
    coverage = summary.coverage
    assert coverage.steps == Counter(len(trace.steps) for trace in traces)
    assert coverage.words == Counter(len(trace.problem.question.split()) for trace in traces)
    topics = {family.id: family.topic for family in taught}
    assert coverage.topics == Counter(topics[trace.source.name] for trace in traces)
    equations = [check.expression for trace in traces for step in trace.steps for check in step.checks]
    assert coverage.operators["multiply"] == sum("*" in equation for equation in equations) > 0
    assert all(name in str(coverage) for name in ("steps", "words", "add", coverage.topics.most_common(1)[0][0]))


def test_an_empty_coverage_can_be_printed() -> None:
    assert "none" in str(Coverage())


# The plot


def test_a_plot_is_one_picture(taught: list[Family], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib comes with the extra [train]")
    summary, _ = written(tmp_path / "c.jsonl", taught, 50)
    plot(summary.coverage, tmp_path / "new" / "c.png")
    assert (tmp_path / "new" / "c.png").read_bytes().startswith(b"\x89PNG")


def test_json_of_a_line_is_a_trace(few: Family, tmp_path: Path) -> None:
    written(tmp_path / "c.jsonl", [few], 1)
    assert json.loads((tmp_path / "c.jsonl").read_text())["problem"]["dataset"] == "curriculum"
