"""What a teacher wrote, judged: a `Trace` to train on, or a `Reject` with its reason.

In: a problem, a `Reply`, the kind of answer that was asked for, a leakage guard. Out: the one or the other. Teacher text is
data: it is parsed, matched and recomputed, never run and never followed. Control characters go, our own marks are refused.
Knows nothing of servers, money or files.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from pydantic import ValidationError
from sympy import Rational

from socratic import prompts, rationales
from socratic.answers import Kind, kind_of, lenient, normal_number, same_answer
from socratic.arithmetic import UNIT_CONSTANTS, Known, check_solution, equations, find_numbers
from socratic.config import faults
from socratic.dialect import MARKS, MAX_RESULTS
from socratic.errors import DataError
from socratic.leakage import Guard, Leak, is_excused, set_name
from socratic.prompts import Answers, ChoiceAnswer, FactsAnswer, PairsAnswer, RationaleAnswer
from socratic.replies import MAX_TEXT, Finish, Reply
from socratic.schema import Ended, Problem, Source, Step, Trace, Verdict

MAX_STEPS: Final = MAX_RESULTS  # later results could not be referred to
MAX_LINE: Final = 2_000  # characters of a subquestion, a solution or a rationale
MAX_EQUATIONS: Final = 48
MAX_DETAIL: Final = 300  # characters
_CLOSING: Final = "So the answer is {}."  # as `rationales` ends every text


class Reason(StrEnum):
    """Why a sample is not trained on."""

    HTTP = "http"  # no reply
    LENGTH = "length"
    FORMAT = "format"
    WRONG_ANSWER = "wrong_answer"
    BAD_STEP = "bad_step"
    LEAK = "leak"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a sample."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Reject:
    """A sample that is not trained on; `text` is what the teacher wrote last."""

    problem: str  # its id
    sample: int
    fault: Fault
    text: str = ""

    def to_dict(self) -> dict[str, Any]:
        """A line of rejects.jsonl."""
        reason, detail = self.fault.reason.value, self.fault.detail[:MAX_DETAIL]
        return {"problem": self.problem, "sample": self.sample, "reason": reason, "detail": detail, "text": self.text}


@dataclass(frozen=True, slots=True)
class Rules:
    """How strict the judge is: without `check_labels` nobody looks at gold answers (SCoTD's few-shot setting)."""

    guard: Guard
    check_labels: bool = True


def unusable(reply: Reply, answers: Answers) -> bool:
    """Whether it is worth asking again: the reply is not what was asked for, and not for its length."""
    found = _read(reply, answers)
    return isinstance(found, Fault) and found.reason is Reason.FORMAT


def judge(problem: Problem, reply: Reply, answers: Answers, source: Source, rules: Rules) -> Trace | Reject:
    """The trace that a reply says, every equation checked, or why it is none. `source` says which sample it is."""
    said = _read(reply, answers)
    found = said if isinstance(said, Fault) else _judged(problem, said, source, rules)
    return Reject(problem.id, source.sample, found, reply.text) if isinstance(found, Fault) else found


def _judged(problem: Problem, said: prompts.Answer, source: Source, rules: Rules) -> Trace | Fault:
    answer = _answer(problem, _clean(said.answer))
    lines = _lines(said, answer)
    if fault := _oversize(lines):
        return fault
    trace = _trace(problem, lines, answer, source)
    if not isinstance(said, PairsAnswer):
        trace = replace(trace, steps=(*trace.steps[:-1], replace(trace.steps[-1], answer=answer)))
    return next(_faults(trace, said, rules), trace)


def leak(text: str, problem: Problem, guard: Guard) -> Leak | None:
    """The test problem that a text on a problem tells of, where that is a reason to refuse it."""
    found = guard.leak(text, own=set_name(problem))
    return None if found and is_excused(found, problem) else found


# Reading


def _read(reply: Reply, answers: Answers) -> prompts.Answer | Fault:
    if reply.finish is not Finish.STOP:
        return Fault(*_CUT[reply.finish])
    if len(reply.text) > MAX_TEXT:  # whoever made the reply: what follows takes longer than the text is long
        return Fault(*_CUT[Finish.OVERSIZE])
    try:
        return _parse(_THOUGHT.sub("", reply.text), answers)
    except ValidationError as error:
        return Fault(Reason.FORMAT, faults(error, "reply"))


_CUT: Final = {
    Finish.LENGTH: (Reason.LENGTH, "the reply reached its limit of tokens"),
    Finish.OVERSIZE: (Reason.LENGTH, "the reply is longer than any answer"),
    Finish.REFUSED: (Reason.FORMAT, "the teacher refused"),
    Finish.UNREADABLE: (Reason.FORMAT, "the server sent what is no chat completion"),
}
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)  # of models that reason aloud before they answer
_JSON = re.compile(r"\s*(?:```\w*\s*)?\{")
_ANSWER_IS = re.compile(r"\b(?:so )?(?:the )?answer is:? *", re.IGNORECASE)


