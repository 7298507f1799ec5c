"""Properties of choices.py, on small files of the published shapes. Run: pytest tests/test_choices.py"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from socratic.choices import names, problems
from socratic.errors import DataError, NoDataError
from socratic.schema import Problem

TEXTS = ["bank", "pool", "desk", "oven", "lake"]
LETTERS = "ABCDE"
PAIRS = [{"label": a, "text": b} for a, b in zip(LETTERS, TEXTS, strict=True)]
COLUMNS = {"label": list(LETTERS), "text": TEXTS}
AUTHORS = {
    "commonsenseqa": ("train_rand_split.jsonl", {"question": {"question_concept": "x", "stem": "Where?", "choices": PAIRS}}),
    "openbookqa": ("train.jsonl", {"question": {"stem": "Where?", "choices": PAIRS[:4]}}),
}
HUB = {
    "commonsenseqa": {"question": "Where?", "question_concept": "x", "choices": COLUMNS},
    "openbookqa": {"question_stem": "Where?", "choices": {name: column[:4] for name, column in COLUMNS.items()}},
}
ASKED = {name: "\n".join(["Where?", *(f"({a}) {b}" for a, b in list(zip(LETTERS, TEXTS, strict=True))[:n])])
         for name, n in (("commonsenseqa", 5), ("openbookqa", 4))}  # fmt: skip
QUAREL = {"id": "Q1", "answer_index": 1, "question": "Ice is (A) rough (B) smooth", "logical_forms": [], "world_literals": {}}


def put(folder: Path, name: str, *records: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


@pytest.mark.parametrize("name", AUTHORS)
def test_the_authors_form_and_the_hub_s_give_the_same_problems(name: str, tmp_path: Path) -> None:
    file, record = AUTHORS[name]
    put(tmp_path / "a" / name, file, {"id": "7", "answerKey": "C", **record})
    put(tmp_path / "b" / name, "train.jsonl", {"id": "7", "answerKey": "C", **HUB[name]})
    expected = [Problem(f"{name}-7", ASKED[name], "C", name, "train")]
    assert problems(name, "train", data=tmp_path / "a") == problems(name, "train", data=tmp_path / "b") == expected


@pytest.mark.parametrize(("name", "config"), [("commonsenseqa", "default"), ("openbookqa", "main")])
def test_parquet_as_the_hub_lays_it_out(name: str, config: str, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="parquet needs pyarrow")
    import pyarrow
    import pyarrow.parquet

    place = tmp_path / name / config / "validation"
    place.mkdir(parents=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([{"id": "7", "answerKey": "A", **HUB[name]}]), place / "0000.parquet")
    assert problems(name, "dev", data=tmp_path) == [Problem(f"{name}-7", ASKED[name], "A", name, "dev")]


def test_quarel_says_its_choices_itself(tmp_path: Path) -> None:
    put(tmp_path / "quarel", "quarel-v1-dev.jsonl", QUAREL)
    assert problems("quarel", "dev", data=tmp_path) == [Problem("quarel-Q1", str(QUAREL["question"]), "B", "quarel", "dev")]


@pytest.mark.parametrize("key", [{}, {"answerKey": ""}])
def test_a_split_without_published_answers_has_none(key: dict[str, str], tmp_path: Path) -> None:
    put(tmp_path / "commonsenseqa", "test_rand_split_no_answers.jsonl", {"id": "7", **key, **AUTHORS["commonsenseqa"][1]})
    assert [problem.answer for problem in problems("commonsenseqa", "test", data=tmp_path)] == [None]


@pytest.mark.parametrize(
    "record",
    [
        {"id": "7", "answerKey": "F", **HUB["commonsenseqa"]},
        {"answerKey": "A", **HUB["commonsenseqa"]},
        {"id": "7", "answerKey": "A", "question": "Where?"},
        {"id": "7", "answerKey": "A", "question": "Where?", "choices": {"label": ["A", "B"], "text": ["bank"]}},
        {"id": "7", "answerKey": "A", "question": {"stem": None, "choices": PAIRS}},
    ],
)
def test_a_record_of_another_shape_is_named(record: dict[str, Any], tmp_path: Path) -> None:
    put(tmp_path / "commonsenseqa", "train.jsonl", record)
    with pytest.raises(DataError, match=r"train\.jsonl:1"):
        problems("commonsenseqa", "train", data=tmp_path)


@pytest.mark.parametrize("name", names())
def test_a_named_folder_without_the_set_is_an_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(NoDataError, match=name):
        problems(name, "train", data=tmp_path)


@pytest.mark.parametrize(("name", "split"), [("csqa", "train"), ("quarel", "validation"), ("../quarel", "train")])
def test_unknown_names_are_refused(name: str, split: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="known"):
        problems(name, split, data=tmp_path)
