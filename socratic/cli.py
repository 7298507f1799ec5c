"""The command `socratic`: each verb parses, calls one function, prints one summary.

Results go to stdout, everything else to stderr. Exit code 0: done; 1: the work failed; 2: the user's input; 3: the one
question was answered "unsure" (--min-confidence; of several, each line says so itself, and the code is 0). Heavy modules are
imported by the verb that needs them. Knows nothing that the library does not also offer to Python.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from socratic import __version__, display
from socratic.errors import DataError, SocraticError, UsageError
from socratic.schema import Decoding, Ended, Report, Trace, Training

if TYPE_CHECKING:  # it loads sympy, which `--help` need not
    from _typeshed import DataclassInstance

    from socratic.annotate import State
    from socratic.calibrate import Chosen
    from socratic.evaluate import Reasoner
    from socratic.leakage import Guard
    from socratic.orchestrator import Orchestrator
    from socratic.tasks import Task

UNSURE = 3  # exit code
EXAMPLE = "Tom has 3 bags of 12 apples. He eats 4 apples. How many apples does he have left?"

app = typer.Typer(
    help="Two small language models that reason step by step, in the open.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(help="Benchmark data: what is known, and downloads.", no_args_is_help=True)
app.add_typer(data_app, name="data")


def main() -> None:
    """Run the command; a SocraticError becomes message, hint and exit code."""
    # Read when numpy is first imported, which no module above does. OpenBLAS waits for its threads by spinning: beside one
    # busy core two threads took 23 s for an answer that one gives in 2 s.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        app()
    except SocraticError as error:
        display.complain(error)
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        sys.stderr.close()
        raise SystemExit(0) from None


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
Least = Annotated[float, typer.Option(min=0, max=1, help="With --samples: how sure an answer must be, 0 to 1; else 'unsure'.")]
Output = Annotated[Path, typer.Option("--out", "--output", help="Folder for predictions and report.")]
Data = Annotated[Path | None, typer.Option(help="Folder of benchmark data; else $SOCRATIC_DATA, else the user's cache.")]


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Two small language models that reason step by step, in the open."""
    if show:
        print(__version__)
        raise typer.Exit


@app.command(epilog='Example: socratic solve "Tom has 3 bags of 12 apples. How many apples does he have?"')
def solve(
    question: Annotated[str | None, typer.Argument(help="A word problem; without it, one a line from stdin.")] = None,
    model: Model = "default",
    samples: Samples = 1,
    min_confidence: Least = 0.0,
    seed: Seed = 0,
    max_steps: Steps = 10,
    no_calculator: Annotated[bool, typer.Option("--no-calculator", help="The solver writes its own results.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print each trace as one line of JSON.")] = False,
    engine: Engine = EngineName.LIGHT,
) -> None:
    """Solve a word problem step by step, each step's arithmetic checked. Exit code 3: not as sure as --min-confidence asks."""
    from socratic.orchestrator import Orchestrator

    _require_samples(samples, {"--min-confidence": min_confidence})
    orchestrator = Orchestrator.from_pretrained(model, engine=engine.value, max_steps=max_steps)
    _say_calibration(orchestrator, samples)
    options = Voting(samples, min_confidence, Decoding(seed=seed, calculator=not no_calculator), as_json)
    if question is not None:
        if not _solve_one(orchestrator, question, options):
            raise typer.Exit(UNSURE)
        return
    lines = faults = 0
    for number, text in _stdin_lines():
        lines += 1
        try:
            _solve_one(orchestrator, text, options)
        except UsageError as error:
            faults += 1
            display.complain(UsageError(f"line {number}: {error}", hint=error.hint))
    if not lines:
        raise UsageError("stdin held no question", hint="one problem a line is read")
    if faults:
        raise UsageError(f"{faults} of {lines} lines could not be used; the others are solved")


def _stdin_lines() -> Iterator[tuple[int, str]]:
    """Lines as they come, numbered from 1, empty ones left out; bytes that are no UTF-8 are replaced."""
    if sys.stdin.isatty():
        raise UsageError("no question was given", hint=f'socratic solve "{EXAMPLE}"')
    for number, raw in enumerate(sys.stdin.buffer, 1):
        if raw.strip():
            yield number, raw.decode("utf-8", errors="replace")


def _require_samples(samples: int, options: dict[str, object]) -> None:
    for option in (name for name, value in options.items() if value):
        if samples == 1:
            raise UsageError(f"{option} needs a vote, found one trace a problem", hint="add --samples 9")


