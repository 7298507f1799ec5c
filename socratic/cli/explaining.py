"""The verbs that say why and where answers are right: `contrast`, `compare`, `diagnose`.

In: worked problems and a pair, or the predictions of two evaluations. Out: the figures, and every prediction they rest on.
Knows nothing of statistics.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from socratic import display
from socratic.cli.options import ALL, Batch, Data, Engine, EngineName, Limit, Model, NoCalculator, Output, Seed, Split, Steps
from socratic.cli.summary import json_line, keep
from socratic.errors import UsageError
from socratic.schema import Decoding

verbs = typer.Typer()


@verbs.command(epilog="Example: socratic contrast gsm8k --model default --draws 3 --limit 200")
def contrast(
    problems: Annotated[str, typer.Argument(help="gsm8k, gsm8k-socratic, mawps, or curriculum (held-out families).")],
    split: Annotated[str, typer.Option(help="By default the one that papers report; train shows what is remembered.")] = "",
    model: Model = "default",
    draws: Annotated[int, typer.Option(min=1, max=20, help="Copies of each problem.")] = 3,
    limit: Annotated[int, typer.Option(min=1, help="Of problems that can have other numbers.", show_default="all")] = ALL,
    out: Output = Path("runs/contrast"),
    no_calculator: NoCalculator = False,
    seed: Seed = 0,
    max_steps: Steps = 10,
    batch_size: Batch = 32,
    data: Data = None,
    engine: Engine = EngineName.LIGHT,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one line of JSON.")] = False,
) -> None:
    """Method or memory? Problems with other numbers. They are paired with the originals. Needs the extra [train].

    A copy keeps every word and operation; problems where it is not certain which number is which are left out.
    """
    from socratic import contrast as contrasting
    from socratic import tasks
    from socratic.evaluate import record_of
    from socratic.folders import fingerprint
    from socratic.orchestrator import Orchestrator

    split = tasks.split_of(problems, split)
    copies = contrasting.copy(tasks.worked(problems, split, data=data), draws=draws, seed=seed, limit=limit)
    orchestrator = Orchestrator.from_pretrained(model, engine=engine.value, max_steps=max_steps, batch_size=batch_size)
    files, students = tasks.files(problems, split, data=data), fingerprint(model)
    decoding = Decoding(seed=seed, calculator=not no_calculator)
    with display.tally(len(copies.together)) as add:
        found = contrasting.contrast(
            partial(orchestrator.solve_each, decoding=decoding),
            copies,
            dataset=f"{problems} {split}",
            model=model,
            decoding=decoding,
            predictions=out / f"{problems}-{split}.jsonl",
            record=record_of(orchestrator, copies.together, seed=seed, data=files, students=students),
            progress=add,
        )
    keep(found, out / f"{problems}-{split}.json")
    print(json_line(asdict(found)) if as_json else found)
    display.stderr.print(f"predictions and report: {out}")


@verbs.command(epilog="Example: socratic compare runs/evaluate/svamp-bare.jsonl runs/evaluate/svamp-calculator.jsonl")
def compare(
    a: Annotated[Path, typer.Argument(help="Predictions that evaluate wrote (JSONL).")],
    b: Annotated[Path, typer.Argument(help="Others, of the same problems.")],
    seed: Seed = 0,
    flipped: Annotated[str, typer.Option(help="How many flipped problems to show of each kind, or 'all'.")] = "3",
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one line of JSON, all flips included.")] = False,
) -> None:
    """Tell whether B is better than A on the same problems. Paired test, interval, verdict, flipped problems with both traces."""
    from socratic import compare as comparing

    if flipped != "all" and not flipped.isdecimal():
        raise UsageError(f"--flipped: expected a number or 'all', found '{flipped}'", hint="--flipped 10")
    comparison = comparing.compare(a, b, seed=seed)
    if as_json:
        print(json_line(comparison.to_dict()))
    else:
        print(comparison, display.harmless(comparison.flipped(None if flipped == "all" else int(flipped))), sep="\n\n")


@verbs.command(epilog="Example: socratic diagnose gsm8k --model runs/pair --limit 300 --output runs/diagnose --plot lost.png")
def diagnose(
    problems: Annotated[
        str, typer.Argument(help="With gold subquestions: gsm8k, curriculum (held-out families), or a JSONL of traces.")
    ],
    split: Split = "",
    model: Model = "default",
    limit: Limit = ALL,
    no_calculator: Annotated[
        bool, typer.Option("--no-calculator", help="The solver writes its own results; exact ones are a swap of their own.")
    ] = False,
    output: Annotated[Path, typer.Option(help="Predictions and figures; swaps that are done are kept.")] = Path("runs/diagnose"),
    plot: Annotated[Path | None, typer.Option(help="Draw what each swap gains into this picture.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as one line of JSON.")] = False,
    seed: Seed = 0,
    batch_size: Batch = 32,
    data: Data = None,
    engine: Engine = EngineName.LIGHT,
) -> None:
    """Find where the points are lost. Each part of a pair in turn is swapped for an oracle. Needs the extra [train]."""
    from socratic import diagnose as diagnosis
    from socratic import pictures
    from socratic.students import load_pair

    if plot:
        pictures.require_plotting(plot)
    gold = diagnosis.load_gold(problems, split, data=data)[:limit]
    setting = diagnosis.set_up(model, f"{problems} {split}".strip(), gold, calculator=not no_calculator, seed=seed)
    study = diagnosis.Study(load_pair(model, engine=engine.value), gold, setting, output, batch_size=batch_size)
    for swap in study.unfinished:
        with display.tally(setting.n, swap.value) as add:
            study.run(swap, add)
    found = study.diagnosis()
    print(json_line(found.to_dict()) if as_json else found)
    if plot:
        diagnosis.plot(found, plot)
    display.stderr.print(f"predictions and figures: {output}")
