"""Properties of models.py. Run: pytest tests/test_models.py"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from ctranslate2 import Generator
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel, OPTConfig, OPTForCausalLM

from socratic import models
from socratic.config import Lora
from socratic.dialect import ASK, DONE, END, EQUALS, MARKS, PROBLEM, SOLVE, Numbers, Style
from socratic.errors import ModelError
from socratic.prefix_lm import PrefixLM
from socratic.schema import Trace
from socratic.transcript import render
from socratic.vocabulary import Vocabulary


def ids_of(traces: list[Trace], vocabulary: Vocabulary, count: int) -> list[list[int]]:
    return [vocabulary.encode_segments(render(trace, Style())) for trace in traces[:count]]


# Scratch models


def test_every_scratch_name_gives_about_the_size_it_says(vocabulary: Vocabulary) -> None:
    for name in models.SCRATCH:
        with torch.device("meta"):
            model = models.from_scratch(name, vocabulary=vocabulary, length=256, dropout=0.0)
        full = model.num_parameters() + (4096 - vocabulary.size) * model.config.n_embd  # the default vocabulary is larger
        assert full / 1e6 == pytest.approx(int(name.split("-")[1].removesuffix("m")), rel=0.17), name


def test_scratch_models_speak_the_vocabulary(vocabulary: Vocabulary) -> None:
    model = models.from_scratch("scratch-6m", vocabulary=vocabulary, length=64, dropout=0.1)
    assert model.get_input_embeddings().num_embeddings == vocabulary.size
    assert model.config.eos_token_id == vocabulary.ids[END]
    assert model.config.n_positions == 64
    assert model.config.resid_pdrop == 0.1


# Student folders


def test_student_folder_holds_what_it_should(student: Path) -> None:
    names = {path.name for path in student.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "student.json", "ct2"} <= names
    assert json.loads((student / "student.json").read_text())["role"] == "unified"


def test_saved_student_loads_with_the_same_weights(student: Path, vocabulary: Vocabulary, new_gpt2: Callable[[], Any]) -> None:
    loaded = models.pretrained(str(student), vocabulary=vocabulary)
    for name, weight in new_gpt2().state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight.half().float()), name


def test_student_as_base_keeps_its_vocabulary(student: Path, vocabulary: Vocabulary, traces: list[Trace]) -> None:
    base = models.pretrained_vocabulary(str(student))
    assert base.tokens == vocabulary.tokens
    digits = Style(numbers=Numbers.DIGITS)
    for trace in traces[:20]:
        assert base.encode_segments(render(trace, digits)) == vocabulary.encode_segments(render(trace, digits))


def test_ct2_form_writes_the_tokens_that_transformers_writes(student: Path, vocabulary: Vocabulary, traces: list[Trace]) -> None:
    model = models.pretrained(str(student), vocabulary=vocabulary).eval()
    generator, seen = Generator(str(student / "ct2"), compute_type="float32", intra_threads=1), set[int]()
    for ids in ids_of(traces, vocabulary, 8):
        prompt = ids[:12]
        written = model.generate(
            torch.tensor([prompt]), attention_mask=torch.ones(1, 12), max_new_tokens=24, do_sample=False, pad_token_id=0
        )
        theirs = generator.generate_batch(
            [[vocabulary.tokens[i] for i in prompt]], max_length=24, include_prompt_in_result=False, sampling_topk=1
        )
        expected = written[0, 12:].tolist()
        seen.update(expected)
        assert [i for i in expected if i != vocabulary.ids[END]] == theirs[0].sequences_ids[0]
    assert len(seen) > 20, "a model that repeats a few tokens would prove nothing"


def test_ct2_form_knows_every_token_by_its_id(student: Path, vocabulary: Vocabulary) -> None:
    assert json.loads((student / "ct2" / "vocabulary.json").read_text(encoding="utf-8")) == vocabulary.tokens


# Loading: what is refused


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(name: str, **_: Any) -> str:
        raise AssertionError(f"the Hub was asked for {name}")

    monkeypatch.setattr(models, "snapshot_download", asked)


LOADERS = [models.pretrained_vocabulary, lambda name: models.pretrained(name, vocabulary=None)]  # type: ignore[arg-type]


@pytest.mark.parametrize("load", LOADERS, ids=["vocabulary", "model"])
@pytest.mark.parametrize(
    "name", ["./nothing", "../nothing", "/nothing/here", "~/nothing-here", "runs/nothing/student", "nothing/", ""]
)
def test_missing_folder_is_an_error_without_asking_the_hub(name: str, load: Callable[[str], Any], no_network: None) -> None:
    with pytest.raises(ModelError, match=r"no (model folder|whole model)") as caught:
        load(name)
    assert "local folder" in caught.value.hint
    assert "scratch-6m" in caught.value.hint


@pytest.mark.parametrize("load", LOADERS, ids=["vocabulary", "model"])
def test_unknown_scratch_size_names_the_known_ones(load: Callable[[str], Any], no_network: None) -> None:
    with pytest.raises(ModelError) as caught:
        load("scratch-7m")
    assert "scratch-30m" in caught.value.hint


@pytest.mark.parametrize("load", LOADERS, ids=["vocabulary", "model"])
def test_hub_that_is_out_of_reach_gives_both_ways_on(load: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="'nobody/no-such-model'") as caught:
        load("nobody/no-such-model")
    assert "local folder" in caught.value.hint
    assert "scratch-6m" in caught.value.hint


@pytest.mark.parametrize("load", LOADERS, ids=["vocabulary", "model"])
@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pkl"])
def test_pickled_weights_are_refused_unread(name: str, load: Callable[[str], Any], student: Path, tmp_path: Path) -> None:
    shutil.copy(student / "config.json", tmp_path)
    (tmp_path / name).write_bytes(b"cos\nsystem\n(S'touch hacked'\ntR.")
    with pytest.raises(ModelError, match=name) as caught:
        load(str(tmp_path))
    assert "safetensors" in caught.value.hint


def test_safetensors_are_taken_and_pickles_beside_them_left_alone(student: Path, vocabulary: Vocabulary, tmp_path: Path) -> None:
    folder = shutil.copytree(student, tmp_path / "both")
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch hacked'\ntR.")
    models.pretrained(str(folder), vocabulary=vocabulary)


@pytest.mark.parametrize("lost", ["config.json", "model.safetensors"])
def test_half_a_folder_is_refused(lost: str, student: Path, vocabulary: Vocabulary, tmp_path: Path) -> None:
    folder = shutil.copytree(student, tmp_path / "half")
    (folder / lost).unlink()
    with pytest.raises(ModelError, match="no whole model") as caught:
        models.pretrained(str(folder), vocabulary=vocabulary)
    assert caught.value.hint


def truncate(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def drop_weight(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["transformer.h.1.mlp.c_fc.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def widen(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "n_embd": 64}))


def garble(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "gpt2",')


def from_the_future(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "gpt9000"}')


@pytest.mark.parametrize("spoil", [truncate, drop_weight, widen, garble, from_the_future])
def test_spoilt_folder_is_a_model_error(
    spoil: Callable[[Path], None], student: Path, vocabulary: Vocabulary, tmp_path: Path
) -> None:
    folder = shutil.copytree(student, tmp_path / "spoilt")
    spoil(folder)
    with pytest.raises(ModelError, match="spoilt") as caught:
        models.pretrained(str(folder), vocabulary=vocabulary)
    assert "\n" not in str(caught.value)


def test_foreign_vocabulary_gets_the_marks_as_new_embeddings(student: Path, vocabulary: Vocabulary) -> None:
    larger = Vocabulary.learn(["some other words, all of them longer"] * 3, size=vocabulary.size)
    larger.tokenizer.add_special_tokens([f"<|extra{i}|>" for i in range(vocabulary.size + 7 - larger.size)])
    torch.manual_seed(0)
    model = models.pretrained(str(student), vocabulary=larger)
    torch.manual_seed(0)
    again = models.pretrained(str(student), vocabulary=larger)
    assert model.get_input_embeddings().num_embeddings == vocabulary.size + 7
    assert torch.equal(model.get_input_embeddings().weight, again.get_input_embeddings().weight)


def test_hub_model_comes_without_pickles_or_code_and_gets_the_marks(
    student: Path, vocabulary: Vocabulary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model as GPT-2 lies on the Hub, its tokenizer in vocab.json and merges.txt, without our marks."""
    plain = Vocabulary.learn(["how many apples are left"] * 3, size=300)
    plain.tokenizer.model.save(str(tmp_path))
    for name in ("config.json", "model.safetensors"):
        shutil.copy(student / name, tmp_path)
    asked: dict[str, Any] = {}

    def fetch(name: str, **given: Any) -> str:
        asked.update(given, name=name)
        return str(tmp_path)

    monkeypatch.setattr(models, "snapshot_download", fetch)
    found = models.pretrained_vocabulary("some/gpt2")
    assert set(found.ids) == set(MARKS)
    assert found.decode(found.encode([PROBLEM, " how many apples", ASK])) == [PROBLEM, " how many apples", ASK]
    assert models.pretrained("some/gpt2", vocabulary=found).get_input_embeddings().num_embeddings == found.size
    assert asked["name"] == "some/gpt2"
    assert not any(
        fnmatch(name, pattern) for pattern in asked["allow_patterns"] for name in ("pytorch_model.bin", "x.pt", "modeling.py")
    )


