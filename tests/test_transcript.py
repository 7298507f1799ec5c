"""Properties of the transcript: one renderer for training and inference, and what was rendered reads back.

In: traces drawn from the curriculum, and small ones written here. Out: pass or fail. Tokens are no matter of this file;
where a student's text is read back, neighbouring text pieces are one, as decoding leaves them.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby, pairwise, product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from socratic import curriculum
from socratic.arithmetic import Known, calculate, check_solution, equations, find_numbers, number_text, number_value
from socratic.schema import Ended, Problem, Step, Trace, Training, Verdict
from socratic.transcript import (
    ASK,
    CAPITAL,
    DONE,
    END,
    EQUALS,
    MARKS,
    MAX_NUMBERS,
    MAX_RESULTS,
    NUMBERS,
    PROBLEM,
    RESULTS,
    SOLVE,
    Capitals,
    Guidance,
    Mark,
    Numbers,
    Piece,
    Results,
    Role,
    Segment,
    Solutions,
    Style,
    allowed_marks,
    ask,
    guide,
    lesson,
    read_expression,
    read_guide,
    read_question,
    read_solution,
    render,
    result_pieces,
)

CALM = settings(deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])

STYLES = [Style(*choice) for choice in product(Numbers, Solutions, Results, Capitals)]
each_style = pytest.mark.parametrize("style", STYLES, ids=lambda s: f"{s.numbers}-{s.solutions}-{s.results}-{s.capitals}")
DIGITS = Style(numbers=Numbers.DIGITS)
SENTENCES = Style(numbers=Numbers.DIGITS, solutions=Solutions.SENTENCE)
MARKED = Style(capitals=Capitals.MARKED)
INSIDE = (*NUMBERS, *RESULTS, CAPITAL)  # marks that may stand inside a text


def trace(question: str, *steps: tuple[str, str], ended: Ended | None = Ended.DONE) -> Trace:
    """A trace of (subquestion, solution) pairs."""
    answers = [(equations(solution) or [("", "")])[-1][1] for _, solution in steps]
    return Trace(
        Problem("1", question),
        tuple(Step(asked, solution, answer) for (asked, solution), answer in zip(steps, answers, strict=True)),
        answers[-1] if answers else None,
        ended,
    )


# The ways in which people write solutions, beside the curriculum's one: GSM8K's own form, and some that are rare.
CLIPS = trace(
    "Natalia sold 48 clips at $1,200 each in May, half as many in June, and gave 20% of five away.",
    ("How many did she sell in June?", "Natalia sold 48/2 = <<48/2=24>>24 clips in June."),
    ("How many in both of the 2 months?", "She sold 48+24 = <<48+24=72>>72 clips, that's $<<72*1200=86400>>86,400."),
    ("And 20% of the 5?", "In year 5, 5*0.2 = $<<5*0.2=1.00>>1.00 of the 72 (48 + 24)."),
)
SHARES = trace(
    "10 pies are shared by 3 families for 6 days, 7 weeks. A slice is 0.12345678 pies.",
    ("How much does each get?", "Each gets 10 / 3 = <<10 / 3=10/3>>10/3 pies."),
    ("How much in 6 days?", "<<(10/3)*6=20>>"),
    ("How many shares?", "(7 - 3) * 20 / (10/3) = <<( 7-3 )\t*20/(10/3)=24>>24"),
    ("How many slices?", "<<20/0.12345678=1000000000/6172839>> slices and 3-7 is <<3-7=-4>>-4, in all <<(-4)+7=3>>"),
)
BUSES = trace(
    "46 people ride in buses with 6 seats each; 13 more come by 7/2 cars.",
    ("How many buses?", "They need ceil(46/6) = <<ceil(46/6)=8>>8 buses."),
    ("How many sit in the last one?", "<<46 - 6*floor( 46 / 6 )=4>> sit, 46 - 6 * floor (46/6) = <<46-6*floor (46/6)=4>>4."),
    ("How many wheels, then?", "That's $<<floor(ceil((46+13)/6)*4/3)=13>>13 and <<7/2/3=7/6>>, up to <<ceil((7/6))=2>>"),
)
PLAIN = trace("Is it?", ("What is it?", "It is what it is."), ("Why 5?", "x = <<x=3>>3 since 10//3 = <<10//3=3>>3."))
HAND_WRITTEN = [CLIPS, SHARES, BUSES, PLAIN, trace("5"), trace("  A  \n text\u00a0of 5 \t lines \u2028 "), trace("", ended=None)]


@pytest.fixture(scope="module")
def drawn() -> list[Trace]:
    return list(curriculum.draw_many(curriculum.load_families(), 300, 1))


@pytest.fixture
def traces(drawn: list[Trace], style: Style) -> list[Trace]:
    """The traces written here and a share of the drawn ones; the 24 styles have each of those three times."""
    return [*HAND_WRITTEN, *drawn[STYLES.index(style) % 8 :: 8]]


def merged(pieces: Iterable[Piece]) -> list[Piece]:
    """Pieces as they come back from tokens."""
    runs = groupby(pieces, key=lambda piece: isinstance(piece, Mark))
    return [piece for is_mark, run in runs for piece in (run if is_mark else ["".join(map(str, run))])]


def text(pieces: Iterable[Piece]) -> str:
    return "".join(piece.name if isinstance(piece, Mark) else piece for piece in pieces)


def turns(segments: list[Segment]) -> Iterator[tuple[Segment, list[Segment]]]:
    """The decomposer's segment and the solver's (with the calculator's) of each step."""
    for segment in segments:
        if segment.role is Role.DECOMPOSER and segment.pieces[0] is ASK:
            following = segments[segments.index(segment) + 1 :]
            end = next(i for i, s in enumerate(following) if s.role is Role.SOLVER and s.pieces[-1] is END)
            yield segment, following[: end + 1]


def read_back(given: Trace, style: Style) -> Trace:
    """The trace that students would have written, had they written exactly what `render` shows them."""
    known, steps = Known.of(given.problem.question), list[Step]()
    for asked, solved in turns(render(given, style)):
        inside, start = known, known
        turn: list[tuple[list[Piece], str]] = []
        for segment in solved[:-1:2]:
            pieces = merged(segment.pieces[:-1])
            result = calculate(read_expression(pieces, inside))
            turn.append((pieces, result))
            inside = inside.having(number_value(result))
        question = read_question(merged(asked.pieces[1:-1]), start)
        written = read_solution(turn, merged(solved[-1].pieces[:-1]), start)
        steps.append(Step(question, written, ""))
        _, known = check_solution(written, known)
    return replace(given, steps=tuple(steps))


# Whose text is whose.


@each_style
def test_segments_alternate_and_each_role_writes_between_its_own_marks(traces: list[Trace], style: Style) -> None:
    for given_trace in traces:
        segments = render(given_trace, style)
        assert segments[0].role is Role.PROBLEM and segments[0].pieces[0] is PROBLEM
        for before, after in pairwise(segments):
            match after.role:
                case Role.DECOMPOSER:
                    assert before.pieces[-1] is END or before.role is Role.PROBLEM
                    assert after.pieces == (DONE,) or (after.pieces[0] is ASK and after.pieces[-1] is SOLVE)
                case Role.SOLVER:
                    assert before.role in (Role.DECOMPOSER, Role.CALCULATOR)
                    assert after.pieces[-1] in (EQUALS, END)
                case Role.CALCULATOR:
                    assert before.role is Role.SOLVER and before.pieces[-1] is EQUALS
                case _:
                    pytest.fail(f"{after} does not open the transcript")


def test_the_decomposer_writes_exactly_the_subquestions_and_the_done_mark(drawn: list[Trace]) -> None:
    for given_trace in [*HAND_WRITTEN, *drawn]:
        own = [s for s in render(given_trace, DIGITS) if s.role is Role.DECOMPOSER]
        asked = [segment.pieces for segment in own if segment.pieces != (DONE,)]
        assert [text(pieces[1:-1]) for pieces in asked] == [" " + step.question for step in given_trace.steps]
        assert (own[-1:] == [Segment(Role.DECOMPOSER, (DONE,))]) is (given_trace.ended is Ended.DONE)


def test_the_solver_writes_exactly_the_expressions_and_the_calculator_the_results(drawn: list[Trace]) -> None:
    for given_trace in [*HAND_WRITTEN, *drawn]:
        segments, known = render(given_trace, DIGITS), Known.of(given_trace.problem.question)
        expected = list[str]()
        for step in given_trace.steps:
            checks, known = check_solution(step.solution, known)
            expected += ["".join(c.expression.split()) for c in checks if c.computed]
        solver = [text(s.pieces[:-1]) for s in segments if s.role is Role.SOLVER and s.pieces[-1] is EQUALS]
        inserted = [text(s.pieces) for s in segments if s.role is Role.CALCULATOR]
        assert inserted == [f" {number_text(result)}" for result in known.results]
        assert [calculate(one) for one in solver] == [calculate(one) for one in expected]


def test_a_sentence_solver_writes_its_sentence_once_and_no_result() -> None:
    segments = render(CLIPS, SENTENCES)
    assert [text(s.pieces) for s in segments if s.role is Role.SOLVER] == [
        " Natalia sold <<48/2<|=|>",
        " clips in June.<|end|>",
        " She sold <<48+24<|=|>",
        " clips, that's $ <<72*1200<|=|>",
        ".<|end|>",
        " In year $ <<5*0.2<|=|>",
        " of the 72 (48 + 24).<|end|>",
    ]


@each_style
def test_no_text_ends_in_a_space_or_is_empty(traces: list[Trace], style: Style) -> None:
    pieces = [p for t in traces for segment in render(t, style) for p in segment.pieces if isinstance(p, str)]
    assert [piece for piece in pieces if piece != piece.rstrip() or not piece] == []


@each_style
def test_white_space_is_single_and_text_opens_with_a_space_as_words_do(style: Style) -> None:
    segments = render(trace("\n A\t\tdog  and\u00a0 5 cats. ", (" How  many? ", "Many,\n\nor  <<5+5=10>>10.")), style)
    for segment in segments:
        pieces = [piece for piece in segment.pieces if isinstance(piece, str)]
        assert not any(re.search(r"\s\s|[^\S ]", piece) for piece in pieces)
    assert segments[0].pieces[1] == " A dog and"
    assert segments[1].pieces[1] == " How many?"


# Unfinished traces: what a student sees at inference is what it saw in training.


@each_style
def test_an_unfinished_trace_renders_to_a_beginning_of_the_finished_one(traces: list[Trace], style: Style) -> None:
    for given_trace in traces:
        finished = render(given_trace, style)
        for cut in range(len(given_trace.steps) + 1):
            open_trace = replace(given_trace, steps=given_trace.steps[:cut], answer=None, ended=None)
            segments = render(open_trace, style)
            assert segments == finished[: len(segments)]
            if cut < len(given_trace.steps):
                known = Known.of(given_trace.problem.question)
                for step in open_trace.steps:
                    _, known = check_solution(step.solution, known)
                assert ask(given_trace.steps[cut].question, known, style) == finished[len(segments)]


def test_only_what_the_decomposer_ended_is_closed_by_the_done_mark() -> None:
    for ended in (None, *Ended):
        segments = render(replace(CLIPS, ended=ended), Style())
        assert (segments[-1].pieces == (DONE,)) is (ended is Ended.DONE)
        assert sum(DONE in segment.pieces for segment in segments) == (ended is Ended.DONE)


def test_what_the_solver_learns_of_results_changes_no_text(drawn: list[Trace]) -> None:
    for numbers, solutions in product(Numbers, Solutions):
        inserted, learned = (Style(numbers, solutions, results) for results in Results)
        assert all(render(t, inserted) == render(t, learned) for t in [*HAND_WRITTEN, *drawn[:20]])


# Reading back.


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


def test_a_word_of_rounding_is_one_piece_with_its_bracket() -> None:
    first, second, _, third = [s.pieces for s in render(BUSES, Style()) if s.role is Role.SOLVER and s.pieces[-1] is EQUALS][:4]
    people, seats, more = NUMBERS[:3]
    assert first == ("ceil(", people, "/", seats, ")", EQUALS)
    assert second == (people, "-", seats, "*", "floor(", people, "/", seats, ")", EQUALS)
    assert third[:7] == ("floor(", "ceil(", "(", people, "+", more, ")")


def test_digits_keep_the_brackets_of_a_fraction() -> None:
    third = [s for s in render(SHARES, DIGITS) if s.role is Role.SOLVER][4]
    assert text(third.pieces) == "(7-3)*20/(10/3)<|=|>"
    slices = [s for s in render(SHARES, DIGITS) if s.role is Role.SOLVER][6]
    assert text(slices.pieces) == "20/(6172839/50000000)<|=|>"


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


# References.


def test_numbers_are_tagged_masked_or_left_as_the_style_says() -> None:
    given_trace = trace("Tom has $48 and twenty dogs.")
    shown = {numbers: text(render(given_trace, Style(numbers))[0].pieces) for numbers in Numbers}
    assert shown == {
        Numbers.REFERENCES: "<|problem|> Tom has $<n0>48 and<n1> twenty dogs.",
        Numbers.MASKED: "<|problem|> Tom has $<n0> and<n1> dogs.",
        Numbers.DIGITS: "<|problem|> Tom has $48 and twenty dogs.",
    }


def test_operands_are_references_where_they_have_an_origin() -> None:
    equations_of = [text(s.pieces) for s in render(CLIPS, Style()) if s.role is not Role.PROBLEM]
    assert equations_of[1:4] == ["<n0>/2<|=|>", "<r0>", "<|end|>"]
    assert equations_of[5:10] == ["<n0>+<r0><|=|>", "<r1>", "<r1>*<n1><|=|>", "<r2>", "<|end|>"]
    assert equations_of[11] == "<n3>*(<n2>/100)<|=|>"  # 0.2 from "20%"


def test_the_seventeenth_number_and_the_thirteenth_result_stay_digits() -> None:
    values = [*range(101, 101 + MAX_NUMBERS + 2)]
    steps = [("How many?", f"<<{a}+{b}={a + b}>>") for a, b in pairwise(values[2:])]
    many = trace(f"There are {', '.join(map(str, values))} cats.", *steps[: MAX_RESULTS + 2], ("118?", "<<118+1=119>>"))
    last = trace(many.problem.question, *((s.question, s.solution) for s in many.steps), ("231?", "<<231+207=438>>"))
    segments = render(last, Style())
    assert text(segments[0].pieces).endswith(",<n14>,<n15>, 117, 118 cats.")
    shown = [text(s.pieces) for s in segments if s.role is Role.CALCULATOR]
    assert shown[MAX_RESULTS - 1 : MAX_RESULTS + 1] == ["<r11>", " 231"]
    asked = [text(s.pieces) for s in segments if s.role is Role.DECOMPOSER]
    assert asked[-3:-1] == ["<|ask|> 118?<|solve|>", "<|ask|> 231?<|solve|>"]
    written = [text(s.pieces) for s in segments if s.role is Role.SOLVER and s.pieces[-1] is EQUALS]
    assert written[-2:] == ["118+1<|=|>", "231+<r0><|=|>"]
    for style in STYLES:
        assert [s.answer for s in read_back(last, style).steps] == [""] * len(last.steps)


def test_results_are_inserted_as_references_with_or_without_their_digits() -> None:
    assert result_pieces(0, "24", Style(Numbers.MASKED)) == (RESULTS[0],)
    assert result_pieces(0, "24", Style(Numbers.REFERENCES)) == (RESULTS[0], " 24")
    assert result_pieces(0, "24", Style(Numbers.DIGITS)) == (" 24",)
    for numbers in Numbers:
        assert result_pieces(MAX_RESULTS, "24", Style(numbers)) == (" 24",)


def test_allowed_marks_are_the_references_to_numbers_that_exist() -> None:
    known = Known.of("5 cats, 6 dogs")
    assert allowed_marks(known, Style()) == {NUMBERS[0], NUMBERS[1]}
    assert allowed_marks(known.having(number_value("11")), Style()) == {NUMBERS[0], NUMBERS[1], RESULTS[0]}
    assert allowed_marks(Known.of("none"), Style()) == frozenset()
    assert allowed_marks(Known.of("none"), MARKED) == {CAPITAL}
    full = Known.of(" ".join(map(str, range(10, 60))))
    for _ in range(20):
        full = full.having(number_value("1"))
    assert allowed_marks(full, Style()) == frozenset((*NUMBERS, *RESULTS))
    assert allowed_marks(full, MARKED) == frozenset(INSIDE)


@each_style
def test_every_reference_of_a_transcript_was_allowed_when_it_was_written(traces: list[Trace], style: Style) -> None:
    for given_trace in traces:
        known = Known.of(given_trace.problem.question)
        results = 0
        for segment in render(given_trace, style)[1:]:
            written = {piece for piece in segment.pieces if piece in INSIDE}
            if segment.role is Role.CALCULATOR:
                results += 1
            capital = {CAPITAL} if style.capitals is Capitals.MARKED and segment.role is not Role.CALCULATOR else set()
            assert written <= {*NUMBERS[: len(known.numbers)], *RESULTS[:results], *capital}


# Capitals.


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


def test_a_capital_is_one_mark_before_its_word_and_the_opening_word_needs_none() -> None:
    asked = render(trace("5 cats", ("What does Nora's aunt May pay?", "")), MARKED)[1]
    assert text(asked.pieces) == "<|ask|> What does<|^|> Nora's aunt<|^|> May pay?<|solve|>"


@each_style
def test_capital_marks_are_written_by_students_only_where_the_style_wants_them(traces: list[Trace], style: Style) -> None:
    for given_trace in traces:
        for segment in render(given_trace, style):
            places = [i for i, piece in enumerate(segment.pieces) if piece is CAPITAL]
            assert not places or (style.capitals is Capitals.MARKED and segment.role in (Role.DECOMPOSER, Role.SOLVER))
            assert all(re.match(r" [^\W\d_]", str(segment.pieces[i + 1])) for i in places)
            assert not {0, 1} & {*places} or segment.role is Role.SOLVER


def test_a_style_is_read_from_the_words_of_configurations() -> None:
    for style in STYLES:
        words = {"numbers": style.numbers.value, "solutions": style.solutions.value, "results": style.results.value}
        assert Style.of(**words, capitals=style.capitals.value) == style
        assert Style.of(**words) == replace(style, capitals=Capitals.KEPT)  # as pairs were saved before
    with pytest.raises(ValueError, match="roman"):
        Style.of(numbers="roman", solutions="equation", results="learned")


# Marks and text cannot be mistaken for each other.

NAMES = " and ".join(mark.name for mark in MARKS)


@each_style
def test_marks_in_anybodys_text_stay_text(style: Style) -> None:
    hostile = trace(f"{NAMES} 5", (f"{NAMES}?", f"{NAMES} <<5+5=10>>10 {NAMES}"))
    honest = trace("a 5", ("b?", "c <<5+5=10>>10 d"))
    for segment, model in zip(render(hostile, style), render(honest, style), strict=True):
        found = [p for p in segment.pieces if isinstance(p, Mark) and p not in INSIDE]
        assert found == [p for p in model.pieces if isinstance(p, Mark) and p not in INSIDE]


@CALM
@given(st.text(), st.text(), st.text(), st.sampled_from(STYLES))
def test_no_text_breaks_the_renderer_or_smuggles_in_a_mark(question: str, asked: str, solution: str, style: Style) -> None:
    segments = render(trace(question, (asked, solution)), style)
    pieces = [piece for segment in segments for piece in segment.pieces]
    controls = [piece for piece in pieces if isinstance(piece, Mark) and piece not in (*INSIDE, EQUALS)]
    assert controls == [PROBLEM, ASK, SOLVE, END, DONE]
    assert all(piece == piece.rstrip() and piece for piece in pieces if isinstance(piece, str))


def test_no_two_marks_have_the_same_name() -> None:
    assert len({mark.name for mark in MARKS}) == len(MARKS)


@pytest.mark.parametrize(
    "solution",
    ["x" * 40_000, "5 " * 10_000 + "=" + " " * 20_000 + "y <<1+1=2>>", "<<" * 20_000, "<<1+1=2>>" * 500, "= " * 20_000],
    ids=lambda solution: solution[:12],
)
def test_a_long_solution_renders_in_reasonable_time(solution: str) -> None:
    start = time.process_time()
    render(trace("5 cats", ("How many?", solution)), SENTENCES)
    assert time.process_time() - start < 2.0  # a search that is quadratic in the length takes minutes


# Other students' lessons, and what guides a decomposer.

RENDERED = "9220df81890d2a5bc889216b8912f993534d69e4ff4c48d4f5230ffd588df1fb"  # by the renderer before there were guides


def test_what_is_not_guided_is_rendered_as_before_there_were_guides() -> None:
    for training in (None, Training.UNIFIED, Training.DECOMPOSER, Training.SOLVER):
        digest = hashlib.sha256()
        for style, given_trace in product(STYLES, HAND_WRITTEN):
            for segment in lesson(given_trace, style, training) if training else render(given_trace, style):
                pieces = [piece.name if isinstance(piece, Mark) else [piece] for piece in segment.pieces]
                digest.update(repr((segment.role.value, pieces)).encode())
        assert digest.hexdigest() == RENDERED


@pytest.mark.parametrize(
    ("guidance", "numbers", "told"),
    [
        (Guidance.NONE, Numbers.MASKED, ""),
        (Guidance.STEPS, Numbers.MASKED, "3"),
        (Guidance.OPERATORS, Numbers.MASKED, "/;+,*;*/"),  # 0.2 is "20%" of the problem, a hundredth of 20
        (Guidance.OPERATORS, Numbers.DIGITS, "/;+,*;*"),
        (Guidance.EQUATIONS, Numbers.DIGITS, "48/2;48+24,72*1200;5*0.2"),
        (Guidance.EQUATIONS, Numbers.MASKED, "<n0>/2;<n0>+<r0>,<r1>*<n1>;<n3>*(<n2>/100)"),
        (Guidance.EQUATIONS, Numbers.REFERENCES, "<n0>/2;<n0>+<r0>,<r1>*<n1>;<n3>*(<n2>/100)"),
    ],
)
def test_a_guide_tells_of_each_step_in_the_solvers_own_words(guidance: Guidance, numbers: Numbers, told: str) -> None:
    for solutions in Solutions:
        assert text(guide(CLIPS, Style(numbers, solutions, guidance=guidance))) == told


@each_style
def test_a_plan_that_comes_back_from_tokens_is_the_guide_that_was_learned(traces: list[Trace], style: Style) -> None:
    for guidance, given_trace in product(Guidance, traces):
        told = guide(given_trace, replace(style, guidance=guidance))
        assert read_guide(merged(told)) == told
        apart = [piece if isinstance(piece, Mark) else re.sub(r"(?<=[^.\d])|(?=[^.\d])", " ", piece) for piece in merged(told)]
        assert read_guide(apart) == told


def test_a_guide_stands_between_the_problem_and_the_first_subquestion_and_nothing_else_changes() -> None:
    for guidance, given_trace in product(Guidance, HAND_WRITTEN):
        style = Style(guidance=guidance)
        problem, *rest = render(given_trace, Style())
        guided = lesson(given_trace, style, Training.UNIFIED)
        if guidance is not Guidance.NONE:
            assert guided.pop(1) == Segment(Role.GUIDE, (" Plan:", *guide(given_trace, style)))
        assert guided == [problem, *rest]


def written(segments: list[Segment]) -> list[str]:
    return [text(segment.pieces) for segment in segments[1:]]


def test_who_reads_no_solutions_writes_all_subquestions_without_results() -> None:
    own = trace("48 and 24.", ("How many?", "<<48+24=72>>72."), ("How many in both of the 72?", "<<72+1=73>>73."))
    assert "both of the<r0>?" in text(render(own, Style())[5].pieces)
    assert written(lesson(own, Style(), Training.QUESTIONS)) == [
        "<|ask|> How many?<|solve|>",
        "<|end|>",
        "<|ask|> How many in both of the 72?<|solve|>",
        "<|end|>",
        "<|done|>",
    ]


def test_a_chain_of_thought_is_one_solution_whose_sentences_end() -> None:
    own = trace("48 and 2.", ("How many?", "She sold 48/2 = <<48/2=24>>24"), ("In all?", "In all <<48+24=72>>72 clips."))
    segments = lesson(own, SENTENCES, Training.COT)
    assert written(segments) == [
        "<|ask|><|solve|>",
        " She sold <<48/2<|=|>",
        " 24",
        ". In all <<48+24<|=|>",
        " 72",
        " clips.<|end|>",
        "<|done|>",
    ]
    assert written(lesson(own, Style(), Training.COT))[1:5] == ["<n0>/<n1><|=|>", "<r0>", "<n0>+<r0><|=|>", "<r1>"]


def test_an_answer_and_a_plan_stand_where_the_steps_would() -> None:
    own = replace(CLIPS, answer="-3/4")
    assert written(lesson(own, DIGITS, Training.ANSWER)) == ["<|ask|><|solve|>", " -3/4<|end|>"]
    assert written(lesson(own, Style(guidance=Guidance.STEPS), Training.PLANNER)) == ["<|ask|>", "3<|end|>"]
