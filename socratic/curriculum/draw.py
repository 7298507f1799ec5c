"""Draws problems with verified traces from families.

In: families and a seed (or a `random.Random`). Out: `Trace`s whose every equation was recomputed by `arithmetic` and is
exactly right; the same seed gives the same corpus. `dressed` is for training: a test reads a problem as it was written.
Knows nothing of files, models, or of how students read a trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from socratic.errors import FamilyError
from socratic.schema import Ended, Problem, Source, Step, Trace, Verdict

TRIES: Final = 2000
LARGEST: Final = 10**9
_COMMAS_SHARE: Final = 0.6


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What fills the open places of one problem; `items` gains each result as soon as its step is solved."""

    items: dict[str, Item]
    values: dict[str, Value]  # of all numbers, and of all results


def draw(family: Family, rng: Random, *, wording: int | None = None) -> Trace:
    """One problem of a family, solved and verified. Raises FamilyError where no draw fits or an equation is not right."""
    return _draw(family, rng, wording, problem_id=family.id, split="")


def draw_many(families: Sequence[Family], n: int, seed: int) -> Iterator[Trace]:
    """`n` problems, each of a family drawn uniformly; ids are `family-i`, the split is "train"."""
    if not families:
        raise FamilyError("no families to draw from, one or more were expected")
    rng = Random(seed)
    for i in range(n):
        family = rng.choice(families)
        yield _draw(family, rng, None, problem_id=f"{family.id}-{i}", split="train")


def dressed(trace: Trace, rng: Random) -> Trace:
    """The trace of a problem as somebody might have sent it; now and then another text, always the same solution."""
    checks = [check for step in trace.steps for check in step.checks]
    question = dress(trace.problem.question, (f"{check.expression}={check.stated}" for check in checks), rng)
    known, steps = Known.of(question), list[Step]()
    for step in trace.steps:  # an aside's number moves the places of the others, which provenance names
        rechecked, known = check_solution(step.solution, known)
        steps.append(replace(step, checks=rechecked))
    return replace(trace, problem=replace(trace.problem, question=question), steps=tuple(steps))


def _draw(family: Family, rng: Random, wording: int | None, *, problem_id: str, split: str) -> Trace:
    drawn = _drawn(family, rng)
    commas = rng.random() < _COMMAS_SHARE
    told = rng.choice(family.wordings) if wording is None else family.wordings[wording]
    question = told.fill(drawn.items, Style(rng, commas, spell=True))
    steps = tuple(_steps(family, drawn, told, question, Style(rng, commas, spell=False)))
    answer = steps[-1].answer
    problem = Problem(problem_id, question, answer, dataset="curriculum", split=split)
    return Trace(problem, steps, answer, Ended.DONE, Source("curriculum", family.id))


def _drawn(family: Family, rng: Random) -> _Drawn:
    """An item for each variable. Numbers are drawn until they fit."""
    numbers = [variable for variable in family.variables if variable.domain.kind is Kind.NUMBER]
    taken: set[str] = set()
    for _ in range(TRIES):
        items = {variable.name: variable.domain.draw(rng, taken) for variable in numbers}
        values = {name: item.value for name, item in items.items() if isinstance(item, Quantity)}
        if _fits(family, items, values):
            break
    else:
        raise _fault(family, f"none of {TRIES} draws fits its 'where' and gives whole positive results")
    for variable in family.variables:
        if variable.domain.kind is not Kind.NUMBER:
            items[variable.name] = variable.domain.draw(rng, taken)
    return _Drawn(items, values)


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


def _steps(family: Family, drawn: _Drawn, told: Template, question: str, style: Style) -> Iterator[Step]:
    """The steps, each verified."""
    known = Known.of(question)
    for step in family.steps:
        asked = style.rng.choice(step.askable(told)).fill(drawn.items, style)
        drawn.items[step.result] = Quantity(drawn.values[step.result])
        solution, answer = _solution(step, drawn, style)
        checks, known = check_solution(solution, known)
        if len(checks) != 1 or checks[0].verdict is not Verdict.CORRECT:
            raise _fault(family, f"one exactly right equation was expected in '{solution}', found {checks}")
        yield Step(asked, solution, answer, checks)


def _solution(step: FamilyStep, drawn: _Drawn, style: Style) -> tuple[str, str]:
    """The solution text, and the answer alone."""
    answer = value_text(drawn.values[step.result])
    equation = f"<<{step.notation(drawn.values)}={answer}>>"
    return (f"{equation} {step.say.fill(drawn.items, style)}" if step.say else equation), answer


def _fault(family: Family, reason: str) -> FamilyError:
    return FamilyError(f"{family.source} {family.id}: {reason}")
