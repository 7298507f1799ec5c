"""What an open place of a family may be filled with.

In: the JSON of one `vars` entry. Out: a `Domain` whose `draw` gives an `Item`: a `Quantity`, a `Noun`, a `Person` or a
plain word. People, words and nouns are drawn distinct within a problem, numbers are not.
Knows nothing of wordings, equations or files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from random import Random
from typing import Final

from socratic.curriculum.expressions import Value
from socratic.curriculum.lexicon import NOUNS, PEOPLE, WORDS, Noun, Person
from socratic.errors import FamilyError


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of a problem; `words` is how the text says it, where the family says so itself ("a third")."""

    value: Value
    words: str = ""


Item = Quantity | Noun | Person | str


class Kind(StrEnum):
    """What a name stands for."""

    NUMBER = "number"
    NOUN = "noun"
    PERSON = "person"
    WORD = "word"


def kind_of(item: Item) -> Kind:
    """The kind of one drawn item."""
    match item:
        case Quantity():
            return Kind.NUMBER
        case Noun():
            return Kind.NOUN
        case Person():
            return Kind.PERSON
        case _:
            return Kind.WORD


@dataclass(frozen=True, slots=True)
class Range:
    """`low`, `low + step`, ... in `count` numbers."""

    low: Value
    step: Value
    count: int

    kind = Kind.NUMBER
    in_words = False

    def draw(self, rng: Random, taken: set[str]) -> Quantity:
        """One number, each as likely as any other."""
        return Quantity(self.low + self.step * rng.randrange(self.count))


@dataclass(frozen=True, slots=True)
class Choices:
    """One of a list of items, all of one kind."""

    items: tuple[Item, ...]
    kind: Kind

    @property
    def in_words(self) -> bool:
        """Whether these are numbers that the problem says in words."""
        return self.kind is Kind.NUMBER and any(isinstance(item, Quantity) and item.words for item in self.items)

    def draw(self, rng: Random, taken: set[str]) -> Item:
        """One item that is not taken yet (any, where all are), which then is."""
        item = rng.choice(self.items)
        name = item_name(item)
        if name in taken:
            item = rng.choice([item for item in self.items if item_name(item) not in taken] or self.items)
            name = item_name(item)
        if name:
            taken.add(name)
        return item


Domain = Range | Choices


def item_name(item: Item) -> str:
    """What makes two items the same one; numbers may be equal."""
    match item:
        case Noun(many=name) | Person(name=name):
            return name
        case str():
            return item
        case _:
            return ""


_RANGE: Final = re.compile(r"(-?\d*\.?\d+)\.\.(-?\d*\.?\d+)(?::(\d*\.?\d+))?")


def read_domain(data: object) -> Domain:
    """Read one `vars` entry. Raises FamilyError saying what was found and what is allowed."""
    if isinstance(data, list) and data:
        items = tuple(_item(entry) for entry in data)
        kinds = {kind_of(item) for item in items}
        if len(kinds) > 1:
            raise FamilyError(f"the list {data!r} mixes {', '.join(sorted(kinds))}; one kind was expected")
        return Choices(items, kinds.pop())
    if isinstance(data, str):
        return _range(data) or _listed(data)
    raise FamilyError(f"domain {data!r}: a range, the name of a list or a list of choices was expected")


def _range(text: str) -> Range | None:
    match = _RANGE.fullmatch(text)
    if not match:
        return None
    low, high, step = _exact(match[1]), _exact(match[2]), _exact(match[3] or "1")
    if high < low or step == 0:
        raise FamilyError(f"range '{text}' is empty")
    return Range(low, step, int((high - low) / Fraction(step)) + 1)


def _listed(name: str) -> Choices:
    if name in WORDS:
        return Choices(WORDS[name], Kind.WORD)
    if name in NOUNS:
        return Choices(NOUNS[name], Kind.NOUN)
    match name:
        case "person":
            return Choices(PEOPLE["f"] + PEOPLE["m"], Kind.PERSON)
        case "person:f":
            return Choices(PEOPLE["f"], Kind.PERSON)
        case "person:m":
            return Choices(PEOPLE["m"], Kind.PERSON)
    raise FamilyError(f"unknown domain '{name}': a range, person, person:f, person:m or one of {', '.join([*WORDS, *NOUNS])}")


def _item(entry: object) -> Item:
    match entry:
        case bool():
            pass
        case int() | float():
            return Quantity(_exact(str(entry)))
        case [str() as words, int() | float() | str() as number] if words:
            return Quantity(_exact(str(number)), words)
        case {"one": str() as one, "many": str() as many, **rest} if not rest:
            return Noun(one, many)
        case str() if entry:
            return entry
    raise FamilyError(f'choice {entry!r}: a number, a word, ["words", number] or {{"one", "many"}} was expected')


def _exact(text: str) -> Value:
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise FamilyError(f"'{text}' is no number") from None
    return value.numerator if value.denominator == 1 else value
