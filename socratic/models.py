"""GPT-2 students as folders: made from nothing, loaded, saved.

In: a Hub name, a folder or `scratch-…`; out: a transformers model whose embeddings fit a `Vocabulary`. A student folder
holds config.json, model.safetensors (fp16, the one source), tokenizer.json, student.json (style, role, where it comes
from) and ct2/, the CTranslate2 form made from it, which `solve` runs without torch. Knows nothing of training.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel, PreTrainedModel, PreTrainedTokenizerFast

from socratic.errors import ModelError
from socratic.transcript import END, PROBLEM
from socratic.vocabulary import Vocabulary

SCRATCH = {  # name: (layers, width); heads are 64 wide
    "scratch-6m": (6, 256),
    "scratch-12m": (6, 384),
    "scratch-18m": (8, 384),
    "scratch-30m": (8, 512),
}
HUB_HINT = "give a local folder instead, or start from random weights with scratch-6m, scratch-18m or scratch-30m"


def from_scratch(name: str, *, vocabulary: Vocabulary, length: int, dropout: float, seed: int) -> PreTrainedModel:
    """GPT-2's architecture with random weights.

    GELU is the tanh form that torch fuses: the same function as GPT-2's `gelu_new`, several times faster on CPUs.
    """
    layers, width = SCRATCH[name]
    torch.manual_seed(seed)
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


def pretrained_vocabulary(name: str) -> Vocabulary:
    """The tokenizer of a folder or Hub model, with the marks added. Raises ModelError."""
    try:
        return Vocabulary(AutoTokenizer.from_pretrained(name, use_fast=True).backend_tokenizer)
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot load the tokenizer of '{name}': {str(error).splitlines()[0]}", hint=HUB_HINT) from error


def pretrained(name: str, *, vocabulary: Vocabulary) -> PreTrainedModel:
    """A causal LM from a folder or the Hub, safetensors only, resized for the marks. Raises ModelError."""
    refuse_pickle(Path(name))
    try:
        model = AutoModelForCausalLM.from_pretrained(name, use_safetensors=True, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot load '{name}': {str(error).splitlines()[0]}", hint=HUB_HINT) from error
    if model.get_input_embeddings().num_embeddings != vocabulary.size:
        model.resize_token_embeddings(vocabulary.size)
    return model


def refuse_pickle(folder: Path) -> None:
    """Raise ModelError where a folder holds pickled weights and no safetensors: pickle runs code."""
    if not folder.is_dir() or any(folder.glob("*.safetensors")):
        return
    pickled = sorted(p.name for kind in ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt") for p in folder.glob(kind))
    if pickled:
        raise ModelError(
            f"{folder} holds pickled weights only ({', '.join(pickled)}), which can run code",
            hint="convert them to model.safetensors, in a place where you trust them",
        )


def save(model: PreTrainedModel, folder: Path, *, vocabulary: Vocabulary, about: dict[str, Any]) -> None:
    """Write a student folder; `about` becomes student.json."""
    folder.mkdir(parents=True, exist_ok=True)
    model.to(torch.float16).save_pretrained(folder)  # type: ignore[arg-type]
    vocabulary.save(folder)
    (folder / "student.json").write_text(json.dumps(about, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    export_ct2(folder, vocabulary=vocabulary)


def export_ct2(folder: Path, *, vocabulary: Vocabulary) -> None:
    """Make `folder/ct2` from the safetensors, in fp16."""
    from ctranslate2.converters import TransformersConverter  # imports torch where it is installed

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=vocabulary.tokenizer, bos_token=PROBLEM.name, eos_token=END.name, unk_token=END.name
    )
    with TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converter's own deprecations
        model = AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True)
        model.save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        TransformersConverter(scratch).convert(str(folder / "ct2"), quantization="float16", force=True)
