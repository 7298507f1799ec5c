"""Stored answers as a teacher: what was said once, by whomever, is judged like any reply, and costs nothing.

In: a file of questions and answers, as `rationales` reads them. Out: a `Teacher`. Knows nothing of prompts or of whether an
answer is right.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from socratic.errors import CallError
from socratic.rationales import letters, records
from socratic.replies import Finish, Reply, bounded
from socratic.schema import Problem


class Replay:
    """Answers that were stored, found by the question's letters."""

    def __init__(self, path: Path) -> None:
        self.troubles = Counter[str]()
        self._stored = {letters(question): texts for question, texts in records(path)}

    async def ask(self, problem: Problem, *, sample: int, attempt: int) -> Reply:
        """The stored answer; there are as many as the file has."""
        texts = self._stored.get(letters(problem.question), ())
        if sample >= len(texts):
            self.troubles["not stored"] += 1
            raise NotStored(f"{len(texts)} answers are stored to this problem, and none is sample {sample}")
        return bounded(texts[sample], Finish.STOP)

    async def close(self) -> None:
        """Nothing is open."""


class NotStored(CallError):
    """Asking again would not help."""

    retryable = False
