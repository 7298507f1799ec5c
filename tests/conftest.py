"""What several test files need: drawn traces, small vocabularies, a tiny GPT-2, a tiny BERT; each made once per session.

torch and transformers are imported by the fixtures that need them, so that light tests stay light.
"""

from __future__ import annotations

import shutil
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from teacher_server import PROMPT

from socratic import curriculum, prompts
from socratic.curriculum import Family
from socratic.dialect import Style
from socratic.jsonl import write_jsonl
from socratic.schema import Trace
from socratic.transcript import render
from socratic.vocabulary import Vocabulary

LENGTH = 160  # tokens that the tiny GPT-2 and the tiny BERT read
WORDS = ("how", "many", "clips", "did", "nora", "sell", "what", "is", "of", "the", "in", "may", "cost", "does", "each", "##ing")


@pytest.fixture(scope="session")
def families() -> tuple[list[Family], list[Family]]:
    """The curriculum's families: taught, and held out."""
    return curriculum.held_out(curriculum.load_families())


@pytest.fixture(scope="session")
def traces(families: tuple[list[Family], list[Family]]) -> list[Trace]:
    """Two hundred problems of the curriculum."""
    return list(curriculum.draw_many(families[0], 200, seed=1))


@pytest.fixture(scope="session")
def drawn() -> list[Trace]:
    """Three hundred problems of all families."""
    return list(curriculum.draw_many(curriculum.load_families(), 300, 1))


@pytest.fixture(scope="session")
def traces_file(traces: list[Trace], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as JSONL."""
    path = tmp_path_factory.mktemp("traces") / "traces.jsonl"
    write_jsonl(path, (trace.to_dict() for trace in traces))
    return path


@pytest.fixture
def forms(tmp_path: Path) -> tuple[prompts.Prompt, prompts.Prompt]:
    """The tiny prompt of teacher_server, asking for JSON and for marked lines."""
    path = tmp_path / "tiny.md"
    path.write_text(PROMPT)
    return prompts.load(path, form=prompts.Form.JSON), prompts.load(path, form=prompts.Form.MARKED)


@pytest.fixture(scope="session")
def vocabulary(traces: list[Trace]) -> Vocabulary:
    """Learned from the traces' transcripts."""
    segments = [segment for trace in traces for segment in render(trace, Style())]
    return Vocabulary.learn((p for segment in segments for p in segment.pieces if isinstance(p, str)), size=600)


@pytest.fixture(scope="session")
def new_gpt2(vocabulary: Vocabulary) -> Callable[[], Any]:
    """Makes the same tiny random GPT-2 each time: 2 layers, width 32, fp32."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from socratic.dialect import END, PROBLEM

    torch.set_num_threads(1)
    marks = {"bos_token_id": vocabulary.ids[PROBLEM], "eos_token_id": vocabulary.ids[END]}
    small = {"n_positions": LENGTH, "n_layer": 2, "n_embd": 32, "n_head": 2, "activation_function": "gelu_pytorch_tanh"}
    still = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "initializer_range": 0.2}

    def make() -> Any:
        torch.manual_seed(0)
        return GPT2LMHeadModel(GPT2Config(vocab_size=vocabulary.size, **small, **still, **marks))

    return make


@pytest.fixture(scope="session")
def student(new_gpt2: Callable[[], Any], vocabulary: Vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny GPT-2 as a student's folder."""
    from socratic import models

    folder = tmp_path_factory.mktemp("student")
    about = {"role": "unified", "style": {"numbers": "masked", "solutions": "equation", "results": "inserted"}}
    models.save(new_gpt2(), folder, vocabulary=vocabulary, about=about)
    return folder


@pytest.fixture(scope="session")
def wordpiece(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tokenizer.json as BERT's: lower-case, padded and cut to 128 tokens, [CLS] and [SEP] around a text."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    signs, letters = [*string.digits, *string.punctuation], [*string.ascii_lowercase]
    special = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    later = [f"##{sign}" for sign in (*string.digits, *letters)]
    numbers = [str(n) for n in (*range(10, 101), 300)]
    tokens = [*special, *signs, *letters, "\u2019", "\u00a3", "\u4e2d", *later, *WORDS, *numbers]
    tokenizer = Tokenizer(models.WordPiece({token: i for i, token in enumerate(tokens)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    around = [(token, tokens.index(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=around)
    tokenizer.add_special_tokens([token for token in special if "unused" not in token])
    tokenizer.enable_padding(length=128)
    tokenizer.enable_truncation(128)
    folder = tmp_path_factory.mktemp("wordpiece")
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="session")
def lower_case(wordpiece: Path) -> Vocabulary:
    """All of that WordPiece's ASCII tokens, as an encoder's student has them."""
    return Vocabulary.load(wordpiece).pruned(["How many clips?"], size=10_000)


@pytest.fixture(scope="session")
def encoder(wordpiece: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random BERT with that WordPiece, as a folder: 2 layers, width 32, fp32, the tanh form of GELU."""
    import torch
    from tokenizers import Tokenizer
    from transformers import BertConfig, BertModel

    from socratic import models

    torch.set_num_threads(1)
    torch.manual_seed(0)
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    form = {"max_position_embeddings": LENGTH, "hidden_act": "gelu_pytorch_tanh", "initializer_range": 0.3}
    size = Tokenizer.from_file(str(wordpiece / "tokenizer.json")).get_vocab_size()
    folder = tmp_path_factory.mktemp("encoder")
    with models.no_bars():
        BertModel(BertConfig(vocab_size=size, **small, **form)).save_pretrained(folder)
    shutil.copy(wordpiece / "tokenizer.json", folder)
    return folder


@pytest.fixture(scope="session")
def bert_student(encoder: Path, lower_case: Vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `PrefixLM` made from the tiny BERT, as a student's folder."""
    import torch

    from socratic import models

    folder = tmp_path_factory.mktemp("bert-student")
    torch.manual_seed(0)
    style = {"numbers": "masked", "solutions": "equation", "results": "inserted", "capitals": "marked"}
    model = models.pretrained(str(encoder), vocabulary=lower_case)
    models.save(model, folder, vocabulary=lower_case, about={"role": "unified", "style": style})
    return folder


@pytest.fixture(scope="session")
def llama_student(vocabulary: Vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Llama of SmolLM2's form (grouped keys, tied embeddings) as a student's folder."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from socratic import models

    torch.set_num_threads(1)
    torch.manual_seed(0)
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    form = {"intermediate_size": 48, "max_position_embeddings": LENGTH, "tie_word_embeddings": True, "initializer_range": 0.3}
    folder = tmp_path_factory.mktemp("llama-student")
    style = {"numbers": "references", "solutions": "equation", "results": "inserted"}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=vocabulary.size, **small, **form))
    with torch.no_grad():  # words that are their own head would be repeated: let the layers speak louder
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.mul_(4)
            layer.mlp.down_proj.weight.mul_(4)
    models.save(model, folder, vocabulary=vocabulary, about={"role": "unified", "style": style})
    return folder


@pytest.fixture(scope="session")
def small_student(llama_student: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with weights in eight bits."""
    from socratic.weights import shrink

    folder = tmp_path_factory.mktemp("small-student")
    shrink(llama_student, folder)
    return folder
