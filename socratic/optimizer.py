"""Muon for matrices, AdamW for the rest, as one optimizer.

In: a model, a learning rate, weight decay. Out: an optimizer that Trainer can schedule, checkpoint and resume. Muon (Jordan
et al. 2024, torch.optim.Muon) orthogonalises the updates of the hidden layers' matrices; embeddings, biases and norms keep
AdamW. Knows nothing of data or roles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from socratic.models import EMBEDDINGS


class MuonAdamW(torch.optim.Optimizer):
    """Two optimizers over one model; their parameter groups are shared, so a scheduler reaches both."""

    def __init__(self, model: torch.nn.Module, *, learning_rate: float, weight_decay: float) -> None:
        trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        matrices = [p for name, p in trained if p.ndim == 2 and not EMBEDDINGS.search(name)]
        chosen = {id(p) for p in matrices}
        words = [p for name, p in trained if EMBEDDINGS.search(name)]
        others = [p for name, p in trained if id(p) not in chosen and not EMBEDDINGS.search(name)]
        # match_rms_adamw scales Muon's update to AdamW's size: one learning rate serves both.
        self.muon = torch.optim.Muon(matrices, lr=learning_rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
        # Embeddings do not decay: rows of words that training never meets would fade.
        rest = [{"params": words, "weight_decay": 0.0}, {"params": others, "weight_decay": weight_decay}]
        self.adamw = torch.optim.AdamW([g for g in rest if g["params"]], lr=learning_rate, betas=(0.9, 0.95), fused=True)
        super().__init__([p for _, p in trained], {})
        self.param_groups = [*self.muon.param_groups, *self.adamw.param_groups]

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step of both."""
        self.muon.step()  # type: ignore[no-untyped-call]
        self.adamw.step()

    def state_dict(self) -> dict[str, Any]:
        """Both states."""
        return {"muon": self.muon.state_dict(), "adamw": self.adamw.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore both, and share their groups again."""
        self.muon.load_state_dict(state_dict["muon"])
        self.adamw.load_state_dict(state_dict["adamw"])
        self.param_groups = [*self.muon.param_groups, *self.adamw.param_groups]
