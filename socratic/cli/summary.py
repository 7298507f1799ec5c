"""What several verbs print or keep in the same way.

In: what the library found. Out: JSON for stdout or a file, notes on stderr, errors that several verbs raise.
Knows nothing of how anything is found.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from socratic import display
from socratic.errors import DataError, UsageError
from socratic.whole import write_json

if TYPE_CHECKING:  # they load sympy, which `--help` need not
    from _typeshed import DataclassInstance

    from socratic.orchestrator import Orchestrator
    from socratic.tasks import Task


def json_line(row: Mapping[str, object]) -> str:
    """One line of JSON."""
    return json.dumps(row, ensure_ascii=False)


def keep(found: DataclassInstance, path: Path) -> None:
    """Write what was found as a file of JSON."""
    write_json(path, asdict(found))


def say_broken(task: Task) -> None:
    """Say which lines a task lacks."""
    for line in task.broken:
        display.complain(DataError(f"{line.where}: {line.reason}"))


def require_whole(task: Task, problems: str, done: str) -> None:
    """Once the work is done: lines that could not be used make the exit code the user's."""
    if task.broken:
        raise DataError(f"{len(task.broken)} broken lines of {problems} were left out; the others are {done}")


def require_confidence(orchestrator: Orchestrator, samples: int, options: dict[str, object]) -> None:
    """Refuse an option that is given and says something of confidence where there is none: of a single trace, not calibrated."""
    given = [name for name, value in options.items() if value]
    if given and not has_confidence(orchestrator, samples):
        hint = "add --samples 9, or run `socratic calibrate --samples 1`"
        raise UsageError(f"{given[0]} needs a vote, or a pair that is calibrated for single traces", hint=hint)


def has_confidence(orchestrator: Orchestrator, samples: int) -> bool:
    """Whether anything can be said of how sure an answer is."""
    return samples > 1 or orchestrator.calibrations.of(samples) is not None


def say_calibration(orchestrator: Orchestrator, samples: int) -> None:
    """Say where a vote's confidence is not calibrated, or was for votes of another size."""
    fitted = orchestrator.calibrations.of(samples)
    if samples > 1 and fitted is None:
        note = "this pair is not calibrated for votes (`socratic calibrate` does that): confidence is agreement alone"
        display.stderr.print(note)
    elif fitted and fitted.samples != samples:
        display.stderr.print(f"confidence was calibrated on votes of {fitted.samples} traces, not of {samples}: it may be off")


def say_unchecked(missing: Sequence[str]) -> None:
    """Say which test sets are not on this machine, so that nothing was compared with them."""
    if missing:
        display.stderr.print(f"not checked for leaks of {', '.join(missing)}: `socratic data download` gets them")
