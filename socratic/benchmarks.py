"""The benchmarks, as problems and as traces that people wrote.

In: a benchmark's name, a split, a data folder (one folder each: gsm8k/, svamp/, strategyqa/; files plain or `.gz`).
Out: `Problem`s with normalised gold answers, and `Trace`s with every equation checked.
No randomness: file order is kept, ids are stable, and the two forms of GSM8K share theirs. Does NOT know models,
prompts, the network, or what is trained on; it refuses to make traces of SVAMP's test problems, so that nobody can
train on them by accident.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from socratic.answers import gold_number, normal_number
from socratic.arithmetic import Known, check_solution, equations
from socratic.downloads import FILES
from socratic.errors import DataError, NoDataError, SocraticError, did_you_mean
from socratic.formulas import Line, decimal, worked
from socratic.schema import Ended, Labels, Origin, Problem, Source, Step, Trace

Record = dict[str, Any]  # one record of a data file, as JSON or CSV gives it


def cache_folder() -> Path:
    """Where downloads go: `$XDG_CACHE_HOME/socratic/data`, or `~/.cache/socratic/data`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "socratic" / "data"


def _places(given: Path | None) -> tuple[Path, ...]:
    if given:
        return (given,)  # who names a folder must not get another one's data
    named = os.environ.get("SOCRATIC_DATA")
    return (Path(named).expanduser(), cache_folder()) if named else (cache_folder(),)


# Files that were made from published ones; no address has them.
_DERIVED = {
    "svamp/splits.json": "the published SVAMP has no 700/300 split and none can be downloaded: use the split 'all'",
    "svamp/mawps-asdiv-a_train_no_multiarith.csv": "these rows are derived and cannot be downloaded: use another benchmark",
}


def _read(relative: str, data: Path | None) -> str:
    """The text of one data file, from the first place that has it, plain before `.gz`."""
    looked = [place / (relative + ending) for place in _places(data) for ending in ("", ".gz")]
    found = next((path for path in looked if path.is_file()), None)
    if found is None:
        download = f"get it with `socratic data download {relative.partition('/')[0]}`"
        hint = f"{_DERIVED.get(relative, download)}, or name a folder that has it with --data"
        raise NoDataError(f"no {relative}; looked for {', '.join(map(str, looked))}", hint=hint)
    try:
        raw = gzip.decompress(found.read_bytes()) if found.suffix == ".gz" else found.read_bytes()
        return raw.decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(f"{found} cannot be read: {error}", hint="download it again") from error


@contextmanager
def _reading(where: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, StopIteration, SocraticError) as error:
        raise DataError(f"{where}: {type(error).__name__}: {error}", hint="the file is not the published one") from error


def _records(relative: str, data: Path | None) -> Iterator[tuple[str, Record]]:
    """The records of a data file, each with its place."""
    text = _read(relative, data)
    if relative.endswith(".jsonl"):
        for number, line in enumerate(text.rstrip("\n").split("\n"), 1):
            with _reading(f"{relative}:{number}"):
                record = json.loads(line)
            yield f"{relative}:{number}", record
        return
    with _reading(relative):
        rows = list(csv.DictReader(io.StringIO(text, newline="")) if relative.endswith(".csv") else json.loads(text))
    yield from ((f"{relative}, record {number}", row) for number, row in enumerate(rows, 1))


@dataclass(frozen=True, slots=True)
class _Benchmark:
    """Where a benchmark lies, and how one of its records reads as a problem and as worked lines."""

    file: str  # with "{split}" where each split has its own
    splits: tuple[str, ...]
    problem: Callable[[Record, str, int], Problem]  # (record, split, index)
    lines: Callable[[Record], list[Line]]
    keeps: Callable[[str, Path | None], Callable[[Record], bool]] | None = None  # picks a split out of a common file
    untraced: tuple[str, ...] = ()  # splits of which no traces are made
    type: Callable[[Record], str] = lambda record: ""


# GSM8K (openai/grade-school-math): {"question", "answer"}, the answer one line per step and then "#### 72".


def _gsm8k_problem(record: Record, split: str, index: int) -> Problem:
    return Problem(f"gsm8k-{split}-{index}", record["question"], gold_number(record["answer"]), "gsm8k", split)


def _gsm8k_lines(record: Record) -> list[Line]:
    return [_gsm8k_line(line) for line in record["answer"].split("\n")[:-1] if line.strip()]


def _gsm8k_line(line: str) -> Line:
    """The Socratic form is "subquestion ** solution"; the plain form has the solution alone."""
    question, mark, solution = line.partition(" ** ")
    stated = equations(line)
    answer = (normal_number(stated[-1][1]) or stated[-1][1]) if stated else ""
    return (question, solution, answer) if mark else ("", line, answer)


