"""Other numbers, same problems: what a student that works out, one that remembers, and one that guesses look like.

Run: pytest tests/test_contrast.py; needs scipy. GSM8K's own problems need SOCRATIC_DATA.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from socratic import tasks
from socratic.arithmetic import Known, check_solution, find_numbers, number_text
from socratic.contrast import FEW, Contrast, Copies, contrast, copy
from socratic.errors import DataError
from socratic.evaluate import Reasoner, read_graded
from socratic.resample import Refusal
from socratic.schema import Decoding, Ended, Problem, RunRecord, Source, Step, Trace

QUESTION = "Ann has {} cats and buys {} birds. How many pets has she?"


def worked(number: int, one: int, other: int) -> Trace:
    """A sum with its gold solution."""
    question = QUESTION.format(one, other)
    checks, known = check_solution(f"<<{one}+{other}={one + other}>>", Known.of(question))
    answer = number_text(known.results[-1])
    step = Step("", f"<<{one}+{other}={answer}>>{answer}", answer, checks)
    return Trace(Problem(f"sum-{number}", question, answer, "sums", "test"), (step,), answer, Ended.DONE, Source("human", "sums"))


SUMS = [worked(i, 20 + i, 40 + 2 * i) for i in range(12)]
REPEATED = worked(90, 20, 20)  # which 20 is which does not matter: they change together
UNSURE = Trace(Problem("odd", "Ann has 30 cats and 4 dogs.", "35"), SUMS[0].steps, "35", Ended.DONE)


def computes(problems: Sequence[Problem]) -> Iterator[Trace]:
    """A student that adds the numbers of the question."""
    for problem in problems:
        total = sum(number.value for number in find_numbers(problem.question))
        yield Trace(problem, answer=number_text(total), ended=Ended.DONE)


def remembers(traces: Sequence[Trace]) -> Reasoner:
    """A student that knows problems by heart, by all but their numbers, and says what the answer was."""
    answers = {trace.problem.id: trace.answer for trace in traces}

    def recall(problems: Sequence[Problem]) -> Iterator[Trace]:
        for problem in problems:
            yield Trace(problem, answer=answers[problem.id.rpartition("-r")[0] or problem.id], ended=Ended.DONE)

    return recall


def run(reason: Reasoner, copies: Copies, folder: Path, record: RunRecord | None = None) -> Contrast:
    """Contrast in the sums' name."""
    asked = {"dataset": "sums test", "model": "scripted", "decoding": Decoding(seed=3)}
    return contrast(reason, copies, predictions=folder / "p.jsonl", record=record, **asked)


@pytest.fixture(scope="module")
def copies() -> Copies:
    """Three draws of the sums."""
    return copy([*SUMS, UNSURE], draws=3, seed=1)


def test_who_computes_is_equal_on_both(copies: Copies, tmp_path: Path) -> None:
    found = run(computes, copies, tmp_path)
    assert found.originals.count == found.always.count == found.n == 12 and found.kept == 1.0
    assert all((draw.accuracy.count, draw.difference, draw.p) == (12, 0.0, 1.0) for draw in found.draws)
    assert "no difference" in found.verdict


def test_who_remembers_falls_to_nothing(copies: Copies, tmp_path: Path) -> None:
    found = run(remembers(SUMS), copies, tmp_path)
    assert found.originals.count == 12 and found.always.count == 0 and found.kept == 0.0
    assert all((draw.accuracy.count, draw.difference) == (0, -1.0) and draw.p < 0.01 for draw in found.draws)
    assert "harder" in found.verdict and str(found).endswith(found.verdict)


def test_who_says_nothing_is_no_worse_on_copies(copies: Copies, tmp_path: Path) -> None:
    def silent(problems: Sequence[Problem]) -> Iterator[Trace]:
        yield from (Trace(problem, ended=Ended.NO_ANSWER) for problem in problems)

    found = run(silent, copies, tmp_path)
    assert (found.originals.count, found.always.count, found.kept, found.draws[0].p) == (0, 0, 0.0, 1.0)


