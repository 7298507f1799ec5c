"""The verb `solve`: one question, or one a line from stdin; a single trace, or a vote.

In: a question. Out: its trace as it grows, as text or as JSON; of a vote the winner, and how sure it is. Knows nothing of
gold answers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from socratic import display
from socratic.cli.options import Engine, EngineName, Least, Model, NoCalculator, Samples, Seed, Steps
from socratic.cli.summary import has_confidence, json_line, require_confidence, say_calibration
from socratic.errors import UsageError
from socratic.schema import Decoding, Ended

if TYPE_CHECKING:  # it loads sympy, which `--help` need not
    from socratic.orchestrator import Orchestrator
    from socratic.voting import Vote

UNSURE = 3  # exit code
DOUBTFUL = 0.7  # below it a single trace's confidence comes with advice
EXAMPLE = "Tom has 3 bags of 12 apples. He eats 4 apples. How many apples does he have left?"

verbs = typer.Typer()


@verbs.command(epilog='Example: socratic solve "Tom has 3 bags of 12 apples. How many apples does he have?"')
def solve(
    question: Annotated[
        list[str] | None, typer.Argument(help="A word problem, in quotes; without it, one a line from stdin.")
    ] = None,
    model: Model = "default",
    samples: Samples = 1,
    min_confidence: Least = 0.0,
    seed: Seed = 0,
    max_steps: Steps = 10,
    no_calculator: NoCalculator = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print each trace as one line of JSON.")] = False,
    engine: Engine = EngineName.LIGHT,
) -> None:
    """Solve a word problem step by step. The arithmetic of each is checked. Exit code 3: not as sure as --min-confidence asks."""
    from socratic.orchestrator import Orchestrator

    if question and len(question) > 1:
        raise UsageError(f"expected one question, found {len(question)} words", hint=f'put it in quotes: "{" ".join(question)}"')
    orchestrator = Orchestrator.from_pretrained(model, engine=engine.value, max_steps=max_steps)
    require_confidence(orchestrator, samples, {"--min-confidence": min_confidence})
    say_calibration(orchestrator, samples)
    options = Voting(samples, min_confidence, Decoding(seed=seed, calculator=not no_calculator), as_json)
    if not question:
        _solve_stdin(orchestrator, options)
    elif not _solve_one(orchestrator, question[0], options):
        raise typer.Exit(UNSURE)


@dataclass(frozen=True, slots=True)
class Voting:
    """How `solve` answers and prints."""

    samples: int
    min_confidence: float
    decoding: Decoding
    as_json: bool

    @property
    def grows(self) -> bool:
        """Whether somebody watches: then a trace is shown step by step, unless its answer might have to be withheld."""
        return sys.stdout.isatty() and not self.as_json and self.samples == 1 and not self.min_confidence


def _solve_stdin(orchestrator: Orchestrator, options: Voting) -> None:
    """Solve every line, told before its trace; one that cannot be used costs only itself and, at the end, the exit code."""
    lines = faults = 0
    for number, text in _stdin_lines():
        lines += 1
        if not options.as_json:
            print("\n" * (lines > 1) + display.harmless(text.strip()), flush=True)
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
    """Lines as they come, numbered from 1, empty ones left out; a byte order mark is dropped, what is no UTF-8 replaced."""
    if sys.stdin.isatty():
        raise UsageError("no question was given", hint=f'socratic solve "{EXAMPLE}"')
    for number, raw in enumerate(sys.stdin.buffer, 1):
        if raw.strip():
            yield number, raw.decode("utf-8-sig", errors="replace")


def _solve_one(orchestrator: Orchestrator, question: str, options: Voting) -> bool:
    """Print a trace, or the winner of a vote, and how sure it is; false where its answer is withheld."""
    is_rated = has_confidence(orchestrator, options.samples)
    if options.grows:
        vote = orchestrator.count([display.show(orchestrator.stream(question, options.decoding))])
    else:
        vote = orchestrator.vote(question, samples=options.samples, decoding=options.decoding).at_least(options.min_confidence)
        found = vote if is_rated else vote.trace
        print(json_line(found.to_dict()) if options.as_json else display.harmless(str(vote.trace)), flush=True)
    if is_rated:
        display.stderr.print(f"confidence: {vote.confidence}{_beside(vote)}")
    return vote.trace.ended is not Ended.UNSURE


def _beside(vote: Vote) -> str:
    if not vote.features.numbers:
        return "; the question has no numbers, so this is a guess"
    if vote.samples > 1:
        return f"; {vote.agreeing} of {vote.samples} traces agree"
    return "; a vote is right more often: --samples 9" if vote.confidence.probability < DOUBTFUL else ""
