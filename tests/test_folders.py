"""Model folders: missing, half there, pickled only, broken; each is a message with a hint, before anything loads."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from socratic.confidence import FILE
from socratic.dialect import Capitals, Numbers, Results, Solutions, Style
from socratic.engines.ct2 import Ct2Engine
from socratic.errors import ModelError
from socratic.folders import NEEDED, SMALL_WEIGHTS, WEIGHTS, find_pair, fingerprint, model_type, read_student, weights_file

STYLE = {"style": {"numbers": "digits", "solutions": "sentence", "results": "learned"}}


def student(folder: Path, *, without: str = "", about: object = STYLE) -> Path:
    folder.mkdir(parents=True)
    for name in (*NEEDED, WEIGHTS):
        if name != without:
            (folder / name).write_text(json.dumps(about) if name == "student.json" else "{}")
    return folder


def test_a_pair_is_two_students_with_their_own_styles(tmp_path: Path) -> None:
    student(tmp_path / "decomposer")
    student(tmp_path / "solver")
    asks, solves = find_pair(str(tmp_path))
    assert (asks.path.name, solves.path.name) == ("decomposer", "solver")
    assert asks.style == Style(Numbers.DIGITS, Solutions.SENTENCE, Results.LEARNED)


def test_capitals_are_kept_where_student_json_is_older_than_they(tmp_path: Path) -> None:
    marked = {"style": {**STYLE["style"], "capitals": "marked"}}
    assert read_student(student(tmp_path / "old")).style.capitals is Capitals.KEPT
    assert read_student(student(tmp_path / "new", about=marked)).style.capitals is Capitals.MARKED


@pytest.mark.parametrize(
    ("config", "architecture"),
    [('{"model_type": "prefix_lm"}', "prefix_lm"), ("{}", ""), ("[]", ""), ('{"model_type":', ""), ("\udcff", "")],
)
def test_architecture_is_what_config_json_says_if_it_says_anything(tmp_path: Path, config: str, architecture: str) -> None:
    folder = student(tmp_path / "s")
    (folder / "config.json").write_bytes(config.encode(errors="surrogateescape"))
    assert model_type(folder) == read_student(folder).architecture == architecture
    assert model_type(tmp_path / "nothing") == ""


@pytest.mark.parametrize("inner", ["", "student"])
def test_a_unified_student_is_both(tmp_path: Path, inner: str) -> None:
    student(tmp_path / "run" / inner) if inner else student(tmp_path / "run")
    asks, solves = find_pair(str(tmp_path / "run"))
    assert asks == solves


def test_weights_in_eight_bits_are_weights_too(tmp_path: Path) -> None:
    folder = student(tmp_path / "s")
    (folder / WEIGHTS).rename(folder / SMALL_WEIGHTS)
    assert read_student(folder).path == folder
    assert weights_file(folder).name == SMALL_WEIGHTS


@pytest.mark.parametrize("missing", [*NEEDED, WEIGHTS])
def test_half_a_student_is_refused_by_the_name_of_what_is_missing(tmp_path: Path, missing: str) -> None:
    with pytest.raises(ModelError, match=missing) as caught:
        read_student(student(tmp_path / "half", without=missing))
    assert caught.value.hint


@pytest.mark.parametrize("changed", ["solver/student.json", f"decomposer/{WEIGHTS}", "confidence.json"])
def test_a_fingerprint_is_of_whatever_answers_hang_on(tmp_path: Path, changed: str) -> None:
    pairs = [tmp_path / "one", tmp_path / "two"]
    for pair in pairs:
        student(pair / "decomposer")
        student(pair / "solver")
    one, two = map(str, pairs)
    assert fingerprint(one) == fingerprint(two)
    (pairs[0] / changed).write_text(json.dumps({**STYLE, "made_from": {}}))
    assert fingerprint(one) != fingerprint(two)


@pytest.mark.parametrize("parts", [("decomposer", "solver"), ("student",), ("",)])
def test_what_lies_beside_or_in_a_student_changes_no_fingerprint(tmp_path: Path, parts: tuple[str, ...]) -> None:
    pair = tmp_path / "pair"
    folders = [student(pair / part) for part in parts]
    before = fingerprint(str(pair))
    for folder in {pair, *folders}:
        for name in ("rows.npz", "train.jsonl", "svamp-calculator.jsonl", "svamp-calculator.jsonl.0a1b.partial"):
            (folder / name).write_text("{}")
    assert fingerprint(str(pair)) == before
    (pair / FILE).write_text("{}")
    assert fingerprint(str(pair)) != before


def test_half_a_pair_is_refused(tmp_path: Path) -> None:
    student(tmp_path / "decomposer")
    with pytest.raises(ModelError, match="solver"):
        find_pair(str(tmp_path))


def test_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model folder"):
        find_pair(str(tmp_path / "nothing"))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.pt", "model.pkl", "a.ckpt"])
def test_pickled_weights_are_refused_and_never_run(tmp_path: Path, name: str) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "exploded",)  # type: ignore[return-value]

    folder = student(tmp_path / "s", without="model.safetensors")
    (folder / name).write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ModelError, match="pickled"):
        find_pair(str(folder))
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    "about",
    [
        [],
        {},
        {"style": {}},
        {"style": {**STYLE["style"], "numbers": "roman"}},
        {"style": {**STYLE["style"], "capitals": "roman"}},
        {"style": {**STYLE["style"], "letters": "greek"}},
    ],
)
def test_an_unknown_style_is_refused(tmp_path: Path, about: object) -> None:
    with pytest.raises(ModelError, match="style"):
        read_student(student(tmp_path / "s", about=about))


def test_a_broken_ct2_form_is_an_error_not_a_crash(tmp_path: Path) -> None:
    folder = student(tmp_path / "s")
    (folder / "ct2").mkdir()
    (folder / "ct2" / "model.bin").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="cannot be loaded"):
        Ct2Engine(folder)
