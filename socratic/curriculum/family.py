"""A family: a word problem with its numbers, people and things left open, and the steps that solve it.

In: lines of JSONL (see FORMAT.md beside this file), by default every file in `families/`. Out: `Family`, strictly
read: what is unknown, missing or contradictory is a FamilyError that names file, line, family and reason.
`held_out` sets whole families aside. Knows nothing of how a problem is drawn, or of how it reads.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar

from socratic.curriculum.domains import Domain, Kind, read_domain
from socratic.curriculum.expressions import FUNCTIONS, Condition, Formula, read_condition, read_formula
from socratic.curriculum.notation import Notation, read_notation
from socratic.curriculum.templates import RESERVED, Template, read_template
from socratic.errors import FamilyError
from socratic.jsonl import BrokenLine, read_jsonl

PACKAGED: Final = Path(__file__).parent / "families"
CONTINUATIONS: Final = Path(__file__).parent / "continuations"
MIN_WORDINGS: Final = 3
_T = TypeVar("_T")
_REQUIRED: Final = frozenset({"id", "topic", "text", "vars", "steps"})
_OPTIONAL: Final = frozenset({"where", "noise", "decimals", "zero", "after"})
_STEP_REQUIRED: Final = frozenset({"q", "eq", "as"})
_STEP_OPTIONAL: Final = frozenset({"say"})


class After(StrEnum):
    """What a story has to come to for a continuation to follow it."""

    OWNED = "owned"  # somebody has a number of things
    COUNTED = "counted"  # there is a number of things
    MONEY = "money"  # somebody has a sum of money


GIVEN: Final[dict[After, dict[str, Kind]]] = {
    After.OWNED: {"given": Kind.NUMBER, "p": Kind.PERSON, "x": Kind.NOUN},
    After.COUNTED: {"given": Kind.NUMBER, "x": Kind.NOUN},
    After.MONEY: {"given": Kind.NUMBER, "p": Kind.PERSON},
}
"""What the story before fills in for a continuation: its result, whose it is, and of what."""


@dataclass(frozen=True, slots=True)
class Variable:
    """An open place and what may fill it."""

    name: str
    domain: Domain


@dataclass(frozen=True, slots=True)
class FamilyStep:
    """One subquestion (some wordings of it), the formula that answers it, and the sentence that says so."""

    result: str
    questions: tuple[Template, ...]
    formula: Formula
    notation: Notation
    say: Template | None

    def askable(self, wording: Template) -> Sequence[Template]:
        """The subquestions that name only people and things of this wording; all, where there is none."""
        return [question for question in self.questions if question.others <= wording.others] or self.questions


@dataclass(frozen=True, slots=True)
class Family:
    """A word problem with open places. `decimals` and `zero` say which results it allows beside whole positive ones.

    One with `after` is a continuation: it goes on from the result of another family's story, whose places it uses.
    """

    id: str
    topic: str
    source: str
    wordings: tuple[Template, ...]
    variables: tuple[Variable, ...]
    conditions: tuple[Condition, ...]
    steps: tuple[FamilyStep, ...]
    noise: frozenset[str]
    decimals: bool
    zero: bool
    after: After | None


def load_families(paths: Iterable[Path] | None = None) -> tuple[Family, ...]:
    """Read the families of some files (default: all packaged ones). Raises FamilyError at the first fault."""
    families: dict[str, Family] = {}
    with _uncollected():
        for where, data in read_lines(packaged_files() if paths is None else paths):
            if isinstance(data, BrokenLine):
                raise FamilyError(f"{where}: {data.reason}")
            family = parse_family(data, where)
            if family.id in families:
                raise FamilyError(f"{where} {family.id}: the id stands at {families[family.id].source} too")
            families[family.id] = family
    return tuple(families.values())


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without garbage collection, which would look through a million objects that all stay: a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def load_continuations() -> tuple[Family, ...]:
    """Read all packaged continuations. Raises FamilyError at the first fault."""
    return load_families(sorted(CONTINUATIONS.glob("*.jsonl")))


def packaged_files() -> list[Path]:
    """Every file of families in the package: to add one, put it there."""
    return sorted(PACKAGED.glob("*.jsonl"))


def sha256() -> str:
    """Of all families and continuations of the package: other ones draw other problems."""
    found = hashlib.sha256()
    for path in (*packaged_files(), *sorted(CONTINUATIONS.glob("*.jsonl"))):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()


def read_lines(paths: Iterable[Path]) -> Iterator[tuple[str, dict[str, Any] | BrokenLine]]:
    """("file:line", object) for each line of each file that is not empty."""
    for path in paths:
        yield from read_jsonl(path)


def held_out(families: Iterable[Family], share: float = 0.05, seed: int = 0) -> tuple[tuple[Family, ...], tuple[Family, ...]]:
    """Split whole families into (train, held out). Each id decides alone, so that a new family moves no other."""
    train: list[Family] = []
    held: list[Family] = []
    for family in families:
        (held if _lot(family.id, seed) < share else train).append(family)
    return tuple(train), tuple(held)


def some(families: Iterable[Family], share: float) -> tuple[Family, ...]:
    """A share of the families, by lot; a smaller share is part of each larger one."""
    return held_out(families, share, seed=1)[1]


def _lot(family_id: str, seed: int) -> float:
    """A number in 0..1 that only the id and the seed decide."""
    digest = hashlib.sha256(f"{seed}:{family_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def parse_family(data: Mapping[str, Any], where: str) -> Family:
    """Read one family, strictly. Raises FamilyError naming `where` ("file:line"), the family and the reason."""
    try:
        return _family(data, where)
    except FamilyError as error:
        raise FamilyError(f"{where} {data.get('id', '(no id)')}: {error}") from None


def _family(data: Mapping[str, Any], where: str) -> Family:
    _refuse_keys(data, _REQUIRED, _OPTIONAL, "family")
    after = _after(data.get("after"))
    given = GIVEN[after] if after else {}
    variables = tuple(Variable(name, read_domain(domain)) for name, domain in _typed(data, "vars", dict).items())
    kinds = given | {variable.name: variable.domain.kind for variable in variables}
    if taken := given.keys() & {variable.name for variable in variables}:
        raise FamilyError(f"{_quoted(taken)} comes from the story before; no variable can be called so")
    if wrong := [name for name in kinds if name in FUNCTIONS or not name.isidentifier()]:
        raise FamilyError(f"a variable can't be called '{wrong[0]}'")
    in_words = frozenset(variable.name for variable in variables if variable.domain.in_words)
    return Family(
        id=_typed(data, "id", str),
        topic=_typed(data, "topic", str),
        source=where,
        wordings=_wordings(_typed(data, "text", list), kinds),
        variables=variables,
        conditions=tuple(_condition(text, kinds) for text in _typed(data, "where", list, [])),
        steps=tuple(_steps(_typed(data, "steps", list), kinds, in_words)),
        noise=_noise(_typed(data, "noise", list, []), kinds),
        decimals=_typed(data, "decimals", bool, False),
        zero=_typed(data, "zero", bool, False),
        after=after,
    )


def _after(name: object) -> After | None:
    if name is None:
        return None
    if name not in list(After):
        raise FamilyError(f"'after' is one of {', '.join(After)}; found {name!r}")
    return After(str(name))


def _refuse_keys(data: Mapping[str, Any], required: frozenset[str], optional: frozenset[str], what: str) -> None:
    if missing := required - data.keys():
        raise FamilyError(f"{what} key {_quoted(missing)} is missing")
    if unknown := data.keys() - required - optional:
        raise FamilyError(f"unknown {what} key {_quoted(unknown)}; known are {_quoted(required | optional)}")


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))


def _typed(data: Mapping[str, Any], key: str, kind: type[_T], default: _T | None = None) -> _T:
    value = data.get(key, default)
    if not isinstance(value, kind) or (key not in _OPTIONAL and not value):
        raise FamilyError(f"'{key}': a {kind.__name__} with something in it was expected, found {value!r}")
    return value


def _wordings(texts: list[object], kinds: Mapping[str, Kind]) -> tuple[Template, ...]:
    if len(texts) < MIN_WORDINGS:
        raise FamilyError(f"'text' needs {MIN_WORDINGS} wordings or more, found {len(texts)}")
    wordings = tuple(read_template(text, kinds) for text in texts)
    if len({wording.text for wording in wordings}) < len(wordings):
        raise FamilyError("two wordings are the same")
    return wordings


def _condition(text: object, kinds: Mapping[str, Kind]) -> Condition:
    condition = read_condition(str(text))
    _refuse_names(condition.names, kinds, condition.text)
    return condition


def _refuse_names(names: frozenset[str], kinds: Mapping[str, Kind], text: str) -> None:
    for name in sorted(names):
        if kinds.get(name) is not Kind.NUMBER:
            known = ", ".join(name for name, kind in kinds.items() if kind is Kind.NUMBER)
            raise FamilyError(f"'{name}' is no number known in '{text}'; known there: {known}")


def _noise(names: list[object], kinds: Mapping[str, Kind]) -> frozenset[str]:
    if unknown := [name for name in names if name not in kinds]:
        raise FamilyError(f"'noise' names {unknown[0]!r}, which is no variable")
    return frozenset(str(name) for name in names)


def _steps(rows: list[Any], variables: Mapping[str, Kind], in_words: frozenset[str]) -> Iterator[FamilyStep]:
    kinds = dict(variables)
    for row in rows:
        if not isinstance(row, dict):
            raise FamilyError(f"step {row!r}: an object was expected")
        _refuse_keys(row, _STEP_REQUIRED, _STEP_OPTIONAL, "step")
        step = _step(row, kinds, in_words)
        kinds[step.result] = Kind.NUMBER
        yield step


def _step(row: Mapping[str, Any], kinds: Mapping[str, Kind], in_words: frozenset[str]) -> FamilyStep:
    result = _typed(row, "as", str)
    if result in kinds or result in RESERVED or result in FUNCTIONS or not result.isidentifier():
        raise FamilyError(f"a result can't be called '{result}': it is taken, or no plain name")
    formula = read_formula(_typed(row, "eq", str))
    _refuse_names(formula.names, kinds, formula.text)
    questions = [row["q"]] if isinstance(row["q"], str) else _typed(row, "q", list)
    return FamilyStep(
        result=result,
        questions=tuple(read_template(question, kinds) for question in questions),
        formula=formula,
        notation=read_notation(formula, in_words),
        say=read_template(row["say"], {**kinds, result: Kind.NUMBER}) if row.get("say") else None,
    )
