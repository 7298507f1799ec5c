"""Final answers: take them out of text, write them one way, compare them exactly.

In: gold answers, and what a model wrote. Out: a normalised answer text or None ("no answer", never a guess), and
whether two answers are the same. Three kinds: number (compared as exact rationals), yes/no, choice (A to E). Two
readings: `strict` wants the answer after `####`, `lenient` also takes it out of a sentence. Text never reaches `eval`
or `sympify`. Knows nothing of benchmarks, models or equations. Where a model's text ends is the caller's business; of
several `####` the first counts, so what a model writes after its answer changes nothing.
"""

from __future__ import annotations

import re
from enum import StrEnum

from sympy import Rational

from socratic.arithmetic import MAX_DIGITS, number_text, number_value
from socratic.errors import DataError, ExpressionError


class Kind(StrEnum):
    """What an answer is."""

    NUMBER = "number"
    YES_NO = "yes/no"
    CHOICE = "choice"


# The official expression for the gold answer: openai/grade-school-math, grade_school_math/dataset.py@3101c7d.
_GOLD = re.compile(r"#### (\-?[0-9\.\,]+)")


def gold_number(solution: str) -> str:
    """The gold answer of a GSM8K solution, normalised: "... #### 1,200" gives "1200". Raises DataError without one."""
    marked = _GOLD.search(solution)
    number = normal_number(marked[1]) if marked else None
    if number is None:
        raise DataError(f"expected a solution that ends in '#### number', found '{solution[-40:]}'")
    return number


_MIXED = re.compile(r"(-?)(\d+) (\d+/\d+)", re.ASCII)
_SCIENTIFIC = re.compile(r"(.*\d\.?)[eE]([+-]?\d{1,2})", re.ASCII)


def normal_number(text: str) -> str | None:
    """One way to write a number: "$1,200.00" is "1200", "3 1/2" is "3.5", "50 percent" is "50%"; None for other text."""
    plain = _tidy(text)
    try:
        value = _value(plain)
    except ExpressionError:
        return None
    written = number_text(value * 100) + "%" if plain.endswith("%") else number_text(value)
    return written if len(written) <= MAX_DIGITS else None  # so that every normalised number can be read again


def _tidy(text: str) -> str:
    return re.sub(r" ?(?:%|percent)$", "%", _plain(text).replace("$", "").lstrip().rstrip(" \t\n."))


def _plain(text: str) -> str:
    return text.translate(_SIGNS).replace("{,}", ",").replace(",\\!", ",")  # as TeX writes 1,000


_SIGNS = str.maketrans({"\u2212": "-", "\u00d7": "*", "\u00b7": "*", "\u00f7": "/"})


def _value(plain: str) -> Rational:
    if mixed := _MIXED.fullmatch(plain):
        return (number_value(mixed[2]) + number_value(mixed[3])) * (-1 if mixed[1] else 1)
    if scientific := _SCIENTIFIC.fullmatch(plain):
        return number_value(scientific[1]) * Rational(10) ** int(scientific[2])
    return number_value(plain)


def normal_yes_no(text: str) -> str | None:
    """ "Yes." and "true" are "yes", "NO" and "false" are "no"; None for anything else, so for "not" and "nothing"."""
    return {"yes": "yes", "true": "yes", "no": "no", "false": "no"}.get(text.strip(" \t\n.!*\"'").lower())


def normal_choice(text: str) -> str | None:
    """ "(c)", "C." and "C)" are "C"; None for anything else."""
    match = re.fullmatch(r"\s*\(?([A-Ea-e])\)?[.:]?\s*", text)
    return match[1].upper() if match else None


_NORMAL = {Kind.NUMBER: normal_number, Kind.YES_NO: normal_yes_no, Kind.CHOICE: normal_choice}


def kind_of(gold: str) -> Kind:
    """The kind of a gold answer. Raises DataError where it is none of the three."""
    for kind, normal in _NORMAL.items():
        if normal(gold) is not None:
            return kind
    raise DataError(f"expected a number, yes or no, or a letter A to E as gold answer, found '{gold[:40]}'")


def normal_answer(gold: str) -> str:
    """A gold answer in its one way of writing. Raises DataError where it is of no known kind."""
    return _NORMAL[kind_of(gold)](gold) or gold


