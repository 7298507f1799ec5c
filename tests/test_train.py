"""Properties of train.py: whole runs on a tiny GPT-2. Run: pytest tests/test_train.py"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from socratic import config, models
from socratic.config import TrainConfig
from socratic.dataset import Packed
from socratic.dialect import Capitals, Guidance
from socratic.engines import Prompt
from socratic.engines.numpy import NumpyEngine
from socratic.errors import ConfigError, DataError, RunError
from socratic.folders import read_student
from socratic.jsonl import write_jsonl
from socratic.locks import alone
from socratic.schema import Decoding, Training
from socratic.train import train
from socratic.vocabulary import Vocabulary
from socratic.weights import average, shrink


@pytest.fixture
def settings(student: Path, traces_file: Path) -> Callable[..., TrainConfig]:
    """A run of eight steps on the tiny GPT-2."""
    base = {"model": str(student), "data": [{"traces": str(traces_file)}]}
    short = {"length": 160, "rows": 4, "epochs": 0.25, "log_steps": 1}
    return lambda **changes: TrainConfig.model_validate({**base, **short, **changes})


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(folder / "model.safetensors"))


def equal(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(weight, second[name]) for name, weight in first.items())


def read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def test_run_folder_explains_itself(settings: Callable[..., TrainConfig], student: Path, tmp_path: Path) -> None:
    folder = train(settings(), Training.DECOMPOSER, tmp_path / "run")
    run = tmp_path / "run"
    assert folder == run / "student"
    assert config.load(TrainConfig, run / "config.yaml") == settings()

    provenance = read(run / "provenance.json")
    assert provenance["role"] == "decomposer"
    assert provenance["base"] == str(student)
    assert provenance["base_made_from"] == read(student / "student.json").get("made_from")
    assert provenance["config"]["seed"] == 0
    assert {"socratic", "torch", "transformers", "peft", "ctranslate2"} <= provenance["versions"].keys()
    assert provenance["device"]

    data, packed = read(run / "data.json"), Packed.load(run / "rows.npz")
    assert data["rows"] == len(packed)
    assert data["tokens"] == packed.ids.size
    assert data["supervised_tokens"] == packed.supervised > 0
    assert data["traces"]["curriculum"] + sum(data["refused"].values()) == 200
    assert len(data["rows_sha256"]) == 64
    looked_at = {*data["leakage"]["checked"], *data["leakage"]["not_checked"]}
    assert {name.split()[0] for name in looked_at} - {"mawps"} == {"gsm8k", "svamp", "strategyqa"}  # mawps: a validation slice

    about = read(folder / "student.json")
    assert about["role"] == "decomposer"
    assert about["style"] == {**settings().style.model_dump(), "guidance": "none"}
    assert about["made_from"] == {**provenance, "data": data}

    steps = [json.loads(line)["step"] for line in (run / "log.jsonl").read_text().splitlines()]
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) > 3

    assert not equal(folder, student)
    assert (folder / "ct2" / "model.bin").is_file()
    assert Vocabulary.load(folder).tokens == Vocabulary.load(student).tokens


def test_sample_shows_three_transcripts_and_what_is_learned_of_them(settings: Callable[..., TrainConfig], tmp_path: Path) -> None:
    train(settings(epochs=0.01), Training.SOLVER, tmp_path)
    lines = (tmp_path / "sample.md").read_text(encoding="utf-8").splitlines()
    assert sum(line.startswith("## ") for line in lines) == 3
    bold = [line for line in lines if "**`" in line]
    assert bold == [line for line in lines if line.startswith("- solver: ")]
    assert any(line.startswith("- problem: `<|problem|> ") for line in lines)
    assert any(line.startswith("- decomposer: `<|ask|> ") for line in lines)


def test_same_seed_gives_the_same_student_and_another_seed_another(settings: Callable[..., TrainConfig], tmp_path: Path) -> None:
    one, again, other = (
        train(settings(seed=seed, lora={"rank": 2, "dropout": 0.1}), Training.UNIFIED, tmp_path / str(run))
        for run, seed in enumerate((1, 1, 2))
    )
    assert equal(one, again)
    assert not equal(one, other)


def test_frozen_layers_and_words_stay_as_they_were_and_the_others_learn(
    settings: Callable[..., TrainConfig], student: Path, tmp_path: Path
) -> None:
    before, after = weights(student), weights(train(settings(frozen_layers=1), Training.UNIFIED, tmp_path))
    changed = {name.removeprefix("transformer.") for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith(("h.1.", "ln_f.")) for name in changed)
    with pytest.raises(ConfigError, match="frozen_layers is 2, the model has 2 layers"):
        train(settings(frozen_layers=2), Training.UNIFIED, tmp_path / "all")
    with pytest.raises(ConfigError, match="would freeze the marks"):
        train(settings(frozen_layers=1, model="scratch-6m"), Training.UNIFIED, tmp_path / "new")


def test_lora_leaves_an_ordinary_student(settings: Callable[..., TrainConfig], student: Path, tmp_path: Path) -> None:
    folder = train(settings(lora={"rank": 2}, learning_rate=1e-2), Training.UNIFIED, tmp_path)
    assert weights(folder).keys() == weights(student).keys()
    assert not equal(folder, student)
    assert (folder / "ct2" / "model.bin").is_file()


def test_finished_run_is_not_trained_again_and_needs_its_sources_no_more(
    settings: Callable[..., TrainConfig], traces_file: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "traces.jsonl"
    copy.write_bytes(traces_file.read_bytes())
    chosen = settings(data=[{"traces": str(copy)}])
    folder = train(chosen, Training.UNIFIED, tmp_path / "run")
    before, log = weights(folder), (tmp_path / "run" / "log.jsonl").read_text()
    copy.unlink()
    train(chosen, Training.UNIFIED, tmp_path / "run")
    assert (tmp_path / "run" / "log.jsonl").read_text() == log
    assert all(torch.equal(weight, before[name]) for name, weight in weights(folder).items())


def test_folder_of_another_configuration_or_role_is_refused_and_left_alone(
    settings: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    train(settings(epochs=0.01), Training.SOLVER, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for chosen, training in [
        (settings(epochs=0.02), Training.SOLVER),
        (settings(epochs=0.01), Training.DECOMPOSER),
        (settings(epochs=0.01, seed=1), Training.SOLVER),
    ]:
        with pytest.raises(ConfigError, match="another configuration") as caught:
            train(chosen, training, tmp_path)
        assert "--out" in caught.value.hint
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_changed_data_is_not_taken_for_what_a_student_learned_from(
    settings: Callable[..., TrainConfig], traces_file: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "traces.jsonl"
    copy.write_bytes(traces_file.read_bytes())
    chosen = settings(data=[{"traces": str(copy)}], epochs=0.01)
    train(chosen, Training.UNIFIED, tmp_path / "run")
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    copy.write_bytes(traces_file.read_bytes() + traces_file.read_bytes())
    with pytest.raises(ConfigError, match=r"traces\.jsonl changed since") as caught:
        train(chosen, Training.UNIFIED, tmp_path / "run")
    assert "--out" in caught.value.hint
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before


def test_a_base_that_was_trained_anew_is_another_base(
    settings: Callable[..., TrainConfig], student: Path, tmp_path: Path
) -> None:
    base = Path(shutil.copytree(student, tmp_path / "base"))
    chosen = settings(model=str(base), epochs=0.01)
    train(chosen, Training.UNIFIED, tmp_path / "run")
    save_file({name: weight + 1 for name, weight in weights(base).items()}, base / "model.safetensors")
    with pytest.raises(ConfigError, match="base changed since"):
        train(chosen, Training.UNIFIED, tmp_path / "run")


def test_preparation_that_was_cut_off_is_done_again(settings: Callable[..., TrainConfig], tmp_path: Path) -> None:
    whole = train(settings(epochs=0.01), Training.SOLVER, tmp_path / "whole")
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "tokenizer.json").write_text('{"version": ')
    (tmp_path / "cut" / "partial-rows.npz").write_bytes(b"PK")
    assert equal(train(settings(epochs=0.01), Training.SOLVER, tmp_path / "cut"), whole)


def test_test_problems_stop_a_run_before_it_begins(
    settings: Callable[..., TrainConfig], traces_file: Path, tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in traces_file.read_text(encoding="utf-8").splitlines()]
    rows[17]["problem"]["split"] = "test"
    write_jsonl(tmp_path / "traces.jsonl", rows)
    with pytest.raises(DataError, match="test problem"):
        train(settings(data=[{"traces": str(tmp_path / "traces.jsonl")}]), Training.UNIFIED, tmp_path / "run")
    assert not (tmp_path / "run" / "student").exists()


def test_rows_longer_than_the_model_reads_are_refused(settings: Callable[..., TrainConfig], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"`length` is 161, .* reads 160 tokens"):
        train(settings(length=161), Training.UNIFIED, tmp_path)


def test_several_processes_are_refused(
    settings: Callable[..., TrainConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")  # as torchrun sets it
    with pytest.raises(ConfigError, match="one process"):
        train(settings(), Training.UNIFIED, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_that_goes_on_keeps_the_record_of_its_start(settings: Callable[..., TrainConfig], tmp_path: Path) -> None:
    train(settings(epochs=0.01), Training.UNIFIED, tmp_path / "run")
    start = read(tmp_path / "run" / "provenance.json")
    for _ in range(2):
        train(settings(epochs=0.01), Training.UNIFIED, tmp_path / "run")
    assert read(tmp_path / "run" / "provenance.json") == {**start, "went_on": [start["commit"]] * 2}


def test_a_run_that_another_process_is_at_is_refused_and_its_record_left_alone(
    settings: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    train(settings(epochs=0.01), Training.UNIFIED, tmp_path / "run")
    record = read(tmp_path / "run" / "provenance.json")
    with alone(tmp_path / "run"), pytest.raises(RunError, match="another process"):
        train(settings(epochs=0.01), Training.UNIFIED, tmp_path / "run")
    assert read(tmp_path / "run" / "provenance.json") == record


def test_machine_without_git_trains_too(
    settings: Callable[..., TrainConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    train(settings(epochs=0.01), Training.UNIFIED, tmp_path / "run")
    assert read(tmp_path / "run" / "provenance.json")["commit"] == ""


def test_an_encoder_that_sees_the_whole_problem_cannot_learn_to_write_it(
    settings: Callable[..., TrainConfig], encoder: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="both directions"):
        train(settings(model=str(encoder), vocabulary=512, loss="text"), Training.UNIFIED, tmp_path)


def test_an_encoder_becomes_a_student_that_runs_without_torch(
    settings: Callable[..., TrainConfig], encoder: Path, tmp_path: Path
) -> None:
    style = {"capitals": "marked"}
    folder = train(settings(model=str(encoder), vocabulary=512, style=style, precision="fp32"), Training.UNIFIED, tmp_path)
    student, engine = read_student(folder), NumpyEngine(folder)
    assert (student.architecture, student.style.capitals) == ("prefix_lm", Capitals.MARKED)
    assert engine.vocabulary.tokens == Vocabulary.load(tmp_path).tokens
    assert engine.vocabulary.tokenizer.token_to_id("how") is not None
    assert len(engine.complete([Prompt((5, 6))], stop=frozenset(), max_tokens=3, decoding=Decoding())[0].ids) == 3


def test_model_from_nothing_learns_its_own_vocabulary(settings: Callable[..., TrainConfig], tmp_path: Path) -> None:
    chosen = settings(model="scratch-6m", vocabulary=560, length=64, rows=1, epochs=0.001)
    folder = train(chosen, Training.UNIFIED, tmp_path)
    assert Vocabulary.load(folder).size == 560
    assert read(folder / "config.json")["n_positions"] == 64
    assert read(folder / "config.json")["vocab_size"] == 560


def test_model_from_nothing_takes_the_words_of_an_encoder(settings: Callable[..., TrainConfig], tmp_path: Path) -> None:
    pytest.importorskip(models.CARRIED["minilm"][0], reason="the package with MiniLM is not installed")
    begun = {"word_vectors": "minilm", "style": {"capitals": "marked"}}
    chosen = settings(model="scratch-6m-wide", vocabulary=600, length=64, rows=1, epochs=0.001, learning_rate=1e-9, **begun)
    folder = train(chosen, Training.UNIFIED, tmp_path)
    found, minilm = weights(folder)["transformer.wte.weight"], load_file(models.locate("minilm") / "model.safetensors")
    own = Vocabulary.load(models.locate("minilm")).tokenizer
    for token in ("how", "many", "left"):
        vector = minilm["embeddings.word_embeddings.weight"][own.token_to_id(token)]
        assert torch.allclose(found[Vocabulary.load(folder).tokenizer.token_to_id(token)].float(), vector, atol=1e-3), token


def test_a_student_s_rule_of_stopping_is_kept_by_what_becomes_of_it(settings: Callable[..., TrainConfig], tmp_path: Path) -> None:
    folder = train(settings(epochs=0.01, done_within=2.5), Training.UNIFIED, tmp_path / "run")
    average([folder, folder], tmp_path / "mean")
    shrink(tmp_path / "mean", tmp_path / "small")
    assert {read_student(place).done_within for place in (folder, tmp_path / "mean", tmp_path / "small")} == {2.5}


def test_one_guided_configuration_serves_a_pair_and_its_planner(settings: Callable[..., TrainConfig], tmp_path: Path) -> None:
    chosen, told = settings(epochs=0.01, guidance="operators"), Guidance.OPERATORS
    expected = {Training.DECOMPOSER: told, Training.SOLVER: Guidance.NONE, Training.PLANNER: told}
    for training, guidance in expected.items():
        folder = train(chosen, training, tmp_path / training.value)
        assert read_student(folder).style.guidance is guidance
        sample = (tmp_path / training.value / "sample.md").read_text(encoding="utf-8")
        assert ("- guide: " in sample) is (guidance is told)
        assert ("- guide: **`" in sample) is (training is Training.PLANNER)


@pytest.mark.parametrize(
    ("training", "changes", "reason"),
    [
        (Training.ANSWER, {}, "masked"),
        (Training.ANSWER, {"style": {"numbers": "digits"}, "guidance": "steps"}, "nothing guides"),
        (Training.COT, {"guidance": "steps"}, "nothing guides"),
        (Training.BASE, {"guidance": "steps"}, "nothing guides"),
        (Training.PLANNER, {}, "something to plan"),
    ],
)
def test_roles_refuse_what_they_have_no_use_for(
    training: Training, changes: dict[str, Any], reason: str, settings: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=reason):
        train(settings(**changes), training, tmp_path / "run")
    assert not (tmp_path / "run").exists()
