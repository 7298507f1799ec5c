"""Where does a two-role student lose its points? One part at a time is swapped for an oracle, on the same problems.

In: a pair of students, gold traces with subquestions, a `Setting`, a folder. Out: the predictions of each swap (JSONL, done once
and kept), and a `Diagnosis`: what each swap gains over the student as it is, paired, and the first faults of its own wrong
traces. A folder holds one setting; another one's is refused. Knows nothing of terminals, nor how a student is made.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from socratic import __version__, pictures, provenance, tasks
from socratic.benchmarks import label
from socratic.compare import Comparison, compare
from socratic.errors import DataError, UsageError
from socratic.evaluate import predict, read_graded
from socratic.faults import Fault, first_fault
from socratic.folders import fingerprint
from socratic.jsonl import BrokenLine, is_jsonl, read_jsonl
from socratic.oracles import Pair, Swap, pair, playable
from socratic.orchestrator import Orchestrator
from socratic.schema import Decoding, Trace
from socratic.statistics import Paired, require_scipy
from socratic.whole import write_json

SETTING: Final = "setting.json"
FIGURES: Final = "diagnosis.json"
MAX_STEPS: Final = 10  # of a trace, or as many as the longest gold trace has


@dataclass(frozen=True, slots=True)
class Setting:
    """What the figures of a folder hang on. `weights` and `data` are sha256 of the pair's files and of the gold traces."""

    model: str
    weights: str
    dataset: str
    data: str
    n: int
    calculator: bool
    seed: int  # of the samples that perfect stopping needs, and of the bootstrap
    version: str = __version__

    @property
    def swaps(self) -> tuple[Swap, ...]:
        """What can be swapped; arithmetic is exact already where the calculator is part of the student."""
        return tuple(swap for swap in Swap if swap is not Swap.ARITHMETIC or not self.calculator)


def set_up(model: str, dataset: str, gold: Sequence[Trace], *, calculator: bool = True, seed: int = 0) -> Setting:
    """The setting of a pair's folder and gold traces. Raises ModelError where there is no such pair."""
    data = provenance.sha256(trace.to_dict() for trace in gold)
    return Setting(model, fingerprint(model), dataset, data, len(gold), calculator, seed)


def load_gold(name: str, split: str = "", *, data: Path | None = None) -> list[Trace]:
    """Gold traces with subquestions: of gsm8k, the curriculum, or a JSONL of traces. Raises DataError."""
    if is_jsonl(name):
        if split:
            raise UsageError(f"{name} is a file: it has no split '{split}'", hint="leave --split out, or give that split's file")
        found = [_trace(where, row) for where, row in read_jsonl(Path(name))]
    else:
        found = tasks.worked("gsm8k-socratic" if name == "gsm8k" else name, split, data=data)
    repeated = [problem for problem, count in Counter(trace.problem.id for trace in found).items() if count > 1]
    if repeated:
        raise DataError(f"expected each problem once, found '{repeated[0]}' again", hint="give each an id of its own")
    return found


def _trace(where: str, row: dict[str, Any] | BrokenLine) -> Trace:
    try:
        if isinstance(row, BrokenLine):
            raise DataError(row.reason)
        return Trace.from_dict(row)
    except DataError as error:
        raise DataError(f"{where}: {error}", hint="give a JSONL of traces, one a line") from error


class Study:
    """A student, its oracles, and the folder of their predictions."""

    def __init__(self, student: Pair, gold: Sequence[Trace], setting: Setting, folder: Path, *, batch_size: int = 32) -> None:
        """Claim the folder for this setting. Raises UsageError where it holds another, or scipy is missing."""
        if not gold:
            raise DataError("there are no gold traces to diagnose on", hint="check --limit and the file")
        self.gold = {trace.problem.id: playable(trace) for trace in gold}
        require_scipy()  # better said before the hours of work than after
        _claim(folder, setting)
        self.student, self.setting, self.folder, self.batch_size = student, setting, folder, batch_size

    def path(self, swap: Swap) -> Path:
        """Where the predictions of a swap lie; the file is there when it is whole."""
        return self.folder / f"{swap.value.replace(' ', '-')}.jsonl"

    @property
    def unfinished(self) -> list[Swap]:
        """The swaps that have not been run yet."""
        return [swap for swap in self.setting.swaps if not self.path(swap).exists()]

    def run(self, swap: Swap, progress: Callable[[bool], None] = lambda is_right: None) -> None:
        """Solve every problem with that part swapped, and keep the predictions."""
        longest = max(len(trace.steps) for trace in self.gold.values())
        students, steps = pair(swap, self.student, self.gold), max(MAX_STEPS, longest)
        orchestrator = Orchestrator(*students, name=swap.value, max_steps=steps, batch_size=self.batch_size)
        calculator = self.setting.calculator or swap is Swap.ARITHMETIC
        decoding, partial = Decoding(seed=self.setting.seed, calculator=calculator), self.path(swap).with_suffix(".partial")
        predict(
            lambda problems: orchestrator.solve_each(problems, decoding),
            [trace.problem for trace in self.gold.values()],
            partial,
            labels={name: label(trace) for name, trace in self.gold.items()},
            progress=progress,
        )
        partial.replace(self.path(swap))

    def diagnosis(self) -> Diagnosis:
        """What the predictions show, kept beside them; every swap must have been run."""
        as_it_is = self.path(Swap.AS_IS)
        found = {swap: compare(as_it_is, self.path(swap), seed=self.setting.seed) for swap in self.setting.swaps}
        wrong = [one.trace for one in read_graded(as_it_is) if not one.correct]
        faults = Counter(first_fault(trace, self.gold[trace.problem.id]) for trace in wrong)
        shares = tuple(FaultShare(fault, faults[fault], len(wrong)) for fault in Fault)
        diagnosis = Diagnosis(self.setting, tuple(_row(swap, comparison) for swap, comparison in found.items()), shares)
        write_json(self.folder / FIGURES, diagnosis.to_dict())
        return diagnosis


