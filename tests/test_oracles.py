"""Pairs with one part swapped for an oracle, and gold traces that the loop can hold. Run: pytest tests/test_oracles.py"""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
from scripted import ScriptedDecomposer, ScriptedSolver

from socratic import benchmarks
from socratic.errors import DataError
from socratic.evaluate import grade
from socratic.oracles import AGAIN, TRIES, Pair, PerfectStopping, Swap, own_question, pair, playable
from socratic.orchestrator import Orchestrator
from socratic.schema import Decoding, Ended, Problem, Solution, Step, Trace

PLUMS = Problem("plums", "Tom has 3 bags of 12 plums. He eats 6. How many plums are left?", "30")
STEPS = (
    Step("How many plums has he?", "3*12 = <<3*12=36>>36", "36"),
    Step("How many plums are left?", "36-6 = <<36-6=30>>30", "30"),
)
GOLD = playable(Trace(PLUMS, STEPS, "30", Ended.DONE))


def solve(asks: Sequence[str | Ended], solves: dict[str, str | Ended], swap: Swap, gold: Trace = GOLD) -> Trace:
    """One problem by scripted students, with that part swapped."""
    student: Pair = ScriptedDecomposer({gold.problem.question: asks}), ScriptedSolver(solves)
    return Orchestrator(*pair(swap, student, {gold.problem.id: gold})).solve(gold.problem)


def test_gold_solutions_count_steps_and_not_words() -> None:
    assert solve(["What?", "And then?"], {}, Swap.SOLUTIONS).answer == "30"
    assert solve(["What?"], {}, Swap.SOLUTIONS).answer == "36"
    beyond = solve(["What?", "And then?", "And then still?"], {}, Swap.SOLUTIONS)
    assert (beyond.answer, beyond.ended) == (None, Ended.NO_ANSWER)


def test_gold_questions_reach_the_solver_in_order_and_then_end() -> None:
    solves = {step.question: step.solution for step in STEPS}
    found = solve([Ended.DONE], solves, Swap.QUESTIONS)
    assert (found.answer, found.ended) == ("30", Ended.DONE)
    assert [step.question for step in found.steps] == [step.question for step in STEPS]


class Hesitant:
    """A decomposer that is done after the first subquestion, and asks on only when it samples with the n-th seed."""

    def __init__(self, patience: int) -> None:
        self.patience, self.asked = patience, list[Decoding]()

    def ask(self, traces: Sequence[Trace], decoding: Decoding) -> list[str | Ended]:
        self.asked.append(decoding)
        samples = sum(tried.temperature > 0 for tried in self.asked)
        goes_on = [not trace.steps or samples >= self.patience for trace in traces]
        return [f"Question {len(trace.steps)}?" if more else Ended.DONE for trace, more in zip(traces, goes_on, strict=True)]


@pytest.mark.parametrize(
    ("patience", "asked"), [(1, "Question 1?"), (TRIES, "Question 1?"), (TRIES + 1, "How many plums are left?")]
)
def test_who_stops_early_is_asked_again_and_in_the_end_for_the_answer(patience: int, asked: str) -> None:
    hesitant = Hesitant(patience)
    once = Trace(PLUMS, STEPS[:1])
    assert PerfectStopping(hesitant, {"plums": GOLD}).ask([once], Decoding(seed=5)) == [asked]
    assert hesitant.asked[0] == Decoding(seed=5), "as it is, before any sample"
    assert len({tried.seed for tried in hesitant.asked}) == len(hesitant.asked) <= TRIES + 1


def test_perfect_stopping_stops_who_would_go_on_and_leaves_other_ends_alone() -> None:
    solves = {"a?": "<<3*12=36>>36", "b?": "<<36-6=30>>30", "c?": "<<30+1=31>>31"}
    assert solve(["a?", "b?", "c?"], solves, Swap.AS_IS).answer == "31"
    assert solve(["a?", "b?", "c?"], solves, Swap.STOPPING).answer == "30"
    assert solve(["a?", Ended.CONTEXT_FULL], solves, Swap.STOPPING).ended is Ended.CONTEXT_FULL


def test_perfect_stopping_does_not_end_at_a_repeated_step() -> None:
    solves: dict[str, str | Ended] = dict.fromkeys(("How many?", "how many"), "<<3*12=36>>36")
    assert solve(["How many?", "how many"], solves, Swap.AS_IS).ended is Ended.REPEATED
    found = solve(["How many?", "how many"], solves, Swap.STOPPING)
    assert (found.answer, found.ended, len(found.steps)) == ("36", Ended.DONE, 2)


