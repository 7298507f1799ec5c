"""Properties of prefix_lm.py, on a tiny random model. Run: pytest tests/test_prefix_lm.py

In: transcripts of random tokens, packed and padded as `dataset` and the engines do. Out: pass or fail.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from socratic.models import no_bars
from socratic.prefix_lm import PrefixLM, PrefixLMConfig, visible

ASK, WORDS, PAD = 1, range(2, 60), 0
close = torch.testing.assert_close


@pytest.fixture(scope="module")
def model() -> Any:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    form = {"max_position_embeddings": 64, "hidden_act": "gelu_pytorch_tanh", "initializer_range": 0.3, "is_decoder": True}
    return PrefixLM(PrefixLMConfig(vocab_size=60, ask_id=ASK, **small, **form)).eval()


def transcript(seed: int, *, asks: int = 2) -> list[int]:
    """A problem and `asks` subquestions with what follows them."""
    draw = random.Random(seed)
    parts = [draw.choices(WORDS, k=draw.randint(2, 6)) for _ in range(asks + 1)]
    return parts[0] + [i for part in parts[1:] for i in (ASK, *part)]


TRANSCRIPTS = [transcript(seed, asks=seed % 4) for seed in range(9)]


@torch.inference_mode()
def logits(model: Any, ids: list[int], positions: list[int] | None = None) -> torch.Tensor:
    """(T, V)"""
    found: torch.Tensor = model(
        input_ids=torch.tensor([ids]), position_ids=None if positions is None else torch.tensor([positions])
    ).logits[0]
    return found


def changed(one: torch.Tensor, other: torch.Tensor) -> list[bool]:
    """Of each place, whether its logits differ."""
    return ((one - other).abs().amax(-1) > 1e-4).tolist()


# Who sees whom


def test_the_mask_is_its_definition() -> None:
    """Among padding and packed transcripts, against the definition, read place by place."""
    row = [PAD] * 2 + [i for ids in TRANSCRIPTS[:4] for i in ids] + [PAD] * 3
    positions = [0] * 2 + [p for ids in TRANSCRIPTS[:4] for p in range(len(ids))] + [0] * 3
    starts = [place for place, position in enumerate(positions) if position == 0]
    start_of = [max(s for s in starts if s <= place) for place in range(len(row))]

    def sees(i: int, j: int) -> bool:
        if start_of[i] != start_of[j]:
            return False
        return j <= i or ASK not in row[start_of[i] : j + 1]

    expected = [[sees(i, j) for j in range(len(row))] for i in range(len(row))]
    assert visible(torch.tensor([row]), torch.tensor([positions]), ASK)[0].tolist() == expected


def test_rows_of_a_batch_do_not_look_at_each_other() -> None:
    ids = torch.tensor([[*TRANSCRIPTS[0][:3], ASK], [ASK, *TRANSCRIPTS[1][:3]]])
    positions = torch.arange(4).expand(2, 4)
    both = visible(ids, positions, ASK)
    assert all(torch.equal(both[i], visible(ids[i : i + 1], positions[:1], ASK)[0]) for i in range(2))


def test_the_problem_is_read_in_both_directions(model: Any) -> None:
    for ids in TRANSCRIPTS:
        end = ids.index(ASK) if ASK in ids else len(ids)
        other = [*ids[: end - 1], 59 if ids[end - 1] != 59 else 58, *ids[end:]]
        assert all(changed(logits(model, ids), logits(model, other))), "each place sees the problem's last word"


def test_what_is_written_never_changes_what_stands_before_it(model: Any) -> None:
    for ids in TRANSCRIPTS:
        whole = logits(model, ids)
        for end in range(ids.index(ASK) if ASK in ids else len(ids), len(ids) + 1):
            close(logits(model, ids[:end]), whole[:end], rtol=1e-4, atol=1e-4)


def test_what_is_written_sees_all_that_stands_before_it(model: Any) -> None:
    ids = transcript(1)
    for place in range(len(ids)):
        if ids[place] != ASK:
            other = [*ids[:place], 59 if ids[place] != 59 else 58, *ids[place + 1 :]]
            assert all(changed(logits(model, ids), logits(model, other))[max(place, ids.index(ASK)) :])


# Packing, padding, caches


def test_packed_transcripts_read_as_each_alone(model: Any) -> None:
    packed = [i for ids in TRANSCRIPTS[:5] for i in ids] + [PAD] * 4
    positions = [p for ids in TRANSCRIPTS[:5] for p in range(len(ids))] + [0] * 4
    together, place = logits(model, packed, positions), 0
    for ids in TRANSCRIPTS[:5]:
        close(together[place : place + len(ids)], logits(model, ids), rtol=1e-4, atol=1e-4)
        place += len(ids)


def test_padding_on_the_left_changes_nothing(model: Any) -> None:
    width = max(map(len, TRANSCRIPTS))
    ids = torch.tensor([[PAD] * (width - len(t)) + t for t in TRANSCRIPTS])
    mask = torch.tensor([[0] * (width - len(t)) + [1] * len(t) for t in TRANSCRIPTS])
    with torch.inference_mode():
        padded = model(input_ids=ids, attention_mask=mask, position_ids=(mask.cumsum(1) - 1).clamp(min=0)).logits
    for row, alone in zip(padded, TRANSCRIPTS, strict=True):
        close(row[width - len(alone) :], logits(model, alone), rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_a_cache_changes_nothing(model: Any) -> None:
    """Padded on the left, the problem and some of the rest at once, and what follows token by token."""
    for ids in TRANSCRIPTS[1:4]:
        whole, begin = logits(model, ids), ids.index(ASK)
        for end in (begin, begin + 2):
            row, mask = torch.tensor([[PAD] * 3 + ids]), torch.tensor([[0] * 3 + [1] * len(ids)])
            positions = (mask.cumsum(1) - 1).clamp(min=0)
            cache = None
            for start, stop in ((0, end + 3), *((i, i + 1) for i in range(end + 3, len(ids) + 3))):
                part = {"input_ids": row[:, start:stop], "position_ids": positions[:, start:stop]}
                out = model(**part, attention_mask=mask[:, :stop], past_key_values=cache, use_cache=True)
                cache = out.past_key_values
                close(out.logits[0, -1], whole[stop - 4], rtol=1e-4, atol=1e-4)


# One matrix for words and head; files


@pytest.fixture(scope="module")
def saved(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prefix-lm")
    with no_bars():
        model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def loaded(saved: Path) -> Any:
    with no_bars():
        return AutoModelForCausalLM.from_pretrained(saved).eval()


def test_transformers_loads_it_by_its_config_alone(model: Any, loaded: Any) -> None:
    assert isinstance(loaded, PrefixLM)
    assert loaded.config.ask_id == ASK
    for ids in TRANSCRIPTS[:3]:
        assert torch.equal(logits(loaded, ids), logits(model, ids))


def test_head_and_words_are_one_tensor_in_memory_and_on_disk(model: Any, loaded: Any, saved: Path) -> None:
    for each in (model, loaded):
        assert each.get_output_embeddings().weight is each.get_input_embeddings().weight
        assert sum(name.endswith(("head.weight", "word_embeddings.weight")) for name, _ in each.named_parameters()) == 1
    assert [name for name, weight in load_file(saved / "model.safetensors").items() if len(weight) == 60] == [
        "bert.embeddings.word_embeddings.weight"
    ]
