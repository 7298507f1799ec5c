"""Properties of weights.py. Run: pytest tests/test_weights.py"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.numpy import load_file

from socratic import models
from socratic.errors import ModelError
from socratic.folders import SMALL_WEIGHTS, weights_file
from socratic.vocabulary import Vocabulary
from socratic.weights import average, shrink


def test_a_shrunk_student_is_nearly_the_same_and_half_as_large(
    llama_student: Path, small_student: Path, vocabulary: Vocabulary
) -> None:
    large, small = (models.pretrained(str(folder), vocabulary=vocabulary) for folder in (llama_student, small_student))
    with torch.inference_mode():
        found, expected = (model.eval()(input_ids=torch.arange(40)[None]).logits for model in (small, large))
    assert not torch.equal(found, expected)
    assert torch.corrcoef(torch.stack([found.flatten(), expected.flatten()]))[0, 1] > 0.99
    sizes = [weights_file(folder).stat().st_size for folder in (small_student, llama_student)]
    assert sizes[0] < 0.7 * sizes[1]


def test_an_average_lies_between_its_students_and_names_them(
    llama_student: Path, small_student: Path, bert_student: Path, vocabulary: Vocabulary, tmp_path: Path
) -> None:
    average([llama_student, small_student], tmp_path / "mean")
    one, other, mean = (
        models.pretrained(str(folder), vocabulary=vocabulary).state_dict()
        for folder in (llama_student, small_student, tmp_path / "mean")
    )
    for name, weight in mean.items():
        torch.testing.assert_close(weight, (one[name] + other[name]) / 2, rtol=1e-3, atol=1e-4)
    about = json.loads((tmp_path / "mean" / "student.json").read_text())
    assert len(about["made_from"]["average_of"]) == 2 and about["role"]
    with pytest.raises(ModelError, match="other names or shapes"):
        average([llama_student, bert_student], tmp_path / "odd")
    with pytest.raises(ModelError, match="nowhere"):
        average([tmp_path / "nowhere", llama_student], tmp_path / "odd")
    assert not (tmp_path / "odd").exists()


def test_an_average_replaces_what_lies_in_its_folder_be_it_one_of_its_students(
    llama_student: Path, small_student: Path, tmp_path: Path
) -> None:
    into = shutil.copytree(small_student, tmp_path / "into")
    average([into, llama_student], into)
    average([small_student, llama_student], tmp_path / "apart")
    one, other = (load_file(weights_file(folder)) for folder in (into, tmp_path / "apart"))
    assert all((one[name] == other[name]).all() for name in other)


def test_an_average_that_cannot_be_written_leaves_the_student_in_its_place_as_it_was(
    small_student: Path, llama_student: Path, tmp_path: Path
) -> None:
    into = shutil.copytree(small_student, tmp_path / "into")
    (into / "tokenizer.json.partial").mkdir()  # stops the writing half way
    before = {path: path.read_bytes() for path in into.iterdir() if path.is_file()}
    with pytest.raises(IsADirectoryError):
        average([into, llama_student], into)
    assert weights_file(into).name == SMALL_WEIGHTS and {path: path.read_bytes() for path in before} == before


def test_shrinking_leaves_no_older_weights_that_would_run_in_its_place(
    student: Path, llama_student: Path, small_student: Path, tmp_path: Path
) -> None:
    into = shutil.copytree(student, tmp_path / "into")
    assert (into / "ct2").is_dir()
    shrink(llama_student, into)
    assert {path.name: path.read_bytes() for path in into.iterdir() if path.name != "generation_config.json"} == {
        path.name: path.read_bytes() for path in small_student.iterdir()
    }


def test_shrinking_what_is_no_student_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model.safetensors"):
        shrink(tmp_path, tmp_path / "small")
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match=r"lacks .*config.json"):
        shrink(tmp_path, tmp_path / "small")
    assert not (tmp_path / "small").exists()


def test_a_student_cannot_be_shrunk_into_itself(llama_student: Path) -> None:
    with pytest.raises(ModelError, match="is the student itself"):
        shrink(llama_student, llama_student / ".." / llama_student.name)
