"""One training path for every role.

In: a `TrainConfig`, a role, a run folder. Out: `run/student` (see models), and beside it what explains it: config.yaml,
provenance.json (role, base, commit, versions, device), data.json (counts, refusals, hash), sample.md (three transcripts to
read), log.jsonl. A run that was stopped goes on from its last checkpoint; a folder of another configuration is refused, as is
one whose sources or base are not what they were.
Full fine-tuning, or LoRA merged on save. Knows nothing of benchmarks' shapes or of how students are run.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from socratic import __version__, config, models, provenance
from socratic.config import TrainConfig
from socratic.dataset import Packed, examples, pack, written_by
from socratic.dialect import DONE, Mark, Style
from socratic.errors import ConfigError
from socratic.fit import fit
from socratic.folders import weights_sum
from socratic.locks import alone
from socratic.mix import Mix, changed, files, style_of, training_mix
from socratic.prefix_lm import PrefixLM
from socratic.schema import Trace, Training
from socratic.transcript import lesson, taught
from socratic.vocabulary import Vocabulary
from socratic.whole import write_json

VOCABULARY_SAMPLE = 60_000  # traces from which a new vocabulary is learned
SAMPLE = 3  # transcripts of sample.md
LIBRARIES = ("torch", "transformers", "peft", "accelerate", "tokenizers", "ctranslate2")


def train(settings: TrainConfig, training: Training, run: Path, *, data: Path | None = None) -> Path:
    """Train one student and return its folder. Raises ConfigError, DataError, ModelError, RunError.

    A run folder whose sources or base have changed since is a ConfigError, as one of another configuration is; one that another
    process writes is a RunError.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("training runs in one process, on one device", hint="start it without torchrun or accelerate launch")
    style = style_of(settings, training)
    run.mkdir(parents=True, exist_ok=True)
    with alone(run):
        record = _claim(run, settings, training, data)
        vocabulary, packed = _prepared(settings, style, training, run, data)
        model = _model(settings, vocabulary)
        fit(model, packed, settings, run)
        counts = json.loads((run / "data.json").read_text(encoding="utf-8"))
        made = {"made_from": {**record, "data": counts}, "done_within": settings.done_within}
        about = {"role": training.value, "style": asdict(style), **made}
        student = models.merged(model) if settings.lora else model
        models.save(student, run / "student", vocabulary=vocabulary, about=about)
    return run / "student"


OWN_FOLDER = "give another --out, or delete the folder"


def _claim(run: Path, settings: TrainConfig, training: Training, data: Path | None) -> dict[str, Any]:
    """Refuse a folder of another configuration, role, base or data; else the record of the run's start, with who went on."""
    kept = run / "provenance.json"
    if kept.exists():
        record: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        if (record["role"], config.load(TrainConfig, run / "config.yaml")) != (training, settings):
            raise ConfigError(f"{run} belongs to a run of another configuration", hint=OWN_FOLDER)
        if others := [*_changed_base(settings, record), *_changed_data(run, settings, data)]:
            raise ConfigError(f"{run} belongs to a run of other files: {', '.join(others)} changed since", hint=OWN_FOLDER)
        record["went_on"] = [*record.get("went_on", ()), provenance.commit()]
    else:
        record = _provenance(settings, training)
        config.dump(settings, run / "config.yaml")
    write_json(kept, record)
    return record


def _changed_data(run: Path, settings: TrainConfig, data: Path | None) -> list[str]:
    """What the rows that are kept were not made of; where there are none yet, they are still to be made."""
    if not (run / "rows.npz").exists():
        return []
    return changed(settings.data, json.loads((run / "data.json").read_text(encoding="utf-8")).get("files", {}), data)


def _weights_sum(settings: TrainConfig) -> str:
    """Of what the weights begin as, or of whose word vectors they begin with."""
    return weights_sum(Path(settings.word_vectors or settings.model).expanduser())


def _changed_base(settings: TrainConfig, record: dict[str, Any]) -> list[str]:
    """The base, where its weights are others than at the start; nothing can be said of one that is, or was, not there."""
    told, found = record.get("base_sha256"), _weights_sum(settings)
    return [settings.word_vectors or settings.model] if told and found and told != found else []


def _provenance(settings: TrainConfig, training: Training) -> dict[str, Any]:
    """Everything but the data that one needs to know how a student came to be."""
    base = Path(settings.model).expanduser()
    return {
        "role": training.value,
        "base": settings.model,
        "base_sha256": _weights_sum(settings),
        **_ancestry(base),
        "config": settings.model_dump(mode="json"),
        "commit": provenance.commit(),
        "versions": {"socratic": __version__, **{name: version(name) for name in LIBRARIES}},
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else f"cpu, {torch.get_num_threads()} threads",
    }


