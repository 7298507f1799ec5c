"""One training path for every role, on transformers' Trainer.

In: a `TrainConfig`, a role, a run folder. Out: `run/student` (models), and beside it what explains it: config.yaml,
provenance.json (data counts, refusals, commit, versions), sample.md (three transcripts to read), log.jsonl. A run that
was stopped goes on from its last checkpoint; a folder of another configuration is refused. Full fine-tuning, or LoRA
merged on save. Knows nothing of benchmarks' shapes or of how students are run.
"""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from socratic import benchmarks, config, curriculum, models
from socratic.config import DataSource, TrainConfig
from socratic.dataset import IGNORED, Packed, Refused, Rows, Training, examples, pack, select
from socratic.errors import ConfigError, DataError
from socratic.schema import BrokenLine, Trace, read_jsonl
from socratic.transcript import DONE, Mark, Numbers, Results, Solutions, Style, render
from socratic.vocabulary import Vocabulary

VOCABULARY_SAMPLE = 60_000  # traces from which a new vocabulary is learned
GATHERED = 512  # supervised positions are padded to a multiple of this: CPUs compile kernels anew for each shape


def train(settings: TrainConfig, training: Training, run: Path, *, data: Path | None = None) -> Path:
    """Train one student and return its folder. Raises ConfigError, DataError, ModelError."""
    _claim(run, settings, training)
    style = Style(
        Numbers(settings.style.numbers), Solutions(settings.style.solutions), Results(settings.style.results)
    )
    mix = _Mix(settings, style, data)
    vocabulary = _vocabulary(settings, mix, run)
    packed = _packed(settings, mix, vocabulary, training, run)
    model = _model(settings, vocabulary)
    _fit(model, packed, settings, run)
    about = {"role": training.value, "style": settings.style.model_dump(), "made_from": _provenance(settings, training, run)}
    merged = model.merge_and_unload() if settings.lora else model  # type: ignore[operator]
    models.save(merged, run / "student", vocabulary=vocabulary, about=about)
    return run / "student"


def _claim(run: Path, settings: TrainConfig, training: Training) -> None:
    """Refuse a folder that another configuration has written; write down this one."""
    run.mkdir(parents=True, exist_ok=True)
    stamp = json.dumps({"role": training.value, **settings.model_dump(mode="json")}, sort_keys=True)
    claimed = run / "claim.json"
    if claimed.exists() and claimed.read_text(encoding="utf-8") != stamp:
        raise ConfigError(f"{run} belongs to a run of another configuration", hint="give another --out, or delete the folder")
    claimed.write_text(stamp, encoding="utf-8")
    config.dump(settings, run / "config.yaml")


class _Mix:
    """The training traces of a configuration, in order; counts what is refused while it yields."""

    def __init__(self, settings: TrainConfig, style: Style, data: Path | None) -> None:
        self.settings, self.style, self.data = settings, style, data
        self.refused: Counter[Refused] = Counter()
        self.used: Counter[str] = Counter()

    def traces(self) -> list[Trace]:
        """All of them: shuffled by the seed, or with fewer steps first."""
        self.refused.clear()
        self.used.clear()
        everything = [trace for source in self.settings.data for trace in self._source(source)]
        random.Random(self.settings.seed).shuffle(everything)
        if self.settings.order == "easy_first":
            everything.sort(key=lambda trace: len(trace.steps))
        return everything

    def _source(self, source: DataSource) -> Iterator[Trace]:
        fewest, most = source.steps
        for trace in select(self._read(source), self.style, self.refused):
            if fewest <= len(trace.steps) <= most:
                self.used[trace.problem.dataset] += source.repeat
                yield from [trace] * source.repeat

    def _read(self, source: DataSource) -> Iterator[Trace]:
        if source.curriculum:
            families, _ = curriculum.held_out(curriculum.load_families())
            yield from curriculum.draw_many(families, source.curriculum, seed=source.seed)
        elif source.benchmark:
            yield from benchmarks.traces(source.benchmark, "train", data=self.data)
        elif source.traces:
            yield from _stored(source.traces)


def _stored(path: Path) -> Iterator[Trace]:
    for where, line in read_jsonl(path):
        if isinstance(line, BrokenLine):
            raise DataError(f"{line.where}: {line.reason}", hint="training traces must be whole; mend or remove the line")
        try:
            yield Trace.from_dict(line)
        except DataError as error:
            raise DataError(f"{where}: {error}") from error