def _say_calibration(orchestrator: Orchestrator, samples: int) -> None:
    fitted = orchestrator.calibration
    if samples > 1 and fitted is None:
        note = "this pair has no confidence.json (`socratic calibrate` makes one): confidence is agreement alone, not calibrated"
        display.stderr.print(note)
    elif fitted and samples not in (1, fitted.samples):
        display.stderr.print(f"confidence was calibrated on votes of {fitted.samples} traces, not of {samples}: it may be off")


@dataclass(frozen=True, slots=True)
class Voting:
    """How `solve` answers and prints."""

    samples: int
    min_confidence: float
    decoding: Decoding
    as_json: bool


def _solve_one(orchestrator: Orchestrator, question: str, options: Voting) -> bool:
    """Print a trace, or the winner of a vote; false where its answer is withheld."""
    if options.samples == 1:
        _print_traces(orchestrator.stream(question, options.decoding), options)
        return True
    vote = orchestrator.vote(question, samples=options.samples, decoding=options.decoding).at_least(options.min_confidence)
    if options.as_json:
        print(json.dumps(vote.to_dict(), ensure_ascii=False), flush=True)
    else:
        _print_traces(iter([vote.trace]), options)
    display.stderr.print(f"confidence: {vote.confidence}; {vote.agreeing} of {vote.samples} sampled traces agree")
    return vote.trace.ended is not Ended.UNSURE


def _print_traces(traces: Iterator[Trace], options: Voting) -> None:
    if options.as_json:
        print(json.dumps(list(traces)[-1].to_dict(), ensure_ascii=False), flush=True)
    elif sys.stdout.isatty():
        display.show(traces)
    else:
        print(list(traces)[-1], flush=True)


@app.command(epilog="Example: socratic evaluate svamp --limit 100")
def evaluate(
    problems: Annotated[
        str, typer.Argument(help="svamp, gsm8k, …; curriculum (held-out families); or a JSONL with question and answer.")
    ],
    split: Annotated[str, typer.Option(help="Of a benchmark; by default the one that papers report.")] = "",
    model: Model = "default",
    limit: Annotated[int, typer.Option(min=1, help="Only the first N problems.")] = 1_000_000,
    out: Output = Path("runs/evaluate"),
    samples: Samples = 1,
    min_confidence: Least = 0.0,
    plot: Annotated[Path | None, typer.Option(help="With --samples: draw the risk-coverage curve into this picture.")] = None,
    seed: Seed = 0,
    max_steps: Steps = 10,
    batch_size: Batch = 32,
    data: Data = None,
    engine: Engine = EngineName.LIGHT,
    as_json: Annotated[bool, typer.Option("--json", help="Print each report as one line of JSON.")] = False,
) -> None:
    """Accuracy with its 95 % interval, with and without the calculator; every prediction is kept.

    Right, read leniently: the last step's answer is the gold one, however the trace ended, and "50%" is "50" too. Strictly: the
    trace also said itself that it was done, and "50%" is "0.5". Unparsed: no answer of the gold one's kind.

    With --samples votes are evaluated, with the calculator alone: how often are those right that are most confident?
    """
    from socratic import corpus, tasks
    from socratic.orchestrator import Orchestrator

    _require_samples(samples, {"--min-confidence": min_confidence, "--plot": plot})
    if plot:
        corpus.require_plotting(plot)
    task = _task(tasks.load(problems, split, data=data)).first(limit)
    orchestrator = Orchestrator.from_pretrained(model, engine=engine.value, max_steps=max_steps, batch_size=batch_size)
    _say_calibration(orchestrator, samples)
    for calculator in (True, False) if samples == 1 else (True,):
        name = f"vote{samples}" if samples > 1 else "calculator" if calculator else "bare"
        place = out / f"{_stem(problems)}-{name}"
        report = _evaluated(orchestrator, task, samples, Decoding(seed=seed, calculator=calculator), Path(f"{place}.jsonl"))
        _keep(report, Path(f"{place}.json"))
        _print_report(report, as_json)
        if samples > 1:
            _show_coverage(place, min_confidence, plot, as_json)
    display.stderr.print(f"predictions and reports: {out}")
    if task.broken:
        raise DataError(f"{len(task.broken)} broken lines of {problems} were left out; the others are evaluated")


def _task(task: Task) -> Task:
    """The task itself; which lines it lacks is said on stderr."""
    for line in task.broken:
        display.complain(DataError(f"{line.where}: {line.reason}"))
    return task


def _stem(name: str) -> str:
    return Path(name).name.removesuffix(".gz").removesuffix(".jsonl")


