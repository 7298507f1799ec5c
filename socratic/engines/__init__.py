"""Text completion behind one small protocol: `Engine`.

In: prompts as token ids, what they may not write, where to stop. Out: the ids that follow. `ct2` is light and fast, `torch`
runs anything that transformers loads. Knows nothing of transcripts, roles or arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from socratic.schema import Decoding
from socratic.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids to go on from, and the tokens that must not follow."""

    ids: tuple[int, ...]
    banned: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Completion:
    """The ids that follow a prompt, and how likely the model found them together, as a logarithm (nats).

    Likely among the tokens that might have followed, at temperature 1, at whichever temperature they were drawn.
    """

    ids: list[int]
    log_likelihood: float


class Engine(Protocol):
    """What students need of a model."""

    vocabulary: Vocabulary
    context: int  # tokens that prompt and completion may have together

    def complete(
        self, prompts: Sequence[Prompt], *, stop: frozenset[int], max_tokens: int, decoding: Decoding
    ) -> list[Completion]:
        """At most `max_tokens` ids after each prompt, the stop token included where one was written."""
        ...

    def leads(self, prompts: Sequence[Prompt], one: int, other: int) -> list[float]:
        """By how many nats a token is likelier than another one to follow each prompt."""
        ...