# SVAMP (arkilpatel/SVAMP): {"ID", "Body", "Question", "Equation": "( ( 8.0 + 2.0 ) - 3.0 )", "Answer": 7.0}.


def _svamp_keeps(split: str, data: Path | None) -> Callable[[Record], bool]:
    if split == "all":
        return lambda record: True
    text = _read("svamp/splits.json", data)
    with _reading("svamp/splits.json"):
        ids = frozenset(json.loads(text)[split])
    return lambda record: record["ID"] in ids


def _svamp_problem(record: Record, split: str, index: int) -> Problem:
    body, question = record["Body"].strip(), record["Question"].strip()
    if not body.endswith((".", "?", "!")):  # "If there is a discount of $25", "How much …": one sentence, cut in two
        body, question = body + ",", question[0].lower() + question[1:]
    return Problem(f"svamp-{record['ID']}", f"{body} {question}", decimal(str(record["Answer"])), "svamp", split)


def _svamp_type(record: Record) -> str:
    """The operation that was wanted; what was changed of an older problem to make this one, the file does not say."""
    return str(record.get("Type", "")).replace("Common-Divison", "Common-Division")  # one of the 1,000


def _svamp_lines(record: Record) -> list[Line]:
    return worked(record["Question"].strip(), record["Equation"])


# MAWPS and ASDiv-A (arkilpatel/SVAMP): numbers masked as number0, number1, …, equations in prefix form.


def _mawps_problem(record: Record, split: str, index: int) -> Problem:
    answer = decimal(record["Answer"])
    return Problem(f"mawps-{split}-{index}", _unmasked(record["Question"], record), answer, "mawps", split)


def _mawps_lines(record: Record) -> list[Line]:
    return worked(_unmasked(record["Ques"], record), _unmasked(record["Equation"], record))


def _unmasked(text: str, record: Record) -> str:
    """The text with its numbers, and without the spaces that tokenising put in."""
    numbers = [decimal(number) for number in record["Numbers"].split()]
    filled = re.sub(r"\bnumber(\d+)", lambda match: numbers[int(match[1])], text)
    for pattern, written in _TOKENISED:
        filled = re.sub(pattern, written, filled)
    return filled


_TOKENISED = (
    (r" (n't\b|'s\b|'ve\b|[.,?!;:%)])", r"\1"),
    (r" \u2019 s\b", "\u2019s"),
    (r"([$(]) ", r"\1"),
    (r"`` ?", '"'),
    (r" ?''", '"'),
    (r"(?<=\w) '(?= )", "'"),
    (r"(?<=[a-z]) - (?=[a-z])", "-"),
)


# StrategyQA (eladsegal/strategyqa): {"question", "answer": true, "facts", "decomposition"}; "#1" stands for answer 1.


def _strategyqa_problem(record: Record, split: str, index: int) -> Problem:
    answer = "yes" if record["answer"] else "no"
    return Problem(f"strategyqa-{split}-{index}", record["question"], answer, "strategyqa", split)


def _strategyqa_lines(record: Record) -> list[Line]:
    """A fact to each subquestion by position (the data does not say which goes with which), the rest to the last."""
    questions, facts, answer = record["decomposition"], record["facts"], "yes" if record["answer"] else "no"
    early = [(question, "".join(facts[i : i + 1]), "") for i, question in enumerate(questions[:-1])]
    last = " ".join([*facts[len(early) :], f"So the answer is {answer}."])
    return [*early, (questions[-1], last, answer)]


_BENCHMARKS = {
    "gsm8k": _Benchmark("gsm8k/{split}.jsonl", ("train", "validation", "test"), _gsm8k_problem, _gsm8k_lines),
    "gsm8k-socratic": _Benchmark("gsm8k/{split}_socratic.jsonl", ("train", "validation", "test"), _gsm8k_problem, _gsm8k_lines),
    "svamp": _Benchmark(
        "svamp/SVAMP.json",
        ("train", "test", "all"),
        _svamp_problem,
        _svamp_lines,
        _svamp_keeps,
        untraced=("test", "all"),
        type=_svamp_type,
    ),
    "strategyqa": _Benchmark("strategyqa/{split}.json", ("train", "dev"), _strategyqa_problem, _strategyqa_lines),
    "mawps": _Benchmark("svamp/mawps-asdiv-a_train_no_multiarith.csv", ("train", "validation"), _mawps_problem, _mawps_lines),
}


