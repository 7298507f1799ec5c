"""What a student of either role may write, and what it says where there is no room."""

from __future__ import annotations

import pytest
from scripted import LATER, START, ScriptedEngine

from socratic.decomposer import Decomposer
from socratic.dialect import ASK, CAPITAL, DONE, END, EQUALS, MARKS, NUMBERS, RESULTS, SOLVE, Capitals, Style
from socratic.schema import Decoding, Ended, Problem, Solution, Trace
from socratic.solver import Solver
from socratic.vocabulary import Vocabulary

MASKED, GREEDY = Style(), Decoding()


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.learn([START.problem.question] * 3, size=400)


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


def test_full_context_is_said_and_spares_the_others(vocabulary: Vocabulary) -> None:
    long = Trace(Problem("long", "How many? " * 100))
    engine = ScriptedEngine(vocabulary, [[" How many?", SOLVE], [NUMBERS[0], EQUALS], [END]], context=300)
    assert Decomposer(engine, MASKED).ask([long, START], GREEDY) == [Ended.CONTEXT_FULL, "How many?"]
    full, short = Solver(engine, MASKED).solve([long, START], ["a?", "b?"], GREEDY)
    assert full is Ended.CONTEXT_FULL and short == Solution("48 = <<48=48>>48", pytest.approx(0.25))
