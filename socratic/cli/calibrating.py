"""The verb `calibrate`: what is a vote's confidence worth?

In: problems with gold answers that are no test problems, and a pair. Out: its confidence.json, and the votes it was fitted
on. Knows nothing of how a confidence is fitted.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from socratic import display
from socratic.cli.measuring import evaluated
from socratic.cli.options import Batch, Data, Engine, EngineName, Model, Samples, Seed, Steps
from socratic.cli.summary import say_unchecked
from socratic.schema import Decoding

if TYPE_CHECKING:  # it loads sympy, which `--help` need not
    from socratic.calibrate import Chosen
    from socratic.leakage import Guard

verbs = typer.Typer()


@verbs.command(epilog="Example: socratic calibrate gsm8k curriculum --model runs/pair --out runs/pair/confidence.json")
def calibrate(
    problems: Annotated[
        list[str], typer.Argument(help="gsm8k (its validation slice), mawps, curriculum (held-out families), or a JSONL.")
    ],
    model: Model = "default",
    samples: Samples = 9,
    limit: Annotated[int, typer.Option(min=1, help="Of each, at most N problems, picked at random.")] = 500,
    out: Annotated[Path, typer.Option(help="Put it into the pair's folder.")] = Path("confidence.json"),
    votes: Annotated[Path, typer.Option(help="Where the votes are kept (JSONL).")] = Path("runs/calibrate/votes.jsonl"),
    seed: Seed = 0,
    max_steps: Steps = 10,
    batch_size: Batch = 32,
    data: Data = None,
    engine: Engine = EngineName.LIGHT,
) -> None:
    """Fit how sure answers are, on problems with gold ones. Test sets are refused. Needs the extra [train].

    With --samples 1 it is fitted for single traces. The file keeps a model for each number of samples.
    """
    from socratic import calibrate as calibration
    from socratic import confidence, coverage
    from socratic.evaluate import as_line, read_rated
    from socratic.leakage import load_guard
    from socratic.orchestrator import Orchestrator
    from socratic.tasks import Task

    calibration.require_scipy()
    confidence.read(out)  # a file that cannot be used is better found before the votes than after
    guard = load_guard(data)
    chosen = [calibration.choose(name, guard, data=data, limit=limit) for name in problems]
    _say_left_out(chosen, guard)
    task = Task(", ".join(problems), tuple(problem for one in chosen for problem in one.problems))
    orchestrator = Orchestrator.from_pretrained(model, engine=engine.value, max_steps=max_steps, batch_size=batch_size)
    print(as_line(evaluated(orchestrator, task, samples, Decoding(seed=seed), votes)), flush=True)
    fitted = calibration.fit(read_rated(votes), samples=samples, seed=seed)
    calibration.save(out, fitted, [f"{name} ({len(one.problems)})" for name, one in zip(problems, chosen, strict=True)])
    print(fitted)
    print(coverage.measure(fitted.held_out))
    display.stderr.print(f"calibration: {out}; votes: {votes}")


def _say_left_out(chosen: list[Chosen], guard: Guard) -> None:
    if leaks := sum(one.left_out.total() for one in chosen):
        display.stderr.print(f"{leaks} problems are like a test problem and were left out")
    say_unchecked(guard.missing)
