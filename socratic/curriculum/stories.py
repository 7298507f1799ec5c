"""Composes families: the result of one family's story is what the next one goes on from.

In: families, continuations (families with `after`), a seed. Out: `Trace`s of stories in two parts or more: the first
without its question, then continuations; names, things and pronouns are those of the part before, its result is the
`given` of the next, and its last subquestion becomes a subquestion of the whole. Knows nothing of files or dressing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from socratic.arithmetic import find_numbers
from socratic.curriculum.domains import Item, Quantity, item_name
from socratic.curriculum.draw import Part, draw, fill_places, numbered, solved, story_style, tell
from socratic.curriculum.dressing import ASKS, last_sentence
from socratic.curriculum.family import After, Family
from socratic.curriculum.lexicon import Noun
from socratic.curriculum.templates import Style
from socratic.errors import FamilyError, NoDrawError
from socratic.schema import Trace

_THINGS: Final = r"\{(?P<x>\w+)\.many\}|(?P<word>[a-z]+s)(?<!ies)(?<!oes)(?<!ves)(?<!sses)(?<!xes)(?<!ches)(?<!shes)"
_OWNER: Final = r"(?:does|did|will) \{(?P<p>\w+)\}"
_SO_FAR: Final = r"(?: now| left| in all| altogether| in total| together| in the end| after that)?"
ENDINGS: Final = {
    After.OWNED: re.compile(
        rf"How many (?:{_THINGS}) {_OWNER} (?:still )?(?:have|own|keep|get|find|pick|collect|buy|bake|make|catch){_SO_FAR}\?"
    ),
    After.COUNTED: re.compile(rf"How many (?:{_THINGS}) (?:are|were) (?:there|left|made){_SO_FAR}\?"),
    After.MONEY: re.compile(
        rf"How (?:much|much money|many dollars) {_OWNER} (?:still )?(?:have|earn|get|make|keep|receive){_SO_FAR}\?"
    ),
}
"""How a story asks for what a continuation can go on from; the groups say whose it is, and of what."""
MEASURES: Final = frozenset(
    """dollars cents minutes hours days weeks months years seconds miles kilometers kilometres meters metres centimeters
    centimetres millimeters inches yards liters litres milliliters pints gallons grams kilograms pounds ounces tons degrees
    points steps pages times calories gigabytes megabytes laps trips words votes lives floors rows places spaces seats
    ways legs wheels pieces things boys girls kids students pupils passengers guests players visitors swimmers members
    scouts singers teams rooms evenings lessons groups lines windows adults runners counselors houses plots games defeats
    wins doses beats rings rehearsals meetings problems stars crowns songs episodes""".split()
)
"""Nouns that nobody gives away, packs or sells."""
NOT_CONTINUED: Final = frozenset(
    """fraction-plain-half-and-quarter-fc2 fishing-kept-and-threw-back-as2 baking-ate-start-unknown-as2
    unk-marbles-bags-start-three-back pancakes-family-breakfast-pt2 ratio-trade-exchange toys-boxes-total
    cards-packs-number-bought-md2 stickers-gave-unknown homework-left-one-subject-as2 screen-watched-left-as2
    fraction-pizza-slices sale-old-price-new-price-enough-money-rest idle-allowance-saved-in-weeks
    fraction-birthday-money-save-fc2 petcare-dogwalking-savings babysitting-two-families-half-saved""".split()
)
"""Families whose wordings ask for another amount than the last subquestion, or after which "all" would be unclear."""
_TRIES: Final = 200


@dataclass(frozen=True, slots=True)
class Link:
    """What a family's story comes to. `person` and `noun` are names of places; `word` is a noun that stands in the text."""

    after: After
    person: str
    noun: str
    word: str


def link_of(family: Family) -> Link | None:
    """What continuations of this family go on from; None where none can."""
    if family.id in NOT_CONTINUED:
        return None
    for question in family.steps[-1].questions:
        for after, ending in ENDINGS.items():
            match = ending.fullmatch(question.text)
            if match and (found := {"p": "", "x": "", "word": "", **match.groupdict("")})["word"] not in MEASURES:
                return Link(after, found["p"], found["x"], found["word"])
    return None


def draw_many(
    families: Sequence[Family], n: int, seed: int, parts: tuple[int, int] = (1, 1), continuations: Sequence[Family] = ()
) -> Iterator[Trace]:
    """`n` problems of so many parts, fewest and most, their families drawn uniformly; ids end in `-i`, the split is "train"."""
    if not families:
        raise FamilyError("no families to draw from, one or more were expected")
    rng, openings = Random(seed), [family for family in families if link_of(family)]
    for i in range(n):
        count = parts[0] if parts[0] == parts[1] else rng.randint(*parts)
        yield numbered(draw(rng.choice(families), rng) if count == 1 else _story(openings, continuations, rng, count), i)


def _story(openings: Sequence[Family], continuations: Sequence[Family], rng: Random, parts: int) -> Trace:
    for _ in range(_TRIES if openings else 0):
        story = draw_story(rng.choice(openings), continuations, rng, parts)
        if story:
            return story
    found = f"{len(openings)} families that can be continued and {len(continuations)} continuations"
    raise NoDrawError(f"no story of {parts} parts was found among {found}")


def draw_story(opening: Family, continuations: Sequence[Family], rng: Random, parts: int) -> Trace | None:
    """One story of so many parts, solved and verified; None where nothing fits that could follow."""
    drawn, style = fill_places(opening, rng), story_style(rng)
    story = [tell(opening, drawn, style)]
    while len(story) < parts:
        further = _follow(story, continuations, style)
        if further is None:
            return None
        story[-1] = replace(story[-1], text=_told(story[-1].text))
        story.append(further)
    return solved(story, style)


def _told(text: str) -> str:
    """The text without the question at its end; "" where that says a number, the rest asks something, or a quotation is open."""
    start = last_sentence(text)
    told, asked = text[:start].strip(), text[start:]
    is_split = ASKS.search(asked) and not find_numbers(asked) and not ASKS.search(told) and told.count('"') % 2 == 0
    return told if is_split else ""


def _follow(story: Sequence[Part], continuations: Sequence[Family], style: Style) -> Part | None:
    """A part that goes on from the last one's result."""
    last, link = story[-1], link_of(story[-1].family)
    if link is None or last.result < 2 or not _told(last.text):
        return None
    told = {part.family.id for part in story}
    fitting = [family for family in continuations if family.after is link.after and family.id not in told]
    given = _given(last, link)
    taken = [item_name(item) for part in story for item in part.drawn.items.values()]
    for family in style.rng.sample(fitting, min(len(fitting), 4)):
        try:
            return tell(family, fill_places(family, style.rng, given, taken), style)
        except NoDrawError:
            continue
    return None


def _given(last: Part, link: Link) -> dict[str, Item]:
    """What the last part fills in for the next."""
    given: dict[str, Item] = {"given": Quantity(last.result)}
    if link.person:
        given["p"] = last.drawn.items[link.person]
    if link.after is not After.MONEY:
        given["x"] = last.drawn.items[link.noun] if link.noun else Noun(link.word[:-1], link.word)
    return given
