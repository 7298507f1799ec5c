"""Rounds without a teacher: a student samples traces, and learns from those that are right and verified.

In: a `RoundsConfig`, a folder, and functions that load a student as an `Orchestrator` and train one.
Out: a `Round` for the student at the start and after each round; beside it the kept traces, the student, its predictions.
As in STaR (Zelikman et al. 2022) each round trains the same base on all that was kept so far; as in rejection sampling
fine-tuning (Yuan et al. 2023) a trace counts as new by its list of equations. What is done is not done again; a sampling or
measuring that was stopped goes on; a folder of another configuration is refused, as is one that another process writes. Knows
nothing of engines, or of how training works.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path
from typing import Final

from socratic import benchmarks, config
from socratic.arithmetic import equations, evaluate, number_text
from socratic.confidence import is_verified
from socratic.config import DataSource, RoundsConfig, TrainConfig
from socratic.errors import ConfigError, DataError, ExpressionError
from socratic.evaluate import Resumable, grade, record_of
from socratic.evaluate import evaluate as measure
from socratic.folders import fingerprint
from socratic.jsonl import BrokenLine, is_jsonl, read_jsonl, write_jsonl
from socratic.leakage import Guard, load_guard, set_name
from socratic.locks import alone
from socratic.orchestrator import GREEDY, Orchestrator
from socratic.own_problems import read_whole
from socratic.schema import Decoding, Problem, Trace
from socratic.whole import write_json

HINT: Final = "problems to sample for need gold answers, and are no test problems"


# What is kept


def solution(trace: Trace) -> tuple[str, ...]:
    """What a trace computes, step by step: expressions with their values, but not how these are written.

    >>> solution(Trace(Problem("p", "?"), (Step("?", "<<$1,000 + 5=1005>>", "1005"), Step("?", "<<20%*1005=201>>", "201"))))
    ('1000+5', '0.2*1005')
    """
    return tuple(_written(expression) for step in trace.steps for expression, _ in equations(step.solution))


def _written(expression: str) -> str:
    """An expression in one way; the order of a plain sum or product of numbers is one of writing too."""
    try:
        leaves = evaluate(expression).leaves
    except ExpressionError:
        return "".join(expression.split())
    values, signs, at = [number_text(leaf.value) for leaf in leaves], list[str](), 0
    for leaf in leaves:
        signs.append("".join(expression[at : leaf.start].split()))
        at = leaf.end
    signs.append("".join(expression[at:].split()))
    if len(plain := set(signs[1:-1])) == 1 and plain <= {"+", "*"} and not signs[0] and not signs[-1]:
        values.sort()
    return "".join(sign + value for sign, value in zip(signs, [*values, ""], strict=True))


def is_right(trace: Trace) -> bool:
    """Whether it has the gold answer; one that cannot be compared is not right."""
    try:
        return grade(trace)
    except DataError:
        return False


@dataclass(frozen=True, slots=True)
class Counts:
    """Sampled traces; right are those with the gold answer, kept those of them that are verified, new the kept solutions
    that nobody told before."""

    sampled: int = 0
    right: int = 0
    kept: int = 0
    new: int = 0


class Harvest:
    """Takes sampled traces, and keeps those that are worth learning from."""

    def __init__(self, told: Iterable[Trace]) -> None:
        self.told = {(trace.problem.question, solution(trace)) for trace in told}
        self.counts, self.new = Counts(), list[Trace]()

    def add(self, trace: Trace) -> bool:
        """Count a trace; whether it is right and verified. The first one of each new solution is taken."""
        right = is_right(trace)
        kept = right and is_verified(trace)
        told = (trace.problem.question, solution(trace))
        new = kept and told not in self.told
        if new:
            self.told.add(told)
            self.new.append(trace)
        before = self.counts
        self.counts = Counts(before.sampled + 1, before.right + right, before.kept + kept, before.new + new)
        return kept


# The rounds


@dataclass(frozen=True, slots=True)
class Round:
    """A student, what was sampled for it to learn from, and how good it is; round 0 is the student at the start.

    `total` counts the new solutions of all rounds so far.
    """

    number: int
    student: str
    counts: Counts
    total: int
    correct: int
    n: int
    low: float
    high: float

    @classmethod
    def read(cls, path: Path) -> Round:
        """From its file."""
        row = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**row, "counts": Counts(**row["counts"])})


def table(rounds: Iterable[Round]) -> str:
    """For people, as Markdown."""
    head = "| round | accuracy | 95 % interval | sampled | right | right and verified | new solutions | in all |"
    lines = [head, "| --- " * (head.count("|") - 1) + "|"]
    for r in rounds:
        measured = f"{100 * r.correct / r.n:.1f} % | {100 * r.low:.1f} to {100 * r.high:.1f}"
        counts = " | ".join(f"{count:,}" for count in astuple(r.counts))
        lines.append(f"| {r.number} | {measured} | {counts} | {r.total:,} |")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Hands:
    """Who does the work: loads a student by its folder, trains one in a run folder and names its folder, shows progress.

    `unchecked` hears, before the first step, which test sets are not at hand; `fingerprint` tells two students of one name apart.
    """

    load: Callable[[str], Orchestrator]
    learn: Callable[[TrainConfig, Path], Path]
    tally: Callable[[int], AbstractContextManager[Callable[[bool], None]]]
    unchecked: Callable[[Sequence[str]], None] = lambda missing: None
    fingerprint: Callable[[str], str] = fingerprint


def run(settings: RoundsConfig, out: Path, hands: Hands, *, data: Path | None = None) -> Iterator[Round]:
    """Each round as soon as it is done, at once where it was done before. Raises ConfigError, DataError, ModelError, RunError."""
    guard = load_guard(data, settings.train.test_sets, validation=True)
    loop = _Loop(settings, out.resolve(), hands, *_problems(settings, guard, data), data)
    done: Round | None = None
    out.mkdir(parents=True, exist_ok=True)
    with alone(out):
        _claim(settings, out)
        hands.unchecked(guard.missing)
        for number in range(settings.rounds + 1):
            kept = out / f"round-{number}" / "round.json"
            if not kept.is_file():
                write_json(kept, asdict(loop.after(done) if done else loop.start()))
            done = Round.read(kept)
            yield done


def _claim(settings: RoundsConfig, out: Path) -> None:
    """Refuse a folder that another configuration has written; else write down this one."""
    kept = out / "config.yaml"
    if kept.exists() and config.load(RoundsConfig, kept) != settings:
        raise ConfigError(f"{out} belongs to rounds of another configuration", hint="give another --out, or delete the folder")
    config.dump(settings, kept)


@dataclass(frozen=True, slots=True)
class _Loop:
    settings: RoundsConfig
    out: Path
    hands: Hands
    problems: list[Problem]
    validation: list[Problem]
    data: Path | None

    def start(self) -> Round:
        return self._measured(0, self.settings.student, Counts(), total=0)

    def after(self, done: Round) -> Round:
        """The next round: sample, keep, train, measure."""
        number = done.number + 1
        counts = self._harvested(number, done.student)
        student = self.hands.learn(self._training(number), self._folder(number) / "run")
        return self._measured(number, str(student), counts, total=done.total + counts.new)

    def _folder(self, number: int) -> Path:
        return self.out / f"round-{number}"

    def _harvested(self, number: int, student: str) -> Counts:
        """What the student's samples come to; the new traces are written down."""
        kept = self._folder(number) / "counts.json"
        if kept.is_file():
            return Counts(**json.loads(kept.read_text(encoding="utf-8")))
        harvest = Harvest(self._told(number))
        with self.hands.tally(len(self.problems) * self.settings.samples) as add:
            for trace in self._sampled(number, student):
                add(harvest.add(trace))
        write_jsonl(self._traces(number), (trace.to_dict() for trace in harvest.new))
        write_json(kept, asdict(harvest.counts))
        return harvest.counts

    def _sampled(self, number: int, student: str) -> Iterator[Trace]:
        """So many traces of each problem, all kept; a stopped sampling goes on at a whole batch."""
        orchestrator, k = self.hands.load(student), self.settings.samples
        asked = [problem for problem in self.problems for _ in range(k)]
        decoding = Decoding(self.settings.temperature, self.settings.seed + number)
        record = record_of(orchestrator, asked, seed=decoding.seed, data={}, students=self.hands.fingerprint(student))
        resumable, samples = Resumable.of(record, samples=k, decoding=decoding), self._folder(number) / "samples.jsonl"
        partly = resumable.partial(samples)
        partly.parent.mkdir(parents=True, exist_ok=True)
        partly.touch()
        kept = [Trace.from_dict(json.loads(line)) for line in resumable.kept(partly)]
        yield from kept
        fresh = enumerate(orchestrator.solve_each(asked, decoding, first=len(kept)), len(kept))
        named = (replace(trace, source=replace(trace.source, sample=place % k)) for place, trace in fresh)
        with partly.open("a", encoding="utf-8") as out:
            for trace in named:
                out.write(json.dumps(trace.to_dict(), ensure_ascii=False) + "\n")
                out.flush()
                yield trace
        partly.replace(samples)

    def _told(self, number: int) -> Iterator[Trace]:
        """The traces of the mix, but for the curriculum's, which are to problems of its own, and those of earlier rounds."""
        for source in self._training(number - 1).data:
            if source.benchmark:
                yield from benchmarks.traces(source.benchmark, "train", data=self.data)
            elif source.traces:
                yield from _stored(source.traces)

    def _training(self, number: int) -> TrainConfig:
        """The mix, and all that was kept up to a round."""
        kept = [DataSource.model_validate({"traces": self._traces(earlier)}) for earlier in range(1, number + 1)]
        return self.settings.train.model_copy(update={"data": (*self.settings.train.data, *kept)})

    def _traces(self, number: int) -> Path:
        return self._folder(number) / "traces.jsonl"

    def _measured(self, number: int, student: str, counts: Counts, *, total: int) -> Round:
        with self.hands.tally(len(self.validation)) as add:
            orchestrator, marks = self.hands.load(student), self.hands.fingerprint(student)
            record = record_of(orchestrator, self.validation, seed=GREEDY.seed, data={}, students=marks)
            report = measure(
                orchestrator.solve_each,
                self.validation,
                dataset=f"{self.settings.validation} validation",
                model=student,
                calculator=True,
                predictions=self._folder(number) / "validation.jsonl",
                record=record,
                resumable=Resumable.of(record, samples=1, decoding=GREEDY),
                progress=add,
            )
        return Round(number, student, counts, total, report.correct, report.n, report.low, report.high)


