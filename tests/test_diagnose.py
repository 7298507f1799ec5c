"""Where scripted students lose their points, and folders that go on or are refused. Run: pytest tests/test_diagnose.py"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import ScriptedDecomposer, ScriptedSolver, told

from socratic.compare import compare
from socratic.diagnose import SETTING, Diagnosis, Row, Setting, Study, load_gold, plot, set_up
from socratic.errors import DataError, UsageError
from socratic.faults import Fault
from socratic.jsonl import write_jsonl
from socratic.oracles import Pair, Swap
from socratic.schema import Decoding, Ended, Problem, Solution, Step, Trace

N = 8
SET = Setting("scripted", "", "plums", "", N, calculator=True, seed=0)


def gold(n: int) -> Trace:
    """A problem with two steps; its own question is the last subquestion."""
    asked = (f"How many plums has Tom{n}?", f"How many are left for Tom{n}?")
    solved = (f"<<{n}*12={n * 12}>>{n * 12}", f"<<{n * 12}-5={n * 12 - 5}>>{n * 12 - 5}")
    steps = tuple(Step(question, solution, "") for question, solution in zip(asked, solved, strict=True))
    answer = str(n * 12 - 5)
    problem = Problem(f"p{n}", f"Tom{n} has {n} bags of 12 plums and eats 5. {asked[1]}", answer)
    return Trace(problem, steps, answer, Ended.DONE)


GOLD = [gold(n) for n in range(2, N + 2)]
ASKS: dict[str, list[str | Ended]] = {trace.problem.question: [step.question for step in trace.steps] for trace in GOLD}
SOLVES: dict[str, str | Ended] = {step.question: step.solution for trace in GOLD for step in trace.steps}


def scripted(asks: dict[str, list[str | Ended]] = ASKS, solves: dict[str, str | Ended] = SOLVES) -> Pair:
    return ScriptedDecomposer(asks), ScriptedSolver(solves)


def run(pair: Pair, folder: Path, setting: Setting = SET, batch_size: int = 3) -> Diagnosis:
    study = Study(pair, GOLD, setting, folder, batch_size=batch_size)
    for swap in study.unfinished:
        study.run(swap)
    return study.diagnosis()


def row(found: Diagnosis, swap: Swap) -> Row:
    return next(row for row in found.rows if row.swap is swap)


def faults(found: Diagnosis) -> dict[Fault, int]:
    return {share.fault: share.count for share in found.faults if share.count}


def slips() -> dict[str, str | Ended]:
    """Solutions of which every last one is wrong."""
    return {question: "<<7+7=14>>14" if "left" in question else solution for question, solution in SOLVES.items()}


def test_who_errs_only_in_solving_gains_everything_from_gold_solutions_and_nothing_from_gold_questions(tmp_path: Path) -> None:
    found = run(scripted(solves=slips()), tmp_path)
    assert row(found, Swap.AS_IS).accuracy == 0
    assert row(found, Swap.SOLUTIONS).gain == 1 and row(found, Swap.SOLUTIONS).p < 0.05
    assert row(found, Swap.QUESTIONS).gain == row(found, Swap.STOPPING).gain == 0
    assert faults(found) == {Fault.BOTH: N}


def test_who_errs_only_in_asking_gains_everything_from_gold_questions(tmp_path: Path) -> None:
    asks: dict[str, list[str | Ended]] = {question: ["What is 1 and 1?", *asked[1:]] for question, asked in ASKS.items()}
    wrong: dict[str, str | Ended] = {"What is 1 and 1?": "<<1+1=2>>2"}
    left: dict[str, str | Ended] = {trace.steps[1].question: "<<2-5=-3>>-3" for trace in GOLD}

    class Builds(ScriptedSolver):
        def solve(self, traces: Sequence[Trace], questions: Sequence[str], decoding: Decoding) -> list[Solution | Ended]:
            """Right where the step before is."""
            lost = [any(step.answer == "2" for step in trace.steps) for trace in traces]
            script = [{**SOLVES, **wrong, **left} if is_lost else {**SOLVES, **wrong} for is_lost in lost]
            return [told(said[question]) for said, question in zip(script, questions, strict=True)]

    found = run((ScriptedDecomposer(asks), Builds({})), tmp_path)
    assert (row(found, Swap.AS_IS).accuracy, row(found, Swap.QUESTIONS).accuracy) == (0, 1)
    assert row(found, Swap.STOPPING).gain == 0


@pytest.mark.parametrize(
    ("asks", "fault"),
    [
        ({question: asked[:1] for question, asked in ASKS.items()}, Fault.MISSING),
        ({question: [*asked, "And then?"] for question, asked in ASKS.items()}, Fault.EXTRA),
    ],
)
def test_who_errs_only_in_stopping_is_mended_by_perfect_stopping(
    tmp_path: Path, asks: dict[str, list[str | Ended]], fault: Fault
) -> None:
    found = run(scripted(asks, {**SOLVES, "And then?": "<<1+1=2>>2"}), tmp_path)
    assert (row(found, Swap.AS_IS).accuracy, row(found, Swap.STOPPING).accuracy) == (0, 1)
    assert faults(found) == {fault: N}


def test_exact_arithmetic_is_a_swap_where_results_are_the_students_own(tmp_path: Path) -> None:
    class Own(ScriptedSolver):
        def solve(self, traces: Sequence[Trace], questions: Sequence[str], decoding: Decoding) -> list[Solution | Ended]:
            """Every result is 1 where the solver writes it."""
            exact = [str(self.script[question]) for question in questions]
            own = [f"<<{text[2:].partition('=')[0]}=1>>1" for text in exact]
            return list(map(told, exact if decoding.calculator else own))

    own = replace(SET, calculator=False)
    found = run((ScriptedDecomposer(ASKS), Own(SOLVES)), tmp_path, own)
    assert row(found, Swap.ARITHMETIC).accuracy == 1 > row(found, Swap.AS_IS).accuracy == 0
    assert faults(found) == {Fault.RESULT: N}
    assert Swap.ARITHMETIC not in SET.swaps


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.booleans()), min_size=N, max_size=N),
    st.integers(1, N),
)
def test_gains_add_up_and_gold_is_everything(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[tuple[int, bool, bool]], batch_size: int
) -> None:
    asks, solves = dict[str, list[str | Ended]](), dict[str, str | Ended]({"Else?": "<<1+1=2>>2"})
    for trace, (asked, *right) in zip(GOLD, kinds, strict=True):
        asks[trace.problem.question] = [*[step.question for step in trace.steps], "Else?"][:asked]
        solves |= {s.question: s.solution if ok else "<<7+7=14>>14" for s, ok in zip(trace.steps, right, strict=True)}
    folder = tmp_path_factory.mktemp("study")
    found = run(scripted(asks, solves), folder, batch_size=batch_size)
    base = row(found, Swap.AS_IS)
    assert (base.gain, base.p) == (0, 1)
    for one in found.rows:
        assert one.table.n == N and one.gain_low <= one.gain <= one.gain_high and one.low <= one.accuracy <= one.high
        assert one.accuracy == pytest.approx(base.accuracy + one.gain)
        assert one.gain == pytest.approx((one.table.only_b - one.table.only_a) / N)
        kept = compare(folder / "as-it-is.jsonl", folder / f"{one.swap.value.replace(' ', '-')}.jsonl")
        assert kept.table == one.table, "the figures are those of the predictions that are kept"
    assert row(found, Swap.GOLD).accuracy == 1
    assert sum(faults(found).values()) == base.table.neither
    assert [(one.swap, one.table) for one in run(scripted(asks, solves), folder / "same", batch_size=1).rows] == [
        (one.swap, one.table) for one in found.rows
    ]


# Folders


class Breaks(ScriptedSolver):
    """Works for so many calls."""

    def __init__(self, calls: int) -> None:
        super().__init__(SOLVES)
        self.calls = calls

    def solve(self, traces: Sequence[Trace], questions: Sequence[str], decoding: Decoding) -> list[Solution | Ended]:
        self.calls -= 1
        if self.calls < 0:
            raise KeyboardInterrupt
        return super().solve(traces, questions, decoding)


def test_a_finished_swap_is_not_run_again_and_a_broken_one_is(tmp_path: Path) -> None:
    once = run(scripted(), tmp_path / "once")
    with pytest.raises(KeyboardInterrupt):
        run((ScriptedDecomposer(ASKS), Breaks(8)), tmp_path / "broken")
    study = Study(scripted(), GOLD, SET, tmp_path / "broken")
    assert study.unfinished == [Swap.QUESTIONS, Swap.SOLUTIONS, Swap.STOPPING, Swap.GOLD]
    assert run(scripted(), tmp_path / "broken") == once
    assert run((ScriptedDecomposer(ASKS), Breaks(0)), tmp_path / "broken") == once, "nobody is asked again"
    assert json.loads((tmp_path / "broken" / "diagnosis.json").read_text())["rows"][0]["accuracy"] == 1
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.parametrize(
    "other", [replace(SET, model="b"), replace(SET, weights="b"), replace(SET, data="b"), replace(SET, n=9), replace(SET, seed=1)]
)
def test_another_settings_folder_is_refused(tmp_path: Path, other: Setting) -> None:
    Study(scripted(), GOLD, SET, tmp_path)
    with pytest.raises(UsageError, match=r"another setting: (model|weights|data|n|seed) ") as found:
        Study(scripted(), GOLD, other, tmp_path)
    assert "--output" in found.value.hint


@pytest.mark.parametrize(("name", "text"), [("notes.txt", "mine"), (SETTING, "{"), (SETTING, "[]")])
def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError) as found:
        Study(scripted(), GOLD, SET, tmp_path)
    assert found.value.hint and [path.read_text() for path in tmp_path.iterdir()] == [text]


def test_no_traces_and_doubled_ones_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no gold traces"):
        Study(scripted(), [], SET, tmp_path)
    write_jsonl(tmp_path / "twice.jsonl", [GOLD[0].to_dict()] * 2)
    with pytest.raises(DataError, match="'p2' again"):
        load_gold(str(tmp_path / "twice.jsonl"))
    (tmp_path / "no.jsonl").write_text('{"question": "How many?"}\n')
    with pytest.raises(DataError, match=r"no\.jsonl:1: not a trace"):
        load_gold(str(tmp_path / "no.jsonl"))
    with pytest.raises(UsageError, match="no split 'train'"):
        load_gold(str(tmp_path / "twice.jsonl"), "train")


# What is shown


def test_the_tables_name_every_swap_and_fault(tmp_path: Path) -> None:
    found = run(scripted(solves=slips()), tmp_path / "d")
    text = str(found)
    assert all(text.count(swap.value) >= 2 for swap in SET.swaps) and all(fault.value in text for fault in Fault)
    assert f"n = {N}" in text and "first fault of the" in text
    plot(found, tmp_path / "deep" / "lost.png")
    assert (tmp_path / "deep" / "lost.png").read_bytes().startswith(b"\x89PNG")


def test_the_setting_hangs_on_students_and_traces(student: Path, bert_student: Path, tmp_path: Path) -> None:
    one, same = set_up(str(student), "plums", GOLD), set_up(str(student), "plums", GOLD)
    assert one == same and one.n == N
    copy = shutil.copytree(student, tmp_path / "copy")
    about = json.loads((copy / "student.json").read_text())
    (copy / "student.json").write_text(json.dumps({**about, "done_within": 0.5}))
    assert set_up(str(copy), "plums", GOLD).weights != one.weights, "it stops elsewhere"
    assert set_up(str(bert_student), "plums", GOLD).weights != one.weights
    assert set_up(str(student), "plums", GOLD[1:]).data != one.data


def test_the_command_prints_figures_keeps_them_and_goes_on(student: Path, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "gold.jsonl", (trace.to_dict() for trace in GOLD))
    command = [sys.executable, "-m", "socratic.cli", "diagnose", "gold.jsonl", "--model", str(student), "--limit", "3"]
    first, again, other = (
        subprocess.run([*command, "--output", "d", "--json", *more], capture_output=True, text=True, cwd=tmp_path, timeout=300)
        for more in ([], [], ["--no-calculator"])
    )
    assert first.returncode == 0, first.stderr
    figures = json.loads(first.stdout)
    assert figures["setting"]["n"] == 3 and figures["rows"][-1]["accuracy"] == 1
    assert again.stdout == first.stdout
    assert other.returncode == 2 and "calculator" in other.stderr and "Traceback" not in other.stderr
