"""What students read and write: the only module that knows the order of a transcript.

In: a `Trace`, finished or not, and a `Style`. Out: `Segment`s, each a run of pieces (text or `Mark`) that one role
writes. Training renders finished traces, inference renders the unfinished one with the same code, so the two cannot
drift apart. `readback` is the way back.

    <|problem|> She sold <n0> 48 cakes …    problem      read by both
    <|ask|> How many cakes …? <|solve|>     decomposer   its subquestion and its stop mark
    <n0>/2 <|=|>                            solver       an equation, up to the equals mark (Solutions.EQUATION)
    She sold << <n0>/2 <|=|>                solver       a sentence with an equation in it (Solutions.SENTENCE)
    <r0> 24                                 calculator   inserted, not learned (Style.results)
    <|end|>                                 solver       its stop mark
    <|done|>                                decomposer   no further subquestion

A guided decomposer reads ` Plan:` and the plan between the problem and its first subquestion. The other students learn from
the same marks: a chain of thought is one step without a subquestion, `<|ask|><|solve|>…`, an answer alone stands in its place,
a decomposer that reads no solutions finds them empty, and a planner writes the plan after `<|ask|>`, up to its end mark.

Knows nothing of token ids, models or files.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from sympy import Rational

from socratic import arithmetic
from socratic.arithmetic import EQUATION, Expression, Known, Number, evaluate, find_numbers, number_text, provenance
from socratic.dialect import (
    ASK,
    CAPITAL,
    DONE,
    END,
    EQUALS,
    MAX_NUMBERS,
    MAX_RESULTS,
    NUMBERS,
    OPEN,
    PLAN,
    PROBLEM,
    RESULTS,
    SOLVE,
    Capitals,
    Guidance,
    Mark,
    Numbers,
    Piece,
    Role,
    Segment,
    Solutions,
    Style,
    in_brackets,
)
from socratic.errors import ExpressionError
from socratic.schema import Ended, Operand, Origin, Problem, Step, Trace, Training


def render(trace: Trace, style: Style, guide: Sequence[Piece] = ()) -> list[Segment]:
    """The transcript of a trace; closed by the done mark where the decomposer ended it. A guided style shows the guide."""
    known = Known.of(trace.problem.question)
    segments = [_problem(known, style)]
    if style.guidance is not Guidance.NONE:
        segments.append(Segment(Role.GUIDE, (PLAN, *guide)))
    for step in trace.steps:
        segments.append(ask(step.question, known, style))
        solution, known = _solution_segments(step, known, style)
        segments.extend(solution)
    if trace.ended is Ended.DONE:
        segments.append(Segment(Role.DECOMPOSER, (DONE,)))
    return segments


def taught(trace: Trace, training: Training) -> Training:
    """What this trace teaches: a base, which shall favour no method, one half of all problems each way."""
    if training is not Training.BASE:
        return training
    return Training.COT if zlib.crc32(trace.problem.question.encode()) % 2 else Training.UNIFIED


def lesson(trace: Trace, style: Style, training: Training) -> list[Segment]:
    """The transcript of a finished trace that a student of this role learns from; it is guided by the trace itself."""
    match taught(trace, training):
        case Training.ANSWER:
            return [*answer_prompt(trace.problem, style), Segment(Role.SOLVER, (f" {trace.answer}", END))]
        case Training.PLANNER:
            return [*plan_prompt(trace.problem, style), Segment(Role.GUIDE, (*guide(trace, style), END))]
        case Training.COT:
            return render(joined(trace), style)
        case Training.QUESTIONS:
            return render(unsolved(trace), style, guide(trace, style))
        case _:
            return render(trace, style, guide(trace, style))


def answer_prompt(problem: Problem, style: Style) -> list[Segment]:
    """What stands before an answer without a solution: the problem, and a subquestion that is empty."""
    known = Known.of(problem.question)
    return [_problem(known, style), ask("", known, style)]


def plan_prompt(problem: Problem, style: Style) -> list[Segment]:
    """What stands before a plan."""
    return [_problem(Known.of(problem.question), style), Segment(Role.DECOMPOSER, (ASK,))]


def joined(trace: Trace) -> Trace:
    """The same as one step without a subquestion: a chain of thought."""
    sentences = [step.solution.strip() for step in trace.steps]
    solution = " ".join(text if text.endswith((".", "!", "?")) else f"{text}." for text in sentences)
    return replace(trace, steps=(Step("", solution, trace.steps[-1].answer),))


def unsolved(trace: Trace) -> Trace:
    """The same without its solutions: a list of subquestions."""
    return replace(trace, steps=tuple(Step(step.question, "", "") for step in trace.steps))


def guide(trace: Trace, style: Style) -> tuple[Piece, ...]:
    """What `style.guidance` tells of a trace: `2`, `/;+` or `<n0>/2;<n0>+<r0>`; a comma parts the equations of one step."""
    if style.guidance is Guidance.NONE:
        return ()
    if style.guidance is Guidance.STEPS:
        return (str(len(trace.steps)),)
    known, plan = Known.of(trace.problem.question), list[Piece]()
    for step in trace.steps:
        solution, known = _solution_segments(step, known, replace(style, solutions=Solutions.EQUATION))
        equations = [segment.pieces[:-1] for segment in solution if segment.pieces[-1] is EQUALS]
        plan += [piece for equation in equations for piece in (*equation, ",")][:-1]
        plan.append(";")
    told = plan[:-1]
    return tuple(told if style.guidance is Guidance.EQUATIONS else (piece for piece in told if piece in _OPERATORS))


_OPERATORS = frozenset({"+", "-", "*", "/", "ceil(", "floor(", ",", ";"})


def ask(question: str, known: Known, style: Style) -> Segment:
    """The decomposer's turn: a subquestion between its marks."""
    return Segment(Role.DECOMPOSER, (ASK, *_text_pieces(question, known, style), SOLVE))


