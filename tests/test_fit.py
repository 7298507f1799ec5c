"""Properties of fit.py, on a tiny GPT-2. Run: pytest tests/test_fit.py"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from socratic import models, runlog
from socratic.config import Lora, TrainConfig
from socratic.dataset import IGNORED, Packed, Rows, examples, pack
from socratic.dialect import DONE, Style
from socratic.errors import ConfigError
from socratic.fit import GATHERED, SupervisedTrainer, fit, head_reads_only, last_checkpoint, supervised
from socratic.schema import Trace, Training
from socratic.vocabulary import Vocabulary

LENGTH = 160


def settings(**changes: object) -> TrainConfig:
    """Twelve steps of four rows, in fp32."""
    small = {"length": LENGTH, "rows": 4, "precision": "fp32", "warmup_steps": 2, "log_steps": 1, "save_steps": 6, "epochs": 2.0}
    return TrainConfig.model_validate({"data": [{"curriculum": 1}], **small, **changes})


@pytest.fixture(scope="module")
def packed(traces: list[Trace], vocabulary: Vocabulary) -> Packed:
    """24 rows."""
    rows = pack(examples(traces, vocabulary, Style(), Training.UNIFIED), length=LENGTH, pad=vocabulary.ids[DONE])
    return Packed(rows.ids[:24], rows.labels[:24], rows.positions[:24])


def batch_of(packed: Packed, count: int) -> dict[str, torch.Tensor]:
    rows = [Rows(packed, count)[i] for i in range(count)]
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}


def weights_of(model: Any) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in model.state_dict().items()}


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, weight in one.items():
        assert torch.equal(weight, other[name]), name


def losses(run: Path) -> list[float]:
    return [figures.loss for figures in runlog.read(run)]


# The loss


def plain_loss(model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """All logits, torch's own mean over supervised tokens."""
    logits = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits
    return torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten(), ignore_index=IGNORED)


@pytest.fixture
def trainer_of(tmp_path: Path, packed: Packed) -> Callable[[Any], SupervisedTrainer]:
    from socratic.fit import _arguments

    return lambda model: SupervisedTrainer(model=model, args=_arguments(settings(), tmp_path), train_dataset=Rows(packed, 4))


def test_loss_over_gathered_places_is_the_plain_loss_with_its_gradients(
    new_gpt2: Callable[[], Any], packed: Packed, trainer_of: Callable[[Any], SupervisedTrainer]
) -> None:
    model, other, batch = new_gpt2(), new_gpt2(), batch_of(packed, 4)
    count = (batch["labels"] != IGNORED).sum()
    loss = trainer_of(model).compute_loss(model, batch, num_items_in_batch=count)
    plain = plain_loss(other, batch)
    torch.testing.assert_close(loss, plain)
    loss.backward()
    plain.backward()
    for (name, weight), (_, expected) in zip(model.named_parameters(), other.named_parameters(), strict=True):
        torch.testing.assert_close(weight.grad, expected.grad, msg=name)


def test_supervised_places_are_one_before_their_targets_and_never_cross_rows() -> None:
    labels = torch.tensor([[9, IGNORED, 5, 6], [7, 8, IGNORED, 4]])  # nothing stands before a row's first token
    places, targets = supervised(labels)
    real = targets != IGNORED
    assert len(places) == len(targets) == GATHERED
    assert places[real].tolist() == [1, 2, 4, 6]
    assert targets[real].tolist() == [5, 6, 8, 4]


def test_head_reads_all_places_again_afterwards(new_gpt2: Callable[[], Any], packed: Packed) -> None:
    model, batch = new_gpt2(), batch_of(packed, 1)
    inputs = {"input_ids": batch["input_ids"], "position_ids": batch["position_ids"]}
    before = model(**inputs).logits
    with pytest.raises(KeyboardInterrupt), head_reads_only(torch.tensor([3, 5]), model.get_output_embeddings()):
        torch.testing.assert_close(model(**inputs).logits, before[0, [3, 5]])
        raise KeyboardInterrupt
    assert torch.equal(model(**inputs).logits, before)