def _ancestry(base: Path) -> dict[str, Any]:
    """How the base came to be, where it is a student itself: its folder may be gone tomorrow."""
    told = base / "student.json"
    return {"base_made_from": json.loads(told.read_text(encoding="utf-8")).get("made_from")} if told.is_file() else {}


def _prepared(settings: TrainConfig, style: Style, training: Training, run: Path, data: Path | None) -> tuple[Vocabulary, Packed]:
    """The vocabulary and the packed rows; kept in the run folder, rows.npz last, so that a resumed run has the same at once."""
    rows = run / "rows.npz"
    if rows.exists():
        return Vocabulary.load(run), Packed.load(rows)
    sums = files(settings.data, data)
    mix = training_mix(settings, style, training, data=data)
    vocabulary = _vocabulary(settings, mix, style, training)
    transcripts = examples(mix.traces, vocabulary, style, training, problems=settings.loss == "text")
    packed = pack(transcripts, length=settings.length, pad=vocabulary.ids[DONE])
    vocabulary.save(run)
    _write_sample(mix.traces, style, training, run)
    _write_counts(packed, mix, sums, run)
    packed.save(rows)
    return vocabulary, packed


def _vocabulary(settings: TrainConfig, mix: Mix, style: Style, training: Training) -> Vocabulary:
    """The base model's or the word vectors' (of an encoder the part that the mix needs), or a new one learned from the mix."""
    sample = random.Random(settings.seed).sample(mix.traces, min(VOCABULARY_SAMPLE, len(mix.traces)))
    whose = settings.word_vectors or settings.model
    if whose not in models.SCRATCH:
        return models.pretrained_vocabulary(whose, texts=_texts(sample, style, training), size=settings.vocabulary)
    return Vocabulary.learn(_texts(sample, style, training), size=settings.vocabulary)


def _texts(traces: Iterable[Trace], style: Style, training: Training) -> Iterator[str]:
    for trace in traces:
        for segment in lesson(trace, style, training):
            yield from (piece for piece in segment.pieces if isinstance(piece, str))


def _write_sample(traces: list[Trace], style: Style, training: Training, run: Path) -> None:
    """A few transcripts as the student sees them, one segment a line."""
    lines = [f"# What the student ({training.value}) reads, and in bold what it learns to write\n"]
    for trace in random.Random(0).sample(traces, min(SAMPLE, len(traces))):
        roles = written_by(taught(trace, training), style)
        lines.append(f"\n## {trace.problem.id}\n\n")
        for segment in lesson(trace, style, training):
            text = "".join(piece.name if isinstance(piece, Mark) else piece for piece in segment.pieces).strip()
            lines.append(f"- {segment.role.value}: " + (f"**`{text}`**\n" if segment.role in roles else f"`{text}`\n"))
    (run / "sample.md").write_text("".join(lines), encoding="utf-8")


def _write_counts(packed: Packed, mix: Mix, sums: dict[str, str], run: Path) -> None:
    counts = {
        "files": sums,
        "rows": len(packed),
        "tokens": int(packed.ids.size),
        "supervised_tokens": packed.supervised,
        "too_long": packed.too_long,
        "traces": dict(mix.used),
        "refused": {reason.value: count for reason, count in mix.refused.items()},
        "leakage": mix.leaks.to_dict(),
        "rows_sha256": hashlib.sha256(packed.ids.tobytes() + packed.labels.tobytes()).hexdigest(),
    }
    write_json(run / "data.json", counts)


def _model(settings: TrainConfig, vocabulary: Vocabulary) -> Any:
    torch.manual_seed(settings.seed)  # of new weights, of the marks' embeddings, of adapters
    if settings.model in models.SCRATCH:
        model = models.from_scratch(settings.model, vocabulary=vocabulary, length=settings.length, dropout=settings.dropout)
        if settings.word_vectors:
            models.begin_words(model, settings.word_vectors, vocabulary=vocabulary)
    else:
        model = models.pretrained(settings.model, vocabulary=vocabulary)
    if settings.length > model.config.max_position_embeddings:
        raise ConfigError(f"`length` is {settings.length}, {settings.model} reads {model.config.max_position_embeddings} tokens")
    if settings.loss == "text" and isinstance(model, PrefixLM):
        raise ConfigError(
            f"{settings.model} reads a problem in both directions, and cannot learn to write it", hint="loss: steps"
        )
    if settings.words == "frozen":
        models.freeze_words(model, vocabulary)
    if settings.frozen_layers:
        if not (Path(settings.model).expanduser() / "student.json").is_file():
            raise ConfigError("`frozen_layers` would freeze the marks, which are new here", hint="start from a student's folder")
        models.freeze_lowest(model, settings.frozen_layers)
    return models.with_adapters(model, settings.lora, vocabulary=vocabulary) if settings.lora else model
