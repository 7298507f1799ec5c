"""Makes each draw of a wording another text: an aside that does not matter, an opening, a closing, a typing slip.

In: a problem as it was drawn, its equations, and a `random.Random`. Out: the problem as somebody might have sent it; its
solution stays right. An aside is about something the problem has no word of, stands where it parts no pronoun from its
person and no question from what it asks, and its number is none of the problem's and none of the equations'.
Knows nothing of families, steps or files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Final

from socratic.arithmetic import IMPLIED
from socratic.curriculum.asides import ASIDES, CLOSINGS, OPENINGS
from socratic.curriculum.domains import Domain, Item, Kind, Quantity, read_domain
from socratic.curriculum.lexicon import Person, spell
from socratic.curriculum.templates import Style, Template, read_template

ASIDE_SHARE: Final = 0.16  # a few find no place
OPENING_SHARE: Final = 0.03
CLOSING_SHARE: Final = 0.03
SLIP_SHARE: Final = 0.03
_BEFORE_LAST_SHARE: Final = 0.85  # of the asides that may stand there
_TRIES: Final = 8


def dress(problem: str, equations: Iterable[str], rng: Random) -> str:
    """The problem, now and then with something added or slipped. `equations` is read only for an aside."""
    if rng.random() < ASIDE_SHARE:
        problem = _with_aside(problem, equations, rng)
    if rng.random() < OPENING_SHARE:
        problem = f"{rng.choice(OPENINGS)} {problem}"
    if rng.random() < CLOSING_SHARE:
        problem = f"{problem} {rng.choice(CLOSINGS)}"
    if rng.random() < SLIP_SHARE:
        problem = _slipped(problem, rng)
    return problem


# --- asides


@dataclass(frozen=True, slots=True)
class Aside:
    """A sentence that does not matter. `clash` finds its matter in a problem; `number` is what its number may be."""

    template: Template
    number: Domain | None
    clash: re.Pattern[str]

    @property
    def is_personal(self) -> bool:
        """Whether somebody new is in it."""
        return "p" in self.template.others


_KINDS: Final = {"p": Kind.PERSON, "c": Kind.WORD, "n": Kind.NUMBER}
_PEOPLE: Final = read_domain("person")
_CITIES: Final = read_domain("city")
_RANGE: Final = re.compile(r"(\d+\.\.\d+) ")
_DIGITS: Final = re.compile(r"\d+")
_OWN_WORD: Final = re.compile(r"(?<![\w{])[a-z]{4,}")
_PLAIN: Final = frozenset("from with that were been which last next hardly ever just still never often likes goes".split())


def _asides() -> Iterator[Aside]:
    for matters, lines in ASIDES.items():
        for line in lines.split("\n")[1:]:
            yield _aside(line.strip(), matters.split())


def _aside(line: str, matters: list[str]) -> Aside:
    """Read "11..38 The tower has {n} steps."; its own words belong to its matter too."""
    span = _RANGE.match(line)
    text = line[span.end() :] if span else line
    own = {word.removesuffix("s") for word in _OWN_WORD.findall(text)} - _PLAIN
    stems = "|".join(re.escape(stem) for stem in sorted({*matters, *own}))
    return Aside(
        template=read_template(text, _KINDS),
        number=read_domain(span[1]) if span else None,
        clash=re.compile(rf"(?<![a-z])(?:{stems})", re.IGNORECASE),
    )


ALL_ASIDES: Final = tuple(_asides())

_BREAK: Final = re.compile(r"[.?!](?<!\b[ap]\.m\.)(?<!\bMr\.)(?<!\bMrs\.)(?<!\bMs\.)(?<!\bDr\.)(?<!\bSt\.) +(?=[A-Z\d$])")
ASKS: Final = re.compile(r"\?|\b(?:find|calculate|determine|work out|tell|figure out|compute|what|how|which)\b", re.IGNORECASE)
POINTS_BACK: Final = re.compile(
    r"\b(?:it|its|they|them|their|theirs|these|those|this|that|ones)\b|^(?:then|so|but|and|or|after|before|afterward)\b",
    re.IGNORECASE,
)
_POINTS_AT_SOMEBODY: Final = re.compile(
    r"\b(?:he|she|him|her|his|hers|who|whom|whose|both|two|three|four|others?|another|nobody|anybody)\b", re.IGNORECASE
)
_COUNTS_ALL: Final = re.compile(
    r"\b(?:altogether|all|total|everyone|everybody|each|every|together|combined|people|persons?|children|kids|friends|average|mean|sum)\b",
    re.IGNORECASE,
)
_NAME: Final = re.compile(r"(?<=\w )[A-Z][a-z]")
_LONG_WORD: Final = re.compile(r"\b[a-z]{4,}")
_EVERYWHERE: Final = frozenset("many much does have will were with from after left more than each find when".split())


def _with_aside(problem: str, equations: Iterable[str], rng: Random) -> str:
    """The problem with an aside before its last sentence or at its start; as it was, where none fits."""
    if POINTS_BACK.match(problem):
        return problem
    place = _place(problem, rng)
    is_impersonal = bool(_POINTS_AT_SOMEBODY.search(problem[place:].partition(". ")[0]) or _COUNTS_ALL.search(problem))
    known = " ".join((problem.lower().replace("-", " "), *equations)).replace(",", "")
    for aside in rng.choices(ALL_ASIDES, k=_TRIES):
        items = _items(aside, rng)
        if aside.clash.search(problem) or (is_impersonal and aside.is_personal) or _tells_any(items, problem, known):
            continue
        text = aside.template.fill(items, Style(rng, commas=False, spell=True))
        return f"{problem[:place]}{text} {problem[place:]}"
    return problem


def _place(problem: str, rng: Random) -> int:
    """Where an aside goes: before a last sentence that alone asks and is understood without the one before, or 0."""
    start = last_sentence(problem)
    told, asked = problem[:start], problem[start:]
    if not start or '"' in problem or ASKS.search(told) or not ASKS.search(asked) or POINTS_BACK.search(asked):
        return 0
    return start if stands_alone(asked, told) and rng.random() < _BEFORE_LAST_SHARE else 0


def last_sentence(problem: str) -> int:
    """Where the last sentence of a problem begins; 0 where there is only one."""
    start = 0
    for match in _BREAK.finditer(problem):
        start = match.end()
    return start


def stands_alone(asked: str, told: str) -> bool:
    """Whether a question names somebody or something of what was told: "How many are left?" does not."""
    words = set(_LONG_WORD.findall(asked)) - _EVERYWHERE
    return bool(_NAME.search(asked)) or not words.isdisjoint(_LONG_WORD.findall(told))


def _items(aside: Aside, rng: Random) -> dict[str, Item]:
    """Somebody, a city and, where the aside has one, a number."""
    items: dict[str, Item] = {"p": _PEOPLE.draw(rng, set()), "c": _CITIES.draw(rng, set())}
    return {**items, "n": aside.number.draw(rng, set())} if aside.number else items


def _tells_any(items: dict[str, Item], problem: str, known: str) -> bool:
    """Whether one of the items is in the problem or, if it is a number, in what is known, as digits or in words."""
    for item in items.values():
        match item:
            case Quantity(value=value):
                found = spell(int(value)).replace("-", " ") in known or str(value) in _DIGITS.findall(known)
            case Person(name=name):
                found = name in problem
            case _:
                found = str(item) in problem
        if found:
            return True
    return False


# --- slips

_NUMBER_WORDS: Final = re.compile(
    "zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|teen|twenty|thirty|forty|fifty|sixty|hundred|thousand"
    "|million|dozen|percent|half|halves|third|quarter"
)
_IMPLYING: Final = frozenset(word for words in IMPLIED.values() for word in words.split())
_ORDINARY: Final = re.compile(r"(?<![\w'-])[a-z]{7,}(?![\w'-])")
_APOSTROPHE: Final = re.compile(r"\b([a-z]+|It|What|That|There|Here|Let|How|Who|He|She|Don|I)'(?=(?:[tsm]|clock)\b)")
_SPACE: Final = re.compile(r"(?<=[a-z,.]) (?=(?:a|and|at|for|he|in|is|of|on|she|the|to|with)\b)")


def _slipped(problem: str, rng: Random) -> str:
    """The problem with one slip; as it was, where none is possible."""
    for slip in rng.sample(SLIPS, k=len(SLIPS)):
        slipped = slip(problem, rng)
        if slipped != problem:
            return slipped
    return problem


def _lower(problem: str, rng: Random) -> str:
    return problem.lower()


def _unmarked(problem: str, rng: Random) -> str:
    """Without its last question mark, where a word still asks."""
    asks = problem.endswith("?") and ASKS.search(problem, last_sentence(problem), len(problem) - 1)
    return problem[:-1] if asks else problem


def _mistyped(problem: str, rng: Random) -> str:
    """One letter doubled or dropped, inside a long word that is neither asked for nor stands for a number."""
    words = [match for match in _ORDINARY.finditer(problem) if _is_ordinary(match[0])]
    asked = {word for part in _sentences(problem) if ASKS.search(part) for word in _LONG_WORD.findall(part)}
    words = [match for match in words if match[0] not in asked]
    if not words:
        return problem
    word = rng.choice(words)
    place = rng.randrange(word.start() + 2, word.end() - 1)
    letter = problem[place] * 2 if rng.random() < 0.5 else ""
    return problem[:place] + letter + problem[place + 1 :]


def _is_ordinary(word: str) -> bool:
    return word not in _IMPLYING and not _NUMBER_WORDS.search(word)


def _sentences(problem: str) -> list[str]:
    ends = [0, *(match.end() for match in _BREAK.finditer(problem)), len(problem)]
    return [problem[start:end] for start, end in pairwise(ends)]


def _unapostrophed(problem: str, rng: Random) -> str:
    return _APOSTROPHE.sub(r"\1", problem)


def _spaced(problem: str, rng: Random) -> str:
    """Two spaces before a little word, where no number is read across them."""
    places = [match.start() for match in _SPACE.finditer(problem)]
    if not places:
        return problem
    place = rng.choice(places)
    return f"{problem[:place]} {problem[place:]}"


SLIPS: Final[tuple[Callable[[str, Random], str], ...]] = (_lower, _unmarked, _mistyped, _unapostrophed, _spaced)