def result_pieces(index: int, text: str, style: Style) -> tuple[Piece, ...]:
    """What the calculator inserts after the equals mark."""
    if style.numbers is Numbers.DIGITS or index >= MAX_RESULTS:
        return (f" {text}",)
    return (RESULTS[index],) if style.numbers is Numbers.MASKED else (RESULTS[index], f" {text}")


def _problem(known: Known, style: Style) -> Segment:
    return Segment(Role.PROBLEM, (PROBLEM, *_problem_pieces(known, style)))


def _problem_pieces(known: Known, style: Style) -> Iterator[Piece]:
    text, place = known.question, 0
    for index, number in enumerate(known.numbers[:MAX_NUMBERS]):
        gap = text[place : number.start]
        yield from _text(gap, opening=place == 0)
        if style.numbers is not Numbers.DIGITS:
            yield NUMBERS[index]
        if style.numbers is not Numbers.MASKED:
            yield " " + number.text if not gap or gap[-1].isspace() else number.text
        place = number.end
    yield from _text(text[place:], opening=place == 0)


def _text(text: str, *, opening: bool = False) -> Iterator[str]:
    """A text piece, white space made single and none at its end; the opening one begins with a space, as words do."""
    text = re.sub(r"\s+", " ", text).rstrip()
    if text:
        yield text if not opening else " " + text.lstrip()


def _text_pieces(text: str, known: Known, style: Style, *, opening: bool = True) -> Iterator[Piece]:
    """Running text of a student; numbers that somebody gave are written as references."""
    place = 0
    for number in find_numbers(text) if style.numbers is not Numbers.DIGITS else ():
        mark = _reference(number, known)
        if mark:
            yield from _written(text[place : number.start], style, opening=opening and place == 0)
            yield mark
            place = number.end
    yield from _written(text[place:], style, opening=opening and place == 0)


_CAPITALISED = re.compile(r"(?<![\w'\u2019-])[^\W\d_a-z]")


def _written(text: str, style: Style, *, opening: bool) -> Iterator[Piece]:
    """A text piece of a student, with marks for its capitals where the style wants them, save for the opening one."""
    place = 0
    for match in _CAPITALISED.finditer(text) if style.capitals is Capitals.MARKED else ():
        if match[0].isupper() and text[: match.start()].strip():
            yield from _text(text[place : match.start()], opening=opening or place > 0)
            yield CAPITAL
            place = match.start()
    yield from _text(text[place:], opening=opening or place > 0)