def _evaluated(orchestrator: Orchestrator, task: Task, samples: int, decoding: Decoding, predictions: Path) -> Report:
    """Evaluate behind a bar."""
    from socratic import evaluate as evaluation

    with display.tally(len(task.problems)) as add:
        return evaluation.evaluate(
            _reasoner(orchestrator, samples, decoding),
            task.problems,
            dataset=task.name,
            model=orchestrator.name,
            calculator=decoding.calculator,
            predictions=predictions,
            samples=samples,
            labels=task.labels,
            record=evaluation.record_of(orchestrator, task.problems, seed=decoding.seed, data=task.files),
            progress=add,
        )


def _keep(found: DataclassInstance, path: Path) -> None:
    path.write_text(json.dumps(asdict(found), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _print_report(report: Report, as_json: bool) -> None:
    from socratic.evaluate import as_line

    print(json.dumps(asdict(report), ensure_ascii=False) if as_json else as_line(report), flush=True)
    if not as_json:
        display.tabulate(report)


def _reasoner(orchestrator: Orchestrator, samples: int, decoding: Decoding) -> Reasoner:
    if samples == 1:
        return partial(orchestrator.solve_each, decoding=decoding)
    return partial(orchestrator.vote_each, samples=samples, decoding=decoding)


def _show_coverage(place: Path, min_confidence: float, picture: Path | None, as_json: bool) -> None:
    """Keep the risk-coverage table of the predictions at a place beside them, and print it."""
    from socratic import coverage
    from socratic.evaluate import read_rated

    votes = read_rated(Path(f"{place}.jsonl"))
    found = coverage.measure(votes, min_confidence)
    _keep(found, Path(f"{place}-coverage.json"))
    if not as_json:
        print(found)
    if picture:
        coverage.plot(votes, picture, place.name)


@app.command(epilog="Example: socratic contrast gsm8k --model default --draws 3 --limit 200")
def contrast(
    problems: Annotated[str, typer.Argument(help="gsm8k, gsm8k-socratic, mawps, or curriculum (held-out families).")],
    split: Annotated[str, typer.Option(help="By default the one that papers report; train shows what is remembered.")] = "",
    model: Model = "default",
    draws: Annotated[int, typer.Option(min=1, max=20, help="Copies of each problem.")] = 3,
    limit: Annotated[int, typer.Option(min=1, help="Only the first N problems that can have other numbers.")] = 1_000_000,
    out: Output = Path("runs/contrast"),
    no_calculator: Annotated[bool, typer.Option("--no-calculator", help="The solver writes its own results.")] = False,
    seed: Seed = 0,
    max_steps: Steps = 10,
    batch_size: Batch = 32,
    data: Data = None,
    engine: Engine = EngineName.LIGHT,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one line of JSON.")] = False,
) -> None:
    """Method or memory? The same problems with their numbers drawn anew, paired with the originals. Needs the extra [train].

    A copy keeps every word and operation; problems where it is not certain which number is which are left out.
    """
    from socratic import contrast as contrasting
    from socratic import evaluate as evaluation
    from socratic import tasks
    from socratic.orchestrator import Orchestrator

    split = tasks.split_of(problems, split)
    copies = contrasting.copy(tasks.worked(problems, split, data=data), draws=draws, seed=seed, limit=limit)
    orchestrator = Orchestrator.from_pretrained(model, engine=engine.value, max_steps=max_steps, batch_size=batch_size)
    files = tasks.files(problems, split, data=data)
    place, decoding = out / f"{problems}-{split}", Decoding(seed=seed, calculator=not no_calculator)
    with display.tally(len(copies.together)) as add:
        found = contrasting.contrast(
            partial(orchestrator.solve_each, decoding=decoding),
            copies,
            dataset=f"{problems} {split}",
            model=model,
            calculator=decoding.calculator,
            predictions=Path(f"{place}.jsonl"),
            seed=seed,
            record=evaluation.record_of(orchestrator, copies.together, seed=seed, data=files),
            progress=add,
        )
    _keep(found, Path(f"{place}.json"))
    print(json.dumps(asdict(found), ensure_ascii=False) if as_json else found)
    display.stderr.print(f"predictions and report: {out}")


@app.command(epilog="Example: socratic compare runs/evaluate/svamp-bare.jsonl runs/evaluate/svamp-calculator.jsonl")
def compare(
    a: Annotated[Path, typer.Argument(help="Predictions that evaluate wrote (JSONL).")],
    b: Annotated[Path, typer.Argument(help="Others, of the same problems.")],
    seed: Seed = 0,
    flipped: Annotated[str, typer.Option(help="How many flipped problems to show of each kind, or 'all'.")] = "3",
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one line of JSON, all flips included.")] = False,
) -> None:
    """Is B better than A on the same problems? Paired test and interval, verdict, flipped problems with both traces."""
    from socratic import compare as comparing

    if flipped != "all" and not flipped.isdecimal():
        raise UsageError(f"--flipped: expected a number or 'all', found '{flipped}'", hint="--flipped 10")
    comparison = comparing.compare(a, b, seed=seed)
    if as_json:
        print(json.dumps(comparison.to_dict(), ensure_ascii=False))
    else:
        print(comparison, comparison.flipped(None if flipped == "all" else int(flipped)), sep="\n\n")


@app.command(epilog="Example: socratic diagnose gsm8k --model runs/pair --limit 300 --output runs/diagnose --plot lost.png")
def diagnose(
    problems: Annotated[
        str, typer.Argument(help="With gold subquestions: gsm8k, curriculum (held-out families), or a JSONL of traces.")
    ],
    split: Annotated[str, typer.Option(help="Of a benchmark; by default the one that papers report.")] = "",
    model: Model = "default",
    limit: Annotated[int, typer.Option(min=1, help="Only the first N problems.")] = 1_000_000,
    no_calculator: Annotated[
        bool, typer.Option("--no-calculator", help="The solver writes its own results; exact ones are a swap of their own.")
    ] = False,
    output: Annotated[Path, typer.Option(help="Predictions and figures; a stopped run goes on.")] = Path("runs/diagnose"),
    plot: Annotated[Path | None, typer.Option(help="Draw what each swap gains into this picture.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as one line of JSON.")] = False,
    seed: Seed = 0,
    batch_size: Batch = 32,
    data: Data = None,
    engine: Engine = EngineName.LIGHT,
) -> None:
    """Where does a decomposer and solver lose its points? Each part in turn is swapped for an oracle. Needs the extra [train]."""
    from socratic import corpus
    from socratic import diagnose as diagnosis
    from socratic.students import load_pair

    if plot:
        corpus.require_plotting(plot)
    gold = diagnosis.load_gold(problems, split, data=data)[:limit]
    setting = diagnosis.set_up(model, f"{problems} {split}".strip(), gold, calculator=not no_calculator, seed=seed)
    study = diagnosis.Study(load_pair(model, engine=engine.value), gold, setting, output, batch_size=batch_size)
    for swap in study.unfinished:
        with display.tally(setting.n, swap.value) as add:
            study.run(swap, add)
    found = study.diagnosis()
    print(json.dumps(found.to_dict(), ensure_ascii=False) if as_json else found)
    if plot:
        diagnosis.plot(found, plot)
    display.stderr.print(f"predictions and figures: {output}")


@app.command(epilog="Example: socratic calibrate gsm8k mawps curriculum --model runs/pair --out runs/pair/confidence.json")
def calibrate(
    problems: Annotated[
        list[str], typer.Argument(help="gsm8k (its validation slice), mawps, curriculum (held-out families), or a JSONL.")
    ],
    model: Model = "default",
    samples: Samples = 9,
    limit: Annotated[int, typer.Option(min=1, help="Of each, at most N problems, picked evenly.")] = 500,
    out: Annotated[Path, typer.Option(help="Put it into the pair's folder.")] = Path("confidence.json"),
    votes: Annotated[Path, typer.Option(help="Where the votes are kept (JSONL).")] = Path("runs/calibrate/votes.jsonl"),
    seed: Seed = 0,
    max_steps: Steps = 10,
    batch_size: Batch = 32,
    data: Data = None,
    engine: Engine = EngineName.LIGHT,
) -> None:
    """Fit how confidence follows from votes, on problems with gold answers; test sets are refused. Needs the extra [train]."""
    from socratic import calibrate as calibration
    from socratic import coverage
    from socratic.evaluate import as_line, read_rated
    from socratic.leakage import load_guard
    from socratic.orchestrator import Orchestrator
    from socratic.tasks import Task

    _require_samples(samples, {"calibrate": True})
    calibration.require_scipy()
    guard = load_guard(data)
    chosen = [calibration.choose(name, guard, data=data, limit=limit) for name in problems]
    _say_left_out(chosen, guard)
    task = Task(", ".join(problems), tuple(problem for one in chosen for problem in one.problems))
    orchestrator = Orchestrator.from_pretrained(model, engine=engine.value, max_steps=max_steps, batch_size=batch_size)
    print(as_line(_evaluated(orchestrator, task, samples, Decoding(seed=seed), votes)), flush=True)
    fitted = calibration.fit(read_rated(votes), samples=samples, seed=seed)
    calibration.save(out, fitted, [f"{name} ({len(one.problems)})" for name, one in zip(problems, chosen, strict=True)])
    print(fitted)
    print(coverage.measure(fitted.held_out))
    display.stderr.print(f"calibration: {out}; votes: {votes}")


def _say_left_out(chosen: list[Chosen], guard: Guard) -> None:
    if leaks := sum(one.left_out.total() for one in chosen):
        display.stderr.print(f"{leaks} problems are like a test problem and were left out")
    if guard.missing:
        missing = ", ".join(guard.missing)
        display.stderr.print(f"not checked for leaks of {missing}: `socratic data download` gets them")


@app.command(epilog="Example: socratic train solver --config experiments/smoke.yaml --out runs/smoke-solver")
def train(
    role: Annotated[Training, typer.Argument(help="Which student.")],
    config: Annotated[Path, typer.Option(help="An experiment file (YAML).")],
    out: Annotated[Path | None, typer.Option(help="Run folder; by default runs/<file>-<role>. A stopped run goes on.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Overrides the file's.")] = None,
    data: Data = None,
) -> None:
    """Train a student. Needs the extra [train]."""
    from socratic import config as settings

    chosen = settings.load(settings.TrainConfig, config)
    if seed is not None:
        chosen = chosen.model_copy(update={"seed": seed})
    try:
        from socratic.train import train as run_training
    except ModuleNotFoundError as error:
        raise UsageError(f"training needs {error.name}", hint="pip install 'socratic-cot[train]'") from error
    folder = run_training(chosen, role, out or Path("runs") / f"{config.stem}-{role.value}", data=data)
    print(folder)
    record = json.loads((folder.parent / "data.json").read_text(encoding="utf-8"))
    if unchecked := record.get("leakage", {}).get("not_checked"):  # a run begun by an older version has no such record
        display.stderr.print(f"not checked for leaks of {', '.join(unchecked)}: `socratic data download` gets them")


@app.command(epilog="Example: socratic shrink runs/base/student --out runs/small")
def shrink(
    student: Annotated[Path, typer.Argument(help="A student's folder.")],
    out: Annotated[Path, typer.Option(help="Where the small form goes.")],
) -> None:
    """Write a student's weights in eight bits: half the size on disk, nearly the same answers. Needs the extra [train]."""
    try:
        from socratic.models import shrink as run_shrinking
    except ModuleNotFoundError as error:
        raise UsageError(f"shrinking needs {error.name}", hint="pip install 'socratic-cot[train]'") from error
    run_shrinking(student, out)
    print(out)


@app.command(epilog="Example: socratic reproduce gsm8k --base gpt2 --seeds 0,1,2 --engine torch")
def reproduce(
    table: Annotated[str, typer.Argument(help="gsm8k, svamp, strategyqa, smoke, or a folder of cells.")],
    base: Annotated[str, typer.Option(help="What students start as: a folder, 'default', gpt2, scratch-6m, …")] = "default",
    out: Annotated[Path | None, typer.Option(help="Run folder; by default runs/reproduce/<table>-<base>.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Score on the first N problems only.")] = None,
    seeds: Annotated[str, typer.Option(help="One or several, as 0,1,2.")] = "0",
    jobs: Annotated[int, typer.Option(min=1, help="Cells that are scored at the same time, with one thread each.")] = 2,
    batch_size: Batch = 32,
    data: Data = None,
    engine: Engine = EngineName.LIGHT,
) -> None:
    """Train and score every cell of a results table; a stopped run goes on. Needs the extra [train]."""
    from socratic import reproduce as running

    cells, numbers = running.find_cells(table), seeds.split(",")
    if not all(number.isdecimal() for number in numbers) or len(set(numbers)) < len(numbers):
        raise UsageError(f"--seeds: expected different whole numbers, found '{seeds}'", hint="--seeds 0,1,2")
    order = running.Order(
        cells=cells,
        base=base,
        out=out or Path("runs/reproduce") / f"{cells.name}-{Path(base).name}",
        limit=limit,
        seeds=tuple(map(int, numbers)),
        jobs=1 if engine is EngineName.TORCH else jobs,  # one device
        engine=engine.value,
        batch_size=batch_size,
        data=data,
    )
    try:
        print(running.reproduce(order, say=lambda line: display.stderr.print(line, markup=False)))
    except ModuleNotFoundError as error:
        raise UsageError(f"this needs {error.name}", hint="pip install 'socratic-cot[train]'") from error
    display.stderr.print(f"table.md, table.json, table.png and all predictions: {order.out}")


@app.command(epilog="Example: socratic rounds --config experiments/rounds/gsm8k.yaml --out runs/rounds")
def rounds(
    config: Annotated[Path, typer.Option(help="An experiment file (YAML).")],
    out: Annotated[Path | None, typer.Option(help="Folder; by default runs/rounds-<file>. Stopped rounds go on.")] = None,
    data: Data = None,
    engine: Engine = EngineName.LIGHT,
) -> None:
    """Let a student learn from its own traces, in rounds: right answers with verified steps alone. Needs the extra [train]."""
    from socratic import config as settings
    from socratic import rounds as looping
    from socratic.orchestrator import Orchestrator

    chosen = settings.load(settings.RoundsConfig, config)
    try:
        from socratic.train import train as run_training
    except ModuleNotFoundError as error:
        raise UsageError(f"training needs {error.name}", hint="pip install 'socratic-cot[train]'") from error
    load = partial(Orchestrator.from_pretrained, engine=engine.value, max_steps=chosen.max_steps, batch_size=chosen.batch_size)
    hands = looping.Hands(load, lambda mix, run: run_training(mix, Training.UNIFIED, run, data=data), display.tally)
    out = out or Path("runs") / f"rounds-{config.stem}"
    done = list[looping.Round]()
    for one in looping.run(chosen, out, hands, data=data):
        done.append(one)
        display.stderr.print(f"round {one.number}: {one.correct} of {one.n} right; {one.student}")
    (out / "table.md").write_text(looping.table(done) + "\n", encoding="utf-8")
    print(looping.table(done))


@app.command(epilog="Example: socratic curriculum --n 3 --seed 7")
def curriculum(
    n: Annotated[int, typer.Option(min=1, help="Problems to draw.")] = 3,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="Write traces as JSONL instead of printing them.")] = None,
    coverage: Annotated[Path | None, typer.Option(help="With --out: draw what was written into this picture.")] = None,
    test_set: Annotated[list[Path] | None, typer.Option(help="With --out: a JSONL of problems to guard; repeatable.")] = None,
    data: Data = None,
    check: Annotated[list[Path] | None, typer.Option(help="Check files of families instead; may be repeated.")] = None,
) -> None:
    """Draw problems with verified traces from the families, or check families.

    A file (--out) holds no problem twice, none like a benchmark's test problem, and none of the held-out families.
    """
    from socratic import curriculum as teacher

    if not out and (coverage or test_set):
        raise UsageError("--coverage and --test-set go with a file of traces", hint="name it with --out FILE.jsonl")
    if check:
        _check_families(check)
    elif out:
        _write_corpus(out, n, seed, coverage, test_set or [], data)
    else:
        for trace in teacher.draw_many(teacher.load_families(), n, seed):
            print(f"{trace.problem.question}\n{trace}\n")