def _vocabulary(settings: TrainConfig, mix: _Mix, run: Path) -> Vocabulary:
    """The run's own, else the base model's, else a new one learned from the mix."""
    if (run / "tokenizer.json").exists():
        return Vocabulary.load(run)
    if settings.model in models.SCRATCH:
        vocabulary = Vocabulary.learn(_texts(mix), size=settings.vocabulary)
    else:
        vocabulary = models.pretrained_vocabulary(settings.model)
    vocabulary.save(run)
    return vocabulary


def _texts(mix: _Mix) -> Iterator[str]:
    for trace in mix.traces()[:VOCABULARY_SAMPLE]:
        for segment in render(trace, mix.style):
            yield from (piece for piece in segment.pieces if isinstance(piece, str))


def _packed(settings: TrainConfig, mix: _Mix, vocabulary: Vocabulary, training: Training, run: Path) -> Packed:
    """The packed rows; kept in the run folder, so that a resumed run sees the same ones at once."""
    kept = run / "rows.npz"
    if kept.exists():
        with np.load(kept) as rows:
            return Packed(rows["ids"], rows["labels"], rows["positions"], int(rows["too_long"]))
    traces = mix.traces()
    packed = pack(
        examples(traces, vocabulary, mix.style, training), length=settings.length, pad=vocabulary.ids[DONE]
    )
    _write_sample(traces, mix.style, run)
    _write_counts(packed, mix, run)
    np.savez(kept, ids=packed.ids, labels=packed.labels, positions=packed.positions, too_long=packed.too_long)
    return packed


def _write_sample(traces: list[Trace], style: Style, run: Path) -> None:
    """Three transcripts as the student sees them, one segment a line."""
    lines = []
    for trace in random.Random(0).sample(traces, min(3, len(traces))):
        lines.append(f"\n## {trace.problem.id}\n")
        for segment in render(trace, style):
            text = "".join(piece.name if isinstance(piece, Mark) else piece for piece in segment.pieces)
            lines.append(f"- {segment.role.value}: `{text.strip()}`")
    (run / "sample.md").write_text("# What the student reads and writes\n" + "\n".join(lines) + "\n", encoding="utf-8")


def _write_counts(packed: Packed, mix: _Mix, run: Path) -> None:
    counts = {
        "rows": len(packed),
        "tokens": int(packed.ids.size),
        "supervised_tokens": packed.supervised,
        "too_long": packed.too_long,
        "traces": dict(mix.used),
        "refused": {reason.value: count for reason, count in mix.refused.items()},
        "rows_sha256": hashlib.sha256(packed.ids.tobytes()).hexdigest(),
    }
    (run / "data.json").write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")