def _reference(number: Number, known: Known) -> Mark | None:
    for index, given in enumerate(known.numbers[:MAX_NUMBERS]):
        if given.value == number.value:
            return NUMBERS[index]
    for index in reversed(range(min(len(known.results), MAX_RESULTS))):
        if known.results[index] == number.value:
            return RESULTS[index]
    return None


_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_LEFT_OVER = re.compile(r"<<[^<>]*>>")  # an equation that could not be read
_WORKING = re.compile(  # of the text read backwards
    r"\s*+(?P<unit>\$?)\s*+=(?:\(\s?(?:liec|roolf)\b|[\d\s.,$%+\-*/x\u00d7\u00f7()=])*+"
)
_SIGN = re.compile(r"(?:ceil|floor)\(|\S")


def _solution_segments(step: Step, known: Known, style: Style) -> tuple[list[Segment], Known]:
    """The solver's turn: equations with what the calculator inserts between them, and the end mark."""
    segments: list[Segment] = []
    sentence = style.solutions is Solutions.SENTENCE
    place, inserted = 0, ""
    for match in EQUATION.finditer(step.solution):
        try:
            expression = evaluate(match["expression"], known.results)
        except ExpressionError:
            continue
        operands = provenance(expression, known)
        before = _without_working(_without_result(step.solution[place : match.start()], inserted)) if sentence else ""
        prefix = (*_text_pieces(before, known, style, opening=not place), f" {OPEN}") if sentence else ()
        equation = _expression_pieces(expression, operands, known, style)
        segments.append(Segment(Role.SOLVER, (*prefix, *equation, EQUALS)))
        value = arithmetic.result(match["stated"], expression.value)
        segments.append(Segment(Role.CALCULATOR, result_pieces(len(known.results), number_text(value), style)))
        known = known.using(operands).having(value)
        place, inserted = match.end(), match["stated"]
    rest = _without_result(step.solution[place:], inserted)
    ending = tuple(_text_pieces(rest, known, style, opening=not place)) if sentence else ()  # "24" and "." are "24."
    segments.append(Segment(Role.SOLVER, (*ending, END)))
    return segments, known


def _without_result(text: str, stated: str) -> str:
    """GSM8K repeats the result after its mark, `=1200>>1,200 clips`; the calculator has inserted it already."""
    grouped = _GROUPED.match(text)
    repeated = grouped[0] if grouped and grouped[0].replace(",", "") == stated else stated
    return _LEFT_OVER.sub("", text.removeprefix(repeated))


def _without_working(text: str) -> str:
    """GSM8K writes the expression twice, `48/2 = <<48/2=24>>`; students write it once."""
    match = _WORKING.match(text[::-1])  # backwards, because a search forwards tries every start
    return f"{text[: len(text) - match.end()]} {match['unit']}" if match else text


def _expression_pieces(expression: Expression, operands: Sequence[Operand], known: Known, style: Style) -> Iterator[Piece]:
    """The expression with its operators as single pieces and its operands as references where they have an origin."""
    place = 0
    for leaf, operand in zip(expression.leaves, operands, strict=True):
        yield from _SIGN.findall("".join(expression.text[place : leaf.start].split()))
        yield from _operand_pieces(leaf.value, operand, known, style)
        place = leaf.end
    yield from "".join(expression.text[place:].split())


def _operand_pieces(value: Rational, operand: Operand, known: Known, style: Style) -> Iterator[Piece]:
    index, marks = operand.index, NUMBERS if operand.origin is Origin.PROBLEM else RESULTS
    if style.numbers is Numbers.DIGITS or index is None or index >= len(marks):
        yield from re.findall(r"[\d.]+|\D", in_brackets(number_text(value)))
    elif operand.origin is Origin.PROBLEM and known.numbers[index].value != value:
        yield from ("(", NUMBERS[index], "/", "100", ")")  # 0.2 from "20%"
    else:
        yield marks[index]