def test_pairs_add_up_and_every_prediction_is_kept(copies: Copies, tmp_path: Path) -> None:
    found = run(remembers(SUMS[:6] + [worked(i, 1, 1) for i in range(6, 12)]), copies, tmp_path)
    for draw in found.draws:
        assert draw.table.n == found.n
        assert draw.table.both + draw.table.only_a == found.originals.count == 6
        assert draw.table.both + draw.table.only_b == draw.accuracy.count
        assert draw.low <= draw.difference <= draw.high
    graded = read_graded(tmp_path / "p.jsonl")
    assert [one.trace.problem for one in graded] == copies.together
    assert sum(one.correct for one in graded[:12]) == 6


@pytest.mark.parametrize(("students", "batch", "kept"), [("a", 8, 16), ("a", 20, 20), ("b", 8, 0)])
def test_a_stopped_contrast_goes_on_at_a_whole_batch_of_the_same_students(
    copies: Copies, students: str, batch: int, kept: int, tmp_path: Path
) -> None:
    asked = list[int]()

    def stops(problems: Sequence[Problem]) -> Iterator[Trace]:
        yield from computes(problems[:23])
        raise KeyboardInterrupt

    def goes_on(problems: Sequence[Problem]) -> Iterator[Trace]:
        asked.append(len(problems))
        return computes(problems)

    record = RunRecord("now", "", "scripted", "cpu", "float32", batch, 10, 3, {}, "sums", "a")
    with pytest.raises(KeyboardInterrupt):
        run(stops, copies, tmp_path, record)
    found = run(goes_on, copies, tmp_path, replace(record, started="later", students=students))
    assert asked == [48 - kept]
    assert replace(found, record=None) == run(computes, copies, tmp_path / "whole")
    assert (tmp_path / "p.jsonl").read_bytes() == (tmp_path / "whole" / "p.jsonl").read_bytes()


def test_copies_have_ids_words_and_numbers_of_their_own(copies: Copies) -> None:
    assert [problem.id for problem in copies.originals] == [trace.problem.id for trace in SUMS]
    assert len({problem.id for problem in copies.together}) == len({problem.question for problem in copies.together}) == 48
    for number, draw in enumerate(copies.draws, 1):
        for original, new in zip(copies.originals, draw, strict=True):
            one, other = (each.value for each in find_numbers(new.question))
            assert new.id == f"{original.id}-r{number}" and new.question == QUESTION.format(one, other)
            assert new.answer == number_text(one + other)


def test_the_seed_alone_decides_and_what_is_left_out_is_counted_by_reason(copies: Copies) -> None:
    assert copies.refused == {Refusal.NOWHERE.value: 1}
    assert copy([*SUMS, UNSURE], draws=3, seed=1) == copies != copy([*SUMS, UNSURE], draws=3, seed=2)
    assert copy(SUMS, draws=3, seed=1, limit=5).originals == copies.originals[:5]
    assert copy([REPEATED], draws=1, seed=1).originals


@pytest.mark.parametrize("traces", [[], [UNSURE]])
def test_without_a_problem_that_can_change_there_is_no_contrast(traces: list[Trace]) -> None:
    with pytest.raises(DataError, match="without doubt") as caught:
        copy(traces, draws=1, seed=0)
    assert caught.value.hint


def test_a_problem_with_too_few_numbers_that_suit_is_left_out() -> None:
    assert copy([*SUMS[:1], worked(99, 2, 3)], draws=20, seed=0).refused == {FEW: 1}


@pytest.mark.skipif(not os.environ.get("SOCRATIC_DATA"), reason="SOCRATIC_DATA names no folder with GSM8K")
def test_who_remembers_gsm8k_is_found_out(tmp_path: Path) -> None:
    traces = tasks.worked("gsm8k")[:60]
    found = run(remembers(traces), copy(traces, draws=2, seed=0), tmp_path)
    assert found.originals.count == found.n > 20
    assert not any(draw.accuracy.count for draw in found.draws)