def _provenance(settings: TrainConfig, training: Training, run: Path) -> dict[str, Any]:
    """Everything one needs to know how a student came to be; also written to provenance.json."""
    git = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=Path(__file__).parent, check=False)
    record = {
        "base": settings.model,
        "config": settings.model_dump(mode="json"),
        "data": json.loads((run / "data.json").read_text(encoding="utf-8")),
        "commit": git.stdout.strip(),
        "role": training.value,
        "versions": {name: version(name) for name in ("torch", "transformers", "peft", "tokenizers", "ctranslate2")},
    }
    (run / "provenance.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return record


def _model(settings: TrainConfig, vocabulary: Vocabulary) -> PreTrainedModel:
    if settings.model in models.SCRATCH:
        model = models.from_scratch(
            settings.model, vocabulary=vocabulary, length=settings.length, dropout=settings.dropout, seed=settings.seed
        )
    else:
        model = models.pretrained(settings.model, vocabulary=vocabulary)
    if settings.lora is None:
        return model
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(
        r=settings.lora.rank,
        lora_alpha=settings.lora.alpha,
        lora_dropout=settings.lora.dropout,
        target_modules=["c_attn", "c_proj", "c_fc"],
        fan_in_fan_out=True,
        trainable_token_indices=None,
        modules_to_save=["wte"],  # the marks are new tokens: adapters alone could not learn them
    )
    return get_peft_model(model, lora)


def _fit(model: PreTrainedModel, packed: Packed, settings: TrainConfig, run: Path) -> None:
    arguments = TrainingArguments(
        output_dir=str(run / "checkpoints"),
        per_device_train_batch_size=settings.rows,
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=settings.warmup_steps,
        weight_decay=settings.weight_decay,
        adam_beta2=0.95,
        optim="adamw_torch_fused",
        bf16=settings.precision == "bf16",
        use_cpu=not torch.cuda.is_available(),
        save_steps=settings.save_steps,
        save_total_limit=1,
        logging_steps=settings.log_steps,
        seed=settings.seed,
        data_seed=settings.seed,
        dataloader_drop_last=len(packed) >= settings.rows,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    trainer = _Trainer(model=model, args=arguments, train_dataset=Rows(packed))
    trainer.remove_callback(_printer())
    trainer.add_callback(_Bar(run / "log.jsonl", tokens_per_step=settings.rows * settings.length))
    resume = any((run / "checkpoints").glob("checkpoint-*"))
    trainer.train(resume_from_checkpoint=resume or None)


def _printer() -> type[TrainerCallback]:
    from transformers import PrinterCallback

    return PrinterCallback


class _Trainer(Trainer):
    """Rows in their packed order, and logits computed only where there is a loss."""

    def _get_train_sampler(self, *_: Any) -> torch.utils.data.Sampler[int]:
        return torch.utils.data.SequentialSampler(self.train_dataset)  # type: ignore[arg-type]

    def compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Mean cross-entropy over supervised tokens; `num_items_in_batch` keeps accumulation exact."""
        labels = inputs["labels"][:, 1:]  # (B, T-1)
        with self.accelerator.autocast():  # it wraps model.forward alone, which is not called here
            read = {"input_ids": inputs["input_ids"], "position_ids": inputs["position_ids"]}
            hidden = base_of(model)(**read, use_cache=False).last_hidden_state[:, :-1]  # (B, T-1, D)
            chosen, targets = gather(hidden, labels)
            logits = head_of(model)(chosen).float()  # (N, V)
        total = cross_entropy(logits, targets, ignore_index=IGNORED, reduction="sum")
        count = num_items_in_batch if num_items_in_batch is not None else (labels != IGNORED).sum()
        return total / count


def base_of(model: Any) -> Any:
    """The transformer below the head, also under peft's wrapper."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return inner.base_model


def head_of(model: Any) -> Any:
    """The language-model head."""
    return model.get_output_embeddings()


def gather(hidden: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Hidden states (N, D) and labels (N,) of supervised positions, N padded to a multiple of GATHERED."""
    flat = labels.reshape(-1)
    places = (flat != IGNORED).nonzero().squeeze(1)
    padding = -len(places) % GATHERED
    targets = torch.cat([flat[places], flat.new_full((padding,), IGNORED)])
    places = torch.cat([places, places.new_zeros(padding)])
    return hidden.reshape(-1, hidden.shape[-1])[places], targets


@dataclass
class _Pace:
    started: float
    step: int


class _Bar(TrainerCallback):
    """Progress bar with loss, tokens per second and time left; the same figures as lines of log.jsonl."""

    def __init__(self, log: Path, *, tokens_per_step: int) -> None:
        self.log, self.tokens_per_step = log, tokens_per_step
        columns = (TextColumn("training"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f} steps"))
        figures = (TextColumn("loss {task.fields[loss]:.3f}  {task.fields[pace]:,.0f} tokens/s"), TimeRemainingColumn())
        self.progress = Progress(*columns, *figures)
        self.pace: _Pace | None = None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.progress.start()
        self.task = self.progress.add_task("", total=state.max_steps, completed=state.global_step, loss=float("nan"), pace=0.0)
        self.pace = _Pace(time.monotonic(), state.global_step)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.progress.update(self.task, completed=state.global_step)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, float], **_: Any
    ) -> None:
        if "loss" not in logs or self.pace is None:
            return
        now, done = time.monotonic(), state.global_step - self.pace.step
        pace = done * self.tokens_per_step / max(now - self.pace.started, 1e-9)
        self.pace = _Pace(now, state.global_step)
        self.progress.update(self.task, loss=logs["loss"], pace=pace)
        with self.log.open("a", encoding="utf-8") as out:
            row = {"step": state.global_step, "loss": logs["loss"], "rate": logs.get("learning_rate"), "tokens_per_s": round(pace)}
            out.write(json.dumps(row) + "\n")

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.progress.stop()