# Encoders


def bert(folder: Path) -> Any:
    with models.no_bars():
        return BertModel.from_pretrained(folder, add_pooling_layer=False).eval()


def places(folder: Path) -> dict[str, int]:
    """An encoder's own ids by token."""
    return dict(Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab())


@torch.no_grad()
def test_student_reads_the_problem_as_its_encoder_did(encoder: Path, lower_case: Vocabulary) -> None:
    """The problem's mark is [CLS] to it; logits are products of the hidden states with the words."""
    theirs, ours, own = bert(encoder), models.pretrained(str(encoder), vocabulary=lower_case).eval(), places(encoder)
    ids = lower_case.encode([PROBLEM, " How many of the 12 clips did Nora sell, and what does each cost in May?"])
    same = [own["[CLS]"], *(own[lower_case.tokens[i]] for i in ids[1:])]
    expected = theirs(torch.tensor([same])).last_hidden_state @ ours.get_output_embeddings().weight.T
    torch.testing.assert_close(ours(input_ids=torch.tensor([ids])).logits, expected, rtol=1e-4, atol=1e-4)


def test_student_has_its_encoder_s_word_for_each_token(encoder: Path, lower_case: Vocabulary) -> None:
    words, own = bert(encoder).get_input_embeddings().weight, places(encoder)
    model = models.pretrained(str(encoder), vocabulary=lower_case)
    found, marks = model.get_input_embeddings().weight, {mark.name for mark in MARKS}
    assert len(found) == lower_case.size
    assert model.get_output_embeddings().weight is found
    for i, token in enumerate(lower_case.tokens):
        if token not in marks:
            assert torch.equal(found[i], words[own[token]]), token


