"""A BERT that writes: it reads the problem in both directions and goes on from it word by word.

In: token ids of transcripts, packed or padded on the left, and the positions that restart with each. Out: logits. The
weights are a BERT encoder's, its word embeddings serve as the head (UniLM: Dong et al. 2019, section 2; MiniLM: Wang et al.
2020): every layer that read in pretraining reads the problem and writes the steps, so little is left to learn. Within a
transcript, what stands before the first `ask` mark sees all of itself; what follows sees what stands before it.
Knows nothing of roles, training or folders.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, BertConfig, BertModel, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast


class PrefixLMConfig(BertConfig):  # type: ignore[misc]  # transformers is not typed for mypy
    """BERT's, and the token that ends the problem."""

    model_type = "prefix_lm"
    ask_id: int = 0


class PrefixLM(PreTrainedModel):  # type: ignore[misc]
    """The model; loads and saves as transformers' own do."""

    config_class = PrefixLMConfig
    base_model_prefix = "bert"
    _supports_sdpa = True
    _tied_weights_keys = {"head.weight": "bert.embeddings.word_embeddings.weight"}  # noqa: RUF012  # transformers' name and form

    def __init__(self, config: PrefixLMConfig) -> None:
        super().__init__(config)
        self.bert = BertModel(config, add_pooling_layer=False)
        self.head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def get_output_embeddings(self) -> nn.Module:
        """The head, for transformers and for `fit`."""
        return self.head

    def set_output_embeddings(self, new: nn.Linear) -> None:
        """For resizing."""
        self.head = new

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Any = None,
        use_cache: bool = False,
    ) -> CausalLMOutputWithPast:
        """Logits (B, T, V) of ids (B, T); padding on the left has position 0. After a cache, all that came before is seen."""
        if past_key_values is None:
            if position_ids is None:
                position_ids = torch.arange(input_ids.shape[1], device=input_ids.device).expand_as(input_ids)
            attention_mask = visible(input_ids, position_ids, self.config.ask_id)[:, None]  # (B, 1, T, T)
        out = self.bert(
            input_ids, attention_mask, position_ids=position_ids, past_key_values=past_key_values, use_cache=use_cache
        )
        return CausalLMOutputWithPast(logits=self.head(out.last_hidden_state), past_key_values=out.past_key_values)


def visible(ids: torch.Tensor, positions: torch.Tensor, ask_id: int) -> torch.Tensor:
    """Who sees whom, (B, T, T): row i sees column j."""
    starts = positions == 0
    transcript = starts.cumsum(1)  # (B, T), a number for each
    asked = (ids == ask_id).cumsum(1)  # never at a start, which is the problem's mark
    reads = asked == torch.where(starts, asked, 0).cummax(1).values  # no subquestion yet in this transcript
    earlier = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool, device=ids.device).tril()
    together = transcript[:, :, None] == transcript[:, None, :]
    return together & (earlier | (reads[:, :, None] & reads[:, None, :]))


AutoConfig.register(PrefixLMConfig.model_type, PrefixLMConfig)
AutoModelForCausalLM.register(PrefixLMConfig, PrefixLM)
