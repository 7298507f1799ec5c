"""What is evaluated on: names, splits, labels, sums of files, and what is no data set. Run: pytest tests/test_tasks.py"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from socratic import choices, tasks
from socratic.cells import Order, asked_of
from socratic.config import Cell
from socratic.downloads import FILES
from socratic.errors import DataError, NoDataError, UsageError
from socratic.orchestrator import as_problem
from socratic.schema import Labels, Problem

real = pytest.mark.skipif(not os.environ.get("SOCRATIC_DATA"), reason="SOCRATIC_DATA names no folder with the real files")


@pytest.mark.parametrize(
    ("name", "split", "found", "hint"),
    [
        (
            "gsm9k",
            "",
            "gsm8k, gsm8k-socratic, svamp, strategyqa, mawps, commonsenseqa, openbookqa, quarel, curriculum",
            "'gsm8k'",
        ),
        ("curiculum", "", "known", "'curriculum'"),
        ("problems.json", "", "or a .jsonl", ".jsonl"),
        ("gsm8k", "tset", "train, validation, test", "'test'"),
        ("curriculum", "train", "held-out", ""),
        ("comonsense_qa", "", "known", "'commonsenseqa'"),
        ("openbook", "", "known", "'openbookqa'"),
        ("quarel", "tset", "train, dev, test", "'test'"),
    ],
)
def test_unknown_sets_and_splits_name_what_is_known_and_nearest(name: str, split: str, found: str, hint: str) -> None:
    for read in (tasks.load, tasks.worked):
        with pytest.raises(DataError, match=found) as caught:
            read(name, split)
        assert hint in caught.value.hint


def test_a_missing_file_is_told_with_the_ways_on(tmp_path: Path) -> None:
    for name in ("gsm8k", "svamp", "strategyqa", "mawps", *choices.names()):
        with pytest.raises(NoDataError) as caught:
            tasks.load(name, data=tmp_path)
        assert str(tmp_path) in str(caught.value) and "--data" in caught.value.hint


def test_a_changed_file_is_refused_with_the_expected_and_the_found_sum(tmp_path: Path) -> None:
    text = json.dumps({"question": "1 and 1?", "answer": "1+1 = <<1+1=2>>2\n#### 2"}) + "\n"
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "gsm8k/test.jsonl").write_text(text)
    pinned = next(file.sha256 for file in FILES if file.place == "gsm8k/test.jsonl")
    for read in (tasks.load, tasks.worked):
        with pytest.raises(DataError, match=pinned) as caught:
            read("gsm8k", data=tmp_path)
        assert hashlib.sha256(text.encode()).hexdigest() in str(caught.value) and caught.value.hint


def test_a_file_of_ones_own_is_read_with_its_sum_and_its_broken_lines(tmp_path: Path) -> None:
    path = tmp_path / "my.problems.jsonl"
    path.write_text('{"question": "a", "answer": 2}\n{broken\n{"question": "b", "answer": 3, "id": "my-1"}\n')
    task = tasks.load(str(path))
    assert task.problems == (Problem("my-1", "a", "2"),), "an id that another line has is a broken line"
    assert [line.where for line in task.broken] == [f"{path}:2", f"{path}:3"]
    assert task.files == {str(path): hashlib.sha256(path.read_bytes()).hexdigest()}
    assert task.first(0).problems == () and task.first(9) == task


@pytest.mark.parametrize("split", ["train", "test", "nonsense"])
def test_a_file_of_ones_own_has_no_split_and_who_names_one_hears_of_it(split: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"question": "a", "answer": 2}\n')
    with pytest.raises(UsageError, match=f"no split '{split}'") as caught:
        tasks.load(str(path), split)
    assert "--split" in caught.value.hint
    assert tasks.load(str(path), usual=split) == tasks.load(str(path)), "what is usual for sets is not asked of a file"


@pytest.mark.parametrize("name", choices.names())
def test_the_usual_split_stands_in_for_one_that_is_not_named(name: str, tmp_path: Path) -> None:
    for split in ("dev", "train"):
        choice_file(tmp_path, name, split)
    for named, usual, expected in (("", "", "dev"), ("", "train", "train"), ("dev", "train", "dev")):
        assert tasks.load(name, named, usual=usual, data=tmp_path).name == f"{name} {expected}"


def test_problems_without_an_answer_are_named_and_the_others_stay_gradable(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"question": "a", "answer": 2}\n{"question": "b"}\n{broken\n{"question": "c", "answer": "0"}\n')
    task = tasks.load(str(path))
    assert len(task.problems) == 3 and len(task.broken) == 1
    assert [problem.question for problem in task.gradable().problems] == ["a", "c"]
    assert [line.where for line in task.gradable().broken] == [f"{path}:3", "mine-2"]


@pytest.mark.parametrize("odd", ["9 apples. " * 500, "Ring\x07 3 bells?", f"{'9' * 30} and 1?", " "])
def test_problems_that_cannot_be_asked_join_the_broken_lines_with_the_reason(odd: str) -> None:
    problems = (Problem("p1", "1 and 1?", "2"), Problem("p2", odd, "2"), Problem("p3", "2 and 0?", "2"))
    task = tasks.Task("mine", problems)
    assert task.gradable() == task
    found = task.gradable(as_problem)
    with pytest.raises(UsageError) as caught:
        as_problem(problems[1])
    assert found.problems == (problems[0], problems[2])
    assert [(line.where, line.reason) for line in found.broken] == [("p2", str(caught.value))]


ASKED = {  # a record of each set as its authors have it
    "commonsenseqa": {"id": "7", "answerKey": "A", "question": {"stem": "?", "choices": [{"label": "A", "text": "bank"}]}},
    "openbookqa": {"id": "7", "answerKey": "A", "question": {"stem": "?", "choices": [{"label": "A", "text": "bank"}]}},
    "quarel": {"id": "7", "answer_index": 0, "question": "Ice is (A) smooth (B) rough"},
}
FILE = {"commonsenseqa": "{}_rand_split.jsonl", "openbookqa": "{}.jsonl", "quarel": "quarel-v1-{}.jsonl"}


def choice_file(data: Path, name: str, split: str) -> Path:
    path = data / name / FILE[name].format(split)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(ASKED[name]) + "\n")
    return path


@pytest.mark.parametrize("name", choices.names())
def test_of_a_choice_set_dev_is_reported_with_the_sum_of_the_file_that_was_read(name: str, tmp_path: Path) -> None:
    paths = {split: choice_file(tmp_path, name, split) for split in ("dev", "train")}
    for split, wanted in (("dev", ""), ("train", "train")):
        task = tasks.load(name, wanted, data=tmp_path)
        assert task.name == f"{name} {split}"
        assert [(problem.split, problem.answer) for problem in task.problems] == [(split, "A")]
        found = hashlib.sha256(paths[split].read_bytes()).hexdigest()
        assert task.files == tasks.files(name, wanted, data=tmp_path) == {f"{name}/{paths[split].name}": found}


def test_a_sum_names_the_file_by_its_place_in_the_set_s_folder(tmp_path: Path) -> None:
    data = tmp_path / "quarel"  # a folder of the set's name above the set's own
    place = data / "quarel" / "default" / "validation" / "0000.parquet"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"columns")
    assert tasks.files("quarel", data=data) == {"quarel/default/validation/0000.parquet": hashlib.sha256(b"columns").hexdigest()}


@pytest.mark.parametrize("name", choices.names())
def test_a_choice_set_has_no_worked_solutions_and_the_error_says_who_can_write_some(name: str, tmp_path: Path) -> None:
    choice_file(tmp_path, name, "train")
    with pytest.raises(DataError, match="no worked solutions") as caught:
        tasks.worked(name, "train", data=tmp_path)
    assert f"socratic annotate {name}" in caught.value.hint


def test_a_table_s_cell_asks_what_is_evaluated_on_and_no_file_of_one_s_own(tmp_path: Path) -> None:
    choice_file(tmp_path, "quarel", "dev")
    cell = Cell(method="cot", benchmark="quarel", split="dev", train={})
    order = Order(tmp_path, "scratch-6m", tmp_path / "run", data=tmp_path)
    task, asked = tasks.load("quarel", data=tmp_path), asked_of(cell, order)
    assert (tuple(asked.problems), asked.labels, asked.files) == (task.problems, task.labels, task.files)
    assert asked_of(cell, replace(order, limit=0)).problems == ()
    own = tmp_path / "mine.jsonl"
    own.write_text('{"question": "1 and 1?", "answer": 2}\n')
    for benchmark, split in ((str(own), "dev"), ("quarel", "validation")):
        with pytest.raises(DataError, match="known"):
            asked_of(cell.model_copy(update={"benchmark": benchmark, "split": split}), order)


def test_an_empty_file_and_none_at_all_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n\n")
    with pytest.raises(DataError, match="is empty"):
        tasks.load(str(tmp_path / "empty.jsonl"))
    with pytest.raises(DataError, match="no file"):
        tasks.load(str(tmp_path / "missing.jsonl"))


@real
def test_svamp_has_its_types_and_numbers_that_are_not_needed() -> None:
    task = tasks.load("svamp")
    types = Counter(label.type for label in task.labels.values())
    assert types == {"Subtraction": 531, "Addition": 195, "Common-Division": 166, "Multiplication": 108}
    assert task.labels["svamp-chal-1"] == Labels(1, "Subtraction", 0)
    assert task.labels["svamp-chal-3"] == Labels(1, "Subtraction", 2), "26 salty and 17 sweet cookies, ate 14 sweet and 9 salty"
    assert task.labels.keys() == {problem.id for problem in task.problems}


@real
@pytest.mark.parametrize(("name", "split"), [("gsm8k", "test"), ("strategyqa", "dev"), ("svamp", "test")])
def test_published_sets_are_the_pinned_ones_and_every_problem_is_labelled(name: str, split: str) -> None:
    task = tasks.load(name, split)
    pinned = {file.place: file.sha256 for file in FILES}
    assert task.files and all(pinned.get(file, found) == found for file, found in task.files.items())
    assert all(task.labels[problem.id].gold_steps for problem in task.problems)
