"""A reasoner over problems → `Report`, and every prediction kept.

In: a callable from problems to traces or votes, problems with gold answers, and what a benchmark tells of them. Out: one JSONL
line per problem, written as they come, and the `Report` that grading these lines gives: accuracy read leniently and strictly,
in whole and by kind of problem, each with its Wilson interval. The lines of votes read back as `Rated`. Knows nothing of
models, files of benchmarks, or terminals.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from socratic import provenance
from socratic.answers import Kind, kind_of, same_answer
from socratic.confidence import Features
from socratic.errors import DataError, UsageError
from socratic.jsonl import BrokenLine, read_jsonl
from socratic.locks import alone
from socratic.orchestrator import Orchestrator
from socratic.schema import Decoding, Ended, Labels, Problem, Report, RunRecord, Share, Slice, Trace
from socratic.statistics import wilson
from socratic.voting import Vote

Reasoner = Callable[[Sequence[Problem]], Iterator[Trace | Vote]]
UNLABELLED: Final = Labels()
DTYPE: Final = "float32"  # in which every engine computes


@dataclass(frozen=True, slots=True)
class Graded:
    """One prediction, whether it is right (read leniently), and what is told of its problem."""

    trace: Trace
    correct: bool
    labels: Labels = UNLABELLED

    @property
    def strict(self) -> bool:
        """Right, and the trace said itself that it was done: what `####` is to a text that a grader reads."""
        gold = self.trace.problem.answer or ""
        return self.correct and self.trace.ended is Ended.DONE and same_answer(self.trace.answer, gold)

    @property
    def parsed(self) -> bool:
        """Whether there is an answer, and of the kind of the gold one."""
        try:
            return self.trace.answer is not None and kind_of(self.trace.answer) is _gold_kind(self.trace.problem)
        except DataError:  # of no kind
            return False


@dataclass(frozen=True, slots=True)
class Rated:
    """A vote's problem, by its id, how sure it was (0..1), whether it is right, and what it was like."""

    problem: str
    confidence: float
    correct: bool
    features: Features


@dataclass(frozen=True, slots=True)
class Resumable:
    """By what a stopped run goes on: a sum of all that its answers hang on, and how many problems are solved together."""

    key: str
    batch: int

    @classmethod
    def of(cls, record: RunRecord, *, samples: int, decoding: Decoding) -> Resumable:
        """The pair's files, the problems and the software are in the record; and how it is asked."""
        asked = [samples, asdict(decoding), asdict(replace(record, started=""))]
        return cls(provenance.sha256(asked)[:12], record.batch_size)

    def partial(self, predictions: Path) -> Path:
        """Where predictions are written until they are whole."""
        return predictions.with_name(f"{predictions.name}.{self.key}.partial")

    def kept(self, partly: Path) -> list[str]:
        """The whole lines of whole batches, to which the file is cut: problems of one batch may share their chances."""
        with partly.open("rb+") as file:
            lines = list(file)
            whole = sum(line.endswith(b"\n") for line in lines)
            lines = lines[: whole - whole % self.batch]
            file.truncate(sum(map(len, lines)))
        return [line.decode("utf-8") for line in lines]


def grade(trace: Trace) -> bool:
    """Whether a trace's answer, read leniently, is the gold one, however it ended. Raises DataError without a gold answer."""
    if trace.problem.answer is None:
        raise DataError(f"problem '{trace.problem.id}' has no gold answer", hint="evaluation needs `answer` in every line")
    return same_answer(trace.answer, trace.problem.answer, lenient=True)


def evaluate(
    reason: Reasoner,
    problems: Sequence[Problem],
    *,
    dataset: str,
    model: str,
    calculator: bool,
    predictions: Path,
    samples: int = 1,
    labels: Mapping[str, Labels] | None = None,
    record: RunRecord | None = None,
    resumable: Resumable | None = None,
    progress: Callable[[bool], None] = lambda is_right: None,
) -> Report:
    """Solve, grade, and write each prediction as soon as it is there; `progress` hears of each whether it is right.

    Where it is resumable, a run that was stopped goes on (`seconds` are then those of its last part).
    """
    started = time.monotonic()
    predict(reason, problems, predictions, labels=labels, resumable=resumable, progress=progress)
    seconds, versions = round(time.monotonic() - started, 1), provenance.versions()
    blank = Report(dataset, model, calculator, 0, 0, 0.0, 1.0, 0, seconds, {}, versions, samples, record=record)
    return regrade(blank, predictions)


