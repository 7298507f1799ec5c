"""The verb `evaluate`: how often is the answer right?

In: a set of problems with gold answers, and a pair. Out: a report a way of answering, and every prediction beside it. Knows
nothing of how an answer is judged.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from socratic import display
from socratic.cli.options import (
    ALL,
    Batch,
    Data,
    Engine,
    EngineName,
    Least,
    Limit,
    Model,
    Output,
    Samples,
    Seed,
    Split,
    Steps,
)
from socratic.cli.summary import (
    has_confidence,
    json_line,
    keep,
    require_confidence,
    require_whole,
    say_broken,
    say_calibration,
)
from socratic.schema import Decoding, Report, RunRecord

if TYPE_CHECKING:  # they load sympy, which `--help` need not
    from socratic.orchestrator import Orchestrator
    from socratic.tasks import Task

verbs = typer.Typer()


@verbs.command(epilog="Example: socratic evaluate svamp --limit 100")
def evaluate(
    problems: Annotated[
        str, typer.Argument(help="svamp, …; hub:quarel (fetched, if need be); curriculum (held-out families); or your JSONL.")
    ],
    split: Split = "",
    model: Model = "default",
    limit: Limit = ALL,
    out: Output = Path("runs/evaluate"),
    samples: Samples = 1,
    bare: Annotated[bool, typer.Option(help="Answer all a second time without the calculator; votes never do.")] = True,
    min_confidence: Least = 0.0,
    plot: Annotated[Path | None, typer.Option(help="Draw the risk-coverage curve into this picture.")] = None,
    seed: Seed = 0,
    max_steps: Steps = 10,
    batch_size: Batch = 32,
    data: Data = None,
    engine: Engine = EngineName.LIGHT,
    as_json: Annotated[bool, typer.Option("--json", help="Print each report as one line of JSON.")] = False,
) -> None:
    """Accuracy with its 95 % interval, on a set or a file. With and without the calculator; every prediction is kept.

    Right, read leniently: the last step's answer is the gold one, however the trace ended, and "50%" is "50" too. Strictly: the
    trace also said itself that it was done, and "50%" is "0.5". Unparsed: no answer of the gold one's kind.

    With --samples votes are evaluated, with the calculator alone. Of votes, and of single traces where the pair is calibrated for
    them, it also says how often those are right that are most confident.

    The same command again goes on, or replaces what it wrote, as does a longer run; a report of another pair or seed stays.
    """
    from socratic import pictures, tasks
    from socratic.orchestrator import Orchestrator, as_problem

    if plot:
        pictures.require_plotting(plot)
    task = tasks.load(problems, split, data=data).gradable(as_problem).first(limit)
    say_broken(task)
    orchestrator = Orchestrator.from_pretrained(model, engine=engine.value, max_steps=max_steps, batch_size=batch_size)
    require_confidence(orchestrator, samples, {"--min-confidence": min_confidence, "--plot": plot})
    say_calibration(orchestrator, samples)
    places = {out / f"{_stem(problems)}{f'-{split}' if split else ''}-{name}": how for name, how in _ways(samples, bare).items()}
    _require_same(places, orchestrator, task, seed)
    for place, calculator in places.items():
        decoding, predictions = Decoding(seed=seed, calculator=calculator), Path(f"{place}.jsonl")
        whole = _whole(place, places, orchestrator, task, seed)
        report = whole or evaluated(orchestrator, task, samples, decoding, predictions)
        keep(report, Path(f"{place}.json"))
        _print_report(report, as_json)
        if calculator and has_confidence(orchestrator, samples):
            _show_coverage(place, min_confidence, plot, as_json)
    display.stderr.print(f"predictions and reports: {out}")
    require_whole(task, problems, "evaluated")


def _ways(samples: int, bare: bool) -> dict[str, bool]:
    """The ways to answer that are evaluated: what their files are called, and whether the calculator is used."""
    if samples > 1:
        return {f"vote{samples}": True}
    return {"calculator": True, "bare": False} if bare else {"calculator": True}


def _stem(name: str) -> str:
    from socratic.choices import HUB

    return Path(name.removeprefix(HUB)).name.removesuffix(".gz").removesuffix(".jsonl")


def _require_same(places: Iterable[Path], orchestrator: Orchestrator, task: Task, seed: int) -> None:
    """Refuse to replace finished reports of other settings, before anything is solved."""
    from socratic.evaluate import require_same

    record = _record(orchestrator, task, seed)
    for place in places:
        require_same(Path(f"{place}.json"), record, task.problems)


def _whole(place: Path, places: Iterable[Path], orchestrator: Orchestrator, task: Task, seed: int) -> Report | None:
    """The report of one way to answer, where the same run was stopped in the other."""
    from socratic.evaluate import finished, partials

    stopped = [way for way in places if partials(Path(f"{way}.jsonl"))]
    return finished(Path(f"{place}.json"), _record(orchestrator, task, seed)) if stopped and place not in stopped else None


def _record(orchestrator: Orchestrator, task: Task, seed: int) -> RunRecord:
    from socratic.evaluate import record_of
    from socratic.folders import fingerprint

    students = fingerprint(orchestrator.name)
    return record_of(orchestrator, task.problems, seed=seed, data=task.files, students=students)


def evaluated(orchestrator: Orchestrator, task: Task, samples: int, decoding: Decoding, predictions: Path) -> Report:
    """Evaluate behind a bar; a run that was stopped goes on."""
    from socratic import evaluate as evaluation

    record = _record(orchestrator, task, decoding.seed)
    with display.tally(len(task.problems)) as add:
        return evaluation.evaluate(
            partial(orchestrator.vote_each, samples=samples, decoding=decoding),
            task.problems,
            dataset=task.name,
            model=orchestrator.name,
            calculator=decoding.calculator,
            predictions=predictions,
            samples=samples,
            labels=task.labels,
            record=record,
            resumable=evaluation.Resumable.of(record, samples=samples, decoding=decoding),
            progress=add,
        )


def _print_report(report: Report, as_json: bool) -> None:
    from socratic.evaluate import as_line

    print(json_line(asdict(report)) if as_json else as_line(report), flush=True)
    if not as_json:
        display.tabulate(report)


def _show_coverage(place: Path, min_confidence: float, picture: Path | None, as_json: bool) -> None:
    """Keep the risk-coverage table of the predictions at a place beside them, and print it."""
    from socratic import coverage
    from socratic.evaluate import read_rated

    votes = read_rated(Path(f"{place}.jsonl"))
    found = coverage.measure(votes, min_confidence)
    keep(found, Path(f"{place}-coverage.json"))
    if not as_json:
        print(found)
    if picture:
        coverage.plot(votes, picture, place.name)
