"""The CTranslate2 engine: loads in a tenth of a second, needs no torch.

In: a student folder with its ct2/ form. Out: completions. Prompts that may not write the same tokens run in one batch;
weights are computed in fp32, so a batch gives what its prompts give alone. Knows nothing of how ct2/ is made (models).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import ctranslate2
import numpy as np

from socratic.engines import Completion, Prompt
from socratic.errors import ModelError
from socratic.schema import Decoding
from socratic.vocabulary import Vocabulary


class Ct2Engine:
    """A generator over one student's folder."""

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        self.folder, self.threads = folder, threads
        try:
            self.generator = self._generator()
            self.context = int(json.loads((folder / "config.json").read_text(encoding="utf-8"))["n_positions"])
        except (RuntimeError, ValueError, KeyError, TypeError, OSError) as error:
            raise ModelError(f"{folder} cannot be loaded ({error})", hint="train the student again, or fetch it anew") from error
        self.vocabulary = Vocabulary.load(folder)

    def _generator(self) -> ctranslate2.Generator:
        return ctranslate2.Generator(str(self.folder / "ct2"), compute_type="float32", intra_threads=self.threads)

    def _seeded(self, seed: int) -> ctranslate2.Generator:
        """A new generator: CTranslate2 seeds a worker when it starts, and not again."""
        ctranslate2.set_random_seed(seed)
        return self._generator()

    def complete(
        self, prompts: Sequence[Prompt], *, stop: frozenset[int], max_tokens: int, decoding: Decoding
    ) -> list[Completion]:
        """See `Engine.complete`."""
        groups: dict[frozenset[int], list[int]] = defaultdict(list)
        for place, prompt in enumerate(prompts):
            groups[prompt.banned].append(place)
        completions = dict[int, Completion]()
        for banned, places in groups.items():
            written = self._batch([prompts[place].ids for place in places], banned, stop, max_tokens, decoding)
            completions.update(zip(places, written, strict=True))
        return [completions[place] for place in range(len(prompts))]

    def leads(self, prompts: Sequence[Prompt], one: int, other: int) -> list[float]:
        """See `Engine.leads`."""
        tokens = self.vocabulary.tokens
        logits = np.array(self.generator.forward_batch([[tokens[i] for i in prompt.ids] for prompt in prompts]))  # (B, T, V)
        ends = [row[len(prompt.ids) - 1] for row, prompt in zip(logits, prompts, strict=True)]
        return [float(end[one] - end[other]) for end in ends]

    def _batch(
        self, many: list[tuple[int, ...]], banned: frozenset[int], stop: frozenset[int], max_tokens: int, decoding: Decoding
    ) -> list[Completion]:
        tokens = self.vocabulary.tokens
        generator = self._seeded(decoding.seed) if decoding.temperature else self.generator
        results = generator.generate_batch(
            [[tokens[i] for i in ids] for ids in many],
            include_prompt_in_result=False,
            max_length=max_tokens,
            end_token=sorted(stop),
            return_end_token=True,
            return_scores=True,
            length_penalty=0,  # the sum, not the mean
            suppress_sequences=[[tokens[i]] for i in sorted(banned)] or None,
            sampling_topk=0 if decoding.temperature else 1,
            sampling_temperature=decoding.temperature or 1.0,
        )
        return [Completion(list(result.sequences_ids[0]), result.scores[0]) for result in results]
