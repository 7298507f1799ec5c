"""What the words around a number say of it: is it free to change, and how far?

In: a number of a text, or its value, and the words before it, after it or about. Out: yes or no, a limit, or what is counted.
All by lists of words, English ones. Knows nothing of equations or of where numbers come from.
"""

from __future__ import annotations

import re

from sympy import Rational

from socratic.arithmetic import Number, implying

COMPARING = frozenset(
    "best winner winning wins cheapest highest largest lowest biggest smallest fastest slowest oldest youngest heaviest lightest "
    "longest tallest shortest greatest closest maximum minimum".split()
)
_UNITS = {  # besides arithmetic.IMPLIED, which has the small constants
    2: "doubling doubly halving",
    3: "tripling",
    4: "quadrupling month months monthly",
    7: "week weeks weekly day days daily",
    12: "dozen dozens month months monthly year years yearly annual annually foot feet inch inches clock",
    24: "hour hours day days daily clock",
    28: "february",
    30: "month months april june september november",
    31: "month january march may july august october december",
    52: "week weeks weekly year years",
    60: "minute minutes hour hours second seconds",
    100: "% percent percentage cent cents meter meters centimeter centimeters cm",
    365: "year years day days",
    1000: "kilogram kilograms kg gram grams kilometer kilometers km meter meters liter liters milliliters ml ton tons",
    3600: "hour hours second seconds",
}
_STAGES = {  # of units, what a number should not leave: a day has 24 hours
    "hour": (12, 24),
    "minute": (59,),
    "second": (59,),
    "day": (7, 31),
    "week": (52,),
    "month": (12,),
    "year": (12, 45, 100),
    "%": (100,),
    "percent": (100,),
}
_BOUND = re.compile(
    r"(?:least|most|over|above|under|below|than|to|exceed\w*|every|first|limit\w*|max\w*|min\w*)(?: of)? \$?$", re.I
)
_ARTICLE = re.compile(r"\b(an?) \$?$", re.IGNORECASE)
_AFTER = re.compile(r"\s?(%)|[-\s]*([A-Za-z]+)")
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_FIXED_BEFORE = re.compile(rf"(?:[\d/:#]\s?|\d-|\b(?:{_MONTHS}|[Gg]rade|[Rr]oom|[Cc]hapter|[Bb]ook|[Nn]umber|[Ll]evel) )$")
_GROUP_BEFORE = re.compile(r"\b(?:the|all|these|those|other|next|first|last|remaining|of us|of them) $", re.IGNORECASE)
_NAMES_AFTER = re.compile(r"[- ]\w+(?: [a-z]+){0,2}(?:, (?:named |called )?[A-Z]|:| named| called)")  # "two sons, Al and Ed"
_FIXED_AFTER = re.compile(
    r"\s?[/:]|-\d|s\b|\s?[ap]\.?m\b| o'clock|[- ](?:hal[fv]|third|quarter|fourth|fifth|sixth|seventh|eighth|ninth|tenth)"
    r"| and (?:a|one)[- ](?:half|third|quarter)| \d+/|[- ](?:dollar )?bills?\b|-dimensional",
    re.IGNORECASE,
)


def is_constant(value: Rational, words: frozenset[str]) -> bool:
    """Whether one of these words takes the value for granted."""
    return not words.isdisjoint(implying(value).union(_UNITS.get(value, "").split()))


def is_bound(number: Number, text: str) -> bool:
    """Whether it is the end of a range: "at least 5", "the first 10"."""
    return bool(_BOUND.search(text[: number.start]))


def follows_an(number: Number, text: str) -> bool | None:
    """Whether it stands after "an" (True) or "a" (False), if after one of them."""
    found = _ARTICLE.search(text[: number.start])
    return found[1].lower() == "an" if found else None


def is_fixed(number: Number, text: str) -> bool:
    """Whether it is a year, a clock time, part of a fraction or of a name: what is not free to change."""
    is_plain = number.text.isdigit() and not text[: number.start].endswith("$")
    is_year = is_plain and 1900 <= number.value <= 2100
    is_group = number.value <= 12 and (_GROUP_BEFORE.search(text[: number.start]) or _NAMES_AFTER.match(text, number.end))
    return is_year or bool(is_group or _FIXED_BEFORE.search(text[: number.start]) or _FIXED_AFTER.match(text, number.end))


def thing(after: str) -> str:
    """The word after a number, in the singular: what is counted."""
    found = _AFTER.match(after)
    return (found[1] or found[2].lower().removesuffix("s")) if found else ""


def most(value: Rational, after: str) -> Rational:
    """What a number should not exceed, by the words after it; where they do not say, it is far away."""
    stages = [stage for stage in _STAGES.get(thing(after), ()) if value <= stage]
    return Rational(stages[0]) if stages else 10**9 * max(value, Rational(1))
