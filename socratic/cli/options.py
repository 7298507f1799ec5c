"""The options that several verbs have, and what several verbs refuse in the same words.

In: what a user typed. Out: types that typer reads, or a UsageError. Knows nothing of what a verb does.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class EngineName(StrEnum):
    """What runs the students."""

    LIGHT = "light"
    TORCH = "torch"


Model = Annotated[str, typer.Option(help="The shipped pair, 'default', or the folder of another.")]
Engine = Annotated[EngineName, typer.Option(help="light needs no torch; torch needs the extra [train].")]
Steps = Annotated[int, typer.Option(min=1, max=50, help="Most steps of a trace.")]
Seed = Annotated[int, typer.Option(min=0, help="Of every random choice.")]
Batch = Annotated[int, typer.Option(min=1, max=1024, help="Traces that are written at the same time.")]
Samples = Annotated[int, typer.Option(min=1, max=200, help="Write so many traces of a problem, one greedy, and vote.")]
Least = Annotated[float, typer.Option(min=0, max=1, help="How sure an answer must be, 0 to 1; else 'unsure'.")]
NoCalculator = Annotated[bool, typer.Option("--no-calculator", help="The solver writes its own results.")]
Split = Annotated[str, typer.Option(help="Of a benchmark; by default the one that papers report.")]
Limit = Annotated[int, typer.Option(min=1, help="Only the first N problems.", show_default="all")]
Output = Annotated[Path, typer.Option("--out", "--output", help="Folder for predictions and report.")]
Experiment = Annotated[Path, typer.Option(help="An experiment file (YAML).")]
Data = Annotated[Path | None, typer.Option(help="Folder of benchmark data; else $SOCRATIC_DATA, else the user's cache.")]

ALL = 1_000_000  # no set of problems has more
