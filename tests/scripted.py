"""Scripted students: real implementations of the orchestrator's protocols, with answers given beforehand and a history."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from socratic.dialect import Piece
from socratic.engines import Completion, Prompt
from socratic.schema import Decoding, Ended, Problem, Solution, Step, Trace
from socratic.vocabulary import Vocabulary

START = Trace(Problem("p", "Natalia sold 48 clips in April and 20 in May. How many altogether?"))
LATER = Trace(START.problem, (Step("How many in April?", "48/2 = <<48/2=24>>24", "24"),))


def told(said: str | Ended) -> Solution | Ended:
    """As a solver returns it that cannot tell how likely it is."""
    return said if isinstance(said, Ended) else Solution(said)


class ScriptedDecomposer:
    """Asks each problem's subquestions in order, then says DONE; remembers what it was shown."""

    def __init__(self, script: Mapping[str, Sequence[str | Ended]]) -> None:
        self.script = script
        self.seen: list[Trace] = []

    def ask(self, traces: Sequence[Trace], decoding: Decoding) -> list[str | Ended]:
        self.seen.extend(traces)
        return [self._next(trace) for trace in traces]

    def _next(self, trace: Trace) -> str | Ended:
        script = self.script[trace.problem.question]
        return script[len(trace.steps)] if len(trace.steps) < len(script) else Ended.DONE


class ScriptedSolver:
    """Answers a subquestion with the solution that the script has for it; remembers decodings and questions."""

    def __init__(self, script: Mapping[str, str | Ended]) -> None:
        self.script = script
        self.questions: list[str] = []
        self.decodings: list[Decoding] = []

    def solve(self, traces: Sequence[Trace], questions: Sequence[str], decoding: Decoding) -> list[Solution | Ended]:
        self.questions.extend(questions)
        self.decodings.append(decoding)
        return [told(self.script[question]) for question in questions]


class VaryingSolver:
    """Answers a subquestion greedily with the first of its solutions, and sampling with the others in turn."""

    def __init__(self, script: Mapping[str, Sequence[str | Ended]]) -> None:
        self.script = script
        self.turns = {question: itertools.cycle(solutions[1:]) for question, solutions in script.items()}
        self.batches: list[int] = []

    def solve(self, traces: Sequence[Trace], questions: Sequence[str], decoding: Decoding) -> list[Solution | Ended]:
        self.batches.append(len(questions))
        said = [next(self.turns[question]) if decoding.temperature else self.script[question][0] for question in questions]
        return list(map(told, said))


class ScriptedEngine:
    """An engine that writes given pieces, turn by turn, each as likely as not, and remembers its prompts."""

    def __init__(
        self, vocabulary: Vocabulary, turns: Sequence[Sequence[Piece]], *, context: int = 512, lead: float = 0.0
    ) -> None:
        self.vocabulary, self.context, self.lead = vocabulary, context, lead
        self.turns = [vocabulary.encode(turn) for turn in turns]
        self.prompts: list[Prompt] = []

    def complete(
        self, prompts: Sequence[Prompt], *, stop: frozenset[int], max_tokens: int, decoding: Decoding
    ) -> list[Completion]:
        self.prompts.extend(prompts)
        return [Completion(self.turns.pop(0), math.log(0.5)) for _ in prompts]

    def leads(self, prompts: Sequence[Prompt], one: int, other: int) -> list[float]:
        return [self.lead] * len(prompts)
