"""Muon and AdamW as one optimizer: who updates what, schedules, checkpoints."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from socratic.optimizer import MuonAdamW, PlainMuon


@pytest.fixture
def model() -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    return GPT2LMHeadModel(
        GPT2Config(vocab_size=40, n_positions=16, n_layer=2, n_embd=16, n_head=2, bos_token_id=0, eos_token_id=0)
    )


def step(model: Any, optimizer: MuonAdamW) -> None:
    ids = torch.arange(12).reshape(1, 12)
    model.eval()  # no dropout: every step is the same function of the weights
    model(input_ids=ids, labels=ids).loss.backward()
    optimizer.step()
    optimizer.zero_grad()


def optimizer_of(model: Any) -> MuonAdamW:
    return MuonAdamW(model, learning_rate=1e-2, weight_decay=0.1)


def test_each_trained_tensor_belongs_to_exactly_one_of_both(model: Any) -> None:
    optimizer = optimizer_of(model)
    muon = [id(p) for group in optimizer.muon.param_groups for p in group["params"]]
    adamw = [id(p) for group in optimizer.adamw.param_groups for p in group["params"]]
    assert sorted(muon + adamw) == sorted(id(p) for p in model.parameters())
    names = {id(p): name for name, p in model.named_parameters()}
    assert {names[p].split(".")[-2] for p in muon} == {"c_attn", "c_proj", "c_fc"}


def test_of_a_bert_that_writes_muon_has_the_layers_matrices_and_never_the_words() -> None:
    from socratic.prefix_lm import PrefixLM, PrefixLMConfig

    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    bert = PrefixLM(PrefixLMConfig(vocab_size=40, **small))
    names = {id(p): name for name, p in bert.named_parameters()}
    optimizer = optimizer_of(bert)
    muon, adamw = ([names[id(p)] for group in o.param_groups for p in group["params"]] for o in (optimizer.muon, optimizer.adamw))
    assert {name.split(".")[-2] for name in muon} == {"query", "key", "value", "dense"}
    assert len(muon) == 6
    assert "bert.embeddings.word_embeddings.weight" in adamw
    assert sorted(muon + adamw) == sorted(names.values())


def test_a_schedule_reaches_both(model: Any) -> None:
    optimizer = optimizer_of(model)
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 0.0)
    before = copy.deepcopy(model.state_dict())
    step(model, optimizer)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_it_learns(model: Any) -> None:
    optimizer = optimizer_of(model)
    ids = torch.arange(12).reshape(1, 12)
    first = model.eval()(input_ids=ids, labels=ids).loss.item()
    for _ in range(20):
        step(model, optimizer)
    assert model(input_ids=ids, labels=ids).loss.item() < first / 2


def test_saved_and_restored_state_goes_on_as_if_nothing_happened(model: Any) -> None:
    straight, resumed = model, copy.deepcopy(model)
    one, other = optimizer_of(straight), optimizer_of(resumed)
    for _ in range(2):
        step(straight, one)
        step(resumed, other)
    fresh = optimizer_of(resumed)
    fresh.load_state_dict(copy.deepcopy(other.state_dict()))
    step(straight, one)
    step(resumed, fresh)
    assert all(torch.equal(a, b) for a, b in zip(straight.parameters(), resumed.parameters(), strict=True))


def test_a_llama_s_words_are_words_too() -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    llama = LlamaForCausalLM(LlamaConfig(vocab_size=40, tie_word_embeddings=True, **small))
    words, *others = optimizer_of(llama).adamw.param_groups
    assert [id(p) for p in words["params"]] == [id(llama.get_input_embeddings().weight)]
    assert words["weight_decay"] == 0 < others[0]["weight_decay"]


@pytest.mark.parametrize("shape", [(6, 24), (24, 6), (12, 12)])
def test_plain_muon_steps_as_torch_s_does_but_for_the_rounding_of_bf16(shape: tuple[int, int]) -> None:
    torch.manual_seed(1)
    start, settings = torch.randn(shape), {"lr": 0.02, "weight_decay": 0.1, "adjust_lr_fn": "match_rms_adamw"}
    one, other = (torch.nn.Parameter(start.clone()) for _ in range(2))
    torch_s, plain = torch.optim.Muon([one], **settings), PlainMuon([other], **settings)
    for _ in range(3):
        one.grad = torch.randn(shape)
        other.grad = one.grad.clone()
        torch_s.step()
        plain.step()
    torch.testing.assert_close(other, one, rtol=0.02, atol=0.02)
    assert (other - start).norm() > 10 * (other - one).norm()
    assert plain.state_dict().keys() == torch_s.state_dict().keys()
    plain.load_state_dict(torch_s.state_dict())
