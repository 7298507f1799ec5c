"""Properties of reading back: what was rendered comes back with real numbers, and so does what a student garbled.

In: traces drawn from the curriculum, and small ones written by hand. Out: pass or fail. Neighbouring text pieces are one, as
decoding leaves them.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product

import pytest
from transcripts import BUSES, HAND_WRITTEN, MARKED, SHARES, each_style, merged, read_back, shown, trace, turns

from socratic.arithmetic import Known, check_solution, equations, find_numbers, number_text, number_value
from socratic.dialect import EQUALS, NUMBERS, RESULTS, Guidance, Mark, Piece, Role, Solutions, Style
from socratic.readback import read_expression, read_guide, read_question, read_solution
from socratic.schema import Trace, Verdict
from socratic.transcript import guide, render


@pytest.fixture
def traces(drawn: list[Trace], style: Style) -> list[Trace]:
    return shown(drawn, style)


def bare(question: str) -> str:
    """A text without the surface of its numbers and without white space."""
    place, kept = 0, ""
    for number in find_numbers(question):
        kept += f"{question[place : number.start]}[{number_text(number.value)}]"
        place = number.end
    return "".join((kept + question[place:]).split())


@each_style
def test_a_subquestion_reads_back_up_to_the_surface_of_its_numbers(traces: list[Trace], style: Style) -> None:
    for given_trace in traces:
        asked = [step.question for step in read_back(given_trace, style).steps]
        assert list(map(bare, asked)) == [bare(step.question) for step in given_trace.steps]


@each_style
def test_equations_read_back_with_the_same_values(traces: list[Trace], style: Style) -> None:
    for given_trace in traces:
        known = own = Known.of(given_trace.problem.question)
        for step, read in zip(given_trace.steps, read_back(given_trace, style).steps, strict=True):
            _, known = check_solution(step.solution, known)
            checks, own = check_solution(read.solution, own)
            assert all(check.verdict is Verdict.CORRECT for check in checks)
            assert own.results == known.results


@each_style
def test_what_was_read_back_renders_to_the_same_transcript(traces: list[Trace], style: Style) -> None:
    drifting = [t for t in traces if render(read_back(t, style), style) != render(t, style)]
    assert [t.problem.id for t in drifting if t not in HAND_WRITTEN] == []


def test_an_earlier_fraction_stays_a_reference_when_the_trace_is_rendered_again() -> None:
    for style in (Style(), Style(solutions=Solutions.SENTENCE)):
        second = [s for s in render(read_back(SHARES, style), style) if s.role is Role.SOLVER][2]
        assert [p for p in second.pieces if p != " <<"] == [RESULTS[0], "*", NUMBERS[2], EQUALS]


@each_style
def test_rounding_reads_back_as_it_was_written(style: Style) -> None:
    again = read_back(BUSES, style)
    written = ["".join(expression.split()) for step in BUSES.steps for expression, _ in equations(step.solution)]
    assert [expression for step in again.steps for expression, _ in equations(step.solution)] == written
    assert render(again, style) == render(BUSES, style)


@pytest.mark.parametrize(
    ("pieces", "expression"),
    [
        ([NUMBERS[0], "/2"], "48/2"),
        ([" 48/2"], "48/2"),
        ([" Natalia sold <<", NUMBERS[0], "/2"], "48/2"),
        ([" Natalia sold <<(", NUMBERS[0], "+", RESULTS[0], ")/2"], "(48+(10/3))/2"),
        ([" In year 5 <<48/2"], "48/2"),
        ([" a << b <<", RESULTS[1]], "(-4)"),
        ([" Natalia sold", NUMBERS[0], "/2"], "48/2"),  # a student that forgot to open its equation
        ([" Natalia sold 48/2"], "48/2"),
        ([" Natalia sold 48 clips."], ""),
        ([" Natalia sold"], ""),
        ([], ""),
        (["ceil(", NUMBERS[0], "/", NUMBERS[1], ")"], "ceil(48/5)"),
        ([" ceil (", NUMBERS[0], "/", NUMBERS[1], ")"], "ceil (48/5)"),
        ([NUMBERS[0], "-", NUMBERS[1], "*floor(", NUMBERS[0], "/", NUMBERS[1], ")"], "48-5*floor(48/5)"),
        (["48-5*floor(48/5)"], "48-5*floor(48/5)"),
        (["floor(ceil(", NUMBERS[0], "/7)/2)"], "floor(ceil(48/7)/2)"),
        (["ceil(", RESULTS[0], ")"], "ceil((10/3))"),
        ([" Nora needs <<ceil(", NUMBERS[0], "/7)"], "ceil(48/7)"),
        ([" Nora needs ceil(", NUMBERS[0], "/7)"], "ceil(48/7)"),
        ([" Nora needs 2*ceil (", NUMBERS[0], "/7)"], "2*ceil (48/7)"),
        ([" Nora needs ceil(48/7)"], "ceil(48/7)"),
        ([" Nora needs (", NUMBERS[0], "+7)/5"], "(48+7)/5"),
        ([" On the floor", NUMBERS[0], "/2"], "48/2"),
        ([" On the floor 48/2"], "48/2"),
        ([" On the floor"], ""),
        ([" It holds 5-", NUMBERS[0], "/2"], "48/2"),
        ([NUMBERS[7], "+1"], "<n7>+1"),  # no such number: the calculator refuses it
        ([NUMBERS[1], "*", RESULTS[2]], "5*<r2>"),
    ],
)
def test_an_expression_is_what_the_last_opening_parts_or_the_arithmetic_at_the_end(pieces: list[Piece], expression: str) -> None:
    known = Known.of("48 clips, five each").having(number_value("10/3")).having(number_value("-4"))
    assert read_expression(pieces, known) == expression


@pytest.mark.parametrize(
    ("turn", "rest", "solution"),
    [
        ([([NUMBERS[0], "/2"], "24")], [], "48/2 = <<48/2=24>>24"),
        ([([" She sold <<", NUMBERS[0], "/2"], "24")], [" clips."], "She sold 48/2 = <<48/2=24>>24 clips."),
        ([([" It costs $ <<", NUMBERS[0], "/2"], "24")], ["."], "It costs $48/2 = $<<48/2=24>>24."),
        (
            [([NUMBERS[0], "/2"], "24"), ([" and <<", RESULTS[0], "*2"], "48")],
            [" of ", NUMBERS[0]],
            "48/2 = <<48/2=24>>24 and 24*2 = <<24*2=48>>48 of  48",
        ),
        ([], [" nothing"], "nothing"),
        ([], [], ""),
        ([([" <<", NUMBERS[0]], "")], [], "48 = <<48=>>"),  # no result, where the calculator is off
    ],
)
def test_a_turn_reads_back_as_a_solution_with_calculator_marks(
    turn: list[tuple[list[Piece], str]], rest: list[Piece], solution: str
) -> None:
    assert read_solution(turn, rest, Known.of("48 clips")) == solution


def lowered(given: Trace, style: Style) -> list[str]:
    """Subquestions as they read back where the vocabulary has lower-case letters only."""
    known, found = Known.of(given.problem.question), list[str]()
    for step, (asked, _) in zip(given.steps, turns(render(given, style)), strict=True):
        pieces = merged(piece.lower() if isinstance(piece, str) else piece for piece in asked.pieces[1:-1])
        found.append(read_question(pieces, known))
        _, known = check_solution(step.solution, known)
    return found


def test_capitals_come_back_through_a_vocabulary_that_has_none(drawn: list[Trace]) -> None:
    named = 0
    for given_trace in drawn:
        questions = [step.question for step in given_trace.steps]
        assert list(map(bare, lowered(given_trace, MARKED))) == list(map(bare, questions)), questions
        named += sum(any(c.isupper() for c in question[1:]) for question in questions)
    assert named > 50, "questions without names would prove nothing"


@pytest.mark.parametrize(
    "question",
    [
        "How many did Nora and Mary Ann's friends sell on Monday?",
        "Nora has how many?",
        "How old is Zo\u00eb?",
        "Is \u00c9mile's share 1/2 of what I get?",
        "how many",  # a student's, which has its first letter raised when it is read
    ],
)
def test_names_are_kept_wherever_they_stand(question: str) -> None:
    assert lowered(trace("Nora has some.", (question, "")), MARKED) == [question[:1].upper() + question[1:]]


def test_without_marks_names_are_lost_through_such_a_vocabulary() -> None:
    assert lowered(trace("Nora has some.", ("How many did Nora sell?", "")), Style()) == ["How many did nora sell?"]


@each_style
def test_a_plan_that_comes_back_from_tokens_is_the_guide_that_was_learned(traces: list[Trace], style: Style) -> None:
    for guidance, given_trace in product(Guidance, traces):
        told = guide(given_trace, replace(style, guidance=guidance))
        assert read_guide(merged(told)) == told
        apart = [piece if isinstance(piece, Mark) else re.sub(r"(?<=[^.\d])|(?=[^.\d])", " ", piece) for piece in merged(told)]
        assert read_guide(apart) == told