def test_transcripts_of_a_row_stay_apart_in_the_trainer_s_loss(
    new_gpt2: Callable[[], Any], packed: Packed, vocabulary: Vocabulary, trainer_of: Callable[[Any], SupervisedTrainer]
) -> None:
    """Other words in a row's first transcript change nothing in the loss of the others."""
    model, batch = new_gpt2(), batch_of(packed, 24)
    starts = (batch["position_ids"][:, :-1] == 0) & (batch["position_ids"][:, 1:] == 1)  # of transcripts, not of padding
    row = int((starts.sum(1) > 1).nonzero()[0])
    second = int(starts[row].nonzero()[1])
    batch["labels"][row, :second] = IGNORED
    other = {**batch, "input_ids": batch["input_ids"].clone()}
    other["input_ids"][row, :second] = torch.randint(vocabulary.size, (second,))
    assert (batch["labels"][row] != IGNORED).any()
    trainer, count = trainer_of(model), (batch["labels"] != IGNORED).sum()
    one, two = (trainer.compute_loss(model.train(), inputs, num_items_in_batch=count) for inputs in (batch, other))
    torch.testing.assert_close(one, two, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("precision", "computed"), [("bf16", torch.bfloat16), ("fp32", torch.float32)])
def test_precision_is_the_one_asked_for(
    precision: str, computed: torch.dtype, new_gpt2: Callable[[], Any], packed: Packed, tmp_path: Path
) -> None:
    model, seen = new_gpt2(), set[torch.dtype]()
    for module in (model.transformer.h[1].mlp.c_fc, model.lm_head):
        module.register_forward_hook(lambda _, given, out: seen.add(out.dtype))
    fit(model, packed, settings(precision=precision, epochs=0.2), tmp_path)
    assert seen == {computed}
    assert all(weight.dtype == torch.float32 for weight in model.parameters())


