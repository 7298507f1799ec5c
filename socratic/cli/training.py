"""The verbs that make students: `train`, `shrink`, `average`, `reproduce`, `rounds`.

In: experiment files, folders of students. Out: folders of students, tables of results. What trains needs the extra [train];
stopped trainings, tables and rounds go on. Knows nothing of torch.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from socratic import display
from socratic.cli.options import Batch, Data, Engine, EngineName, Experiment
from socratic.cli.summary import say_unchecked
from socratic.errors import UsageError, needing_extra
from socratic.schema import Training
from socratic.whole import write_text

verbs = typer.Typer()


@verbs.command(epilog="Example: socratic train solver --config experiments/smoke.yaml --out runs/smoke-solver")
def train(
    role: Annotated[Training, typer.Argument(help="Which student.")],
    config: Experiment,
    out: Annotated[Path | None, typer.Option(help="Run folder; by default runs/<file>-<role>. A stopped run goes on.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Overrides the file's.")] = None,
    data: Data = None,
) -> None:
    """Train a student. Needs the extra [train]."""
    from socratic import config as settings

    chosen = settings.load(settings.TrainConfig, config)
    if seed is not None:
        chosen = chosen.model_copy(update={"seed": seed})
    with needing_extra("training"):
        from socratic.train import train as run_training
    run = out or Path("runs") / f"{config.stem}-{role.value}"
    say_unchecked(_unchecked(run, data))
    print(run_training(chosen, role, run, data=data))


def _unchecked(run: Path, data: Path | None) -> Sequence[str]:
    """The test sets that a training is not guarded against: those of the run's record where it has begun, else of today."""
    from socratic import leakage

    if not (run / "data.json").is_file():
        return leakage.unchecked(data)
    record = json.loads((run / "data.json").read_text(encoding="utf-8"))
    leaks = record.get("leakage", {})  # a run begun by an older version has no such record
    missing: Sequence[str] = leaks.get("not_checked", ())
    return missing


@verbs.command(epilog="Example: socratic shrink runs/base/student --out runs/small")
def shrink(
    student: Annotated[Path, typer.Argument(help="A student's folder.")],
    out: Annotated[Path, typer.Option(help="Where the small form goes.")],
) -> None:
    """Write a student's weights in eight bits. Half the size on disk, nearly the same answers."""
    from socratic import weights

    weights.shrink(student, out)
    print(out)


@verbs.command(epilog="Example: socratic average runs/base/student runs/idle-numbers/student --out runs/averaged")
def average(
    students: Annotated[list[Path], typer.Argument(help="Folders of students: one, and what it became in further training.")],
    out: Annotated[Path, typer.Option(help="Where the averaged student goes.")],
) -> None:
    """Write a student whose weights are the mean of others'. Part of what was learned later, less of its cost."""
    from socratic import weights

    weights.average(students, out)
    print(out)


@verbs.command(epilog="Example: socratic reproduce gsm8k --base gpt2 --seeds 0,1,2 --engine torch")
def reproduce(
    table: Annotated[str, typer.Argument(help="gsm8k, svamp, strategyqa, scotd, smoke, or a folder of cells.")],
    base: Annotated[str, typer.Option(help="What students start as: a folder, 'default', gpt2, scratch-6m, …")] = "default",
    out: Annotated[Path | None, typer.Option(help="Run folder; by default runs/reproduce/<table>-<base>.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Score on the first N problems only.")] = None,
    seeds: Annotated[str, typer.Option(help="One or several, as 0,1,2.")] = "0",
    jobs: Annotated[
        int, typer.Option(min=1, help="Students trained, then cells scored, at the same time, on their share of the cores.")
    ] = 2,
    batch_size: Batch = 32,
    data: Data = None,
    engine: Engine = EngineName.LIGHT,
) -> None:
    """Train and score every cell of a results table. A stopped run goes on. Needs the extra [train]."""
    from socratic import leakage
    from socratic import reproduce as running
    from socratic.cells import Order, find_cells

    cells = find_cells(table)
    order = Order(
        cells=cells,
        base=base,
        out=out or Path("runs/reproduce") / f"{cells.name}-{_name(Path(base))}",
        limit=limit,
        seeds=_seeds(seeds),
        jobs=jobs,
        engine=engine.value,
        batch_size=batch_size,
        data=data,
    )
    say_unchecked(leakage.unchecked(data))
    with needing_extra("this"):
        print(running.reproduce(order, say=display.stderr.print, watch=display.watching))
    display.stderr.print(f"table.md, table.json, table.png and all predictions: {order.out}")


def _name(base: Path) -> str:
    """Of a base: every run's student lies in a folder of the name student."""
    return base.parent.name if base.name == "student" and base.parent.name else base.name


def _seeds(text: str) -> tuple[int, ...]:
    numbers = text.split(",")
    if not all(number.isdecimal() for number in numbers) or len(set(numbers)) < len(numbers):
        raise UsageError(f"--seeds: expected different whole numbers, found '{text}'", hint="--seeds 0,1,2")
    return tuple(map(int, numbers))


@verbs.command(epilog="Example: socratic rounds --config experiments/rounds/gsm8k.yaml --out runs/rounds")
def rounds(
    config: Experiment,
    out: Annotated[Path | None, typer.Option(help="Folder; by default runs/rounds-<file>. Stopped rounds go on.")] = None,
    data: Data = None,
    engine: Engine = EngineName.LIGHT,
) -> None:
    """Let a student learn from its own traces, in rounds. Right answers with verified steps alone. Needs the extra [train]."""
    from socratic import config as settings
    from socratic import rounds as looping
    from socratic.orchestrator import Orchestrator

    chosen = settings.load(settings.RoundsConfig, config)
    with needing_extra("training"):
        from socratic.train import train as run_training
    load = partial(Orchestrator.from_pretrained, engine=engine.value, max_steps=chosen.max_steps, batch_size=chosen.batch_size)
    hands = looping.Hands(
        load, lambda mix, run: run_training(mix, Training.UNIFIED, run, data=data), display.tally, say_unchecked
    )
    out = out or Path("runs") / f"rounds-{config.stem}"
    done = list[looping.Round]()
    for one in looping.run(chosen, out, hands, data=data):
        done.append(one)
        display.stderr.print(f"round {one.number}: {one.correct} of {one.n} right; {one.student}")
    write_text(out / "table.md", looping.table(done))
    print(looping.table(done))