def _parse(text: str, answers: Answers) -> prompts.Answer:
    """JSON, bare or with words around it, or marked lines, whatever was asked for. Raises ValidationError."""
    try:
        return answers.model.model_validate_json(text[text.find("{") : text.rfind("}") + 1])
    except ValidationError:
        if _JSON.match(text):
            raise
    closings = list(_ANSWER_IS.finditer(text))
    if closings and not prompts.ANSWER.search(text):  # "So the answer is: (B)", as rationales end
        text = f"{text[: closings[-1].start()]}\nAnswer: {text[closings[-1].end() :].strip(' .')}"
    return prompts.parse_marked(text, answers)


# From a reply to a trace


def _trace(problem: Problem, lines: Sequence[tuple[str, str]], answer: str, source: Source) -> Trace:
    known, steps = Known.of(problem.question), list[Step]()
    for question, solution in lines:
        checks, known = check_solution(solution, known)
        stated = equations(solution)
        steps.append(Step(question, solution, (normal_number(stated[-1][1]) or stated[-1][1]) if stated else "", checks))
    return Trace(problem, tuple(steps), answer, Ended.DONE, source)


def _lines(said: prompts.Answer, answer: str) -> list[tuple[str, str]]:
    """Subquestion and solution of each step."""
    match said:
        case PairsAnswer():
            return [(_clean(pair.question), _marked(_clean(pair.solution))) for pair in said.steps]
        case FactsAnswer():
            lines = [(_clean(step.question), _clean(step.fact)) for step in said.steps]
            return [*lines[:-1], (lines[-1][0], f"{lines[-1][1]} {_CLOSING.format(answer)}")]
        case _:
            return [("", _told(said, answer).solution)]


def _answer(problem: Problem, said: str) -> str:
    """The gold answer where it is meant ("72 clips", "50" for 50 %), else the teacher's own, in its one way of writing."""
    kinds = [kind_of(problem.answer)] if problem.answer else list(Kind)
    found = next((answer for kind in kinds if (answer := lenient(said, kind)) is not None), said)
    return problem.answer if problem.answer and same_answer(found, problem.answer, lenient=True) else found


def _told(said: RationaleAnswer | ChoiceAnswer, answer: str) -> rationales.Rationale:
    """A rationale as stored ones are read, its equations marked and recomputed."""
    text = _clean(said.rationale)
    try:
        return rationales.read(f"{text}\nThe answer is {answer}", Problem("", "", answer))
    except DataError:  # an answer of no kind: it will be found to be wrong
        return rationales.Rationale(text, None, ())


def _marked(solution: str) -> str:
    """With calculator marks, where the teacher wrote an equation without them: `3*12 = <<3*12=36>>36 apples`."""
    result = lenient(solution, Kind.NUMBER)
    if "<<" in solution or result is None:
        return solution
    return rationales.read(solution, Problem("", "", result)).solution.removesuffix(_CLOSING.format(result)).strip()


def _clean(text: str) -> str:
    return rationales.printable(text).strip()


# What may be wrong with a trace


