"""Properties of the transcript: one renderer for training and inference.

In: traces drawn from the curriculum, and small ones written by hand. Out: pass or fail. Tokens are no matter of this file.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import replace
from itertools import pairwise, product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transcripts import (
    BUSES,
    CLIPS,
    DIGITS,
    HAND_WRITTEN,
    INSIDE,
    MARKED,
    SENTENCES,
    SHARES,
    STYLES,
    each_style,
    read_back,
    shown,
    text,
    trace,
)

from socratic.arithmetic import Known, calculate, check_solution, number_text
from socratic.dialect import (
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
    Results,
    Role,
    Segment,
    Solutions,
    Style,
)
from socratic.schema import Ended, Trace, Training
from socratic.transcript import ask, guide, lesson, render, result_pieces

CALM = settings(deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture
def traces(drawn: list[Trace], style: Style) -> list[Trace]:
    return shown(drawn, style)


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


# Equations.


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