def _stored(path: Path) -> Iterator[Trace]:
    for _, line in read_jsonl(path):
        if not isinstance(line, BrokenLine):  # training refuses a file with a broken line, and says where it is
            yield Trace.from_dict(line)


# Problems


def _problems(settings: RoundsConfig, guard: Guard, data: Path | None) -> tuple[list[Problem], list[Problem]]:
    """Problems to sample for, and others to measure on; none of the former is among the latter or like a test problem."""
    validation = _picked(_read(settings.validation, "validation", data), settings.validation_limit, settings.seed)
    away = {problem.question for problem in validation}
    problems = [
        problem
        for problem in _read(settings.problems, "train", data)
        if not benchmarks.is_validation(problem)
        and problem.question not in away
        and not guard.leak(problem.question, own=set_name(problem))
    ]
    if not problems:
        raise DataError(f"no problem of {settings.problems} may be trained on", hint=HINT)
    return _picked(problems, settings.limit, settings.seed), validation


def _picked(problems: list[Problem], limit: int, seed: int) -> list[Problem]:
    return random.Random(seed).sample(problems, min(limit, len(problems)))


def _read(name: str, split: str, data: Path | None) -> list[Problem]:
    if not is_jsonl(name):
        return benchmarks.problems(name, split, data=data)
    problems = read_whole(Path(name))
    if bare := next((problem.id for problem in problems if problem.answer is None), None):
        raise DataError(f"'{bare}' of {name} has no gold answer", hint=HINT)
    return problems
