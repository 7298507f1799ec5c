"""The command `socratic`: each verb parses, calls one function, prints one summary.

Results go to stdout, everything else to stderr. Exit code 0: done; 1: the work failed; 2: the user's input; 3: the one
question was answered "unsure" (--min-confidence; of several, each line says so itself, and the code is 0). Heavy modules are
imported by the verb that needs them. Knows nothing that the library does not also offer to Python.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from socratic import __version__, display
from socratic.errors import DataError, SocraticError, UsageError
from socratic.schema import Decoding, Ended, Problem, Trace, Training

if TYPE_CHECKING:  # it loads sympy, which `--help` need not
    from socratic.calibrate import Chosen
    from socratic.evaluate import Reasoner
    from socratic.leakage import Guard
    from socratic.orchestrator import Orchestrator

UNSURE = 3  # exit code
EXAMPLE = "A bus had 31 passengers. At the next stop 12 got off and 5 got on. How many passengers are on the bus now?"

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
    out: Annotated[Path, typer.Option(help="Folder for predictions and report.")] = Path("runs/evaluate"),
    samples: Samples = 1,
    min_confidence: Least = 0.0,
    plot: Annotated[Path | None, typer.Option(help="With --samples: draw the risk-coverage curve into this picture.")] = None,
    seed: Seed = 0,
    max_steps: Steps = 10,
    batch_size: Batch = 32,
    data: Data = None,
    engine: Engine = EngineName.LIGHT,
) -> None:
    """Accuracy with its 95 % interval, with and without the calculator; every prediction is kept.

    With --samples votes are evaluated, with the calculator alone: how often are those right that are most confident?
    """
    from socratic import corpus
    from socratic import evaluate as evaluation
    from socratic.orchestrator import Orchestrator

    _require_samples(samples, {"--min-confidence": min_confidence, "--plot": plot})
    if plot:
        corpus.require_plotting(plot)
    split = split or REPORTED.get(problems, "")
    chosen, faults = _problems(problems, split, data)
    orchestrator = Orchestrator.from_pretrained(model, engine=engine.value, max_steps=max_steps, batch_size=batch_size)
    _say_calibration(orchestrator, samples)
    for calculator in (True, False) if samples == 1 else (True,):
        name = f"vote{samples}" if samples > 1 else "calculator" if calculator else "bare"
        place = out / f"{Path(problems).stem}-{name}"
        with display.tally(len(chosen[:limit])) as add:
            report = evaluation.evaluate(
                _reasoner(orchestrator, samples, Decoding(seed=seed, calculator=calculator)),
                chosen[:limit],
                dataset=f"{problems} {split}".strip(),
                model=model,
                calculator=calculator,
                predictions=place.with_suffix(".jsonl"),
                samples=samples,
                progress=add,
            )
        place.with_suffix(".json").write_text(json.dumps(asdict(report), indent=1) + "\n", encoding="utf-8")
        print(evaluation.as_line(report), flush=True)
        if samples > 1:
            _show_coverage(place, min_confidence, plot)
    display.stderr.print(f"predictions and reports: {out}")
    if faults:
        raise DataError(f"{faults} broken lines of {problems} were left out; the others are evaluated")


def _reasoner(orchestrator: Orchestrator, samples: int, decoding: Decoding) -> Reasoner:
    if samples == 1:
        return partial(orchestrator.solve_each, decoding=decoding)
    return partial(orchestrator.vote_each, samples=samples, decoding=decoding)


def _show_coverage(place: Path, min_confidence: float, picture: Path | None) -> None:
    """Print the risk-coverage table of the predictions at a place, and keep it beside them."""
    from socratic import coverage
    from socratic.evaluate import read_rated

    votes = read_rated(place.with_suffix(".jsonl"))
    found = coverage.measure(votes, min_confidence)
    place.with_name(f"{place.name}-coverage.json").write_text(json.dumps(asdict(found), indent=1) + "\n", encoding="utf-8")
    print(found)
    if picture:
        coverage.plot(votes, picture, place.name)


HELD_OUT = 1000  # problems, of families that no student learns from
REPORTED = {
    "gsm8k": "test",
    "gsm8k-socratic": "test",
    "svamp": "all",
    "strategyqa": "dev",
    "mawps": "train",
    "curriculum": "held-out",
}


def _problems(name: str, split: str, data: Path | None) -> tuple[list[Problem], int]:
    from socratic import benchmarks
    from socratic import curriculum as teacher

    if name == "curriculum":
        _, held_out = teacher.held_out(teacher.load_families())
        return [trace.problem for trace in teacher.draw_many(held_out, HELD_OUT, seed=0)], 0
    if name.endswith((".jsonl", ".jsonl.gz")):
        problems, broken = benchmarks.read_problems(Path(name))
        for line in broken:
            display.complain(DataError(f"{line.where}: {line.reason}"))
        return problems, len(broken)
    return benchmarks.problems(name, split, data=data), 0


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
    from socratic import evaluate as evaluation
    from socratic.leakage import load_guard
    from socratic.orchestrator import Orchestrator

    _require_samples(samples, {"calibrate": True})
    calibration.require_scipy()
    guard = load_guard(data)
    chosen = [calibration.choose(name, guard, data=data, limit=limit) for name in problems]
    _say_left_out(chosen, guard)
    together = [problem for one in chosen for problem in one.problems]
    orchestrator = Orchestrator.from_pretrained(model, engine=engine.value, max_steps=max_steps, batch_size=batch_size)
    with display.tally(len(together)) as add:
        report = evaluation.evaluate(
            _reasoner(orchestrator, samples, Decoding(seed=seed)),
            together,
            dataset=", ".join(problems),
            model=model,
            calculator=True,
            predictions=votes,
            samples=samples,
            progress=add,
        )
    print(evaluation.as_line(report), flush=True)
    fitted = calibration.fit(evaluation.read_rated(votes), samples=samples, seed=seed)
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
