"""The decomposer over a scripted engine: its turns, when it is done, and who plans for it."""

from __future__ import annotations

import pytest
from scripted import LATER, START, ScriptedEngine

from socratic.arithmetic import Known, check_solution
from socratic.decomposer import Decomposer, Planner
from socratic.dialect import ASK, DONE, END, NUMBERS, RESULTS, SOLVE, Guidance, Piece, Style
from socratic.schema import Decoding, Ended, Problem, Step, Trace
from socratic.vocabulary import Vocabulary

MASKED, GREEDY = Style(), Decoding()


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.learn([START.problem.question] * 3, size=400)


def asked(vocabulary: Vocabulary, turn: list[Piece], trace: Trace = LATER) -> str | Ended:
    return Decomposer(ScriptedEngine(vocabulary, [turn]), MASKED).ask([trace], GREEDY)[0]


@pytest.mark.parametrize(
    ("turn", "expected"),
    [
        ([DONE], Ended.DONE),
        ([ASK, " How many in May?", SOLVE], "How many in May?"),
        ([ASK, " How much is", NUMBERS[1], " and", RESULTS[0], "?", SOLVE], "How much is 20 and 24?"),
        ([ASK, " How many"], Ended.NO_ANSWER),
        ([ASK, SOLVE], Ended.NO_ANSWER),
        ([" How many?", SOLVE], Ended.NO_ANSWER),
    ],
)
def test_decomposers_turn_is_read_or_named(vocabulary: Vocabulary, turn: list[Piece], expected: str | Ended) -> None:
    assert asked(vocabulary, turn) == expected


SUM = "48+20 = <<48+20=68>>68"


USED = Trace(START.problem, (Step("How many in all?", SUM, "68", check_solution(SUM, Known.of(START.problem.question))[0]),))


TWICE = Problem("p", "Al buys 5 pens at 2 dollars and 5 books at 3 dollars. How much is that?")
BOUGHT = "5*2 = <<5*2=10>>10, 5*3 = <<5*3=15>>15, 10+15 = <<10+15=25>>25"
SPENT = Trace(TWICE, (Step("How much?", BOUGHT, "25", check_solution(BOUGHT, Known.of(TWICE.question))[0]),))


@pytest.mark.parametrize(
    ("trace", "lead", "decoding", "is_over"),
    [
        (USED, -2.9, GREEDY, True),
        (USED, -3.1, GREEDY, False),
        (SPENT, -2.9, GREEDY, True),
        (LATER, -2.9, GREEDY, False),  # 20 is left
        (START, 9.0, GREEDY, False),
        (USED, -2.9, Decoding(temperature=0.7), False),
    ],
)
def test_who_has_used_everything_is_done_where_that_is_likely_enough(
    vocabulary: Vocabulary, trace: Trace, lead: float, decoding: Decoding, is_over: bool
) -> None:
    engine = ScriptedEngine(vocabulary, [[ASK, " How many?", SOLVE] if trace.steps else [" How many?", SOLVE]], lead=lead)
    asked = Decomposer(engine, MASKED, done_within=3.0).ask([trace], decoding)
    assert asked == [Ended.DONE if is_over else "How many?"]


def test_the_first_turn_is_opened_for_it_lest_it_go_on_with_the_problem(vocabulary: Vocabulary) -> None:
    engine = ScriptedEngine(vocabulary, [[" How many?", SOLVE], [ASK, " How many?", SOLVE]])
    assert Decomposer(engine, MASKED).ask([START, LATER], GREEDY) == ["How many?", "How many?"]
    assert [prompt.ids[-1] == vocabulary.ids[ASK] for prompt in engine.prompts] == [True, False]


def test_a_planner_plans_each_problem_once_and_its_decomposer_reads_the_plan(vocabulary: Vocabulary) -> None:
    told = Style(guidance=Guidance.EQUATIONS)
    planner = Planner(ScriptedEngine(vocabulary, [[NUMBERS[0], "/2;", RESULTS[0], "+", NUMBERS[1], END]]), told)
    engine = ScriptedEngine(vocabulary, [[ASK, " How many?", SOLVE], [DONE]])
    for trace in (START, LATER):
        Decomposer(engine, told, planner).ask([trace], GREEDY)
    plan = [NUMBERS[0], "/2;", RESULTS[0], "+", NUMBERS[1]]
    for prompt in engine.prompts:
        pieces = vocabulary.decode(prompt.ids)
        start = 1 + next(place for place, piece in enumerate(pieces) if str(piece).endswith(" Plan:"))
        assert pieces[start : start + 5] == plan
