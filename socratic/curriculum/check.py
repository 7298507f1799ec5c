"""Says what is wrong with families, as a strict reader would.

In: a `Family`, or files of them. Out: `Fault`s in words, each with file, line and family; none means that every wording
says what the steps need and asks something, that every number is used or listed as noise, that draws fit, verify, differ
and read well. What makes a family unreadable is found by `family` already and becomes a fault here too.
Knows nothing of models, and does not mend anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from socratic.curriculum.domains import Choices, Kind
from socratic.curriculum.draw import draw
from socratic.curriculum.family import After, Family, parse_family, read_lines
from socratic.curriculum.stories import draw_story
from socratic.errors import FamilyError
from socratic.jsonl import BrokenLine
from socratic.schema import Trace

DIFFERENT: Final = 0.7  # of the draws must be different problems
FOLLOWED: Final = 60  # stories that a continuation is tried on
_ASKS: Final = re.compile(r"\?|\b(?:find|calculate|determine|work out|tell|figure out|compute)\b", re.IGNORECASE)
_ODD: Final = re.compile(r"  |\s[.,?]|\ba [aeio]\w+|\ban [^aeiouh8 1\W]\w*")
_LEFT_OVER: Final = re.compile(r"[{}]|  ")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: "file:line", the family's id ("" where it can't be read), and the reason."""

    where: str
    family: str
    reason: str


def check_files(paths: Iterable[Path], *, draws: int = 60, seed: int = 0) -> list[Fault]:
    """All faults of some files, beside those of each family also ids and wordings that stand twice."""
    faulty: list[Fault] = []
    families: list[Family] = []
    for where, data in read_lines(paths):
        if isinstance(data, BrokenLine):
            faulty.append(Fault(where, "", data.reason))
            continue
        try:
            families.append(parse_family(data, where))
        except FamilyError as error:
            faulty.append(Fault(where, str(data.get("id", "")), str(error)))
    for family in families:
        faulty += [Fault(family.source, family.id, reason) for reason in faults(family, draws=draws, seed=seed)]
    return [*faulty, *repeated(families)]


def repeated(families: Iterable[Family]) -> Iterator[Fault]:
    """Ids that stand twice, and wordings that two families share."""
    ids: dict[str, str] = {}
    shapes: dict[str, str] = {}
    for family in families:
        if family.id in ids:
            yield Fault(family.source, family.id, f"the id stands at {ids[family.id]} too")
        ids.setdefault(family.id, family.source)
        for wording in family.wordings:
            if shapes.setdefault(wording.shape, family.id) != family.id:
                yield Fault(family.source, family.id, f"a wording stands in {shapes[wording.shape]} too: '{wording.text[:60]}'")


def faults(family: Family, *, draws: int = 60, seed: int = 0) -> Iterator[str]:
    """What is wrong with one family, in words; its wordings take turns in `draws` problems."""
    yield from _number_faults(family)
    yield from _wording_faults(family)
    yield from _question_faults(family)
    yield from _draw_faults(family, draws, Random(f"{seed}:{family.id}"))


def _numbers(family: Family) -> list[str]:
    return [variable.name for variable in family.variables if variable.domain.kind is Kind.NUMBER]


def _used(family: Family) -> frozenset[str]:
    return frozenset[str]().union(*(step.formula.names for step in family.steps))


def _number_faults(family: Family) -> Iterator[str]:
    used = _used(family)
    for name in _numbers(family):
        if name not in used and name not in family.noise:
            yield f"{{{name}}} is used by no step and is not listed in 'noise'"
    for name in sorted(family.noise & used):
        yield f"'{name}' is listed in 'noise', but a step uses it"


def _wording_faults(family: Family) -> Iterator[str]:
    needed = [name for name in _numbers(family) if name in _used(family)]
    for i, wording in enumerate(family.wordings, 1):
        for name in needed:
            if name not in wording.numbers:
                yield f"wording {i} never says {{{name}}}, but a step needs it"
        if family.after and "given" in wording.numbers:
            yield f"wording {i} prints {{given}}, which the reader has to work out"
        if not _ASKS.search(wording.text):
            yield f"wording {i} asks nothing"


def _question_faults(family: Family) -> Iterator[str]:
    fixed = {v.name for v in family.variables if isinstance(v.domain, Choices) and len(v.domain.items) == 1}
    for step in family.steps:
        for question in step.questions:
            if not question.text.rstrip().endswith("?"):
                yield f"subquestion '{question.text}' does not end in '?'"
        for i, wording in enumerate(family.wordings, 1):
            if all(question.others - wording.others - fixed for question in step.questions):
                yield f"every subquestion for '{step.result}' names somebody or something that wording {i} doesn't"


def _draw_faults(family: Family, draws: int, rng: Random) -> Iterator[str]:
    seen: set[str] = set()
    told: set[str] = set()
    for i in range(draws):
        try:
            trace = _drawn(family, rng, i)
        except FamilyError as error:
            yield str(error)
            return
        seen.add(trace.problem.question)
        for fault in _reading_faults(trace):
            if fault not in told:
                told.add(fault)
                yield fault
    if len(seen) < draws * DIFFERENT:
        yield f"only {len(seen)} different problems in {draws} draws"


def _drawn(family: Family, rng: Random, i: int) -> Trace:
    """A problem of a family, its wordings in turn; a continuation follows a small story made for it."""
    if family.after is None:
        return draw(family, rng, wording=i % len(family.wordings))
    for _ in range(FOLLOWED):
        story = draw_story(OPENINGS[family.after], [family], rng, 2)
        if story:
            return story
    raise FamilyError(f"it follows none of {FOLLOWED} stories whose result is a whole number from 14 to 600")


def _opening(after: After, text: str, asked: str) -> Family:
    wordings = [f"{start}{text} {asked}" for start in ("", "At first ", "In the morning ")]
    people = {} if after is After.COUNTED else {"p": "person"}
    variables = people | {"x": "collectible", "a": "4..60", "b": "10..540"}
    step = {"q": asked, "eq": "a + b", "as": "result"}
    return parse_family(
        {"id": f"opening-{after}", "topic": "check", "text": wordings, "vars": variables, "steps": [step]}, "check"
    )


OPENINGS: Final = {
    After.OWNED: _opening(
        After.OWNED, "{p} had {a} {x.many} and then found {b} more {x.many}.", "How many {x.many} does {p} have now?"
    ),
    After.COUNTED: _opening(
        After.COUNTED, "there were {a} {x.many} in one box and {b} {x.many} in another.", "How many {x.many} were there in all?"
    ),
    After.MONEY: _opening(After.MONEY, "{p} had ${a} and then earned ${b}.", "How much money does {p} have now?"),
}


def _reading_faults(trace: Trace) -> Iterator[str]:
    question = trace.problem.question
    if odd := _ODD.search(question):
        yield f"reads oddly at '{odd[0]}': {question[:160]}"
    for step in trace.steps:
        for text in (step.question, step.solution):
            if left := _LEFT_OVER.search(text):
                yield f"'{left[0]}' is left in '{text[:160]}'"
