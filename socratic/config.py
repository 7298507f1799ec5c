"""What an experiment file may say: one pydantic model per stage, unknown keys refused.

In: a YAML file. Out: the model of its stage with every default filled in, which has no other home. Knows nothing of torch, of
where data lies, or of what a student reads.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from socratic.errors import ConfigError


class Strict(BaseModel):
    """Frozen, and a misspelled key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Filter(Strict):
    """A budget for the samples of each problem, and what decides which are kept (filters)."""

    by: Literal["random", "diversity", "likelihood", "open-endedness"]
    keep: int = Field(5, ge=1, description="samples of a problem; with open-endedness on average")
    model: str = Field("", description="diversity: a sentence encoder, else minilm; likelihood: a causal LM, where logprobs lack")


class DataSource(Strict):
    """One ingredient of the training mix: exactly one of `curriculum`, `benchmark` and `traces`."""

    curriculum: int = Field(0, ge=0, description="number of problems to draw from the families")
    share: float = Field(1.0, gt=0, le=1, description="share of the families that are drawn from")
    parts: tuple[PositiveInt, PositiveInt] = Field((1, 1), description="fewest and most families that make one story")
    benchmark: str = Field("", description="a benchmark with steps, such as gsm8k-socratic")
    traces: Path | None = Field(None, description="a JSONL of traces")
    filter: Filter | None = Field(None, description="of the traces' samples of each problem keep some")
    visits: int = Field(0, ge=0, description="so often one random trace of each problem, in place of all: epochs in one")
    wrong_answers: Literal["refused", "kept"] = Field(
        "refused", description="traces whose answer is not the gold one; kept: as if nobody knew it (SCoTD's few-shot setting)"
    )
    steps: tuple[int, int] = Field((1, 99), description="fewest and most steps of a trace")
    repeat: int = Field(1, ge=1, description="how often each trace is used")
    ask: Literal["last", "earlier"] = Field(
        "last", description="earlier: each story with a question that an earlier step answers"
    )
    resampled: int = Field(0, ge=0, description="further copies of each trace with its numbers drawn anew, where that is safe")
    seed: int = Field(0, ge=0, description="of the curriculum's draws, of new numbers, of filter and visits")

    @model_validator(mode="after")
    def _exactly_one(self) -> DataSource:
        if sum((bool(self.curriculum), bool(self.benchmark), self.traces is not None)) != 1:
            raise ValueError("give exactly one of curriculum, benchmark, traces")
        if self.steps[0] > self.steps[1]:
            raise ValueError("steps are fewest and most, in this order")
        if self.curriculum and self.resampled:
            raise ValueError("resampled is for benchmark and traces; for more of the curriculum draw more problems")
        if not self.curriculum and (self.share < 1 or self.parts != (1, 1)):
            raise ValueError("share and parts are for the curriculum")
        if self.parts[0] > self.parts[1]:
            raise ValueError("parts are fewest and most, in this order")
        if (self.filter or self.visits) and self.traces is None:
            raise ValueError("filter and visits are for traces, of which a problem may have several")
        if self.wrong_answers == "kept" and self.traces is None:
            raise ValueError("wrong_answers is for traces; the other sources have none")
        if self.visits and (self.repeat > 1 or self.resampled):
            raise ValueError("visits says how often a problem is seen: leave repeat and resampled out")
        return self


class Lora(Strict):
    """Low-rank adapters on GPT-2's attention and MLP matrices (c_attn, c_proj, c_fc), merged on save."""

    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)


class StyleConfig(Strict):
    """The students' dialect (dialect.Style)."""

    numbers: Literal["references", "masked", "digits"] = "masked"
    solutions: Literal["equation", "sentence"] = "equation"
    results: Literal["inserted", "learned"] = "inserted"
    capitals: Literal["kept", "marked"] = "kept"