def _claim(folder: Path, setting: Setting) -> None:
    """Make the folder this setting's, or find that it is."""
    path, wanted = folder / SETTING, asdict(setting)
    if not path.exists():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder} holds something other than a diagnosis", hint="name a new folder with --output")
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, wanted)
        return
    found = _read_setting(path)
    changed = [f"{key} {found.get(key)!r}, now {value!r}" for key, value in wanted.items() if found.get(key) != value]
    if changed:
        raise UsageError(f"{folder} holds the diagnosis of another setting: {'; '.join(changed)}", hint="name another --output")


def _read_setting(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    except ValueError as error:
        raise UsageError(f"{path} cannot be read: {error}", hint="name another --output, or remove the folder") from error


@dataclass(frozen=True, slots=True)
class Row:
    """One swap beside the student as it is, in 0..1. `gain` is the paired difference, with its interval and McNemar's p."""

    swap: Swap
    accuracy: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float
    p: float
    table: Paired  # A is the student as it is

    def __str__(self) -> str:
        """One line for people."""
        accuracy = f"{self.swap.value:17}{_percent(self.accuracy):>7} % {_percent(self.low):>6} to {_percent(self.high):>5}"
        if self.swap is Swap.AS_IS:
            return accuracy
        gain = f"{100 * self.gain:+z7.1f} {100 * self.gain_low:+z7.1f} to {100 * self.gain_high:+z6.1f}"
        return f"{accuracy}  {gain}  {f'{self.p:.3f}' if self.p >= 0.001 else '< 0.001':>7}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _row(swap: Swap, found: Comparison) -> Row:
    b = found.b
    return Row(swap, b.accuracy, b.low, b.high, found.difference, found.low, found.high, found.p, found.table)


@dataclass(frozen=True, slots=True)
class FaultShare:
    """How many of the wrong traces have this as their first fault."""

    fault: Fault
    count: int
    wrong: int

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.fault.value:28} {self.count:6,}  {_percent(self.count / self.wrong if self.wrong else 0.0):>5} %"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Where the points are lost: what each swap gains, and what the first wrong steps are."""

    setting: Setting
    rows: tuple[Row, ...]  # the student as it is, then each swap
    faults: tuple[FaultShare, ...]

    def __str__(self) -> str:
        """The tables for people, and what each swap means."""
        s = self.setting
        calculator = "the calculator writes results" if s.calculator else "the student writes its own results"
        swaps = [
            f"{s.dataset}, {s.model}, n = {s.n:,}, {calculator}",
            f"{'swapped':17}{'accuracy':>9}{'95 % interval':>16}{'gained':>9}{'95 % interval':>18}{'p':>9}",
            *map(str, self.rows),
        ]
        meanings = [f"{row.swap.value:17}{row.swap.meaning}" for row in self.rows]
        faults = [f"first fault of the {self.faults[0].wrong:,} wrong traces, by the gold equations", *map(str, self.faults)]
        return "\n\n".join("\n".join(lines) for lines in (swaps, meanings, faults))

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape: every figure."""
        return asdict(self)


def plot(found: Diagnosis, path: Path) -> None:
    """Draw what each swap gains, in points with its interval. Needs matplotlib, of the extra [train]."""
    from matplotlib.figure import Figure  # without pyplot there is no global state and no window

    rows = [row for row in found.rows if row.swap is not Swap.AS_IS]
    gains = [100 * row.gain for row in rows]
    spans = [[100 * (row.gain - row.gain_low) for row in rows], [100 * (row.gain_high - row.gain) for row in rows]]
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.barh([row.swap.value for row in rows], gains, xerr=spans, capsize=3, color="tab:blue", alpha=0.7)
    axes.invert_yaxis()
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set(title=f"{found.setting.model} on {found.setting.dataset}, n = {found.setting.n:,}")
    axes.set_xlabel(f"points gained over the student as it is ({_percent(found.rows[0].accuracy)} %)")
    pictures.save(figure, path)
