"""What pretrained models say of texts: where they lie in meaning, and how probable they are.

In: texts, and the name of a sentence encoder or of a causal language model. Out: for each, in the same order, a vector or a mean
log-probability. Nothing is drawn at random. Knows nothing of problems or filters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, BertModel

from socratic import models
from socratic.bars import counted
from socratic.errors import ModelError, UsageError

BATCH: Final = 8  # texts; of a language model 8 x 300 tokens x 50,000 logits are half a gigabyte
SENTENCE_TOKENS: Final = 256  # of a text that an encoder reads: what all-MiniLM-L6-v2's configuration says
SAFE: Final = {"trust_remote_code": False, "use_safetensors": True, "dtype": torch.float32}


def embed(texts: Sequence[str], model: str = "minilm") -> NDArray[np.float32]:
    """Vectors of length 1: by MiniLM, or by any model of the package sentence-transformers. Raises ModelError, UsageError."""
    if model == "minilm":
        return mean_pooled(texts, models.locate(model))
    try:
        library = import_module("sentence_transformers")
    except ModuleNotFoundError as error:
        hint = "pip install sentence-transformers, or take minilm"
        raise UsageError(f"the encoder '{model}' needs sentence-transformers", hint=hint) from error
    try:
        encoder = library.SentenceTransformer(model, trust_remote_code=False, model_kwargs={"use_safetensors": True})
    except Exception as error:  # the library raises many kinds
        raise ModelError(f"cannot load '{model}' as a sentence encoder: {error}") from error
    vectors: NDArray[np.float32] = encoder.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
    return vectors


def mean_pooled(texts: Sequence[str], folder: Path) -> NDArray[np.float32]:
    """A BERT's sentence vectors as its card makes them: the mean of what it says of each token, scaled to length 1."""
    with models.no_bars():
        encoder = BertModel.from_pretrained(folder, **SAFE).eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(min(SENTENCE_TOKENS, encoder.config.max_position_embeddings))
    tokenizer.no_padding()
    ids = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    vectors = np.zeros((len(ids), encoder.config.hidden_size), np.float32)
    for places in counted(_batches(ids), "embedding"):
        rows, real = _padded([ids[place] for place in places])
        with torch.inference_mode():
            states = encoder(input_ids=rows, attention_mask=real).last_hidden_state
        means = (states * real[..., None]).sum(1) / real.sum(1, keepdim=True)
        vectors[places] = torch.nn.functional.normalize(means, dim=1).numpy()
    return vectors


def mean_logprobs(pairs: Sequence[tuple[str, str]], model: str) -> list[float]:
    """Of each (given, text): the mean log-probability of the text's tokens after what is given. Raises ModelError.

    Where both are longer than the model reads, the end is not scored; where nothing is left to score, it is minus infinity.
    """
    language_model, tokenizer = _causal(model)
    given, said = (_ids(tokenizer, [pair[side] for pair in pairs]) for side in (0, 1))
    most = getattr(language_model.config, "max_position_embeddings", 1024)
    ids = [(one + two)[:most] for one, two in zip(given, said, strict=True)]
    found = [-math.inf] * len(pairs)
    for places in counted(_batches(ids), "scoring"):
        rows, real = _padded([ids[place] for place in places])
        with torch.inference_mode():
            logits = language_model(input_ids=rows, attention_mask=real).logits[:, :-1]
        scores = logits.gather(-1, rows[:, 1:, None])[..., 0] - logits.logsumexp(-1)
        for place, row in zip(places, scores, strict=True):
            own = row[len(given[place]) - 1 : len(ids[place]) - 1]
            found[place] = float(own.mean()) if len(own) else -math.inf
    return found


def _causal(name: str) -> tuple[Any, Any]:
    """A causal language model, and its tokenizer without padding and cutting. Raises ModelError."""
    folder = models.locate(name)
    try:
        with models.no_bars():
            model = AutoModelForCausalLM.from_pretrained(folder, **SAFE, **models.gguf_of(folder)).eval()
        tokenizer = models.tokenizer_of(folder)
    except Exception as error:  # the libraries raise many kinds
        raise ModelError(f"cannot load '{name}' as a causal language model: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return model, tokenizer


def _ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    return [encoding.ids for encoding in tokenizer.encode_batch([f"{text}\n" for text in texts], add_special_tokens=False)]


def _batches(ids: Sequence[Sequence[int]]) -> list[list[int]]:
    """Places of texts of about the same length."""
    order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
    return [order[start : start + BATCH] for start in range(0, len(order), BATCH)]


def _padded(ids: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows padded on the right, and 1 where there is a token."""
    width = max(map(len, ids))
    rows = torch.tensor([[*row, *[0] * (width - len(row))] for row in ids])
    real = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
    return rows, real
