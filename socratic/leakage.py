"""The leakage guard: does a training question tell a student of a test problem?

In: test problems (the benchmarks' that are at hand, any JSONL), and question texts. Out: for each text a `Leak` or None; a
`LeakReport` of what was compared with what. Three likenesses, the strongest first: the same text without case, spaces and
punctuation; the same with every number masked; and half or more of the test question's 8-grams of words, numbers masked.
A problem of a set that is called a test set needs no comparing (`is_test`), and one likeness is no harm (`is_excused`).
Where students are made, validation problems, on which choices are made, are guarded too, by their text alone.
Test data that is not at hand is named and not an error. Knows nothing of training, and refuses nothing itself.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from socratic import benchmarks
from socratic.errors import NoDataError
from socratic.own_problems import read_whole
from socratic.schema import Problem

GRAM: Final = 8  # words
# Of a test question's different 8-grams. Read on the real sets: at 0.5 all hits are the same story, mostly with another
# question (GSM8K train 4 of 7,473, MAWPS rows 53 of 2,471, curriculum 0 of 20,000); at 0.3 the curriculum's first false
# alarms come in (4), which share no more than "will be three times as old as he is now".
SHARE: Final = 0.5
EXAMPLES: Final = 10  # that a report keeps
TEST_WORDS: Final = frozenset({"test", "dev", "all"})  # in a dataset's or split's name; SVAMP's "all" holds its test problems
NUMBER: Final = "#"
NUMBER_WORDS: Final = frozenset(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion".split()
)


class Likeness(StrEnum):
    """How a text is like a test problem."""

    EXACT = "exact"
    MASKED = "numbers masked"
    GRAMS = "8-gram"


@dataclass(frozen=True, slots=True)
class Leak:
    """A text is like this test problem, of this test set ("gsm8k test"), or is this one of a "gsm8k validation"."""

    kind: Likeness
    problem: str
    test_set: str


def set_name(problem: Problem) -> str:
    """The set that a problem belongs to: "gsm8k test"."""
    return f"{problem.dataset} {problem.split}".strip()


def is_test(problem: Problem) -> bool:
    """Whether the set that a problem belongs to is called a test set."""
    return not TEST_WORDS.isdisjoint(name_words(set_name(problem)))


def name_words(name: str) -> set[str]:
    """The words of a set's or a file's name: "gsm8k-test.jsonl" has "gsm", "k", "test", "jsonl"."""
    return set(re.findall(r"[a-z]+", name.lower()))


def is_excused(leak: Leak, problem: Problem) -> bool:
    """Whether a likeness is no reason to refuse: of a published training problem that shares no more than 8-grams.

    Published training splits are what others train on: without their near-duplicates no figure could be compared with theirs
    (MAWPS has 53, SVAMP's 700 have 252). So they lose copies alone.
    """
    return leak.kind is Likeness.GRAMS and problem.split == "train" and problem.dataset in benchmarks.names()


class Guard:
    """Test problems, found by what a leak shares with them; `missing` names those that are not at hand.

    Problems of `validation` slices are found by the same text alone. They are of their training split, so that its own
    problems, which are told apart by their ids, are not compared with them.

    >>> guard = Guard([Problem("t-1", "Tom has 3 bags of 12 apples. How many apples has he?", dataset="mine")])
    >>> guard.leak("Tom has four bags of 15 apples. How many apples has he?")
    Leak(kind=<Likeness.MASKED: 'numbers masked'>, problem='t-1', test_set='mine')
    """

    def __init__(self, problems: Iterable[Problem], missing: Sequence[str] = (), *, validation: Iterable[Problem] = ()) -> None:
        self.missing = tuple(missing)
        tests, slices = tuple(problems), tuple(validation)
        self._problems = (*tests, *slices)
        self._names = (*map(set_name, tests), *(f"{problem.dataset} validation" for problem in slices))
        self.sets = Counter(self._names)  # with the number of their problems
        self._texts, self._masked = defaultdict[str, list[int]](list), defaultdict[str, list[int]](list)
        self._grams = defaultdict[tuple[str, ...], list[int]](list)
        self._sizes = list[int]()  # different 8-grams of each problem
        for place, problem in enumerate(tests):
            self._add(place, problem.question)
        for place, problem in enumerate(slices, len(tests)):
            self._texts[_letters(problem.question)].append(place)

    def _add(self, place: int, question: str) -> None:
        words = _words(question)
        grams = _grams(words)
        self._sizes.append(len(grams))
        self._texts[_letters(question)].append(place)
        if words != [NUMBER]:  # "3 + 4" masked is like every sum
            self._masked["".join(words)].append(place)
        for gram in grams:
            self._grams[gram].append(place)

    def leak(self, question: str, *, own: str = "") -> Leak | None:
        """The strongest likeness to a test problem; those of the set named `own` are not looked at."""
        for kind, places in self._alike(question):
            for place in places:
                if set_name(self._problems[place]) != own:
                    return Leak(kind, self._problems[place].id, self._names[place])
        return None

    def _alike(self, question: str) -> Iterator[tuple[Likeness, Iterable[int]]]:
        yield Likeness.EXACT, self._texts.get(_letters(question), ())
        words = _words(question)
        yield Likeness.MASKED, self._masked.get("".join(words), ())
        yield Likeness.GRAMS, self._sharing(_grams(words))

    def _sharing(self, grams: set[tuple[str, ...]]) -> Iterator[int]:
        """Places of the test problems of which the text has enough 8-grams, most shared first."""
        shared = Counter(place for gram in grams & self._grams.keys() for place in self._grams[gram])
        return (place for place, count in shared.most_common() if count >= SHARE * self._sizes[place])


_BREAKS = re.compile(r"[\W_]+")
_WORD = re.compile(r"\d[\d,.]*|[^\W\d_]+")


def _letters(text: str) -> str:
    return _BREAKS.sub("", text.lower())


def _words(text: str) -> list[str]:
    """Words in lower case; a number is one sign, whatever it is written with: "twenty-five", "2 1/2", "$1,200.50"."""
    words = list[str]()
    for word in _WORD.findall(text.lower().replace("'", "").replace("\u2019", "")):
        if not (word in NUMBER_WORDS or word[0].isdigit()):
            words.append(word)
        elif words[-1:] != [NUMBER]:
            words.append(NUMBER)
    return words


def _grams(words: list[str]) -> set[tuple[str, ...]]:
    return set(zip(*(words[start:] for start in range(GRAM)), strict=False))


def load_guard(data: Path | None = None, extra: Iterable[Path] = (), *, validation: bool = False) -> Guard:
    """Against GSM8K test, all of SVAMP, StrategyQA dev, as far as they are at hand, and any JSONLs of problems.

    With `validation` also against the validation slices at hand. Raises DataError for a file that is broken.
    """
    problems, missing = _at_hand(data)
    for path in extra:
        problems += _own_tests(path)
    return Guard(problems, missing, validation=_slices(data) if validation else ())


def unchecked(data: Path | None = None) -> tuple[str, ...]:
    """The benchmarks whose test problems are not at hand, as a guard would miss them. Raises DataError for a broken file."""
    return tuple(_at_hand(data)[1])


def _at_hand(data: Path | None) -> tuple[list[Problem], list[str]]:
    problems, missing = list[Problem](), list[str]()
    for name in ("gsm8k", "svamp", "strategyqa"):
        try:
            problems += _tests(name, data)
        except NoDataError:
            missing.append(name)
    return problems, missing


def _slices(data: Path | None) -> Iterator[Problem]:
    """Validation problems at hand (SVAMP's are guarded whole). Where there are none nobody chooses by them: none is missed."""
    for name in ("gsm8k", "mawps", "strategyqa"):
        with suppress(NoDataError):
            yield from filter(benchmarks.is_validation, benchmarks.problems(name, "train", data=data))


def _tests(name: str, data: Path | None) -> list[Problem]:
    if name != "svamp":
        return benchmarks.problems(name, {"gsm8k": "test", "strategyqa": "dev"}[name], data=data)
    try:  # papers test on all of SVAMP, or on 300 after training on 700: as two sets, the 700 can be spared from themselves
        return [problem for split in ("test", "train") for problem in benchmarks.problems(name, split, data=data)]
    except NoDataError:  # there is no file of the 700/300 split
        return benchmarks.problems(name, "all", data=data)


def _own_tests(path: Path) -> list[Problem]:
    return [replace(problem, dataset=path.name) for problem in read_whole(path)]


@dataclass(frozen=True, slots=True)
class LeakReport:
    """What was compared with what, and what was found; the counters grow while training data is made.

    `let_through` are leaks that were counted and used all the same, `own` are texts not compared with the set they are of.
    """

    checked: Counter[str]
    missing: tuple[str, ...]
    refused: Counter[Likeness] = field(default_factory=Counter)
    let_through: Counter[Likeness] = field(default_factory=Counter)
    own: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[str, Leak]] = field(default_factory=list)  # with the training problem's id

    @classmethod
    def of(cls, guard: Guard) -> LeakReport:
        """Before anything was compared."""
        return cls(guard.sets, guard.missing)

    def add(self, problem: Problem, leak: Leak, *, refused: bool) -> None:
        """Count a leak; the first few are kept to be read."""
        (self.refused if refused else self.let_through)[leak.kind] += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append((problem.id, leak))

    def __str__(self) -> str:
        """One line for people."""
        counts = (f"{count:,} {word} ({kind})" for word, kinds in self._words() for kind, count in kinds.most_common())
        sets = ", ".join(f"{name} ({n:,})" for name, n in self.checked.items()) or "no test set"
        missing = f"; not at hand, so NOT checked: {', '.join(self.missing)}" if self.missing else ""
        return f"leaks: {', '.join(counts) or 'none'}; checked against {sets}{missing}"

    def _words(self) -> tuple[tuple[str, Counter[Likeness]], ...]:
        return ("refused", self.refused), ("let through", self.let_through)

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape of a run's record."""
        return {
            "checked": dict(self.checked),
            "not_checked": list(self.missing),
            "refused": {kind.value: count for kind, count in self.refused.items()},
            "let_through": {kind.value: count for kind, count in self.let_through.items()},
            "not_compared_with_own_split": dict(self.own),
            "examples": [
                {"problem": name, "kind": leak.kind.value, "test_problem": leak.problem, "test_set": leak.test_set}
                for name, leak in self.examples
            ],
        }