class TrainConfig(Strict):
    """One training run."""

    model: str = Field("scratch-6m", description="a Hub name, a folder, scratch-6m|6m-deep|6m-wide|12m|18m|30m, minilm, smollm2")
    vocabulary: int = Field(4096, ge=512, description="tokens of a new vocabulary, or of what minilm and smollm2 keep")
    word_vectors: str = Field("", description="of scratch models: an encoder as wide, to begin with its tokens and vectors")
    style: StyleConfig = StyleConfig()
    guidance: Literal["none", "steps", "operators", "equations"] = Field(
        "none", description="what a decomposer is told of the solution before it asks; a solver of a pair is told nothing"
    )
    data: tuple[DataSource, ...] = Field(min_length=1)
    leakage: Literal["refuse", "allow"] = Field("refuse", description="what to do with traces that are like a test problem")
    test_sets: tuple[Path, ...] = Field((), description="JSONLs of more problems to guard, beside the benchmarks' test problems")
    order: Literal["shuffled", "easy_first"] = Field("shuffled", description="easy_first: fewer steps first")
    loss: Literal["steps", "text"] = Field("steps", description="text: a causal LM learns to write the problem, too")
    length: int = Field(256, ge=16, le=1024, description="tokens per packed row")
    rows: int = Field(32, ge=1, description="packed rows per optimizer step")
    accumulate: int = Field(1, ge=1, description="parts in which a step's rows go through the model, to save memory")
    epochs: float = Field(1.0, gt=0)
    optimizer: Literal["adamw", "muon"] = Field("adamw", description="muon: for the hidden layers' matrices, AdamW for the rest")
    words: Literal["trained", "frozen"] = Field("trained", description="frozen: of the embeddings only the marks' learn (muon)")
    learning_rate: float = Field(2e-3, gt=0)
    warmup_steps: int = Field(100, ge=0, description="a third of all steps at most")
    weight_decay: float = Field(0.1, ge=0)
    dropout: float = Field(0.0, ge=0, lt=1, description="of scratch models")
    frozen_layers: int = Field(
        0, ge=0, description="so many of the lowest layers, and the embeddings, learn nothing, which saves time"
    )
    precision: Literal["auto", "bf16", "fp32"] = Field("auto", description="auto: bf16 where the device computes in it")
    lora: Lora | None = None
    done_within: float = Field(
        0.0, ge=0, description="nats by which another subquestion must be likelier, once all numbers are used; 0: no such rule"
    )
    save_steps: int = Field(500, ge=1, description="optimizer steps between checkpoints")
    log_steps: int = Field(10, ge=1)
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _frozen_words_do_not_decay(self) -> TrainConfig:
        if self.words == "frozen" and self.optimizer != "muon":
            raise ValueError("words: frozen needs optimizer: muon, whose embeddings have no weight decay")
        return self

    @model_validator(mode="after")
    def _what_scratch_models_need_alone(self) -> TrainConfig:
        if self.word_vectors and not self.model.startswith("scratch-"):
            raise ValueError(f"{self.model} has word vectors: leave word_vectors out, or start from a scratch model")
        if self.dropout and not self.model.startswith("scratch-"):
            raise ValueError(f"{self.model} is trained without dropout: leave it out, or start from a scratch model")
        return self

    @model_validator(mode="after")
    def _one_way_to_freeze(self) -> TrainConfig:
        if self.frozen_layers and (self.lora or self.words == "frozen"):
            raise ValueError("frozen_layers freezes the embeddings too: leave lora and words out")
        return self


class Published(Strict):
    """A figure of a paper to stand beside ours."""

    student: str = Field(description="whose figure it is, such as GPT-2 large")
    accuracy: float = Field(ge=0, le=100, description="percent")
    source: str


class Cell(Strict):
    """One cell of a results table: a method, what it learns from, and what it is scored on. Names are checked by `cells`."""

    method: str
    guidance: str = "none"
    plan: str = Field("learned", description="where guidance comes from: a planner, or gold, which no student has (an oracle)")
    samples: int = Field(1, ge=1, le=200, description="traces of each problem; with more than one they vote")
    benchmark: str
    split: str
    published: tuple[Published, ...] = ()
    train: dict[str, Any] = Field(description="TrainConfig's keys; the folder's recipe has those that all cells share")


class Recipes(Strict):
    """How the cells of one table are trained, by kind of base: TrainConfig's keys, under those of each cell."""

    own: dict[str, Any] = Field(description="a student's folder, an encoder, or what a package carries")
    scratch: dict[str, Any] = Field(description="random weights")
    papers: dict[str, Any] = Field(description="a pretrained causal LM, from the Hub or a folder")


class RoundsConfig(Strict):
    """Rounds in which a student learns from its own traces; each round trains anew, from `train.model`."""

    student: str = Field("default", description="whose traces the first round learns from: 'default' or a folder")
    problems: str = Field("gsm8k", description="to sample traces for: a benchmark's training split, or a JSONL with answers")
    validation: str = Field("gsm8k", description="to measure on: a benchmark's validation slice, or a JSONL with answers")
    limit: int = Field(1_000_000, ge=1, description="at most so many problems, picked at random")
    validation_limit: int = Field(1_000_000, ge=1, description="and so many to measure on")
    rounds: int = Field(3, ge=1)
    samples: int = Field(4, ge=1, le=200, description="traces of each problem and round")
    temperature: float = Field(0.7, gt=0, le=2)
    max_steps: int = Field(10, ge=1, le=50)
    batch_size: int = Field(32, ge=1, le=1024, description="traces that are written at the same time")
    seed: int = Field(0, ge=0, description="of samples and picked problems")
    train: TrainConfig = Field(description="of each round; what was kept so far is added to its `data`")


Config = TypeVar("Config", bound=Strict)


def load(kind: type[Config], path: Path) -> Config:
    """Read one experiment file. Raises ConfigError naming each key that is wrong, and how."""
    if not path.is_file():
        raise ConfigError(f"no experiment file at {path}", hint="experiments/ holds the ones this project uses")
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, or a date such as 2024-13-45
        raise ConfigError(f"{path} is no YAML: {error}", hint="experiments/ holds files to copy from") from error
    try:
        return kind.model_validate({} if found is None else found)
    except ValidationError as error:
        raise ConfigError(f"{path}: {faults(error)}", hint=f"known keys: {', '.join(kind.model_fields)}") from error


def faults(error: ValidationError, whole: str = "file") -> str:
    """What pydantic found, each with its key; `whole` names what is wrong as a whole."""
    return "; ".join(f"{'.'.join(map(str, found['loc'])) or whole}: {found['msg']}" for found in error.errors())


def dump(config: Strict, path: Path) -> None:
    """Write the resolved configuration beside what was made with it."""
    path.write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), encoding="utf-8")