@pytest.fixture
def wide_encoder(wordpiece: Path, tmp_path: Path) -> Path:
    """A tiny random BERT that is as wide as scratch-6m."""
    small = {"hidden_size": 256, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    size = Tokenizer.from_file(str(wordpiece / "tokenizer.json")).get_vocab_size()
    with models.no_bars():
        BertModel(BertConfig(vocab_size=size, **small)).save_pretrained(tmp_path)
    shutil.copy(wordpiece / "tokenizer.json", tmp_path)
    return tmp_path


def test_model_from_nothing_begins_with_an_encoder_s_words_and_is_otherwise_the_same(
    wide_encoder: Path, lower_case: Vocabulary
) -> None:
    words, own = bert(wide_encoder).get_input_embeddings().weight, places(wide_encoder)
    torch.manual_seed(0)
    plain = models.from_scratch("scratch-6m", vocabulary=lower_case, length=64, dropout=0.0)
    torch.manual_seed(0)
    begun = models.from_scratch("scratch-6m", vocabulary=lower_case, length=64, dropout=0.0)
    models.begin_words(begun, str(wide_encoder), vocabulary=lower_case)
    assert begun.get_output_embeddings().weight is begun.get_input_embeddings().weight
    marks = {mark.name for mark in MARKS}
    for token, vector in zip(lower_case.tokens, begun.get_input_embeddings().weight, strict=True):
        assert token in marks or torch.equal(vector, words[own[token]]), token
    others = [name for name, _ in plain.named_parameters() if "wte" not in name]
    assert all(torch.equal(plain.get_parameter(name), begun.get_parameter(name)) for name in others)


def test_words_of_another_width_are_refused(encoder: Path, lower_case: Vocabulary) -> None:
    model = models.from_scratch("scratch-6m", vocabulary=lower_case, length=64, dropout=0.0)
    with pytest.raises(ModelError, match="have 32 numbers, the model is 256 wide"):
        models.begin_words(model, str(encoder), vocabulary=lower_case)


def test_marks_of_a_new_student_differ_from_each_other_and_are_drawn_by_torch_s_seed(
    encoder: Path, lower_case: Vocabulary
) -> None:
    marks, drawn = [lower_case.ids[mark] for mark in MARKS], []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        drawn.append(models.pretrained(str(encoder), vocabulary=lower_case).get_input_embeddings().weight[marks].detach())
    assert len(drawn[0].unique(dim=0)) == len(MARKS)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_encoder_s_vocabulary_is_cut_to_the_texts_and_the_size(encoder: Path) -> None:
    small = models.pretrained_vocabulary(str(encoder), texts=["how many clips"], size=0)
    large = models.pretrained_vocabulary(str(encoder), texts=["how many clips"], size=small.size + 20)
    assert large.size == small.size + 20
    assert {"how", "many", "clips"} < {*small.tokens}
    assert models.pretrained(str(encoder), vocabulary=small).get_input_embeddings().num_embeddings == small.size


def test_saved_encoder_student_loads_as_a_base_with_its_vocabulary_and_weights(
    encoder: Path, bert_student: Path, lower_case: Vocabulary
) -> None:
    vocabulary = models.pretrained_vocabulary(str(bert_student), texts=["how"], size=0)  # it has been cut before
    assert vocabulary.tokens == lower_case.tokens
    loaded, made = (models.pretrained(str(folder), vocabulary=vocabulary) for folder in (bert_student, encoder))
    assert isinstance(loaded, PrefixLM)
    assert loaded.config.model_type == "prefix_lm"
    assert loaded.config.ask_id == vocabulary.ids[ASK]
    words, marks = "bert.embeddings.word_embeddings.weight", {*vocabulary.ids.values()}
    kept = [i for i in range(vocabulary.size) if i not in marks]  # the marks' are drawn anew
    for name, weight in made.state_dict().items():
        rows = kept if weight.shape == made.state_dict()[words].shape else slice(None)
        assert torch.equal(loaded.state_dict()[name][rows], weight.half().float()[rows]), name
    assert not (bert_student / "ct2").exists(), "CTranslate2 would read the problem from left to right"


def test_encoder_with_weights_missing_is_refused(encoder: Path, lower_case: Vocabulary, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(encoder, tmp_path / "spoilt")
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="lack"):
        models.pretrained(str(folder), vocabulary=lower_case)


def test_encoder_that_is_not_installed_names_the_package(monkeypatch: pytest.MonkeyPatch, no_network: None) -> None:
    monkeypatch.setitem(models.CARRIED, "minilm", ("no_such_package", "model", "pip install it"))
    with pytest.raises(ModelError, match=r"no_such_package.*not installed") as caught:
        models.locate("minilm")
    assert caught.value.hint == "pip install it"


def test_installed_encoder_is_found_without_the_network(no_network: None) -> None:
    pytest.importorskip(models.CARRIED["minilm"][0], reason="the package with MiniLM is not installed")
    config = json.loads((models.locate("minilm") / "config.json").read_text())
    assert (config["model_type"], config["hidden_size"]) == ("bert", 384)


def test_encoder_s_student_is_refused_adapters(bert_student: Path, lower_case: Vocabulary) -> None:
    model = models.pretrained(str(bert_student), vocabulary=lower_case)
    with pytest.raises(ModelError, match="PrefixLM"):
        models.with_adapters(model, Lora(), vocabulary=lower_case)


# Adapters


@pytest.fixture
def adapted(new_gpt2: Callable[[], Any], vocabulary: Vocabulary, traces: list[Trace]) -> Any:
    """The tiny GPT-2 with adapters, after a few steps."""
    model = models.with_adapters(new_gpt2(), Lora(rank=4, alpha=8), vocabulary=vocabulary)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    for ids in ids_of(traces, vocabulary, 5):
        model(input_ids=torch.tensor([ids]), labels=torch.tensor([ids])).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


@torch.no_grad()
def test_merged_model_gives_the_adapted_model_s_logits(
    adapted: Any, new_gpt2: Callable[[], Any], vocabulary: Vocabulary, traces: list[Trace], tmp_path: Path
) -> None:
    ids = torch.tensor(ids_of(traces, vocabulary, 1))
    before, untrained = adapted(input_ids=ids).logits, new_gpt2()(input_ids=ids).logits
    plain = models.merged(adapted)
    assert not torch.allclose(before, untrained, atol=0.1)
    torch.testing.assert_close(plain(input_ids=ids).logits, before, rtol=1e-4, atol=1e-4)
    models.save(plain, tmp_path, vocabulary=vocabulary, about={})
    loaded = models.pretrained(str(tmp_path), vocabulary=vocabulary)
    torch.testing.assert_close(loaded(input_ids=ids).logits, before, rtol=2e-2, atol=2e-2)  # fp16 on disk
    assert not any("lora" in name for name in loaded.state_dict())


def test_adapters_learn_the_marks_and_leave_all_other_tokens_alone(
    adapted: Any, new_gpt2: Callable[[], Any], vocabulary: Vocabulary
) -> None:
    plain = models.merged(adapted)
    moved = (plain.get_input_embeddings().weight - new_gpt2().get_input_embeddings().weight).abs().sum(1) > 0
    used = {vocabulary.ids[mark] for mark in (PROBLEM, ASK, SOLVE, EQUALS, END, DONE)}
    assert used <= set(moved.nonzero().flatten().tolist()) <= set(vocabulary.ids.values())
    assert torch.equal(plain.get_input_embeddings().weight, plain.get_output_embeddings().weight)


def test_adapters_touch_attention_and_mlp_of_each_layer(new_gpt2: Callable[[], Any], vocabulary: Vocabulary) -> None:
    model = models.with_adapters(new_gpt2(), Lora(rank=4), vocabulary=vocabulary)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    places = {name.split(".h.")[1].split(".lora_")[0] for name in trained if ".h." in name}
    assert places == {f"{i}.{place}" for i in (0, 1) for place in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")}


def test_model_without_gpt2_s_matrices_is_refused_adapters(vocabulary: Vocabulary) -> None:
    small = OPTConfig(vocab_size=vocabulary.size, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, ffn_dim=32)
    with pytest.raises(ModelError, match="OPTForCausalLM") as caught:
        models.with_adapters(OPTForCausalLM(small), Lora(), vocabulary=vocabulary)
    assert "lora" in caught.value.hint


# Llamas


def logits(model: Any, ids: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model.eval()(input_ids=torch.tensor([ids])).logits[0]
    return found


def test_a_decoder_s_student_finds_its_own_tokens_as_likely_as_it_did(llama_student: Path, vocabulary: Vocabulary) -> None:
    decoder = models.pretrained(str(llama_student), vocabulary=vocabulary)
    cut = vocabulary.pruned([" How many clips?"], size=0)
    student = models.from_decoder(decoder, vocabulary, cut)
    own = [i for i, token in enumerate(cut.tokens) if i not in cut.marks]
    theirs = [vocabulary.tokens.index(cut.tokens[i]) for i in own]
    assert cut.size < vocabulary.size
    assert student.config.vocab_size == cut.size
    torch.testing.assert_close(logits(student, own)[:, own], logits(decoder, theirs)[:, theirs])


def test_a_folder_is_a_folder_whatever_it_is_called(llama_student: Path, tmp_path: Path) -> None:
    named = tmp_path / "scratch-60m"
    named.symlink_to(llama_student)
    assert models.locate(str(named)) == named


def test_installed_decoder_reads_its_own_words(no_network: None) -> None:
    if not all(map(find_spec, (models.CARRIED["smollm2"][0], "gguf"))):
        pytest.skip("the package with SmolLM2, or gguf, which reads its file, is not installed")
    text = " Nora had 48 clips and sold 5. How many clips are left?"
    vocabulary = models.pretrained_vocabulary("smollm2", texts=[text], size=2000)
    assert vocabulary.size == 2000
    assert vocabulary.decode(vocabulary.encode([text])) == [text]
    assert [vocabulary.tokens[i] for i in vocabulary.encode([" 48 clips"])] == ["\u0120", "4", "8", "\u0120clips"]
