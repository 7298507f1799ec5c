"""A training's log: a line of figures now and then, read also while it is written.

In: a run folder. Out: `Figures` of its log.jsonl, without the line that a kill has torn. Knows nothing of models or of bars.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from socratic.whole import whole

LOG = "log.jsonl"


@dataclass(frozen=True, slots=True)
class Figures:
    """After a step of so many: the mean loss and the pace since the line before, gradient norm, learning rate."""

    step: int
    steps: int
    loss: float
    grad_norm: float
    rate: float
    tokens_per_s: int


def read(run: Path) -> list[Figures]:
    """What has been written so far."""
    log = run / LOG
    rows = log.read_text(encoding="utf-8").splitlines(keepends=True) if log.exists() else []
    return [Figures(**json.loads(row)) for row in rows if row.endswith("\n")]


def cut(run: Path, step: int) -> None:
    """Take the steps out that are done again after a checkpoint."""
    kept = [_line(figures) for figures in read(run) if figures.step <= step]
    with whole(run / LOG) as partial:
        partial.write_text("".join(kept), encoding="utf-8")


def append(run: Path, figures: Figures) -> None:
    """Write one line more."""
    with (run / LOG).open("a", encoding="utf-8") as log:
        log.write(_line(figures))


def _line(figures: Figures) -> str:
    return json.dumps(asdict(figures)) + "\n"