def _check_families(files: list[Path]) -> None:
    from socratic import curriculum as teacher

    faults = teacher.check_files(files)
    for fault in faults:
        print(f"{fault.where} {fault.family}: {fault.reason}")
    if faults:
        raise UsageError(f"{len(faults)} faults in {len(files)} files", hint="socratic/curriculum/FORMAT.md has the format")
    print("no faults")


def _write_corpus(out: Path, n: int, seed: int, picture: Path | None, test_sets: list[Path], data: Path | None) -> None:
    from socratic import corpus, leakage
    from socratic import curriculum as teacher

    if picture:
        corpus.require_plotting(picture)
    taught, _ = teacher.held_out(teacher.load_families())
    guard = leakage.load_guard(data, test_sets)
    with display.counting(n) as add:
        summary = corpus.write(out, taught, n, seed=seed, guard=guard, progress=add)
    if picture:
        corpus.plot(summary.coverage, picture)
    print(summary)
    display.stderr.print(f"traces: {out}" + (f"; picture: {picture}" if picture else ""))


class Wrong(StrEnum):
    """What becomes of samples with a wrong final answer."""

    CHECKED = "checked"
    KEPT = "kept"


@app.command(epilog="Example: socratic rationales svamp --labels checked --out runs/scotd/svamp.jsonl")
def rationales(
    name: Annotated[str, typer.Argument(help="svamp (ten samples a problem), svamp-levels, strategyqa, gsm8k.")],
    out: Annotated[Path, typer.Option(help="Where the traces go (JSONL).")],
    labels: Annotated[Wrong, typer.Option(help="checked: samples with a wrong answer are dropped.")] = Wrong.CHECKED,
    files: Annotated[str, typer.Option(help="Only files whose name fits this pattern.")] = "*",
    data: Data = None,
) -> None:
    """Turn stored samples of real teachers into traces; those of test problems are refused, and everything is counted."""
    from socratic import rationales as stored
    from socratic.schema import write_jsonl

    traces, tallies = stored.load(name, stored.Setting(labels.value), files=files, data=data)
    write_jsonl(out, (trace.to_dict() for trace in traces))
    print(*tallies, sep="\n")
    problems = len({trace.problem.id for trace in traces})
    print(f"{len(traces):,} traces of {problems:,} problems: {out}")


