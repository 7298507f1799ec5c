"""Decomposer and solver over a scripted engine: what they read, may write, and how it is read back."""

from __future__ import annotations

import pytest
from scripted import ScriptedEngine

from socratic.arithmetic import Known, check_solution
from socratic.dialect import (
    ASK,
    CAPITAL,
    DONE,
    END,
    EQUALS,
    MARKS,
    NUMBERS,
    RESULTS,
    SOLVE,
    Capitals,
    Guidance,
    Numbers,
    Piece,
    Results,
    Solutions,
    Style,
)
from socratic.schema import Decoding, Ended, Problem, Solution, Step, Trace
from socratic.students import WHOLE, Answerer, Decomposer, Planner, Solver
from socratic.vocabulary import Vocabulary

MASKED = Style()
DIGITS = Style(Numbers.DIGITS, Solutions.SENTENCE, Results.INSERTED)
START = Trace(Problem("p", "Natalia sold 48 clips in April and 20 in May. How many altogether?"))
LATER = Trace(START.problem, (Step("How many in April?", "48/2 = <<48/2=24>>24", "24"),))
GREEDY, BARE = Decoding(), Decoding(calculator=False)


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.learn([START.problem.question] * 3, size=400)


def solved(
    vocabulary: Vocabulary, turns: list[list[Piece]], *, trace: Trace = START, style: Style = MASKED, decoding: Decoding = GREEDY
) -> str | Ended:
    return said(Solver(ScriptedEngine(vocabulary, turns), style), trace, decoding=decoding)


def said(solver: Solver, trace: Trace, question: str = "How many?", *, decoding: Decoding = GREEDY) -> str | Ended:
    [found] = solver.solve([trace], [question], decoding)
    return found.text if isinstance(found, Solution) else found


def asked(vocabulary: Vocabulary, turn: list[Piece], trace: Trace = LATER) -> str | Ended:
    return Decomposer(ScriptedEngine(vocabulary, [turn]), MASKED).ask([trace], GREEDY)[0]


def test_calculator_fills_each_result_and_the_solver_goes_on(vocabulary: Vocabulary) -> None:
    engine = ScriptedEngine(vocabulary, [[NUMBERS[0], "+", NUMBERS[1], EQUALS], [RESULTS[0], "*", "2", EQUALS], [END]])
    assert said(Solver(engine, MASKED), START) == "48+20 = <<48+20=68>>68 68*2 = <<68*2=136>>136"
    inserted = [vocabulary.decode(prompt.ids)[-1] for prompt in engine.prompts]
    assert inserted == [SOLVE, RESULTS[0], RESULTS[1]]


def test_a_solution_is_as_likely_as_all_its_turns_together(vocabulary: Vocabulary) -> None:
    for equations in range(4):
        engine = ScriptedEngine(vocabulary, [[NUMBERS[0], "+", "1", EQUALS]] * equations + [[END]])
        [found] = Solver(engine, MASKED).solve([START], ["How many?"], GREEDY)
        assert isinstance(found, Solution) and found.likelihood == pytest.approx(0.5 ** (equations + 1))


def test_the_larger_number_of_a_difference_stands_first_where_nothing_is_below_zero(vocabulary: Vocabulary) -> None:
    engine = ScriptedEngine(vocabulary, [[NUMBERS[1], "-", NUMBERS[0], EQUALS], [RESULTS[0], "*", "2", EQUALS], [END]])
    assert said(Solver(engine, MASKED), START) == "48-20 = <<48-20=28>>28 28*2 = <<28*2=56>>56"
    read = vocabulary.decode(engine.prompts[1].ids)
    assert read[-5:] == [NUMBERS[0], "-", NUMBERS[1], EQUALS, RESULTS[0]], "the student goes on from what the trace says"
    for question in ("It was 48 degrees, then 20. How many degrees more?", "To -48 add 20.", "Al owes 48, Bo 20. How many?"):
        other = Trace(Problem("p", question))
        assert solved(vocabulary, [[NUMBERS[1], "-", NUMBERS[0], EQUALS], [END]], trace=other) == "20-48 = <<20-48=-28>>-28"


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        (["2", "*", NUMBERS[1], "-", NUMBERS[0]], "48-2*20 = <<48-2*20=8>>8"),
        (["-", NUMBERS[0]], "-48 = <<-48=-48>>-48"),
        (["1", "+", NUMBERS[1], "-", NUMBERS[0]], "1+20-48 = <<1+20-48=-27>>-27"),
        ([NUMBERS[1], "-", NUMBERS[0], "-", "1"], "20-48-1 = <<20-48-1=-29>>-29"),
    ],
)
def test_an_expression_below_zero_is_turned_only_where_that_negates_it(
    vocabulary: Vocabulary, expression: list[Piece], said: str
) -> None:
    assert solved(vocabulary, [[*expression, EQUALS], [END]]) == said


def test_earlier_results_are_references(vocabulary: Vocabulary) -> None:
    assert solved(vocabulary, [[RESULTS[0], "+", NUMBERS[1], EQUALS], [END]], trace=LATER) == "24+20 = <<24+20=44>>44"


def test_sentences_keep_their_words(vocabulary: Vocabulary) -> None:
    turns: list[list[Piece]] = [[" She sold 48+20", EQUALS], [" clips altogether.", END]]
    assert solved(vocabulary, turns, style=DIGITS) == "She sold 48+20 = <<48+20=68>>68 clips altogether."


