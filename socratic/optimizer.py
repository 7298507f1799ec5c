"""Muon for matrices, AdamW for the rest, as one optimizer.

In: a model, a learning rate, weight decay. Out: an optimizer that Trainer can schedule, checkpoint and resume. Muon (Jordan
et al. 2024, torch.optim.Muon) orthogonalises the updates of the hidden layers' matrices; embeddings, biases and norms keep
AdamW. Knows nothing of data or roles.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import Any

import torch

from socratic.models import EMBEDDINGS


@cache
def computes_bf16() -> bool:
    """Whether the device multiplies faster in bf16 than in fp32: a CPU may emulate it, or have slow instructions for it.

    On CPUs it is measured, in a third of a second: a Xeon that reports avx512_bf16 was found 1.8 times as slow in it.
    """
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    has_kernels = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
    has_kernels = has_kernels and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # on x86 any AVX-512 will do for that
    is_emulated = torch.cpu._is_avx512_supported() and not torch.cpu._is_avx512_bf16_supported()
    return has_kernels and not is_emulated and _seconds(torch.bfloat16) < 0.8 * _seconds(torch.float32)


def _seconds(dtype: torch.dtype) -> float:
    """Of one product of a training step's size, the best of five."""
    left, right, seconds = torch.ones(2048, 384, dtype=dtype), torch.ones(384, 1536, dtype=dtype), list[float]()
    for _ in range(5):
        start = time.perf_counter()
        torch.mm(left, right)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


class PlainMuon(torch.optim.Muon):
    """torch's Muon, its Newton-Schulz iteration in the weights' own type.

    torch always takes bf16 for it, and a CPU that emulates it then needs most of a minute for a step of 16 M parameters.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step, with torch's defaults: Nesterov momentum, weight decay, an update as large as AdamW's."""
        for group in self.param_groups:
            for weight in (weight for weight in group["params"] if weight.grad is not None):
                state = self.state[weight]
                momentum = state.setdefault("momentum_buffer", torch.zeros_like(weight))
                momentum.lerp_(weight.grad, 1 - group["momentum"])
                update = _orthogonal(weight.grad.lerp(momentum, group["momentum"]), group)
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(update, alpha=-0.2 * max(weight.shape) ** 0.5 * group["lr"])


def _orthogonal(update: torch.Tensor, group: dict[str, Any]) -> torch.Tensor:
    """The nearest orthogonal matrix, about, as torch.optim.Muon finds it."""
    a, b, c = group["ns_coefficients"]
    wide = update.T if update.shape[0] > update.shape[1] else update
    wide = wide / wide.norm().clamp(min=group["eps"])
    for _ in range(group["ns_steps"]):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=b, alpha=c), wide, beta=a)
    return wide.T if update.shape[0] > update.shape[1] else wide


class MuonAdamW(torch.optim.Optimizer):
    """Two optimizers over one model; their parameter groups are shared, so a scheduler reaches both."""

    def __init__(self, model: torch.nn.Module, *, learning_rate: float, weight_decay: float) -> None:
        trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        matrices = [p for name, p in trained if p.ndim == 2 and not EMBEDDINGS.search(name)]
        chosen = {id(p) for p in matrices}
        words = [p for name, p in trained if EMBEDDINGS.search(name)]
        others = [p for name, p in trained if id(p) not in chosen and not EMBEDDINGS.search(name)]
        # match_rms_adamw scales Muon's update to AdamW's size: one learning rate serves both.
        muon = torch.optim.Muon if computes_bf16() else PlainMuon
        self.muon = muon(matrices, lr=learning_rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
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
