"""One run of transformers' Trainer: loss only where the role writes, one progress bar, one log.

In: a model, `Packed` rows, a `TrainConfig`, a run folder. Out: the model's weights, changed in place; `checkpoints/` and
log.jsonl in the run folder. Goes on from the last whole checkpoint. Knows nothing of traces, roles or vocabularies.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch.nn.functional import cross_entropy, pad
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from socratic import runlog
from socratic.config import TrainConfig
from socratic.dataset import IGNORED, Packed, Rows
from socratic.errors import ConfigError
from socratic.models import no_bars
from socratic.optimizer import MuonAdamW, computes_bf16
from socratic.processes import is_one_of_several

STATE = "trainer_state.json"
GATHERED = 512  # supervised positions are padded to a multiple of this: CPUs compile kernels anew for each shape


def fit(model: Any, packed: Packed, settings: TrainConfig, run: Path) -> None:
    """Train `model` on the rows in their packed order, epoch by epoch."""
    whole_steps = len(packed) // settings.rows * settings.rows  # every step has the same shape; the last few rows stay out
    bar = Bar(run, tokens_per_step=settings.rows * settings.length)
    trainer = SupervisedTrainer(
        model=model,
        args=_arguments(_in_reach(settings, len(packed)), run / "checkpoints"),
        train_dataset=Rows(packed, whole_steps or len(packed)),
        optimizers=(_muon(model, settings) if settings.optimizer == "muon" else None, None),
        callbacks=[bar],
    )
    trainer.remove_callback(PrinterCallback)
    checkpoint = last_checkpoint(run / "checkpoints")
    if checkpoint and _is_finished(checkpoint):
        trainer._load_from_checkpoint(checkpoint)  # `train` would do one step more
        return
    with no_bars(), bar.progress:
        trainer.train(resume_from_checkpoint=checkpoint)


def _in_reach(settings: TrainConfig, rows: int) -> TrainConfig:
    """With a warm-up of a third of the steps at most: a short training would end before it has learned at its full rate."""
    steps = int(rows // settings.rows * settings.epochs)
    return settings.model_copy(update={"warmup_steps": min(settings.warmup_steps, steps // 3)})


def _muon(model: Any, settings: TrainConfig) -> MuonAdamW:
    return MuonAdamW(model, learning_rate=settings.learning_rate, weight_decay=settings.weight_decay)


def _arguments(settings: TrainConfig, checkpoints: Path) -> TrainingArguments:
    if settings.rows % settings.accumulate:
        raise ConfigError(f"{settings.rows} rows do not fall into {settings.accumulate} equal parts", hint="change `accumulate`")
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        per_device_train_batch_size=settings.rows // settings.accumulate,
        gradient_accumulation_steps=settings.accumulate,
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=settings.warmup_steps,
        weight_decay=settings.weight_decay,
        adam_beta2=0.95,
        optim="adamw_torch_fused",
        bf16=settings.precision == "bf16" or (settings.precision == "auto" and computes_bf16()),
        use_cpu=not torch.cuda.is_available(),
        save_steps=settings.save_steps,
        save_total_limit=1,
        logging_steps=settings.log_steps,
        seed=settings.seed,
        data_seed=settings.seed,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    arguments._n_gpu = 1  # several would mean DataParallel, which splits rows behind compute_loss's back
    return arguments


def last_checkpoint(folder: Path) -> str | None:
    """The latest whole checkpoint: its state is written last, a save that was cut off lacks it."""
    whole = [state.parent for state in folder.glob(f"checkpoint-*/{STATE}")]
    return str(max(whole, key=lambda path: int(path.name.rpartition("-")[2]))) if whole else None


def has_gpu() -> bool:
    """Whether there is a device that a training would have for itself."""
    return torch.cuda.is_available()


def _is_finished(checkpoint: str) -> bool:
    state = TrainerState.load_from_json(f"{checkpoint}/{STATE}")
    return bool(state.global_step >= state.max_steps)


class SupervisedTrainer(Trainer):  # type: ignore[misc]  # transformers is not typed for mypy
    """Rows in their packed order, and logits computed only where there is a loss."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.model_accepts_loss_kwargs = True  # so that it counts the supervised tokens of a whole step

    def _get_train_sampler(self, *_: Any) -> torch.utils.data.Sampler[int]:
        return torch.utils.data.SequentialSampler(self.train_dataset)

    def compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Cross-entropy summed over this part's supervised tokens, over those of the whole step.

        The model is called as itself, so autocast and adapters, which wrap its forward, stay in force. Without a cache:
        with one, transformers no longer sees from the positions where a transcript begins.
        """
        places, targets = supervised(inputs["labels"])
        with head_reads_only(places, self.model.get_output_embeddings()):
            logits = model(input_ids=inputs["input_ids"], position_ids=inputs["position_ids"], use_cache=False).logits  # (N, V)
        loss: torch.Tensor = cross_entropy(logits.float(), targets, ignore_index=IGNORED, reduction="sum") / num_items_in_batch
        return loss


def supervised(labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of labels (B, T): the flat places (N,) whose next token carries loss, and these tokens (N,).

    N is padded to a multiple of GATHERED; the padding's targets are IGNORED.
    """
    following = pad(labels[:, 1:], (0, 1), value=IGNORED).reshape(-1)  # (B * T,)
    places = (following != IGNORED).nonzero().squeeze(1)
    padding = -len(places) % GATHERED
    targets = torch.cat([following[places], following.new_full((padding,), IGNORED)])
    return torch.cat([places, places.new_zeros(padding)]), targets


@contextmanager
def head_reads_only(places: torch.Tensor, head: torch.nn.Module) -> Iterator[None]:
    """Inside, the head gets hidden states (N, D) at flat `places` in place of all (B, T, D): a third of the work, or less."""
    hook = head.register_forward_pre_hook(lambda _, given: (given[0].reshape(-1, given[0].shape[-1])[places],))
    try:
        yield
    finally:
        hook.remove()


class Bar(TrainerCallback):  # type: ignore[misc]
    """Progress bar with loss, tokens per second and time left; the same figures as lines of a log."""

    def __init__(self, run: Path, *, tokens_per_step: int) -> None:
        self.run, self.tokens_per_step = run, tokens_per_step
        columns = (TextColumn("training"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f} steps"))
        figures = (TextColumn("loss {task.fields[loss]:.3f}  {task.fields[pace]:,.0f} tokens/s"), TimeRemainingColumn())
        self.progress = Progress(*columns, *figures, console=Console(stderr=True), disable=is_one_of_several())

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Open the bar, and the log where the last checkpoint was."""
        self.task = self.progress.add_task("", total=state.max_steps, completed=state.global_step, loss=float("nan"), pace=0.0)
        self.since, self.step = time.monotonic(), state.global_step
        runlog.cut(self.run, state.global_step)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Move the bar."""
        self.progress.update(self.task, completed=state.global_step)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, float], **_: Any
    ) -> None:
        """Show the figures and write them down."""
        if "loss" not in logs:
            return  # the summary at the end
        now = time.monotonic()
        pace = (state.global_step - self.step) * self.tokens_per_step / max(now - self.since, 1e-9)
        self.since, self.step = now, state.global_step
        self.progress.update(self.task, loss=logs["loss"], pace=pace)
        figures = (logs["loss"], logs["grad_norm"], logs["learning_rate"])
        runlog.append(self.run, runlog.Figures(state.global_step, state.max_steps, *figures, round(pace)))