def test_without_the_calculator_the_solver_states_its_own_result(vocabulary: Vocabulary) -> None:
    turn: list[Piece] = [NUMBERS[0], "+", NUMBERS[1], EQUALS, RESULTS[0], " 67", END]
    assert solved(vocabulary, [turn], decoding=BARE) == "48+20 = <<48+20=67>>67"
    assert solved(vocabulary, [[NUMBERS[0], EQUALS, END]], decoding=BARE) == "48 = <<48=>>"


@pytest.mark.parametrize("expression", [[NUMBERS[0], "/", "0"], ["(", NUMBERS[0]], ["+", "*"], []])
def test_what_the_calculator_cannot_read_ends_the_turn_without_a_result(vocabulary: Vocabulary, expression: list[Piece]) -> None:
    solution = solved(vocabulary, [[*expression, EQUALS]])
    assert isinstance(solution, str) and "=" not in solution


def test_nobody_may_write_references_that_do_not_exist_or_the_other_roles_marks(vocabulary: Vocabulary) -> None:
    engine = ScriptedEngine(vocabulary, [[DONE], [END]])
    Decomposer(engine, MASKED).ask([LATER], GREEDY)
    Solver(engine, MASKED).solve([LATER], ["How many?"], GREEDY)
    may = [{mark for mark in MARKS if vocabulary.ids[mark] not in prompt.banned} for prompt in engine.prompts]
    references = {NUMBERS[0], NUMBERS[1], RESULTS[0]}
    assert may == [{ASK, SOLVE, DONE} | references, {END, EQUALS} | references]


def test_capital_marks_are_written_where_the_style_has_them(vocabulary: Vocabulary) -> None:
    marked, turn = Style(capitals=Capitals.MARKED), [ASK, " how many did", CAPITAL, " nora sell on", CAPITAL, " monday?", SOLVE]
    engine = ScriptedEngine(vocabulary, [turn, [END]])
    assert Decomposer(engine, marked).ask([START], GREEDY) == ["How many did Nora sell on Monday?"]
    Solver(engine, marked).solve([START], ["How many did Nora sell?"], GREEDY)
    assert not any(vocabulary.ids[CAPITAL] in prompt.banned for prompt in engine.prompts)
    assert vocabulary.decode(engine.prompts[1].ids)[-5:] == [ASK, " How many did", CAPITAL, " Nora sell?", SOLVE]


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


@pytest.mark.parametrize(
    ("trace", "lead", "decoding", "is_over"),
    [
        (USED, -2.9, GREEDY, True),
        (USED, -3.1, GREEDY, False),
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


def test_full_context_is_said_and_spares_the_others(vocabulary: Vocabulary) -> None:
    long = Trace(Problem("long", "How many? " * 100))
    engine = ScriptedEngine(vocabulary, [[" How many?", SOLVE], [NUMBERS[0], EQUALS], [END]], context=300)
    assert Decomposer(engine, MASKED).ask([long, START], GREEDY) == [Ended.CONTEXT_FULL, "How many?"]
    full, short = Solver(engine, MASKED).solve([long, START], ["a?", "b?"], GREEDY)
    assert full is Ended.CONTEXT_FULL and short == Solution("48 = <<48=48>>48", pytest.approx(0.25))


def test_the_first_turn_is_opened_for_it_lest_it_go_on_with_the_problem(vocabulary: Vocabulary) -> None:
    engine = ScriptedEngine(vocabulary, [[" How many?", SOLVE], [ASK, " How many?", SOLVE]])
    assert Decomposer(engine, MASKED).ask([START, LATER], GREEDY) == ["How many?", "How many?"]
    assert [prompt.ids[-1] == vocabulary.ids[ASK] for prompt in engine.prompts] == [True, False]


def test_a_solver_that_never_ends_is_stopped(vocabulary: Vocabulary) -> None:
    solution = solved(vocabulary, [[NUMBERS[0], "+", "1", EQUALS]] * 20)
    assert isinstance(solution, str) and solution.count("<<") == 6


def test_a_chain_of_thought_goes_on_while_the_context_has_room_and_has_more_equations(vocabulary: Vocabulary) -> None:
    engine = ScriptedEngine(vocabulary, [[NUMBERS[0], "+", "1", EQUALS]] * 8 + [[END]], context=140)
    solver = Solver(engine, MASKED, limits=WHOLE[MASKED.solutions])
    solution = said(solver, START, "")
    room = [engine.context - len(prompt.ids) for prompt in engine.prompts]
    assert isinstance(solution, str) and solution.count("<<") == 8
    assert min(room) < WHOLE[MASKED.solutions].tokens


def test_answers_are_written_without_marks_and_read_as_they_are(vocabulary: Vocabulary) -> None:
    digits = Style(Numbers.DIGITS)
    engine = ScriptedEngine(vocabulary, [[" -3/4", END], [" yes", END]])
    half = pytest.approx(0.5)
    assert Answerer(engine, digits).solve([START, START], ["", ""], GREEDY) == [Solution("-3/4", half), Solution("yes", half)]
    assert {mark for mark in MARKS if vocabulary.ids[mark] not in engine.prompts[0].banned} == {END}
    assert vocabulary.decode(engine.prompts[0].ids)[-2:] == [ASK, SOLVE]


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
