"""What several test files need: drawn traces, a small vocabulary, a tiny GPT-2; each made once per session.

torch and transformers are imported by the fixtures that need them, so that light tests stay light.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from socratic import curriculum
from socratic.curriculum import Family
from socratic.schema import Trace, write_jsonl
from socratic.transcript import Style, render
from socratic.vocabulary import Vocabulary

LENGTH = 160  # tokens that the tiny GPT-2 reads


@pytest.fixture(scope="session")
def families() -> tuple[list[Family], list[Family]]:
    """The curriculum's families: taught, and held out."""
    return curriculum.held_out(curriculum.load_families())


@pytest.fixture(scope="session")
def traces(families: tuple[list[Family], list[Family]]) -> list[Trace]:
    """Two hundred problems of the curriculum."""
    return list(curriculum.draw_many(families[0], 200, seed=1))


@pytest.fixture(scope="session")
def traces_file(traces: list[Trace], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as JSONL."""
    path = tmp_path_factory.mktemp("traces") / "traces.jsonl"
    write_jsonl(path, (trace.to_dict() for trace in traces))
    return path


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

    from socratic.transcript import END, PROBLEM

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
