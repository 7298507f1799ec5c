"""Comparing predictions files: figures, verdict, flips, and files that must not be compared. Run: pytest tests/test_compare.py"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socratic.compare import Comparison, compare
from socratic.errors import DataError
from socratic.evaluate import evaluate
from socratic.schema import Ended, Problem, Source, Step, Trace
from socratic.statistics import Paired

PROBLEMS = [Problem(f"sum-{i}", f"What is {i} and 1?", str(i + 1), "sums", "test") for i in range(12)]
STEP = Step("How many are there?", "There are 3+1 = <<3+1=4>>4 of them.", "4")


def predict(path: Path, right: Sequence[bool], problems: Sequence[Problem] = PROBLEMS) -> Path:
    """What `evaluate` writes of a student that is right on these problems."""
    answers = [problem.answer if is_right else "0" for problem, is_right in zip(problems, right, strict=True)]
    traces = [
        Trace(problem, (STEP,), answer, Ended.DONE, Source("student", path.stem))
        for problem, answer in zip(problems, answers, strict=True)
    ]
    evaluate(lambda _: iter(traces), problems, dataset="sums", model="scripted", calculator=True, predictions=path)
    return path


@pytest.fixture
def a(tmp_path: Path) -> Path:
    """Right on the first three only."""
    return predict(tmp_path / "a.jsonl", [True] * 3 + [False] * 9)


@pytest.fixture
def b(tmp_path: Path) -> Path:
    """Right on all but the first and the last."""
    return predict(tmp_path / "b.jsonl", [False] + [True] * 10 + [False])


def test_the_figures(a: Path, b: Path) -> None:
    found = compare(a, b)
    assert found.table == Paired(both=2, only_a=1, only_b=8, neither=1)
    assert (found.a.accuracy, found.b.accuracy, found.difference) == (3 / 12, 10 / 12, 7 / 12)
    assert found.p == pytest.approx(20 / 512)  # 9 flips, one of them to the other side: 2 * (1 + 9) / 2 ** 9
    assert found.verdict.startswith("B is better: +58.3 points (") and found.verdict.endswith("p = 0.039")


def test_the_worse_second_file_makes_the_first_better(a: Path, b: Path) -> None:
    one, other = compare(a, b), compare(b, a)
    assert other.verdict == one.verdict.replace("B is", "A is")
    assert (other.difference, other.low, other.high, other.p) == (-one.difference, -one.high, -one.low, one.p)


@settings(max_examples=15, deadline=None)
@given(right=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=12, max_size=12), order=st.permutations(range(12)))
def test_the_order_of_lines_changes_no_figure(
    tmp_path_factory: pytest.TempPathFactory, right: list[tuple[bool, bool]], order: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("order")
    first = predict(folder / "a.jsonl", [one for one, _ in right])
    second = predict(folder / "b.jsonl", [other for _, other in right])
    moved = predict(folder / "moved.jsonl", [right[i][1] for i in order], [PROBLEMS[i] for i in order])
    assert str(compare(first, second)) == str(compare(first, moved)).replace("moved.jsonl", "b.jsonl")


def test_a_file_is_no_better_than_itself(a: Path) -> None:
    found = compare(a, a)
    assert (found.difference, found.low, found.high, found.p, found.smallest, found.flips) == (0, 0, 0, 1, None, ())
    assert found.verdict == "no difference that n = 12 could show, p = 1.000"
    assert "none with 0 flipped problems" in str(found)


def test_a_narrow_interval_of_few_flips_is_called_so(a: Path, tmp_path: Path) -> None:
    found = compare(a, predict(tmp_path / "six.jsonl", [True] * 8 + [False] * 4))
    assert found.low > 0 and found.p > 0.05
    assert "too narrow" in str(found) and "no difference" in found.verdict


def test_flips_show_question_gold_and_both_traces(a: Path, b: Path) -> None:
    found = compare(a, b)
    text = found.flipped()
    assert [flip.right for flip in found.flips] == ["A"] + ["B"] * 8
    assert text.startswith("Only A is right: 1\n") and "Only B is right: 8\n" in text
    for flip in found.flips:
        assert f"{flip.a.problem.question}\nGold: {flip.a.problem.answer}\nA, " in text
    assert text.count("   There are 3+1 = 4 of them.   [not checkable]") == 2 * 9
    assert text.count("A, right:") == text.count("B, wrong:") == 1


def test_flips_can_be_few(a: Path, b: Path) -> None:
    found = compare(a, b)
    assert found.flipped(2).count("Gold:") == 3 and "Only B is right: 8, 2 shown" in found.flipped(2)
    assert found.flipped(0) == "Only A is right: 1, 0 shown\n\nOnly B is right: 8, 0 shown"


def test_json_is_stable_and_complete(a: Path, b: Path) -> None:
    one, same = (json.dumps(compare(a, b, seed=7).to_dict()) for _ in range(2))
    assert one == same
    read = json.loads(one)
    assert read.keys() == set(Comparison.__slots__) | {"verdict", "n"}
    assert (read["n"], read["seed"], read["table"]) == (12, 7, {"both": 2, "only_a": 1, "only_b": 8, "neither": 1})
    assert [Trace.from_dict(flip["b"]) for flip in read["flips"]] == [flip.b for flip in compare(a, b).flips]


# What must not be compared


def test_files_of_different_problems_are_refused_with_what_is_missing(a: Path, tmp_path: Path) -> None:
    other = predict(tmp_path / "other.jsonl", [True] * 4, [*PROBLEMS[5:8], Problem("new", "How many?", "1")])
    with pytest.raises(DataError) as found:
        compare(a, other)
    assert f"9 missing in {other} (sum-0, sum-1, sum-2, …)" in str(found.value)
    assert f"1 missing in {a} (new)" in str(found.value)
    assert "--limit" in found.value.hint


@pytest.mark.parametrize(
    ("change", "said"),
    [({"question": "What is 4 and 1, please?"}, "questions"), ({"answer": "77"}, "gold answers")],
)
def test_the_same_id_with_another_text_is_refused(a: Path, tmp_path: Path, change: dict[str, str], said: str) -> None:
    other = predict(tmp_path / "other.jsonl", [True] * 12, [*PROBLEMS[:4], replace(PROBLEMS[4], **change), *PROBLEMS[5:]])
    with pytest.raises(DataError, match=rf"same {said} in both files, found 1 others? \(sum-4\)"):
        compare(a, other)


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda lines: [*lines, lines[0]], r"other.jsonl:13: .*once, found 'sum-0' again"),
        (lambda lines: [*lines[:4], lines[4][:50], *lines[5:]], r"other.jsonl:5: expected one JSON object"),
        (lambda lines: [*lines[:4], "[1]", *lines[5:]], r"other.jsonl:5: expected one JSON object, found list"),
        (lambda lines: [*lines[:4], '{"correct": true}', *lines[5:]], r"other.jsonl:5: not a trace: .*problem"),
        (lambda lines: [lines[0].replace("true", '"yes"')], r"other.jsonl:1: this is no predictions file.*'yes'"),
        (lambda lines: [line.replace('"correct": true, ', "") for line in lines], "no predictions file: expected true or false"),
        (lambda lines: ["{", ' "dataset": "sums"', "}"], "other.jsonl:1: this is no predictions file"),
        (lambda lines: [], "no predictions file: it is empty"),
    ],
)
def test_what_is_no_whole_predictions_file_is_named(
    a: Path, tmp_path: Path, spoil: Callable[[list[str]], list[str]], said: str
) -> None:
    other = predict(tmp_path / "other.jsonl", [True] * 12)
    other.write_text("\n".join(spoil(lines_of(other))))
    for files in ((a, other), (other, a)):
        with pytest.raises(DataError, match=said) as found:
            compare(*files)
        assert found.value.hint


def test_a_missing_file_is_named(a: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file at .*none\.jsonl"):
        compare(a, tmp_path / "none.jsonl")