def _oversize(lines: Sequence[tuple[str, str]]) -> Fault | None:
    """More than a student can read, and than should be recomputed."""
    if max(len(text) for line in lines for text in line) > MAX_LINE:
        return Fault(Reason.LENGTH, f"a line of more than {MAX_LINE:,} characters")
    if len(lines) > MAX_STEPS:
        return Fault(Reason.BAD_STEP, f"{len(lines)} steps, at most {MAX_STEPS} can be learned")
    marks = sum(solution.count("<<") for _, solution in lines)
    return Fault(Reason.BAD_STEP, f"{marks} equations, at most {MAX_EQUATIONS} are checked") if marks > MAX_EQUATIONS else None


def _faults(trace: Trace, said: prompts.Answer, rules: Rules) -> Iterator[Fault]:
    """The gravest first."""
    texts = [text for step in trace.steps for text in (step.question, step.solution)]
    together = "\n".join([*texts, trace.answer or ""])
    if mark := next((mark.name for mark in MARKS if mark.name in together), ""):
        yield Fault(Reason.FORMAT, f"our own mark {mark} in the text")
    if not all(texts) and isinstance(said, PairsAnswer | FactsAnswer):
        yield Fault(Reason.FORMAT, "a step without words")
    if found := leak(together, trace.problem, rules.guard):
        yield Fault(Reason.LEAK, f"tells of {found.problem} ({found.kind.value})")
    gold = trace.problem.answer
    if rules.check_labels and gold is not None and not same_answer(trace.answer, gold):
        yield Fault(Reason.WRONG_ANSWER, f"expected {gold}, found {trace.answer}")
    if not isinstance(said, PairsAnswer | FactsAnswer):
        if Verdict.WRONG in _told(said, trace.answer or "").equations:
            yield Fault(Reason.BAD_STEP, "a wrong equation")
        return
    yield from _step_faults(trace.steps, Known.of(trace.problem.question))
    if isinstance(said, PairsAnswer):
        yield from _result_faults(trace)


def _result_faults(trace: Trace) -> Iterator[Fault]:
    """An answer that the equations do not lead to: it was told, or guessed, and not worked out."""
    result = next((step.answer for step in reversed(trace.steps) if step.answer), None)
    if result is None:
        yield Fault(Reason.BAD_STEP, "no equation that could be checked")
    elif not same_answer(trace.answer, result, lenient=True):
        yield Fault(Reason.WRONG_ANSWER, f"the steps lead to {result}, the answer is {trace.answer}")


def _step_faults(steps: Sequence[Step], known: Known) -> Iterator[Fault]:
    """Steps that are asked twice, that are wrong, or that give away in the question what is to be found."""
    asked = Counter(" ".join(step.question.lower().split()) for step in steps)
    if twice := next((question for question, count in asked.items() if count > 1), ""):
        yield Fault(Reason.BAD_STEP, f"asked twice: {twice}")
    final = _final(steps, known)
    for number, step in enumerate(steps, 1):
        if wrong := next((check for check in step.checks if check.verdict in _BAD), None):
            yield Fault(Reason.BAD_STEP, f"step {number}: {wrong.expression}={wrong.stated} is {wrong.verdict.value}")
        if step.solution.count("<<") != len(step.checks) or step.solution.count(">>") != len(step.checks):
            yield Fault(Reason.BAD_STEP, f"step {number}: a mark that is no equation")
        _, after = check_solution(step.solution, known)
        new = (set(after.results) | final) - set(known.results) - {found.value for found in known.numbers}
        if told := [found.text for found in find_numbers(step.question) if found.value in new]:
            yield Fault(Reason.BAD_STEP, f"step {number}: the subquestion gives {told[0]} away")
        known = after


def _final(steps: Sequence[Step], known: Known) -> set[Rational]:
    """The last result, which no subquestion may tell; "in 12 months" tells nothing."""
    for step in steps:
        _, known = check_solution(step.solution, known)
    return set(known.results[-1:]) - UNIT_CONSTANTS


_BAD: Final = (Verdict.WRONG, Verdict.UNREADABLE)