def regrade(report: Report, predictions: Path) -> Report:
    """The report with every figure counted from a predictions file, each answer graded anew."""
    graded = read_graded(predictions)
    lenient = _share(graded, lambda one: one.correct)
    return replace(
        report,
        n=len(graded),
        correct=lenient.count,
        low=lenient.low,
        high=lenient.high,
        unanswered=sum(one.trace.answer is None for one in graded),
        badges=dict(Counter(step.badge.value for one in graded for step in one.trace.steps)),
        strict=_share(graded, lambda one: one.strict),
        unparsed=_share(graded, lambda one: not one.parsed),
        majority=_majority(graded),
        slices=tuple(_slices(graded)),
    )


def record_of(
    orchestrator: Orchestrator, problems: Sequence[Problem], *, seed: int, data: dict[str, str], students: str
) -> RunRecord:
    """The record of a run that begins now; `data` are the files that the problems were read from, with their sha256."""
    engine = getattr(orchestrator.solver, "engine", None)
    return RunRecord(
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=provenance.commit(),
        engine=type(engine).__name__,
        device=getattr(engine, "device", "cpu"),
        dtype=DTYPE,
        batch_size=orchestrator.batch_size,
        max_steps=orchestrator.max_steps,
        seed=seed,
        data=data,
        problems=_sum(problems),
        students=students,
    )


def _sum(problems: Sequence[Problem]) -> str:
    return provenance.sha256((problem.id, problem.question, problem.answer) for problem in problems)


ASKED: Final = ("engine", "dtype", "batch_size", "max_steps", "seed", "problems", "students")  # not when, where, by what commit


def finished(path: Path, record: RunRecord) -> Report | None:
    """The report of a run with this record, by the same code as far as commit and versions tell, where it lies there whole."""
    try:
        report = Report.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError, DataError):
        return None
    old, is_known = report.record, report.versions == provenance.versions()
    is_same = old and all(getattr(old, name) == getattr(record, name) for name in (*ASKED, "commit", "device"))
    return report if is_known and is_same else None


def require_same(path: Path, record: RunRecord, problems: Sequence[Problem]) -> None:
    """Raises UsageError where a finished report lies that a run with this record, on these problems, would replace.

    One of the same settings may be replaced, and a run on the first of these problems by one on more.
    """
    if not path.exists():
        return
    hint = "delete the old report and its predictions, or choose another folder with --out"
    try:
        report = Report.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, AttributeError, DataError) as error:
        raise UsageError(f"{path} would be replaced, and is no report that could be read", hint=hint) from error
    old = report.record
    changed = [name for name in ASKED if old is None or getattr(old, name) != getattr(record, name)]
    goes_on = old is not None and report.n < len(problems) and old.problems == _sum(problems[: report.n])
    if changed and not (changed == ["problems"] and goes_on):
        raise UsageError(f"{path} is of a run of other settings ({', '.join(changed)}), and would be replaced", hint=hint)


def predict(
    reason: Reasoner,
    problems: Sequence[Problem],
    predictions: Path,
    *,
    labels: Mapping[str, Labels] | None = None,
    resumable: Resumable | None = None,
    progress: Callable[[bool], None] = lambda is_right: None,
) -> None:
    """Solve problems, a line each; DataError, before anything is solved, where their predictions could not be graded.

    RunError where another process is at it.
    """
    _require_gradable(problems)
    predictions.parent.mkdir(parents=True, exist_ok=True)
    partly = resumable.partial(predictions) if resumable else predictions
    partly.touch()
    with alone(partly):
        kept = resumable.kept(partly) if resumable else []
        with partly.open("a" if resumable else "w", encoding="utf-8") as out:
            for line in kept:
                progress(json.loads(line)["correct"])
            for problem, found in zip(problems[len(kept) :], reason(problems[len(kept) :]), strict=True):
                row = _row(found, (labels or {}).get(problem.id, UNLABELLED))
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
                out.flush()
                progress(row["correct"])
        partly.replace(predictions)


def partials(predictions: Path) -> list[Path]:
    """What resumable runs have written of these predictions that are not whole yet."""
    return sorted(predictions.parent.glob(f"{predictions.name}.*.partial"))


def count_right(partly: Path) -> tuple[int, int]:
    """How many problems are solved so far, and how many of them right: by the beginnings of the whole lines, which is quick."""
    lines = partly.read_bytes().split(b"\n")[:-1]
    return len(lines), sum(line.startswith(b'{"correct": true') for line in lines)


def _row(found: Trace | Vote, told: Labels) -> dict[str, Any]:
    graded = Graded(trace := found.trace if isinstance(found, Vote) else found, grade(trace), told)
    return {"correct": graded.correct, "strict": graded.strict, "labels": asdict(told), **found.to_dict()}