def same_answer(predicted: str | None, gold: str, *, lenient: bool = False) -> bool:
    """Whether an extracted answer is the gold one; numbers as exact rationals, so "72.0" is "72" and "10/3" is not "3.33".

    A percentage is its hundredth: "50%" is "0.5" and not "50". Lenient reading lets it be "50" too, as problems that ask
    "what percentage" have a bare "50" as gold.
    """
    kind = kind_of(gold)
    if predicted is None or _NORMAL[kind](predicted) is None:
        return False
    if kind is not Kind.NUMBER:
        return _NORMAL[kind](predicted) == _NORMAL[kind](gold)
    one, other = _tidy(predicted), _tidy(gold)
    is_same: bool = _value(one) == _value(other)
    return is_same or (lenient and bool(_value(one.removesuffix("%")) == _value(other.removesuffix("%"))))


def strict(text: str, kind: Kind) -> str | None:
    """The answer right after the first `####`, normalised, or None."""
    _, mark, after = text.partition("####")
    return _leading(after.partition("\n")[0], kind) if mark else None


_STATED = re.compile(r"\banswer\s*(?:is|was|:|=)|\\boxed\{", re.IGNORECASE)
_SENTENCES = re.compile(r"(?<=[.?!])\s+(?=[A-Z])|\n")  # a capital must follow: "i.e. 2 per egg" goes on


def lenient(text: str, kind: Kind) -> str | None:
    """The strict answer, else the whole text, else what follows the last "answer is", else what the
    last sentence that has an answer says.

    A sentence with several different answers has none, except that what stands after its last "=" comes first:
    taking the last number of "She earns 18 dollars, i.e. 2 per egg" would be a guess.
    """
    if (marked := strict(text, kind)) is not None:
        return marked
    if (whole := _NORMAL[kind](text)) is not None:
        return whole
    if stated := list(_STATED.finditer(text)):
        after = _SENTENCES.split(text[stated[-1].end() :].lstrip())[0]
        return _leading(after, kind) or _only(after, kind)
    return next((_only(s, kind) for s in reversed(_SENTENCES.split(text)) if _FOUND[kind].search(_plain(s))), None)


_NUMBER = (
    r"(?<![\w.,/])(?:-?\$ ?|\$ ?-|-)?"  # not the tail of another number or word; "5-3" is no minus three
    r"(?:(?:\d{1,3}(?:,\d{3})++|\d++)(?:\.\d++)?+|\.\d++)"
    r"(?:[eE][+-]?\d{1,2}|(?: \d++)?/\d++)?+"
    r"(?![.,/]?\d|[\u00bc-\u00be\u2150-\u215e])(?!(?:st|nd|rd|th)\b)(?: ?%| percent\b)?"
)
_WORD = r"\b(?:yes|no(?![-'\u2019 ]\w))\b"  # "no evidence", "no one" answer nothing
_BRACKETED = r"\([A-E]\)"
_FOUND = {
    Kind.NUMBER: re.compile(_NUMBER, re.ASCII),
    Kind.YES_NO: re.compile(_WORD, re.IGNORECASE),
    Kind.CHOICE: re.compile(_BRACKETED),
}
_LEADING = {
    Kind.NUMBER: re.compile(rf"({_NUMBER})(?! ?[-+*/x=] ?[\d$(])", re.ASCII),
    Kind.YES_NO: re.compile(r"(yes|no|true|false)\b", re.IGNORECASE),
    Kind.CHOICE: re.compile(r"(\(?[A-E]\)?)(?=\s*$|[.,:)}])"),
}


def last_number(text: str) -> str | None:
    """The number in digits that a text ends with, with its sign, normalised: "it fell by 3 1/2" gives "3.5"."""
    *_, last = (None, *_FOUND[Kind.NUMBER].finditer(plain := _plain(text)))
    return normal_number(last[0]) if last and last.end() == len(plain) else None


def _leading(text: str, kind: Kind) -> str | None:
    """The answer that a text begins with; a number that an operator follows is none ("48 + 24 = 72")."""
    match = _LEADING[kind].match(_plain(text).lstrip(" \t:*{\"'"))
    return _NORMAL[kind](match[1]) if match else None


def _only(text: str, kind: Kind) -> str | None:
    """The answer that a sentence names, if it names one only."""
    plain = _plain(text)
    result = plain.rpartition("=")[2]
    part = result if _FOUND[kind].search(result) else plain
    found = {_NORMAL[kind](match[0]) for match in _FOUND[kind].finditer(part)}
    return found.pop() if len(found) == 1 else None
