"""Properties of experiment files: what they do not say has a default, what they say wrongly is named.

In: small YAML files. Out: pass or fail.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from socratic.config import DataSource, Lora, StyleConfig, TrainConfig, dump, load
from socratic.errors import ConfigError

LEAST = "data: [{curriculum: 100}]\n"


def experiment(folder: Path, text: str | bytes) -> Path:
    path = folder / "experiment.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_what_a_file_does_not_say_has_its_default(tmp_path: Path) -> None:
    loaded = load(TrainConfig, experiment(tmp_path, LEAST))
    assert loaded == TrainConfig(data=(DataSource(curriculum=100),))
    assert loaded.style == StyleConfig(numbers="masked", solutions="equation", results="inserted")


@pytest.mark.parametrize(
    "config",
    [
        TrainConfig(data=(DataSource(curriculum=1),)),
        TrainConfig(
            model="gpt2",
            style=StyleConfig(numbers="digits", solutions="sentence", results="learned"),
            data=(
                DataSource(curriculum=5, steps=(1, 3), seed=0),
                DataSource(benchmark="gsm8k-socratic", repeat=4),
                DataSource(traces=Path("runs/\u00fcber/traces.jsonl")),
            ),
            order="easy_first",
            learning_rate=1e-05,
            epochs=0.5,
            lora=Lora(rank=4),
            precision="fp32",
        ),
    ],
)
def test_a_dumped_configuration_loads_as_the_same(tmp_path: Path, config: TrainConfig) -> None:
    dump(config, tmp_path / "config.yaml")
    assert load(TrainConfig, tmp_path / "config.yaml") == config
    once = (tmp_path / "config.yaml").read_text(encoding="utf-8")
    dump(load(TrainConfig, tmp_path / "config.yaml"), tmp_path / "config.yaml")
    assert (tmp_path / "config.yaml").read_text(encoding="utf-8") == once


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("learning_rat: 0.1\n" + LEAST, "learning_rat"),
        ("lora: {rnk: 4}\n" + LEAST, "lora.rnk"),
        ("style: {number: digits}\n" + LEAST, "style.number"),
        ("data: [{curriculum: 5, sed: 1}]", "data.0.sed"),
        ("data: [{curriculum: 5}, {benchmrk: svamp}]", "data.1.benchmrk"),
    ],
)
def test_an_unknown_key_is_refused_with_its_name_and_its_file(tmp_path: Path, text: str, named: str) -> None:
    path = experiment(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(TrainConfig, path)
    assert f"{named}: " in str(caught.value)
    assert str(path) in str(caught.value)
    assert "learning_rate" in caught.value.hint


def test_every_fault_of_a_file_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"(?s)length.*rows.*seeed"):
        load(TrainConfig, experiment(tmp_path, "length: 5000\nrows: 0\nseeed: 1\n" + LEAST))


@pytest.mark.parametrize(
    "source",
    [
        "{}",
        "{seed: 3}",
        "{curriculum: 0}",
        '{benchmark: ""}',
        "{curriculum: 5, benchmark: svamp}",
        "{curriculum: 5, traces: a.jsonl}",
        "{benchmark: svamp, traces: a.jsonl}",
        "{curriculum: 5, benchmark: svamp, traces: a.jsonl}",
    ],
)
def test_an_ingredient_is_exactly_one_thing(tmp_path: Path, source: str) -> None:
    with pytest.raises(ConfigError, match=r"data\.0: .*exactly one of curriculum, benchmark, traces"):
        load(TrainConfig, experiment(tmp_path, f"data: [{source}]"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{benchmark: gsm8k-socratic, wrong_answers: kept}", "for traces"),
        ("{curriculum: 5, wrong_answers: kept}", "for traces"),
        ("{benchmark: gsm8k-socratic, share: 0.5}", "for the curriculum"),
        ("{benchmark: gsm8k-socratic, parts: [2, 3]}", "for the curriculum"),
        ("{curriculum: 5, parts: [3, 2]}", "fewest and most"),
        ("{curriculum: 5, steps: [6, 2]}", "fewest and most"),
        ("{curriculum: 5, parts: [0, 2]}", "greater than 0"),
        ("{curriculum: 5, share: 0}", "greater than 0"),
    ],
)
def test_what_the_curriculum_alone_can_do_is_asked_of_nothing_else(tmp_path: Path, source: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(TrainConfig, experiment(tmp_path, f"data: [{source}]"))


@pytest.mark.parametrize(
    "line",
    [
        "learning_rate: 0",
        "learning_rate: .inf",
        "learning_rate: .nan",
        "epochs: -1",
        "length: 8",
        "vocabulary: 100",
        "dropout: 1",
        "seed: -1",
        "seed: one",
        "order: backwards",
        "precision: int4",
        "frozen_layers: -1",
        "style: {numbers: roman}",
        "lora: {rank: 0}",
        "lora: [4]",
    ],
)
def test_an_impossible_value_is_refused_with_its_key(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigError, match=line.partition(":")[0]):
        load(TrainConfig, experiment(tmp_path, f"{line}\n{LEAST}"))


@pytest.mark.parametrize("other", ["lora: {rank: 4}", "optimizer: muon\nwords: frozen"])
def test_there_is_one_way_to_freeze(tmp_path: Path, other: str) -> None:
    with pytest.raises(ConfigError, match="frozen_layers"):
        load(TrainConfig, experiment(tmp_path, f"frozen_layers: 1\n{other}\n{LEAST}"))


@pytest.mark.parametrize("line", ["dropout: 0.1", "word_vectors: minilm"])
@pytest.mark.parametrize("model", ["smollm2", "gpt2", "runs/base/student"])
def test_what_only_scratch_models_need_is_refused_to_others(tmp_path: Path, line: str, model: str) -> None:
    assert load(TrainConfig, experiment(tmp_path, f"{line}\n{LEAST}")).model == "scratch-6m"
    with pytest.raises(ConfigError, match="scratch model"):
        load(TrainConfig, experiment(tmp_path, f"model: {model}\n{line}\n{LEAST}"))


@pytest.mark.parametrize("text", ["", "{}", "# nothing\n", "0", "[]", "false", "text", "- data"])
def test_a_file_that_names_no_data_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"experiment\.yaml"):
        load(TrainConfig, experiment(tmp_path, text))


def test_a_missing_file_is_an_error_with_a_way_on(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ConfigError, match="no experiment file at") as caught:
            load(TrainConfig, path)
        assert caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "data: [",
        "a: b: c",
        "\tdata: 1",
        "!!python/object/apply:os.system ['true']",
        "seed: 2024-13-45",
        "seed: " + "1" * 5000,
        "[" * 5000,
        b"\xff\xfe\x00",
        b"seed: \x00",
    ],
    ids=lambda text: repr(text[:16]),
)
def test_a_file_that_is_no_yaml_is_an_error_with_its_name(tmp_path: Path, text: str | bytes) -> None:
    with pytest.raises(ConfigError, match=r"experiment\.yaml is no YAML"):
        load(TrainConfig, experiment(tmp_path, text))


def test_a_number_with_an_exponent_needs_no_point(tmp_path: Path) -> None:
    assert load(TrainConfig, experiment(tmp_path, "learning_rate: 2e-3\n" + LEAST)).learning_rate == 0.002