class FilterName(StrEnum):
    """What decides which samples of a problem are kept."""

    RANDOM = "random"
    DIVERSITY = "diversity"
    LIKELIHOOD = "likelihood"
    OPEN_ENDEDNESS = "open-endedness"


@app.command("filter", epilog="Example: socratic filter runs/scotd/svamp.jsonl --by diversity --out runs/scotd/diverse.jsonl")
def filter_samples(
    traces: Annotated[Path, typer.Argument(help="A JSONL of traces, several of each problem.")],
    out: Annotated[Path, typer.Option(help="Where the kept ones go (JSONL).")],
    by: Annotated[FilterName, typer.Option(help="One of SCoTD's filters.")] = FilterName.RANDOM,
    keep: Annotated[int, typer.Option(min=1, help="Samples of a problem; with open-endedness on average.")] = 5,
    model: Annotated[str, typer.Option(help="diversity: a sentence encoder; likelihood: a causal LM, where logprobs lack.")] = "",
    seed: Seed = 0,
) -> None:
    """Keep some of the samples of each problem, at least one. Diversity and a local likelihood need the extra [train]."""
    from socratic import filters
    from socratic.config import Filter
    from socratic.schema import write_jsonl

    samples = filters.read(traces)
    try:
        kept = filters.select(samples, Filter(by=by.value, keep=keep, model=model), seed=seed)
    except ModuleNotFoundError as error:
        raise UsageError(f"this filter needs {error.name}", hint="pip install 'socratic-cot[train]'") from error
    write_jsonl(out, (sample.to_dict() for sample in kept))
    problems = len(filters.grouped(sample.trace for sample in samples))
    print(f"{len(kept):,} of {len(samples):,} samples of {problems:,} problems kept ({by.value}): {out}")