def names() -> tuple[str, ...]:
    """The benchmarks that are known."""
    return tuple(_BENCHMARKS)


VALIDATION_SHARE = 15  # one problem of so many; the choice hangs on the id alone
_RESAMPLED = re.compile(r"-r\d+\Z")  # how mix names copies with other numbers


def is_validation(problem: Problem) -> bool:
    """Whether a benchmark's training problem, or a copy with other numbers, is in the slice that choices are made on.

    Such problems are never trained on.
    """
    original = _RESAMPLED.sub("", problem.id)
    return problem.dataset in names() and int(hashlib.sha256(original.encode()).hexdigest(), 16) % VALIDATION_SHARE == 0


def splits(name: str) -> tuple[str, ...]:
    """The splits of a benchmark. Raises DataError for a name that is not known."""
    return _benchmark(name).splits


def problems(name: str, split: str, *, data: Path | None = None) -> list[Problem]:
    """The problems of a benchmark's split in file order, gold answers normalised."""
    return [problem for problem, _, _ in _rows(name, split, data)]


def traces(name: str, split: str, *, data: Path | None = None) -> list[Trace]:
    """The worked solutions that people wrote, every equation checked. SVAMP's test problems are refused."""
    benchmark = _benchmark(name)
    if split in benchmark.untraced:
        raise DataError(f"no traces are made of {name} {split}: it holds test problems", hint=f"use {name} train")
    return [_trace(problem, name, record, where) for problem, record, where in _rows(name, split, data)]


def labels(name: str, split: str, *, data: Path | None = None) -> dict[str, Labels]:
    """What a benchmark tells of its problems besides their answers, by their ids."""
    kind = _benchmark(name).type
    return {
        problem.id: label(_trace(problem, name, record, where), kind(record))
        for problem, record, where in _rows(name, split, data)
    }


def label(gold: Trace, kind: str = "") -> Labels:
    """What a gold trace tells of its problem. Where no equation is, nobody can say which numbers are needed."""
    numbers = Known.of(gold.problem.question).numbers
    operands = [operand for step in gold.steps for check in step.checks for operand in check.operands]
    used = {numbers[operand.index or 0].value for operand in operands if operand.origin is Origin.PROBLEM}
    unused = len({number.value for number in numbers} - used)
    return Labels(len(gold.steps), kind, unused if operands else None)


def checksums(name: str, split: str, *, data: Path | None = None) -> dict[str, str]:
    """The sha256 of the files that a split is read from, unpacked. Raises DataError where one is not the published file."""
    benchmark = _benchmark(name)
    _require("split", split, benchmark.splits)
    files = [benchmark.file.format(split=_file_split(split))] + ["svamp/splits.json"] * (name == "svamp" and split != "all")
    return {file: _checksum(file, data) for file in files}


_PINNED = {file.place: file.sha256 for file in FILES}


def _checksum(relative: str, data: Path | None) -> str:
    found = hashlib.sha256(_read(relative, data).encode()).hexdigest()
    if found != _PINNED.get(relative, found):
        hint = "download it again; problems of your own go into a JSONL with question and answer"
        raise DataError(f"{relative} is not the published file: expected sha256 {_PINNED[relative]}, found {found}", hint=hint)
    return found


def _trace(problem: Problem, name: str, record: Record, where: str) -> Trace:
    known, steps = Known.of(problem.question), list[Step]()
    with _reading(where):
        lines = _benchmark(name).lines(record)
    for question, solution, answer in lines:
        checks, known = check_solution(solution, known)
        steps.append(Step(question, solution, answer, checks))
    return Trace(problem, tuple(steps), problem.answer, Ended.DONE, Source("human", name))


def _rows(name: str, split: str, data: Path | None) -> Iterator[tuple[Problem, Record, str]]:
    benchmark = _benchmark(name)
    _require("split", split, benchmark.splits)
    keeps = benchmark.keeps(split, data) if benchmark.keeps else None
    file_split = _file_split(split)
    for index, (where, record) in enumerate(_records(benchmark.file.format(split=file_split), data)):
        with _reading(where):
            problem = benchmark.problem(record, file_split, index) if not keeps or keeps(record) else None
        if problem and (split != "validation" or is_validation(problem)):
            yield problem, record, where


def _file_split(split: str) -> str:
    return "train" if split == "validation" else split  # a slice of the training file, ids included


def _benchmark(name: str) -> _Benchmark:
    _require("benchmark", name, tuple(_BENCHMARKS))
    return _BENCHMARKS[name]


def _require(what: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise DataError(f"no {what} '{name}'; known: {', '.join(known)}", hint=did_you_mean(name, known))
