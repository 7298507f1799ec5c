"""Stored samples of real teachers, as traces.

In: the name of a set, its files under `teacher/` in a data folder, and what to do with wrong labels. Out: `Trace`s of one step,
a rationale in the teacher's own words that ends in "So the answer is 72.", and a `Tally` of each file. Equations that a text
spells out (`48 / 2 = 24`) get calculator marks; what can't be read stays a rationale without equations. A sample is joined to
its problem by text: those of test problems, and of problems that nobody knows, are refused. Teacher text is data: it is
matched and recomputed, never run. Knows nothing of filters, models or training.
"""

from __future__ import annotations

import gzip
import itertools
import json
import os
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from socratic import benchmarks
from socratic.answers import Kind, kind_of, lenient, same_answer
from socratic.arithmetic import Known, check_solution, evaluate, verdict
from socratic.errors import DataError, ExpressionError, NoDataError
from socratic.jsonl import BrokenLine, read_jsonl
from socratic.schema import Ended, Problem, Source, Step, Trace, Verdict


class Setting(StrEnum):
    """What becomes of a sample whose final answer is wrong."""

    SUPERVISED = "checked"  # dropped
    FEW_SHOT = "kept"  # kept, as if nobody knew the gold answers


class Fate(StrEnum):
    """What a sample turned out to be."""

    RIGHT = "right"
    WRONG = "wrong"
    NO_ANSWER = "without an answer"
    TEST = "of test problems"
    UNKNOWN = "of unknown problems"


@dataclass(frozen=True, slots=True)
class Tally:
    """One file: its samples by fate; of those with an answer the equations by verdict, and how many samples have marks."""

    file: str
    samples: Counter[Fate] = field(default_factory=Counter)
    equations: Counter[Verdict] = field(default_factory=Counter)
    marked: Counter[bool] = field(default_factory=Counter)
    problems: set[str] = field(default_factory=set)  # that may be trained on

    def __str__(self) -> str:
        """One line for people."""
        fates = ", ".join(f"{self.samples[fate]:,} {fate.value}" for fate in Fate if self.samples[fate])
        verified = self.equations[Verdict.CORRECT] + self.equations[Verdict.ROUNDED]
        return (
            f"{self.file}: {self.samples.total():,} samples ({fates}), {len(self.problems):,} problems to train on; "
            f"{self.equations.total():,} equations, {verified:,} verify; {self.marked[True]:,} rationales with marks"
        )


@dataclass(frozen=True, slots=True)
class _Set:
    """Where a set of samples lies, and whose problems they are of; `test` is the split that nobody trains on."""

    folder: str
    benchmark: str
    test: str


_SETS: Final = {
    "svamp": _Set("svamp-multicot", "svamp", "test"),  # ten samples of each problem
    "svamp-levels": _Set("svamp", "svamp", "test"),  # one of each problem a file, by three teachers
    "strategyqa": _Set("strategyqa", "strategyqa", "dev"),
    "gsm8k": _Set("gsm8k", "gsm8k", "test"),
}


def names() -> tuple[str, ...]:
    """The sets that are known."""
    return tuple(_SETS)


def load(name: str, setting: Setting, *, files: str = "*", data: Path | None = None) -> tuple[list[Trace], list[Tally]]:
    """The traces of a set in file order, and the tally of each file that `files` picks ("*llama*"). Raises DataError."""
    if name not in _SETS:
        raise DataError(f"no stored rationales '{name}'; known: {', '.join(_SETS)}")
    place, traces, tallies = _SETS[name], list[Trace](), list[Tally]()
    train, test = (_by_text(place.benchmark, split, data) for split in ("train", place.test))
    for path in _files(place.folder, files, data):
        tallies.append(Tally(path.name))
        for question, texts in records(path):
            text = letters(question)
            if text in test or text not in train:
                tallies[-1].samples[Fate.TEST if text in test else Fate.UNKNOWN] += len(texts)
            else:
                traces += _sampled(train[text], texts, setting, tallies[-1])
    return traces, tallies


def _by_text(benchmark: str, split: str, data: Path | None) -> dict[str, Problem]:
    return {letters(problem.question): problem for problem in reversed(benchmarks.problems(benchmark, split, data=data))}


def letters(text: str) -> str:
    """What two writings of one question have in common."""
    return re.sub(r"[\W_]+", "", text.lower())


# Files