@app.command(epilog="Example: socratic annotate gsm8k --teacher gpt-4o-mini --samples 4 --max-usd 5 --dry-run --out runs/pairs")
def annotate(
    problems: Annotated[str, typer.Argument(help="gsm8k, svamp, … (training split), or a JSONL with question and answer.")],
    teacher: Annotated[str, typer.Option(help="The model's name, as the server knows it.")],
    out: Annotated[Path, typer.Option(help="Run folder; the same command goes on where it stopped.")],
    base_url: Annotated[str | None, typer.Option(help="Of any OpenAI-compatible server; else $OPENAI_BASE_URL.")] = None,
    prompt: Annotated[str, typer.Option(help="A shipped prompt (prompts/), or a .md file.")] = "gsm8k-pairs",
    samples: Annotated[int, typer.Option(min=1, max=1000, help="Of each problem.")] = 1,
    temperature: Annotated[float, typer.Option(min=0, max=2, help="Of the teacher; 0 is greedy.")] = 0.7,
    top_p: Annotated[float | None, typer.Option(min=0, max=1, help="Where the server takes it.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of sample 0, where the server takes seeds.")] = None,
    logprobs: Annotated[bool, typer.Option("--logprobs", help="Ask for the likelihood of each reply, for the filter.")] = False,
    reply_tokens: Annotated[int, typer.Option(min=1, help="Most tokens of one reply.")] = 1024,
    reasks: Annotated[int, typer.Option(min=0, max=5, help="How often a reply that cannot be read is asked for again.")] = 1,
    keep_wrong: Annotated[bool, typer.Option("--keep-wrong", help="Look at no gold answer (SCoTD's few-shot setting).")] = False,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Calls at the same time.")] = 8,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for one try of a call.")] = 120.0,
    retries: Annotated[int, typer.Option(min=0, max=20, help="Of rate limits, errors, cut connections.")] = 6,
    max_usd: Annotated[float | None, typer.Option(help="Most to spend in this folder, earlier runs included.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="The same in tokens, in and out.")] = None,
    prices: Annotated[Path | None, typer.Option(help="A file of prices, as socratic/prices.yaml.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would cost at most, and ask nothing.")] = False,
    batch: Annotated[bool, typer.Option("--batch", help="Use the batch endpoint: cheaper, within a day.")] = False,
    poll: Annotated[float, typer.Option(min=0.01, help="With --batch: seconds between looks.")] = 60.0,
    replay: Annotated[Path | None, typer.Option(help="Stored answers in place of a server; --prompt tells their form.")] = None,
    api_key_env: Annotated[str, typer.Option(help="The environment variable that holds the key.")] = "OPENAI_API_KEY",
    split: Annotated[str, typer.Option(help="Of a benchmark.")] = "train",
    limit: Annotated[int, typer.Option(min=1, help="Only the first N problems.")] = 1_000_000,
    test_set: Annotated[list[Path] | None, typer.Option(help="A JSONL of problems to guard; repeatable.")] = None,
    data: Data = None,
) -> None:
    """Have a teacher work problems out: checked traces, rejects with reasons, within a budget, and nothing paid twice.

    The key is read from the environment alone. Stopped at any moment, the same command goes on.
    """
    from socratic import annotate as annotating
    from socratic import batches, leakage, orders, tasks
    from socratic import teacher as teachers
    from socratic.budget import Limits, load_prices
    from socratic.ledger import index
    from socratic.replay import Replay

    task = _task(tasks.load(problems, split, data=data))
    order = orders.order(
        prompt,
        teachers.Sampling(teacher, temperature, reply_tokens, top_p, seed, logprobs),
        leakage.load_guard(data, test_set or []),
        samples=samples,
        reasks=reasks,
        check_labels=not keep_wrong,
        stored=replay is not None,
    )
    work = orders.Work.of(task.first(limit).problems, order)
    terms = orders.Terms(Limits(max_usd, max_tokens), load_prices(prices), batch)
    if dry_run:
        print(orders.plan(work, index(out / annotating.LEDGER), terms))
        return
    if replay and batch:
        raise UsageError("stored answers have no batch endpoint", hint="leave --batch out")
    server = teachers.Server(base_url, api_key_env, timeout, retries)
    asked: Replay | teachers.OpenAITeacher
    asked = Replay(replay) if replay else teachers.OpenAITeacher(server, order.sampling, order.prompts)
    with _annotating() as progress:
        if batch and isinstance(asked, teachers.OpenAITeacher):
            ask = batches.calls(asked, out / "batches", poll=poll, progress=progress)
        else:
            ask = annotating.calls(asked, concurrency=concurrency, progress=progress)
        summary, state = annotating.run(work, out, Path(problems).name, terms, ask)
    print(summary)
    display.stderr.print(f"traces, rejects and ledger: {out}")
    if state.stop:
        raise state.stop
    if task.broken:
        raise DataError(f"{len(task.broken)} broken lines of {problems} were left out; the others are annotated")


@contextmanager
def _annotating() -> Iterator[Callable[[State], None]]:
    """A bar of calls with their rate, tokens, and dollars: spent, and projected to the end."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    figures = TextColumn("{task.completed:,}/{task.total:,}  {task.fields[told]}")
    with Progress(BarColumn(), figures, TimeRemainingColumn(), console=display.stderr, transient=True) as bar:
        task = bar.add_task("", total=0, told="")
        yield lambda state: bar.update(task, total=state.total, completed=state.done, told=str(state))


@app.command(epilog="Example: socratic serve --model default --port 8000")
def serve(
    model: Model = "default",
    host: Annotated[str, typer.Option(help="Only this machine can reach the default; there is no key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 is any free one.")] = 8000,
    max_steps: Steps = 10,
    engine: Engine = EngineName.LIGHT,
) -> None:
    """Answer over HTTP as OpenAI's API does, until Ctrl-C; prints the base URL for clients. Needs the extra [serve]."""
    try:
        from socratic import serve as serving
    except ModuleNotFoundError as error:
        raise UsageError(f"the server needs {error.name}", hint="pip install 'socratic-cot[serve]'") from error
    service, listening = serving.load(model, engine=engine.value, max_steps=max_steps), serving.listen(host, port)
    if host not in serving.LOCAL:
        display.stderr.print(f"whoever can reach {host} can use this server: it asks for no key")
    print(serving.address(listening), flush=True)
    serving.run(service, listening)


@data_app.command("download", epilog="Example: socratic data download gsm8k svamp strategyqa")
def data_download(
    names: Annotated[list[str], typer.Argument(help="gsm8k, svamp, strategyqa")],
    mirror: Annotated[str | None, typer.Option(help="A base address in place of raw.githubusercontent.com.")] = None,
) -> None:
    """Fill the user's cache from pinned public addresses, sha256 checked."""
    from socratic import benchmarks, downloads

    with display.downloading() as update:
        paths = downloads.download(names, cache=benchmarks.cache_folder(), mirror=mirror, progress=update)
    print(*paths, sep="\n")


@data_app.command("list")
def data_list() -> None:
    """The benchmarks that are known, with their splits."""
    from socratic import benchmarks

    for name in benchmarks.names():
        print(f"{name}: {', '.join(benchmarks.splits(name))}")


if __name__ == "__main__":
    main()
