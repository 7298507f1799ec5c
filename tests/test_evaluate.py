"""Grading, counting, and the record. Run: pytest tests/test_evaluate.py; GSM8K's own traces need SOCRATIC_DATA."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import ScriptedDecomposer, ScriptedSolver

from socratic import tasks
from socratic.errors import DataError, UsageError
from socratic.evaluate import (
    Reasoner,
    Resumable,
    as_line,
    evaluate,
    finished,
    grade,
    predict,
    read_graded,
    read_rated,
    record_of,
    regrade,
    require_same,
)
from socratic.orchestrator import Orchestrator
from socratic.schema import Ended, Labels, Problem, Report, Source, Step, Trace
from socratic.voting import Vote, count

PROBLEMS = [Problem(f"p{i}", f"What is {i} and 1?", str(i + 1), "sums", "test") for i in range(10)]


def gold(problems: Sequence[Problem]) -> Iterator[Trace]:
    """A student that knows every answer."""
    for problem in problems:
        yield Trace(problem, answer=problem.answer, ended=Ended.DONE, source=Source("human", "gold"))


def shuffled(problems: Sequence[Problem]) -> Iterator[Trace]:
    """A student that gives each problem the answer of the next."""
    for trace, other in zip(gold(problems), [*problems[1:], problems[0]], strict=True):
        yield replace(trace, answer=other.answer)


def test_gold_traces_score_everything_and_shuffled_ones_nothing(tmp_path: Path) -> None:
    options = {"dataset": "sums test", "model": "scripted", "calculator": True, "predictions": tmp_path / "p.jsonl"}
    assert evaluate(gold, PROBLEMS, **options).accuracy == 1.0
    assert evaluate(shuffled, PROBLEMS, **options).accuracy == 0.0


def test_every_prediction_is_written_and_reads_back(tmp_path: Path) -> None:
    report = evaluate(
        shuffled, PROBLEMS, dataset="sums test", model="scripted", calculator=False, predictions=tmp_path / "deep" / "p.jsonl"
    )
    rows = [json.loads(line) for line in (tmp_path / "deep" / "p.jsonl").read_text().splitlines()]
    assert len(rows) == report.n == 10
    assert not any(row.pop("correct") for row in rows)
    assert [Trace.from_dict(row).problem for row in rows] == PROBLEMS


def test_predictions_are_there_before_the_end(tmp_path: Path) -> None:
    def stops(problems: Sequence[Problem]) -> Iterator[Trace]:
        yield from gold(problems[:3])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(stops, PROBLEMS, dataset="sums test", model="scripted", calculator=True, predictions=tmp_path / "p.jsonl")
    assert len((tmp_path / "p.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize("written", range(11))
@pytest.mark.parametrize("batch", [1, 3, 4])
def test_a_run_that_was_stopped_goes_on_at_a_whole_batch_and_ends_as_one_that_was_not(
    written: int, batch: int, tmp_path: Path
) -> None:
    odd, asked = [replace(problem, question="How\u2028many?") for problem in PROBLEMS], list[Problem]()  # one line, or two

    def stops(problems: Sequence[Problem]) -> Iterator[Trace]:
        yield from gold(problems[:written])
        raise KeyboardInterrupt

    def stops_at_once(problems: Sequence[Problem]) -> Iterator[Trace]:
        raise KeyboardInterrupt

    def goes_on(problems: Sequence[Problem]) -> Iterator[Trace]:
        asked.extend(problems)
        yield from gold(problems)

    def run(reason: Reasoner, name: str, key: str) -> list[bool]:
        heard = list[bool]()
        options = {"dataset": "sums", "model": "m", "calculator": True, "progress": heard.append}
        evaluate(reason, odd, predictions=tmp_path / name, resumable=Resumable(key, batch), **options)
        return heard

    with pytest.raises(KeyboardInterrupt):
        run(stops, "p.jsonl", "one")
    with (tmp_path / "p.jsonl.one.partial").open("ab") as cut_off:
        cut_off.write('{"correct": true, "answer": "é'.encode()[:-1])
    kept = written - written % batch
    with pytest.raises(KeyboardInterrupt):  # again, before anything new is solved
        run(stops_at_once, "p.jsonl", "one")
    assert len((tmp_path / "p.jsonl.one.partial").read_bytes().splitlines()) == kept
    assert run(goes_on, "p.jsonl", "one") == [True] * len(odd)
    assert asked == odd[kept:]
    run(gold, "whole.jsonl", "one")
    assert (tmp_path / "p.jsonl").read_text() == (tmp_path / "whole.jsonl").read_text()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["p.jsonl", "whole.jsonl"]


def test_a_run_of_another_configuration_begins_anew(tmp_path: Path) -> None:
    def silent(problems: Sequence[Problem]) -> Iterator[Trace]:
        yield from (Trace(problem, ended=Ended.NO_ANSWER) for problem in problems[:5])
        raise KeyboardInterrupt

    options = {"dataset": "sums", "model": "m", "calculator": True, "predictions": tmp_path / "p.jsonl"}
    with pytest.raises(KeyboardInterrupt):
        evaluate(silent, PROBLEMS, resumable=Resumable("one", 1), **options)
    assert evaluate(gold, PROBLEMS, resumable=Resumable("other", 1), **options).accuracy == 1.0


def test_votes_are_graded_and_read_back_with_their_confidence(tmp_path: Path) -> None:
    def votes(problems: Sequence[Problem]) -> Iterator[Vote]:
        for right, wrong in zip(gold(problems), shuffled(problems), strict=True):
            yield count([right, right, wrong])

    path = tmp_path / "p.jsonl"
    report = evaluate(votes, PROBLEMS, dataset="sums", model="scripted", calculator=True, predictions=path, samples=3)
    assert (report.accuracy, report.samples) == (1.0, 3) and "a vote of 3 traces" in as_line(report)
    rated = read_rated(path)
    assert [vote.problem for vote in rated] == [problem.id for problem in PROBLEMS]
    assert all(vote.correct and vote.confidence == vote.features.agreement == 2 / 3 for vote in rated)


def test_predictions_without_votes_are_refused_with_their_place(tmp_path: Path) -> None:
    evaluate(gold, PROBLEMS, dataset="sums", model="scripted", calculator=True, predictions=tmp_path / "p.jsonl")
    with pytest.raises(DataError, match="1: not a vote") as caught:
        read_rated(tmp_path / "p.jsonl")
    assert "--samples" in caught.value.hint


def test_no_answer_is_wrong_and_counted(tmp_path: Path) -> None:
    def silent(problems: Sequence[Problem]) -> Iterator[Trace]:
        yield from (Trace(problem, ended=Ended.NO_ANSWER) for problem in problems)

    report = evaluate(silent, PROBLEMS, dataset="sums test", model="scripted", calculator=True, predictions=tmp_path / "p.jsonl")
    assert (report.correct, report.unanswered) == (0, 10)
    assert "0.0 %" in as_line(report)


ANSWERS = ("1", "2", "50", "50%", "1..2", "yes", None)
TRACES = st.builds(
    lambda answer, gold, ended, steps: Trace(
        Problem("", "How many?", gold), (Step("How many?", "Many.", ""),) * steps, answer, ended, Source("student", "any")
    ),
    st.sampled_from(ANSWERS),
    st.sampled_from(("1", "50", "0.5", "yes", "B")),
    st.sampled_from((*Ended, None)),
    st.integers(0, 3),
)
LABELS = st.builds(Labels, st.none() | st.integers(1, 3), st.sampled_from(("", "Addition")), st.none() | st.integers(0, 2))


@settings(max_examples=40, deadline=None)
@given(found=st.lists(st.tuples(TRACES, LABELS), min_size=1, max_size=12))
def test_whatever_a_student_says_the_figures_agree_with_each_other_and_with_the_file(
    found: list[tuple[Trace, Labels]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any") / "p.jsonl"
    traces = [replace(trace, problem=replace(trace.problem, id=f"p{i}")) for i, (trace, _) in enumerate(found)]
    labels = {f"p{i}": label for i, (_, label) in enumerate(found)}
    report = report_of(traces, path, labels)
    assert report.strict and report.unparsed
    assert report.strict.count <= report.correct <= report.n - report.unparsed.count
    assert report.unanswered <= report.unparsed.count
    for by in {part.by for part in report.slices}:
        parts = [part for part in report.slices if part.by == by]
        counts = [(part.n, part.lenient.count, part.strict.count) for part in parts]
        assert [sum(column) for column in zip(*counts, strict=True)] == [report.n, report.correct, report.strict.count]
        assert len({part.name for part in parts}) == len(parts)
        shares = [(share.low, share.count / part.n, share.high) for part in parts for share in (part.lenient, part.strict)]
        assert all(low - 1e-9 <= middle <= high + 1e-9 for low, middle, high in shares)
    blank = replace(report, n=0, correct=0, badges={}, strict=None, unparsed=None, slices=(), unanswered=0)
    assert regrade(blank, path) == report
    assert Report.from_dict(json.loads(json.dumps(asdict(report)))) == report


def report_of(traces: Sequence[Trace], path: Path, labels: Mapping[str, Labels] | None = None) -> Report:
    problems = [trace.problem for trace in traces]
    options: dict[str, Any] = {"dataset": "any", "model": "scripted", "calculator": True, "predictions": path}
    return evaluate(lambda _: iter(traces), problems, labels=labels, **options)


@pytest.mark.parametrize(
    ("answer", "gold", "ended", "lenient", "strict", "parsed"),
    [
        ("72", "72", Ended.DONE, True, True, True),
        ("72", "72", Ended.REPEATED, True, False, True),
        ("72", "72", Ended.STEP_LIMIT, True, False, True),
        ("50%", "50", Ended.DONE, True, False, True),
        ("50%", "0.5", Ended.DONE, True, True, True),
        ("71", "72", Ended.DONE, False, False, True),
        ("1..2", "72", Ended.DONE, False, False, False),
        ("yes", "72", Ended.DONE, False, False, False),
        ("Yes.", "yes", Ended.DONE, True, True, True),
        (None, "72", Ended.UNSURE, False, False, False),
    ],
)
def test_lenient_takes_any_last_answer_and_strict_one_that_was_meant_to_be_the_last(
    answer: str | None, gold: str, ended: Ended, lenient: bool, strict: bool, parsed: bool, tmp_path: Path
) -> None:
    report_of([Trace(Problem("p", "How many?", gold), answer=answer, ended=ended)], tmp_path / "p.jsonl")
    [graded] = read_graded(tmp_path / "p.jsonl")
    assert (graded.correct, graded.strict, graded.parsed) == (lenient, strict, parsed)


def test_each_kind_of_problem_is_counted_by_what_the_benchmark_tells(tmp_path: Path) -> None:
    labels = {problem.id: Labels(1 + i % 2, "Addition", 0) for i, problem in enumerate(PROBLEMS[:9])}
    report = report_of(list(gold(PROBLEMS)), tmp_path / "p.jsonl", labels)
    counts = {(part.by, part.name): part.n for part in report.slices}
    assert counts["gold steps", "1"] == 5 and counts["gold steps", "2"] == 4 and counts["gold steps", "not known"] == 1
    assert counts["type", "Addition"] == 9 and counts["ended", "done"] == 10 and counts["steps", "0"] == 10
    unlabelled = report_of(list(gold(PROBLEMS)), tmp_path / "q.jsonl")
    assert {part.by for part in unlabelled.slices} == {"steps", "ended"}, "what nobody told is no kind"


def test_what_always_yes_would_score_is_told_where_answers_are_yes_and_no(tmp_path: Path) -> None:
    asked = [Problem(f"q{i}", "Is it?", "yes" if i < 7 else "no") for i in range(10)]
    report = report_of([Trace(problem, ended=Ended.NO_ANSWER) for problem in asked], tmp_path / "p.jsonl")
    assert report.majority and report.majority.count == 7
    assert report_of(list(gold(PROBLEMS)), tmp_path / "q.jsonl").majority is None


def test_a_record_tells_engine_batch_seed_files_and_the_problems_themselves() -> None:
    orchestrator = Orchestrator(ScriptedDecomposer({}), ScriptedSolver({}), batch_size=7, max_steps=3)
    one = record_of(orchestrator, PROBLEMS, seed=5, data={"gsm8k/test.jsonl": "abc"}, students="def")
    assert (one.batch_size, one.max_steps, one.seed, one.data, one.students) == (7, 3, 5, {"gsm8k/test.jsonl": "abc"}, "def")
    changed = [replace(PROBLEMS[0], answer="2"), *PROBLEMS[1:]]
    sums = {
        record_of(orchestrator, problems, seed=5, data={}, students="").problems for problems in (PROBLEMS, PROBLEMS[:9], changed)
    }
    assert len(sums) == 3 and one.problems in sums


def test_a_finished_report_is_replaced_by_a_run_of_the_same_settings_alone(tmp_path: Path) -> None:
    orchestrator, path = Orchestrator(ScriptedDecomposer({}), ScriptedSolver({}), batch_size=7, max_steps=3), tmp_path / "p.json"
    record = record_of(orchestrator, PROBLEMS, seed=5, data={}, students="def")
    require_same(path, record, PROBLEMS)  # none is there
    path.write_text(json.dumps(asdict(replace(report_of(list(gold(PROBLEMS)), tmp_path / "p.jsonl"), record=record))))
    require_same(path, replace(record, started="later", commit="other", device="cuda"), PROBLEMS)
    for change in ({"seed": 6}, {"problems": "other"}, {"students": "other"}, {"engine": "other"}, {"max_steps": 4}):
        with pytest.raises(UsageError, match=rf"{re.escape(str(path))} .*\({next(iter(change))}\)") as caught:
            require_same(path, replace(record, **change), PROBLEMS)
        assert "--out" in caught.value.hint and "delete" in caught.value.hint
    more = [*PROBLEMS, Problem("another", "What is 9 and 9?", "18")]
    longer = record_of(orchestrator, more, seed=5, data={}, students="def")
    require_same(path, longer, more)
    with pytest.raises(UsageError, match="seed"):
        require_same(path, replace(longer, seed=6), more)
    with pytest.raises(UsageError, match="problems"):  # of another file that has the same name
        require_same(path, record_of(orchestrator, more[::-1], seed=5, data={}, students="def"), more[::-1])


def test_a_finished_report_is_found_by_its_record(tmp_path: Path) -> None:
    orchestrator, path = Orchestrator(ScriptedDecomposer({}), ScriptedSolver({})), tmp_path / "p.json"
    record = record_of(orchestrator, PROBLEMS, seed=5, data={}, students="def")
    assert finished(path, record) is None
    report = replace(report_of(list(gold(PROBLEMS)), tmp_path / "p.jsonl"), record=record)
    path.write_text(json.dumps(asdict(report)))
    assert finished(path, replace(record, started="later")) == report
    for change in ({"seed": 6}, {"problems": "other"}, {"students": "other"}, {"commit": "other"}, {"device": "other"}):
        assert finished(path, replace(record, **change)) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", "{broken", '{"n": 1}'])
def test_what_is_no_report_is_not_replaced_by_one(text: str, tmp_path: Path) -> None:
    orchestrator, path = Orchestrator(ScriptedDecomposer({}), ScriptedSolver({})), tmp_path / "p.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="no report"):
        require_same(path, record_of(orchestrator, PROBLEMS, seed=5, data={}, students="def"), PROBLEMS)
    assert path.read_text() == text


def test_a_report_of_an_older_version_without_a_record_is_not_replaced(tmp_path: Path) -> None:
    orchestrator, path = Orchestrator(ScriptedDecomposer({}), ScriptedSolver({})), tmp_path / "p.json"
    path.write_text(json.dumps(asdict(report_of(list(gold(PROBLEMS)), tmp_path / "p.jsonl"))))
    with pytest.raises(UsageError, match="other settings"):
        require_same(path, record_of(orchestrator, PROBLEMS, seed=5, data={}, students="def"), PROBLEMS)


def test_predictions_that_were_cut_off_or_are_none_are_an_error_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    report = report_of(list(gold(PROBLEMS)), path)
    whole = path.read_text(encoding="utf-8")
    for broken in (
        whole[:-20],
        whole + '{"question": "How many?"}\n',
        whole + json.dumps({"problem": asdict(Problem("x", "y"))}),
    ):
        path.write_text(broken, encoding="utf-8")
        with pytest.raises(DataError, match=r"p\.jsonl:1[01]: not a prediction"):
            regrade(report, path)


@pytest.mark.parametrize(
    ("problems", "said"),
    [
        ([], "no problems"),
        ([*PROBLEMS, Problem("x", "How many?"), Problem("y", "How many?")], r"2 without a gold answer \(x, y\)"),
        ([*PROBLEMS, PROBLEMS[3]], r"1 with an id that another one has \(p3\)"),
        ([*PROBLEMS, Problem("x", "How many?", "12 apples")], "12 apples"),
    ],
)
def test_what_could_not_be_graded_is_refused_before_anything_is_solved(
    problems: list[Problem], said: str, tmp_path: Path
) -> None:
    def never(problems: Sequence[Problem]) -> Iterator[Trace]:
        raise AssertionError("solved")

    with pytest.raises(DataError, match=said):
        predict(never, problems, tmp_path / "p.jsonl")
    assert not (tmp_path / "p.jsonl").exists()
    with pytest.raises(DataError, match="gold"):
        grade(Trace(Problem("x", "How many?")))


RESULTS = Path(__file__).parent.parent / "experiments" / "results"


REPORTS = sorted(set(RESULTS.glob("*.json")) - set(RESULTS.glob("*-coverage.json")))


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_reports_of_every_version_are_read(path: Path) -> None:
    row = json.loads(path.read_text(encoding="utf-8"))
    report = Report.from_dict(row)
    again = json.loads(json.dumps(asdict(report)))
    row["record"] = {**again["record"], **row["record"]}  # older versions recorded less
    assert {**again, **row} == again
    assert f"{100 * row['correct'] / row['n']:.1f} %" in as_line(report)


@pytest.mark.parametrize("row", [{}, {"dataset": "x", "n": 1}, {"strict": {"count": 1}}, {"speed": 9}])
def test_what_is_no_report_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="not a report"):
        Report.from_dict(row)


@pytest.mark.skipif(not os.environ.get("SOCRATIC_DATA"), reason="SOCRATIC_DATA names no folder with GSM8K")
def test_gsm8k_traces_of_people_score_everything_and_shuffled_answers_next_to_nothing(tmp_path: Path) -> None:
    task, traces = tasks.load("gsm8k"), tasks.worked("gsm8k")
    report = report_of(traces, tmp_path / "gold.jsonl", task.labels)
    assert report.strict and (report.n, report.correct, report.strict.count) == (1319, 1319, 1319)
    by_gold, by_steps = ({part.name: part.n for part in report.slices if part.by == by} for by in ("gold steps", "steps"))
    assert by_gold == by_steps == Counter(str(len(trace.steps)) for trace in traces)
    others = [replace(trace, answer=other.answer) for trace, other in zip(traces, [*traces[1:], traces[0]], strict=True)]
    assert report_of(others, tmp_path / "shuffled.jsonl").accuracy < 0.03