def test_auto_is_bf16_only_where_the_device_computes_in_it(
    new_gpt2: Callable[[], Any], packed: Packed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, has_instructions in enumerate((True, False)):
        monkeypatch.setattr("socratic.fit.computes_bf16", lambda has=has_instructions: has)
        model, seen = new_gpt2(), set[torch.dtype]()
        model.lm_head.register_forward_hook(lambda _, given, out, seen=seen: seen.add(out.dtype))
        fit(model, packed, settings(precision="auto", epochs=0.2), tmp_path / str(number))
        assert seen == {torch.bfloat16 if has_instructions else torch.float32}


# Steps


def test_one_step_of_accumulated_parts_equals_one_of_the_whole(
    new_gpt2: Callable[[], Any], packed: Packed, tmp_path: Path
) -> None:
    whole, parts = new_gpt2(), new_gpt2()
    fit(whole, packed, settings(rows=8, epochs=1.0), tmp_path / "whole")
    fit(parts, packed, settings(rows=8, accumulate=4, epochs=1.0), tmp_path / "parts")
    one, other = (runlog.read(tmp_path / name) for name in ("whole", "parts"))
    for figure in ("loss", "grad_norm"):  # not the weights: Adam makes much of gradients that are rounding errors
        expected = [getattr(row, figure) for row in one]
        assert [getattr(row, figure) for row in other] == pytest.approx(expected, rel=1e-3), figure
    assert len(one) == 3


def test_parts_that_do_not_divide_a_step_are_refused(new_gpt2: Callable[[], Any], packed: Packed, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"4 rows .* 3 equal parts"):
        fit(new_gpt2(), packed, settings(accumulate=3), tmp_path)


def test_rows_come_in_their_order_and_in_whole_steps(new_gpt2: Callable[[], Any], packed: Packed, tmp_path: Path) -> None:
    model, seen = new_gpt2(), list[list[int]]()
    model.register_forward_pre_hook(lambda _, args, given: seen.extend(given["input_ids"].tolist()), with_kwargs=True)
    fit(model, packed, settings(rows=5, epochs=2.0), tmp_path)
    assert seen == packed.ids[:20].tolist() * 2


def test_fewer_rows_than_a_step_wants_are_one_step(new_gpt2: Callable[[], Any], packed: Packed, tmp_path: Path) -> None:
    fit(new_gpt2(), packed, settings(rows=100, epochs=3.0), tmp_path)
    assert [row.step for row in runlog.read(tmp_path)] == [1, 2, 3]


def test_training_lowers_the_loss(new_gpt2: Callable[[], Any], packed: Packed, tmp_path: Path) -> None:
    fit(new_gpt2(), packed, settings(learning_rate=1e-2, epochs=3.0), tmp_path)
    assert losses(tmp_path)[-1] < losses(tmp_path)[0] - 1


def test_a_warm_up_longer_than_the_training_is_cut_to_a_third_of_it(
    new_gpt2: Callable[[], Any], packed: Packed, tmp_path: Path
) -> None:
    short, long = tmp_path / "short", tmp_path / "long"
    fit(new_gpt2(), packed, settings(warmup_steps=4), short)
    fit(new_gpt2(), packed, settings(warmup_steps=400), long)
    rates = [figures.rate for figures in runlog.read(long)]
    assert rates == [figures.rate for figures in runlog.read(short)]
    assert max(rates) == settings().learning_rate


def test_log_says_step_loss_rate_and_pace(new_gpt2: Callable[[], Any], packed: Packed, tmp_path: Path) -> None:
    fit(new_gpt2(), packed, settings(log_steps=3), tmp_path)
    rows = runlog.read(tmp_path)
    assert [(row.step, row.steps) for row in rows] == [(3, 12), (6, 12), (9, 12), (12, 12)]
    assert all(row.loss > 0 and row.grad_norm > 0 and row.tokens_per_s > 0 for row in rows)
    assert rows[-1].rate < rows[0].rate


def test_progress_goes_to_stderr_and_says_how_it_stands(
    new_gpt2: Callable[[], Any], packed: Packed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(new_gpt2(), packed, settings(), tmp_path)
    out, err = capsys.readouterr()
    assert out == ""
    assert "12/12 steps" in err
    assert "tokens/s" in err
    assert "shards" not in err


# Same seed, same result; stop and go on


def with_dropout(model: Any) -> Any:
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.2
    return model


def test_same_seed_gives_the_same_weights_and_another_seed_others(
    new_gpt2: Callable[[], Any], packed: Packed, tmp_path: Path
) -> None:
    found = []
    for run, seed in enumerate((1, 1, 2)):
        model = with_dropout(new_gpt2())
        fit(model, packed, settings(seed=seed, epochs=0.5), tmp_path / str(run))
        found.append(weights_of(model))
    assert_same(found[0], found[1])
    assert not torch.equal(found[0]["lm_head.weight"], found[2]["lm_head.weight"])


def stop_at(model: Any, step: int) -> Any:
    """The model, which raises KeyboardInterrupt when it is asked for one step more, as Ctrl-C does."""
    asked = []

    def count(*_: object) -> None:
        asked.append(None)
        if len(asked) > step:
            raise KeyboardInterrupt

    model.register_forward_pre_hook(count)
    return model


@pytest.mark.parametrize("lora", [None, Lora(rank=4, dropout=0.1)], ids=["full", "lora"])
def test_stopped_run_goes_on_to_the_same_weights(
    lora: Lora | None, new_gpt2: Callable[[], Any], vocabulary: Vocabulary, packed: Packed, tmp_path: Path
) -> None:
    def new() -> Any:
        model = with_dropout(new_gpt2())
        return models.with_adapters(model, lora, vocabulary=vocabulary) if lora else model

    in_one_go, stopped, resumed = new(), stop_at(new(), 8), new()
    fit(in_one_go, packed, settings(), tmp_path / "one")
    with pytest.raises(KeyboardInterrupt):
        fit(stopped, packed, settings(), tmp_path / "two")
    assert last_checkpoint(tmp_path / "two" / "checkpoints") == str(tmp_path / "two" / "checkpoints" / "checkpoint-6")
    fit(resumed, packed, settings(), tmp_path / "two")
    assert_same(weights_of(in_one_go), weights_of(resumed))
    assert losses(tmp_path / "one") == losses(tmp_path / "two")
    assert [row.step for row in runlog.read(tmp_path / "two")] == list(range(1, 13))


def test_checkpoint_that_was_cut_off_is_passed_over(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path) is None
    for step in (90, 100, 110):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / "model.safetensors").touch()
    assert last_checkpoint(tmp_path) is None
    for step in (90, 100):
        (tmp_path / f"checkpoint-{step}" / "trainer_state.json").touch()
    assert last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-100")


def test_one_checkpoint_is_kept(new_gpt2: Callable[[], Any], packed: Packed, tmp_path: Path) -> None:
    fit(new_gpt2(), packed, settings(save_steps=3), tmp_path)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["checkpoint-12"]
