"""Text with open places: wordings of problems, subquestions and solution sentences.

In: text such as "{p} has {n} {i.many}." and the kind of every name. Out: a `Template`, taken apart once, whose `fill`
puts the drawn items in. Sentences that begin with an open place get their capital letter here, not when drawing.
Knows nothing of equations, families or files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from socratic.curriculum.domains import Item, Kind, Quantity
from socratic.curriculum.lexicon import Noun, Person, spell
from socratic.curriculum.notation import value_text
from socratic.errors import FamilyError

PRONOUN_FORMS: Final = frozenset({"he", "him", "his", "He", "Him", "His"})
RESERVED: Final = frozenset({"one", "many", "word"})  # noun and number forms; no result may be called so

_SLOT: Final = re.compile(r"\{([A-Za-z_]\w*)(?:[.:](\w+))?\}")
_SENTENCE_END: Final = re.compile(r"(?<![ap]\.m)[.?!] +$")
_SENTENCE_START: Final = re.compile(r"((?<![ap]\.m)[.?!] +)([a-z])")
_GLUED_BEFORE: Final = re.compile(r"[$/#:\w-]$")
_GLUED_AFTER: Final = re.compile(r"[%/:\w-]|\.\d")
_NEAR: Final = 8  # characters before a slot that can tell how it is written
_MAX_SPELLED: Final = 12
_SPELL_SHARE: Final = 0.15


@dataclass(frozen=True, slots=True)
class Slot:
    """One open place. `spellable`: a small number may stand there as a word; `money`: a dollar sign stands before."""

    name: str
    form: str
    capital: bool
    spellable: bool
    money: bool


@dataclass(frozen=True, slots=True)
class Style:
    """How one problem writes its numbers; `rng` decides on each small number whether it is spelled out."""

    rng: Random
    commas: bool
    spell: bool


@dataclass(frozen=True, slots=True)
class Template:
    """A text, taken apart at its open places.

    `numbers` and `others` are the names that it says, without those that only choose between one and many.
    """

    text: str
    parts: tuple[str | Slot, ...]
    numbers: frozenset[str]
    others: frozenset[str]

    @property
    def shape(self) -> str:
        """The text with its open places blanked: equal shapes are the same wording."""
        return _SLOT.sub("_", self.text).lower()

    def fill(self, items: Mapping[str, Item], style: Style) -> str:
        """The text with every open place filled."""
        return "".join([part if isinstance(part, str) else _filled(part, items, style) for part in self.parts])


def read_template(text: object, kinds: Mapping[str, Kind]) -> Template:
    """Take a text apart. Raises FamilyError for an unknown name, a form that its kind lacks, or a stray brace."""
    if not isinstance(text, str) or not text.strip():
        raise FamilyError(f"{text!r}: a text was expected")
    parts: list[str | Slot] = []
    place = 0
    for match in _SLOT.finditer(text):
        _literal(parts, text[place : match.start()], text)
        parts.append(_slot(match, kinds))
        place = match.end()
    _literal(parts, text[place:], text)
    names = {part.name for part in parts if isinstance(part, Slot)}
    numbers = frozenset(name for name in names if kinds[name] is Kind.NUMBER)
    return Template(text, tuple(parts), numbers, frozenset(names) - numbers)


def _literal(parts: list[str | Slot], piece: str, text: str) -> None:
    if "{" in piece or "}" in piece:
        raise FamilyError(f"a brace is left in '{text[:60]}'; open places look like {{n}}, {{p.he}}, {{x:n}}")
    piece = _SENTENCE_START.sub(lambda match: match[1] + match[2].upper(), piece)
    if piece:
        parts.append(piece if parts else piece[0].upper() + piece[1:])


def _slot(match: re.Match[str], kinds: Mapping[str, Kind]) -> Slot:
    name, form, text = match[1], match[2] or "", match.string
    if name not in kinds:
        raise FamilyError(f"slot {{{name}}} is unknown in '{text[:60]}'; known there: {', '.join(sorted(kinds))}")
    _refuse_form(name, form, kinds)
    before = text[max(0, match.start() - _NEAR) : match.start()]
    return Slot(
        name=name,
        form=form,
        capital=not before or bool(_SENTENCE_END.search(before)),
        spellable=not (_GLUED_BEFORE.search(before) or _GLUED_AFTER.match(text, match.end())),
        money=before.endswith("$"),
    )


def _refuse_form(name: str, form: str, kinds: Mapping[str, Kind]) -> None:
    match kinds[name]:
        case Kind.PERSON if form and form not in PRONOUN_FORMS:
            raise FamilyError(f"{{{name}.{form}}}: a person has he, him, his, He, Him, His")
        case Kind.NOUN if form not in ("one", "many") and kinds.get(form) is not Kind.NUMBER:
            raise FamilyError(f"{{{name}}} is a noun: {{{name}.one}}, {{{name}.many}} or {{{name}:number_name}} was expected")
        case Kind.WORD if form:
            raise FamilyError(f"{{{name}.{form}}}: a plain word has no forms")
        case Kind.NUMBER if form not in ("", "word"):
            raise FamilyError(f"{{{name}.{form}}}: a number has only .word")


def _filled(slot: Slot, items: Mapping[str, Item], style: Style) -> str:
    item = items[slot.name]
    match item:
        case Quantity():
            text = _number(item, slot, style)
        case Person():
            text = item.pronoun(slot.form) if slot.form else item.name
        case Noun():
            text = item.one if _is_one(slot.form, items) else item.many
        case _:
            text = item
    return text[0].upper() + text[1:] if slot.capital else text


def _is_one(form: str, items: Mapping[str, Item]) -> bool:
    if form in RESERVED:
        return form == "one"
    counted = items[form]
    return isinstance(counted, Quantity) and counted.value == 1


def _number(item: Quantity, slot: Slot, style: Style) -> str:
    value = item.value
    if slot.form == "word":
        return spell(int(value))
    if item.words:
        return item.words
    if value.denominator != 1:
        return f"{float(value):.2f}" if slot.money else value_text(value)
    if style.spell and slot.spellable and 1 < value <= _MAX_SPELLED and style.rng.random() < _SPELL_SHARE:
        return spell(int(value))
    return f"{int(value):,}" if style.commas else str(value)