def _files(folder: str, pattern: str, data: Path | None) -> list[Path]:
    named = data or os.environ.get("SOCRATIC_DATA") or benchmarks.cache_folder()
    place = Path(named).expanduser() / "teacher" / folder
    found = sorted(path for path in place.glob("*.json*") if fnmatchcase(path.name, pattern))
    if not found:
        hint = "stored rationales cannot be downloaded; name a folder that has them with --data"
        raise NoDataError(f"no file '{pattern}' of stored rationales in {place}", hint=hint)
    return found


def records(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The question and the samples of each record of a file. Raises DataError.

    It is a JSON array or JSONL, `.gz` too, of objects with `question` or `instruction`, and `output` or `text`: one or a list.
    """
    for where, row in _rows(path):
        question, found = row.get("question", row.get("instruction")), row.get("output", row.get("text"))
        texts = tuple(found) if isinstance(found, list) else (found,)
        if not isinstance(question, str) or not all(isinstance(text, str) for text in texts):
            raise DataError(f"{where}: expected 'question' and 'output' (a text, or a list), found {', '.join(row)[:80]}")
        yield question, texts


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    if ".jsonl" in path.suffixes:
        for where, row in read_jsonl(path):
            if isinstance(row, BrokenLine):
                raise DataError(f"{row.where}: {row.reason}", hint="mend or remove the line")
            yield where, row
        return
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        rows = json.loads(raw.decode("utf-8-sig"))
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read: {error}", hint="give a JSON list or a JSONL of stored answers") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path}: expected a list of objects")
    yield from ((f"{path}, record {number}", row) for number, row in enumerate(rows, 1))


# Samples


def _sampled(problem: Problem, texts: Sequence[str], setting: Setting, tally: Tally) -> Iterator[Trace]:
    """The samples of a problem that the setting lets through, each counted."""
    tally.problems.add(problem.id)
    teacher = tally.file.partition(".")[0]
    for number, text in enumerate(texts):
        rationale = read(text, problem)
        fate = _fate(rationale.answer, problem)
        tally.samples[fate] += 1
        if rationale.answer is None:
            continue
        tally.equations.update(rationale.equations)
        tally.marked["<<" in rationale.solution] += 1
        if fate is Fate.RIGHT or setting is Setting.FEW_SHOT:
            yield _trace(problem, rationale.solution, rationale.answer, Source("teacher", teacher, sample=number))


def _fate(answer: str | None, problem: Problem) -> Fate:
    if answer is None:
        return Fate.NO_ANSWER
    return Fate.RIGHT if same_answer(answer, problem.answer or "") else Fate.WRONG


def _trace(problem: Problem, solution: str, answer: str, source: Source) -> Trace:
    """One step without a subquestion: who writes a rationale is asked nothing but the problem."""
    checks, _ = check_solution(solution, Known.of(problem.question))
    return Trace(problem, (Step("", solution, answer, checks),), answer, Ended.DONE, source)


@dataclass(frozen=True, slots=True)
class Rationale:
    """A teacher's text as a solution, its final answer, and a verdict on every equation found, marked or not."""

    solution: str
    answer: str | None
    equations: tuple[Verdict, ...]


_MARK = re.compile(r"<<[^<>]*>>")
_HEADING = re.compile(r"\s*<[A-Za-z][\w ]{0,30}>\s*")  # "<Solution Path>", an artefact of some prompts
_CLOSING = re.compile(r"<?(?:(?:So|Therefore|Thus|Hence),? )?[Tt]he answer is\b")
_LABEL: Final = 40  # characters: what follows "the answer is" and is longer says more than the answer


def read(text: str, problem: Problem) -> Rationale:
    """Read a teacher's text on a problem that has a gold answer. Raises DataError where it has none.

    >>> read("There are 67 - 36 = 31 pages. The answer is 31", Problem("p", "How many?", "31")).solution
    'There are 67 - 36 = <<67-36=31>>31 pages. So the answer is 31.'
    """
    kind = kind_of(problem.answer or "")
    body = _plain(text)
    found = list(_equations(body))
    answer = lenient(body, kind)
    marked = _marked(body, _leading_to(answer, found) if kind is Kind.NUMBER else [])
    closing = f"So the answer is {answer}." if answer else ""
    solution = " ".join(f"{_without_closing(marked)} {closing}".split())
    return Rationale(solution, answer, tuple(equation.verdict for equation in found))


def _without_closing(text: str) -> str:
    """The teacher's own last words, "The answer is 72", left out."""
    *_, last = [None, *_CLOSING.finditer(text)]
    if last is None or len(text) - last.end() > _LABEL or "=" in text[last.end() :]:
        return text
    return text[: last.start()]


def printable(text: str) -> str:
    """Without control and format characters, such as those that turn the direction of writing; line breaks stay."""
    return "".join(sign for sign in text if sign in "\n\t" or unicodedata.category(sign) not in ("Cc", "Cf", "Cs"))


def _plain(text: str) -> str:
    """What can be printed, without our own marks and artefacts."""
    unmarked = _MARK.sub("", printable(text))
    heading = _HEADING.match(unmarked)
    body = unmarked[heading.end() :] if heading else unmarked
    return re.sub(r"([<>])\1+", r"\1", body).strip()


# Equations in running text: numbers with or without units, operators between them, an equals sign, one number.

_SIGNS: Final = {"\u2212": "-", "\u2013": "-", "\u00d7": "*", "x": "*", "\u00f7": "/"}
_OPERATORS = r"-+*/\u2212\u2013\u00d7\u00f7"
_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?%?"
_WORD = r"(?!x\b)[A-Za-z]+(?:['-][A-Za-z]+)*"
_NOTE = r"\([A-Za-z ]{1,40}\)"
_UNIT = rf"(?: {_WORD}){{0,5}}(?:/{_WORD})?(?: ?{_NOTE})?"
_OPERAND = rf"(?:\( ?){{0,4}}\$?{_NUMBER}{_UNIT}(?: ?\)){{0,4}}"
_EQUATION = re.compile(
    # Not the end of something longer ("x + 36 - 4 = 32", "2y - 12/3 = 8"); a dash that opens a line is no minus.
    rf"(?<![\w.,$%^){_OPERATORS[1:]}-])(?<!\S [+*/^\u2212\u2013\u00d7\u00f7-] )(?<!\S[+*/^\u2212\u2013\u00d7\u00f7-] )(?<!\bx )"
    rf"(?P<left>{_OPERAND}(?:(?: ?[{_OPERATORS}] ?| ?\bx ){_OPERAND})+) ?=\s?\$?"
    r"(?P<value>-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+|/\d+)?%?)"
    # Nor its beginning: "= 50 * (3/2) = 75", "= 0.5 * x", "= 3x", "= 2 : 8". Some texts have lost a line break: "= 3The".
    rf"(?![a-z\d_^%]|[.,/]\d| ?[{_OPERATORS}:=] ?(?:[\d$(]|[a-z]\b)| x \d)"
)
_NO_ARITHMETIC = re.compile(rf"{_NOTE}|/?\b{_WORD}|[\s$,]")


@dataclass(frozen=True, slots=True)
class _Equation:
    """An equation of a text: its bare form, and `place`, where its value begins."""

    expression: str
    stated: str
    verdict: Verdict
    place: int


def _equations(text: str) -> Iterator[_Equation]:
    for match in _EQUATION.finditer(text):
        signs = _NO_ARITHMETIC.sub("", match["left"])
        expression = _opened("".join(_SIGNS.get(sign, sign) for sign in signs))
        try:
            computed = evaluate(expression).value
        except ExpressionError:
            continue
        stated = match["value"].replace(",", "")
        if verdict(computed, stated) is Verdict.WRONG and verdict(computed, stated.removesuffix("%")) is not Verdict.WRONG:
            stated = stated.removesuffix("%")  # "30/60*100 = 50%"
        if verdict(computed, stated) is not Verdict.UNREADABLE:
            yield _Equation(expression, stated, verdict(computed, stated), match.start("value"))


def _opened(expression: str) -> str:
    """Without a bracket that encloses the whole equation: "(80 - 37 = 43)"."""
    return expression.removeprefix("(") if expression.count("(") == expression.count(")") + 1 else expression


def _leading_to(answer: str | None, found: Sequence[_Equation]) -> Sequence[_Equation]:
    """The equations up to the last one that states the answer; none where none does.

    The last marked result is what a solver's answer is read from, and "198 * 3 = 594 confirms it" is not an answer.
    """
    last = max((place for place, one in enumerate(found) if answer and same_answer(one.stated, answer)), default=-1)
    return found[: last + 1]


def _marked(text: str, equations: Sequence[_Equation]) -> str:
    """The text with a mark before each equation's value, as in GSM8K; without the marks it is the same text."""
    places = [0, *(equation.place for equation in equations), len(text)]
    parts = [text[start:end] for start, end in itertools.pairwise(places)]
    marks = [f"<<{equation.expression}={equation.stated}>>" for equation in equations]
    return "".join(part + mark for part, mark in zip(parts, [*marks, ""], strict=True))
