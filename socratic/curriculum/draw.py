"""Draws problems with verified traces from families.

In: families and a seed (or a `random.Random`). Out: `Trace`s whose every equation was recomputed by `arithmetic` and is
exactly right; the same seed gives the same corpus. `dressed` is for training: a test reads a problem as it was written.
Knows nothing of files, models, or of how students read a trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from socratic.arithmetic import Known, check_solution
from socratic.curriculum.domains import Item, Kind, Quantity
from socratic.curriculum.dressing import dress
from socratic.curriculum.expressions import Value
from socratic.curriculum.family import Family, FamilyStep
from socratic.curriculum.notation import value_text
from socratic.curriculum.templates import Style, Template
from socratic.errors import FamilyError, NoDrawError
from socratic.schema import Ended, Problem, Source, Step, Trace, Verdict

TRIES: Final = 2000
LARGEST: Final = 10**9
_COMMAS_SHARE: Final = 0.6


@dataclass(frozen=True, slots=True)
class Drawn:
    """What fills the open places of one family; `items` gains each result as soon as its step is solved."""

    items: dict[str, Item]
    values: dict[str, Value]  # of all numbers, and of all results


@dataclass(frozen=True, slots=True)
class Part:
    """What one family gives to a story: the wording that tells it, filled in."""

    family: Family
    drawn: Drawn
    told: Template
    text: str

    @property
    def result(self) -> Value:
        """The result of the last step."""
        return self.drawn.values[self.family.steps[-1].result]


def draw(family: Family, rng: Random, *, wording: int | None = None) -> Trace:
    """One problem of a family, solved and verified. Raises FamilyError where no draw fits or an equation is not right."""
    drawn, style = fill_places(family, rng), story_style(rng)
    return solved([tell(family, drawn, style, wording)], style)


def numbered(trace: Trace, i: int) -> Trace:
    """The trace as the i-th of a corpus to train on."""
    return replace(trace, problem=replace(trace.problem, id=f"{trace.problem.id}-{i}", split="train"))


def story_style(rng: Random) -> Style:
    """How one story writes its numbers."""
    return Style(rng, commas=rng.random() < _COMMAS_SHARE, spell=True)


def fill_places(family: Family, rng: Random, given: Mapping[str, Item] | None = None, taken: Iterable[str] = ()) -> Drawn:
    """An item for each variable beside the `given` ones; people and things that are `taken` are left out.

    Numbers are drawn until they fit: raises NoDrawError where none does.
    """
    numbers = [variable for variable in family.variables if variable.domain.kind is Kind.NUMBER]
    names = set(taken)
    for _ in range(TRIES):
        items = {**(given or {}), **{variable.name: variable.domain.draw(rng, names) for variable in numbers}}
        values = {name: item.value for name, item in items.items() if isinstance(item, Quantity)}
        if _fits(family, items, values):
            break
    else:
        raise NoDrawError(_said(family, f"none of {TRIES} draws fits its 'where' and gives whole positive results"))
    for variable in family.variables:
        if variable.domain.kind is not Kind.NUMBER:
            items[variable.name] = variable.domain.draw(rng, names)
    return Drawn(items, values)


def tell(family: Family, drawn: Drawn, style: Style, wording: int | None = None) -> Part:
    """One of the family's wordings, filled in."""
    told = style.rng.choice(family.wordings) if wording is None else family.wordings[wording]
    return Part(family, drawn, told, told.fill(drawn.items, style))


def solved(parts: Sequence[Part], style: Style) -> Trace:
    """The story of some parts, each going on from the one before, with its steps. Raises FamilyError; see `draw`."""
    question = " ".join(part.text for part in parts)
    steps = tuple(_steps(parts, question, replace(style, spell=False)))
    name = "+".join(part.family.id for part in parts)
    problem = Problem(name, question, steps[-1].answer, dataset="curriculum")
    return Trace(problem, steps, steps[-1].answer, Ended.DONE, Source("curriculum", name))


def dressed(trace: Trace, rng: Random) -> Trace:
    """The trace of a problem as somebody might have sent it; now and then another text, always the same solution."""
    checks = [check for step in trace.steps for check in step.checks]
    question = dress(trace.problem.question, (f"{check.expression}={check.stated}" for check in checks), rng)
    known, steps = Known.of(question), list[Step]()
    for step in trace.steps:  # an aside's number moves the places of the others, which provenance names
        rechecked, known = check_solution(step.solution, known)
        steps.append(replace(step, checks=rechecked))
    return replace(trace, problem=replace(trace.problem, question=question), steps=tuple(steps))


def _fits(family: Family, items: dict[str, Item], values: dict[str, Value]) -> bool:
    try:
        return all(condition.holds(values) for condition in family.conditions) and _solved(family, items, values)
    except FamilyError as error:
        raise _fault(family, str(error)) from None


def _solved(family: Family, items: dict[str, Item], values: dict[str, Value]) -> bool:
    """Add the result of every step to `values`; false where one is not allowed."""
    loose = family.decimals or any(
        isinstance(item, Quantity) and item.value.denominator != 1 and not item.words for item in items.values()
    )
    for step in family.steps:
        result = step.formula.value(values)
        if not _is_allowed(result, loose=loose, zero=family.zero):
            return False
        values[step.result] = result
    return True


def _is_allowed(result: Value, *, loose: bool, zero: bool) -> bool:
    """Whole and positive; beside that 0, or two decimals, where the family says so."""
    if result < 0 or result > LARGEST or (result == 0 and not zero):
        return False
    return result.denominator == 1 or (loose and (result * 100).denominator == 1)


def _steps(parts: Sequence[Part], question: str, style: Style) -> Iterator[Step]:
    """The steps of all parts, each verified."""
    known = Known.of(question)
    for part in parts:
        for step in part.family.steps:
            asked = style.rng.choice(step.askable(part.told)).fill(part.drawn.items, style)
            part.drawn.items[step.result] = Quantity(part.drawn.values[step.result])
            solution, answer = _solution(step, part.drawn, style)
            checks, known = check_solution(solution, known)
            if len(checks) != 1 or checks[0].verdict is not Verdict.CORRECT:
                raise _fault(part.family, f"one exactly right equation was expected in '{solution}', found {checks}")
            yield Step(asked, solution, answer, checks)


def _solution(step: FamilyStep, drawn: Drawn, style: Style) -> tuple[str, str]:
    """The solution text, and the answer alone."""
    answer = value_text(drawn.values[step.result])
    equation = f"<<{step.notation(drawn.values)}={answer}>>"
    return (f"{equation} {step.say.fill(drawn.items, style)}" if step.say else equation), answer


def _fault(family: Family, reason: str) -> FamilyError:
    return FamilyError(_said(family, reason))


def _said(family: Family, reason: str) -> str:
    return f"{family.source} {family.id}: {reason}"
