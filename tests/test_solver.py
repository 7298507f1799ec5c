"""The solver over a scripted engine: the calculator in its loop, and how its turns are read back."""

from __future__ import annotations

import pytest
from scripted import LATER, START, ScriptedEngine

from socratic.dialect import ASK, END, EQUALS, MARKS, NUMBERS, RESULTS, SOLVE, Numbers, Piece, Results, Solutions, Style
from socratic.schema import Decoding, Ended, Problem, Solution, Trace
from socratic.solver import WHOLE, Answerer, Solver
from socratic.vocabulary import Vocabulary

MASKED, GREEDY = Style(), Decoding()
DIGITS = Style(Numbers.DIGITS, Solutions.SENTENCE, Results.INSERTED)
BARE = Decoding(calculator=False)


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
    below = ("To -48 add 20.", "It is at -$48. She adds 20.", "At floor (-48) it goes up 20.", "It was 48 \u00b0C, then 20.")
    dash = Trace(Problem("p", "Fruit--48 figs, 20 pears."))
    assert solved(vocabulary, [[NUMBERS[1], "-", NUMBERS[0], EQUALS], [END]], trace=dash) == "48-20 = <<48-20=28>>28"
    for question in ("It was 48 degrees, then 20. How many degrees more?", "Al owes 48, Bo 20. How many?", *below):
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


def test_a_sentence_keeps_its_words_where_its_equation_is_turned(vocabulary: Vocabulary) -> None:
    turns: list[list[Piece]] = [[" In well-known words she has <<", NUMBERS[1], "-", NUMBERS[0], EQUALS], [" more.", END]]
    style = Style(solutions=Solutions.SENTENCE)
    assert solved(vocabulary, turns, style=style) == "In well-known words she has 48-20 = <<48-20=28>>28 more."


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