def _require_gradable(problems: Sequence[Problem]) -> None:
    if not problems:
        raise DataError("there are no problems to evaluate on", hint="check --limit and the file")
    for what, ids in (
        ("without a gold answer", [problem.id for problem in problems if problem.answer is None]),
        ("with an id that another one has", [name for name, n in Counter(p.id for p in problems).items() if n > 1]),
    ):
        if ids:
            some = ", ".join(ids[:3]) + (", …" if len(ids) > 3 else "")
            hint = "evaluation needs an answer and an id of its own for each; `socratic solve` needs neither"
            raise DataError(f"expected problems that can be graded, found {len(ids):,} {what} ({some})", hint=hint)
    for problem in problems:
        _gold_kind(problem)


def _gold_kind(problem: Problem) -> Kind:
    return kind_of(problem.answer or "")


def read_graded(path: Path) -> list[Graded]:
    """The predictions of a file in its order, graded anew. Raises DataError where a line is none."""
    return [_graded(where, row) for where, row in read_jsonl(path)]


def _graded(where: str, row: dict[str, Any] | BrokenLine) -> Graded:
    try:
        if isinstance(row, BrokenLine):
            raise DataError(row.reason)
        trace = Trace.from_dict(row)
        return Graded(trace, grade(trace), Labels(**row.get("labels", {})))
    except (DataError, TypeError) as error:
        raise DataError(f"{where}: not a prediction: {error}", hint="give a .jsonl that `socratic evaluate` wrote") from error


def _share(graded: Sequence[Graded], holds: Callable[[Graded], bool]) -> Share:
    count = sum(map(holds, graded))
    return Share(count, *wilson(count, len(graded)))


def _majority(graded: Sequence[Graded]) -> Share | None:
    """What the commonest answer would be worth, where answers are yes and no, or letters."""
    if any(_gold_kind(one.trace.problem) is Kind.NUMBER for one in graded):
        return None
    commonest, _ = Counter(one.trace.problem.answer for one in graded).most_common(1)[0]
    return _share(graded, lambda one: one.trace.problem.answer == commonest)


_BY: Final[dict[str, Callable[[Graded], int | str | None]]] = {
    "gold steps": lambda graded: graded.labels.gold_steps,
    "steps": lambda graded: len(graded.trace.steps),
    "type": lambda graded: graded.labels.type,
    "unused numbers": lambda graded: graded.labels.unused_numbers,
    "ended": lambda graded: graded.trace.ended.value if graded.trace.ended else "not finished",
}


def _slices(graded: Sequence[Graded]) -> Iterator[Slice]:
    """The problems in groups, by all that is known of them; the groups of one kind hold each problem once."""
    for by, value in _BY.items():
        groups = dict[int | str | None, list[Graded]]()
        for one in graded:
            groups.setdefault(value(one), []).append(one)
        if groups.keys() <= {None, ""}:  # nothing is known
            continue
        for key in sorted(groups, key=lambda key: (isinstance(key, str), key is None, key)):
            group, name = groups[key], "not known" if key in (None, "") else str(key)
            lenient, strict = _share(group, lambda one: one.correct), _share(group, lambda one: one.strict)
            yield Slice(by, name, len(group), lenient, strict)


def read_rated(path: Path) -> list[Rated]:
    """The votes of a predictions file in its order. Raises DataError where a line is none."""
    return [_rated(where, row) for where, row in read_jsonl(path)]


def _rated(where: str, row: dict[str, Any] | BrokenLine) -> Rated:
    hint = "give a predictions file that `socratic evaluate` wrote, with --samples 9 or a calibrated pair"
    if isinstance(row, BrokenLine):
        raise DataError(f"{where}: {row.reason}", hint=hint)
    try:
        features = Features.from_dict(row["features"])
        return Rated(str(row["problem"]["id"]), float(row["confidence"]), bool(row["correct"]), features)
    except (KeyError, TypeError, ValueError, DataError) as error:
        raise DataError(f"{where}: not a vote: {type(error).__name__}: {error}", hint=hint) from error


def as_line(report: Report) -> str:
    """One readable line."""
    calculator = "with" if report.calculator else "without"
    vote = f", a vote of {report.samples} traces" if report.samples > 1 else ""
    strict = f", {100 * report.strict.count / report.n:.1f} % strictly" if report.strict else ""
    return (
        f"{report.dataset}, {calculator} calculator{vote}: {100 * report.accuracy:.1f} %"
        f"  (95 % interval {100 * report.low:.1f} to {100 * report.high:.1f}; {report.correct} of {report.n}){strict};"
        f" {report.unanswered} without an answer; {report.seconds:.0f} s"
    )
