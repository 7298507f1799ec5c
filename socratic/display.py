"""What a person at a terminal sees: traces as they grow, progress bars, complaints.

In: values of the package. Out: rich's output; results to stdout, everything else to stderr. Model text is never read as
markup, and no text of others steers the terminal. Knows nothing of how anything is computed.
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from socratic.errors import SocraticError
from socratic.schema import Badge, Report, Share, Step, Trace

if TYPE_CHECKING:
    from socratic import asking, downloads

stdout = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
stderr = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
COLORS = {Badge.VERIFIED: "green", Badge.UNGROUNDED: "yellow", Badge.WRONG: "red", Badge.UNCHECKABLE: "yellow"}


def harmless(text: str) -> str:
    """The text without control and format characters, newlines and tabs apart: those of others can retitle or clear a terminal.

    rich lets them through. `harmless("a\\x1b[2Jb")` is "a[2Jb".
    """
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf"))


def complain(error: SocraticError) -> None:
    """What was found and expected, and what to do next."""
    stderr.print(Text(harmless(f"error: {error}"), style="red"))
    if error.hint:
        stderr.print(Text(harmless(f"hint: {error.hint}")))


def show(traces: Iterable[Trace]) -> Trace:
    """Print the steps of one growing trace as they come, then its ending: the lines of `str(trace)`, in color. Gives its end."""
    shown = 0
    for trace in traces:
        for step in trace.steps[shown:]:
            shown += 1
            _show_step(shown, step)
    stdout.print(Text(harmless(trace.ending), style="bold"))
    return trace


def _show_step(number: int, step: Step) -> None:
    stdout.print(Text(harmless(f"{number}. {step.question}"), style="cyan"))
    stdout.print(Text.assemble(harmless(f"   {step.plain}   "), (f"[{step.badge.value}]", COLORS[step.badge])))


def tabulate(report: Report) -> None:
    """Print what a report tells beside its first line: each kind of problem with its accuracy, outputs, badges."""
    table = Table("", "n", "right", "95 % interval", "strictly", "95 % interval", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    rows = [("all", report.n, Share(report.correct, report.low, report.high), report.strict)]
    rows += [(f"{part.by}: {part.name}", part.n, part.lenient, part.strict) for part in report.slices]
    for name, n, lenient, strict in rows:
        table.add_row(Text(harmless(name)), f"{n:,}", *_figures(lenient, n), *(_figures(strict, n) if strict else ("", "")))
    stdout.print(table)
    for name, share in (("unparsed outputs", report.unparsed), ("the commonest answer would be right", report.majority)):
        if share:
            stdout.print("{}: {} ({})".format(name, *_figures(share, report.n)))
    steps = sum(report.badges.values())
    badges = ", ".join(f"{badge} {100 * count / steps:.1f} %" for badge, count in sorted(report.badges.items()))
    stdout.print(f"steps: {steps:,}, {steps / report.n:.1f} a problem; {badges}" if steps else "no steps")


def _figures(share: Share, n: int) -> tuple[str, str]:
    return f"{100 * share.count / n:.1f} %", f"{100 * share.low:.1f} to {100 * share.high:.1f}"


@contextmanager
def tally(total: int, title: str = "") -> Iterator[Callable[[bool], None]]:
    """A bar with the number and share of right answers so far; call what it gives once per answer."""
    figures = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}  {task.fields[right]}")
    done = right = 0
    with Progress(*figures, TimeRemainingColumn(), console=stderr, transient=True) as progress:
        task = progress.add_task(title, total=total, right="")

        def add(is_right: bool) -> None:
            nonlocal done, right
            done, right = done + 1, right + is_right
            progress.update(task, advance=1, right=f"{right} right ({100 * right / done:.1f} %)")

        yield add


@dataclass(frozen=True, slots=True)
class Seen:
    """How far is what another process does: so many units of a total, and what else is told of it."""

    done: int
    total: int
    told: str


Look = Callable[[], Seen | None]  # None before it has begun and once it is done


@contextmanager
def watching(looks: Mapping[str, Look], *, every: float = 2.0) -> Iterator[None]:
    """A bar, with its name, for each thing that has begun and is not done, looked at again after so many seconds."""
    figures = TextColumn("{task.completed:,.0f}/{task.total:,.0f} {task.fields[told]}"), TimeRemainingColumn()
    left = threading.Event()
    with Progress(TextColumn("{task.description}"), BarColumn(), *figures, console=stderr, transient=True) as bars:
        tasks = {name: bars.add_task(name, total=1, told="", visible=False) for name in looks}

        def look() -> None:
            while not left.wait(every):
                for name, task in tasks.items():
                    _show_seen(bars, task, looks[name]())

        looker = threading.Thread(target=look, daemon=True)
        looker.start()
        try:
            yield
        finally:
            left.set()
            looker.join()


def _show_seen(bars: Progress, task: TaskID, seen: Seen | None) -> None:
    if seen:
        bars.update(task, total=seen.total, completed=seen.done, told=seen.told, visible=True)
    else:
        bars.update(task, visible=False)


@contextmanager
def counting(total: int) -> Iterator[Callable[[], None]]:
    """A bar; call what it gives once per item."""
    figures = TextColumn("{task.completed:,}/{task.total:,}")
    with Progress(BarColumn(), figures, TimeRemainingColumn(), console=stderr, transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda: progress.advance(task)


@contextmanager
def downloading() -> Iterator[Callable[[downloads.Progress], None]]:
    """A bar per file; call what it gives with the messages of `downloads.download`."""
    with Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), console=stderr) as progress:
        tasks: dict[str, TaskID] = {}

        def update(message: downloads.Progress) -> None:
            if message.place not in tasks:
                title = f"{message.place} (was here)" if message.was_here else message.place
                tasks[message.place] = progress.add_task(title, total=message.total)
            progress.update(tasks[message.place], completed=message.received)

        yield update


@contextmanager
def annotating() -> Iterator[Callable[[asking.State], None]]:
    """A bar of calls with their rate, tokens, and dollars: spent, and projected to the end."""
    figures = TextColumn("{task.completed:,}/{task.total:,}  {task.fields[told]}")
    with Progress(BarColumn(), figures, TimeRemainingColumn(), console=stderr, transient=True) as bar:
        task = bar.add_task("", total=0, told="")
        yield lambda state: bar.update(task, total=state.total, completed=state.done, told=str(state))
