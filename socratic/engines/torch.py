"""The transformers engine: any causal LM, on a CPU or a GPU.

In: a student folder. Out: completions. Prompts are padded on the left with positions from the mask; without them GPT-2's
argmax changes. Knows nothing of training.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from socratic import models
from socratic.engines import Completion, Prompt
from socratic.schema import Decoding
from socratic.vocabulary import Vocabulary


class TorchEngine:
    """A transformers model over one student's folder."""

    def __init__(self, folder: Path) -> None:
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.vocabulary = Vocabulary.load(folder)
        self.model = models.pretrained(str(folder.resolve()), vocabulary=self.vocabulary).to(self.device).eval()
        self.context = int(self.model.config.max_position_embeddings)

    def complete(
        self, prompts: Sequence[Prompt], *, stop: frozenset[int], max_tokens: int, decoding: Decoding
    ) -> list[Completion]:
        """See `Engine.complete`; one prompt after another differs in banned tokens, so each has a row of a mask."""
        torch.manual_seed(decoding.seed)
        ids, mask = self._padded(prompts)
        forbidden = torch.zeros(len(prompts), self.vocabulary.size, dtype=torch.bool, device=self.device)
        for row, prompt in enumerate(prompts):
            forbidden[row, sorted(prompt.banned)] = True
        with torch.inference_mode():
            written, gains = self._generate(ids, mask, forbidden, stop, max_tokens, decoding.temperature)
        return [_until(*row, stop) for row in zip(written.tolist(), gains.tolist(), strict=True)]

    def leads(self, prompts: Sequence[Prompt], one: int, other: int) -> list[float]:
        """See `Engine.leads`."""
        ids, mask = self._padded(prompts)
        with torch.inference_mode():
            positions = (mask.cumsum(1) - 1).clamp(min=0)
            logits = self.model(input_ids=ids, attention_mask=mask, position_ids=positions).logits[:, -1].float()  # (B, V)
        leads: list[float] = (logits[:, one] - logits[:, other]).tolist()
        return leads

    def _padded(self, prompts: Sequence[Prompt]) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and mask (B, T), padded on the left."""
        width = max(len(prompt.ids) for prompt in prompts)
        ids = torch.tensor([[0] * (width - len(p.ids)) + list(p.ids) for p in prompts], device=self.device)
        return ids, torch.tensor([[0] * (width - len(p.ids)) + [1] * len(p.ids) for p in prompts], device=self.device)

    def _generate(
        self,
        ids: torch.Tensor,
        mask: torch.Tensor,
        forbidden: torch.Tensor,
        stop: frozenset[int],
        max_tokens: int,
        temperature: float,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens (B, N), greedy or sampled, until every row has stopped, and the log-likelihood of each."""
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        cache, chosen, ends = None, ids, torch.tensor(sorted(stop), device=self.device)
        written, gains = ids.new_empty(len(ids), 0), torch.empty(len(ids), 0, device=self.device)
        while written.shape[1] < max_tokens and not torch.isin(written, ends).any(1).all():
            out = self.model(input_ids=chosen, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True)
            cache, logits = out.past_key_values, out.logits[:, -1].float()  # (B, V)
            logits = logits.masked_fill(forbidden, float("-inf"))
            chosen = self._choose(logits, temperature)  # (B, 1)
            written = torch.cat([written, chosen], 1)
            gains = torch.cat([gains, logits.log_softmax(-1).gather(1, chosen)], 1)
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], 1)
            positions = positions[:, -1:] + 1
        return written, gains

    @staticmethod
    def _choose(logits: torch.Tensor, temperature: float) -> torch.Tensor:
        if not temperature:
            return logits.argmax(-1, keepdim=True)
        return torch.multinomial((logits / temperature).softmax(-1), 1)


def _until(ids: list[int], gains: list[float], stop: frozenset[int]) -> Completion:
    end = next((place for place, i in enumerate(ids) if i in stop), len(ids) - 1)
    return Completion(ids[: end + 1], sum(gains[: end + 1]))