def test_places_of_a_batch_are_kept() -> None:
    traces = [Trace(PLUMS, STEPS), Trace(PLUMS), Trace(PLUMS, STEPS[:1])]
    asked = PerfectStopping(Hesitant(1), {"plums": GOLD}).ask(traces, Decoding())
    assert asked == [Ended.DONE, "Question 0?", "Question 1?"]


@pytest.mark.parametrize(
    ("question", "own"),
    [
        ("Tom has 1.5 kg. How many g?", "How many g?"),
        ("How many?", "How many?"),
        ("He ran! If he runs 3 times, how far? ", "If he runs 3 times, how far?"),
    ],
)
def test_a_problems_own_question_is_its_last_sentence(question: str, own: str) -> None:
    assert own_question(Problem("p", question)) == own


@pytest.mark.parametrize(
    ("steps", "answer"),
    [
        ([("How many?", "<<2*3=6>>6"), ("how many", "<<6+1=7>>7"), ("How many?", "<<7+1=8>>8")], "8"),  # asked again and again
        ([("Simplify", ""), ("How many?", "<<2*3=6>>6")], "6"),  # says nothing
        ([("Simplify", "x = y"), ("Simplify", "Ok"), ("How many?", "<<2*3=6>>6")], "6"),
        ([("How many?", "<<99/3=33>>33"), ("How many left?", "33 because there is 1 in each.")], "33"),  # the last is another
        ([("How many?", "Nobody knows.")], "33"),
        ([("How cold?", "<<3-10=-7>>-7"), ("And then?", "As cold.")], "-7"),
        ([("What part?", "<<1+0=1>>1"), ("What part of 3?", "A third.")], "1/3"),
    ],
)
def test_odd_gold_traces_become_playable(steps: list[tuple[str, str]], answer: str) -> None:
    gold = playable(Trace(Problem("p", "How many of 2 and 3?", answer), tuple(Step(q, s, "") for q, s in steps)))
    assert grade(solve([], {}, Swap.GOLD, gold))
    assert solve([], {}, Swap.GOLD, gold).ended is Ended.DONE
    assert "".join(step.solution for step in gold.steps).replace("\n", "").startswith("".join(solution for _, solution in steps))


def test_the_solver_never_sees_how_repeated_subquestions_are_told_apart() -> None:
    steps = tuple(Step("How many?", f"<<{n}+1={n + 1}>>{n + 1}", "") for n in (1, 2, 3))
    gold = playable(Trace(Problem("p", "How many?", "4"), steps))
    seen = list[str]()

    class Reads:
        def solve(self, traces: Sequence[Trace], questions: Sequence[str], decoding: Decoding) -> list[Solution | Ended]:
            seen.extend([*questions, *(step.question for trace in traces for step in trace.steps)])
            return [Solution(f"<<{len(traces[0].steps) + 1}+1=4>>4")] * len(questions)

    found = Orchestrator(*pair(Swap.QUESTIONS, (ScriptedDecomposer({}), Reads()), {"p": gold})).solve(gold.problem)
    assert len(found.steps) == 3 and found.steps[-1].question == "How many?" + 2 * AGAIN
    assert set(seen) == {"How many?"}


@pytest.mark.parametrize("trace", [Trace(PLUMS), Trace(PLUMS, (Step("", "<<1+1=2>>2", "2"),)), Trace(Problem("q", "?"), STEPS)])
def test_what_is_no_gold_trace_with_subquestions_is_refused(trace: Trace) -> None:
    with pytest.raises(DataError, match="gold subquestions") as found:
        playable(trace)
    assert "gsm8k" in found.value.hint


@pytest.mark.skipif("SOCRATIC_DATA" not in os.environ, reason="SOCRATIC_DATA names no folder of benchmarks")
def test_gold_questions_and_solutions_score_everything_on_gsm8k() -> None:
    gold = {trace.problem.id: playable(trace) for trace in benchmarks.traces("gsm8k-socratic", "test")[:150]}
    assert any(AGAIN in step.question for trace in gold.values() for step in trace.steps), "the hard ones are among them"
    nobody: Pair = ScriptedDecomposer({}), ScriptedSolver({})
    found = Orchestrator(*pair(Swap.GOLD, nobody, gold)).solve_many([trace.problem for trace in gold.values()])
    assert [trace.problem.id for trace in found if not grade(trace)] == []
