"""The benchmarks: shapes on small files made here, published counts on the real ones where SOCRATIC_DATA names them."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from socratic.answers import same_answer
from socratic.benchmarks import cache_folder, checksums, is_validation, labels, names, problems, traces
from socratic.errors import DataError
from socratic.schema import Ended, Labels, Origin, Problem, Source, Trace, Verdict

QUESTION = "Natalia sold clips to 48 of her friends in April, and half as many in May. How many did she sell?"
PLAIN = "Natalia sold 48/2 = <<48/2=24>>24 clips in May.\n\nShe sold 48+24 = <<48+24=72>>72 clips.\n#### 72"
SOCRATIC = "How many in May? ** 48/2 = <<48/2=24>>24 clips.\nHow many in all? ** They are many.\n#### 1,072"
SVAMP = [
    {"ID": "chal-1", "Body": "Dan has 76 dvds. If he sells 25", "Question": "How many are left?"}
    | {"Equation": "( 76.0 - 25.0 )", "Answer": 51.0, "Type": "Subtraction"},
    {"ID": "chal-2", "Body": "Ann has 2 bags of 3 nuts and 1 nut.", "Question": "How many nuts?"}
    | {"Equation": "( ( 2.0 * 3.0 ) + 1.0 )", "Answer": 7.0, "Type": "Addition"},
    {"ID": "chal-3", "Body": "A day has 8 hours.", "Question": "How many hours?"}
    | {"Equation": "8.0", "Answer": 8.0, "Type": "Addition"},
]
MAWPS = """Question,Numbers,Equation,Answer,group_nums,Body,Ques
"Kate 's pie costs $ number0 , and she did n't pay . What do number1 pies cost ?",2.5 4.0,* number0 number1,10.0,[],,What do number1 pies cost ?
Sara ate number0 and number1 pie of number2 . How much is left ?,0.16666666666666666 0.5 3.0,- number2 + number0 number1,2.3333333333333335,[],,How much is left ?
number0 boys share number1 nuts and number2 more . How many does each get ?,3.0 10.0 5.0,/ + number1 number2 number0,5.0,[],,How many does each get ?
Boxes of number0 hold number1 of number2 nuts . How many boxes ?,3.0 10.0 6.0,* / number1 number0 number2,20.0,[],,How many boxes ?
"""  # noqa: E501
STRATEGYQA = [
    {"qid": "a", "question": "Is the sun old?", "answer": True, "facts": ["Stars are old.", "The sun is a star.", "So."]}
    | {"decomposition": ["What are stars?", "Is the sun #1?"]},
    {"qid": "b", "question": "Can it?", "answer": False, "facts": ["It is."], "decomposition": ["a?", "b?", "c?"]},
]


def put(folder: Path, relative: str, text: str) -> None:
    path = folder / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    put(tmp_path, "gsm8k/train.jsonl.gz", json.dumps({"question": QUESTION, "answer": PLAIN}) + "\n")
    put(tmp_path, "gsm8k/train_socratic.jsonl", json.dumps({"question": QUESTION, "answer": SOCRATIC}) + "\n")
    put(tmp_path, "svamp/SVAMP.json", json.dumps(SVAMP))
    put(tmp_path, "svamp/splits.json", json.dumps({"train": ["chal-2", "chal-3"], "test": ["chal-1"]}))
    put(tmp_path, "svamp/mawps-asdiv-a_train_no_multiarith.csv", MAWPS)
    put(tmp_path, "strategyqa/train.json.gz", json.dumps(STRATEGYQA))
    return tmp_path


def written(trace: Trace) -> list[tuple[str, str, str]]:
    return [(step.question, step.solution, step.answer) for step in trace.steps]


def test_gsm8k_has_a_step_per_line_and_no_subquestions(data: Path) -> None:
    [trace] = traces("gsm8k", "train", data=data)
    assert trace.problem == Problem("gsm8k-train-0", QUESTION, "72", "gsm8k", "train")
    assert (trace.answer, trace.ended, trace.source) == ("72", Ended.DONE, Source("human", "gsm8k"))
    assert [(step.question, step.answer) for step in trace.steps] == [("", "24"), ("", "72")]


def test_gsm8k_socratic_splits_subquestion_and_solution(data: Path) -> None:
    [trace] = traces("gsm8k-socratic", "train", data=data)
    assert written(trace) == [
        ("How many in May?", "48/2 = <<48/2=24>>24 clips.", "24"),
        ("How many in all?", "They are many.", ""),
    ]
    assert trace.answer == "1072"
    assert trace.problem.id == "gsm8k-train-0"


def test_equations_are_checked_against_all_that_came_before(data: Path) -> None:
    [trace] = traces("gsm8k", "train", data=data)
    first, second = (step.checks[0] for step in trace.steps)
    assert {first.verdict, second.verdict} == {Verdict.CORRECT}
    assert [operand.origin for operand in second.operands] == [Origin.PROBLEM, Origin.STEP]


def test_svamp_joins_body_and_question_into_sentences(data: Path) -> None:
    first, second, _ = problems("svamp", "all", data=data)
    assert first == Problem("svamp-chal-1", "Dan has 76 dvds. If he sells 25, how many are left?", "51", "svamp", "all")
    assert second.question == "Ann has 2 bags of 3 nuts and 1 nut. How many nuts?"


def test_svamp_splits_are_those_of_the_split_file(data: Path) -> None:
    assert [problem.id for problem in problems("svamp", "train", data=data)] == ["svamp-chal-2", "svamp-chal-3"]
    assert [problem.id for problem in problems("svamp", "test", data=data)] == ["svamp-chal-1"]


def test_svamp_without_its_split_file_still_has_all_and_says_why_not_the_rest(data: Path) -> None:
    (data / "svamp/splits.json").unlink()
    assert len(problems("svamp", "all", data=data)) == 3
    with pytest.raises(DataError, match=r"splits\.json") as caught:
        problems("svamp", "test", data=data)
    assert "'all'" in caught.value.hint


def test_svamp_traces_have_a_step_per_operation(data: Path) -> None:
    nuts, hours = traces("svamp", "train", data=data)
    assert written(nuts) == [("", "2*3 = <<2*3=6>>6", "6"), ("How many nuts?", "6+1 = <<6+1=7>>7", "7")]
    assert written(hours) == [("How many hours?", "8 = <<8=8>>8", "8")]


@pytest.mark.parametrize("split", ["test", "all"])
def test_test_problems_of_svamp_never_become_traces(data: Path, split: str) -> None:
    with pytest.raises(DataError, match="test problems") as caught:
        traces("svamp", split, data=data)
    assert caught.value.hint


def test_mawps_fills_the_numbers_in_and_undoes_the_tokenising(data: Path) -> None:
    pie, rest, *_ = problems("mawps", "train", data=data)
    assert pie == Problem(
        "mawps-train-0", "Kate's pie costs $2.5, and she didn't pay. What do 4 pies cost?", "10", "mawps", "train"
    )
    assert rest.question == "Sara ate 1/6 and 0.5 pie of 3. How much is left?"
    assert rest.answer == "7/3"


def test_mawps_equations_become_infix_steps_without_endless_decimals(data: Path) -> None:
    pie, rest, share, boxes = traces("mawps", "train", data=data)
    assert written(pie) == [("What do 4 pies cost?", "2.5*4 = <<2.5*4=10>>10", "10")]
    assert written(rest) == [("How much is left?", "3-((1/6)+0.5) = <<3-((1/6)+0.5)=7/3>>7/3", "7/3")]
    assert [step.answer for step in share.steps] == ["15", "5"]
    assert written(boxes) == [("How many boxes?", "(10/3)*6 = <<(10/3)*6=20>>20", "20")]
    assert {check.verdict for trace in (pie, rest, share, boxes) for s in trace.steps for check in s.checks} == {Verdict.CORRECT}


def test_strategyqa_hands_every_fact_to_one_step_and_the_answer_to_the_last(data: Path) -> None:
    sun, it = traces("strategyqa", "train", data=data)
    assert written(sun) == [
        ("What are stars?", "Stars are old.", ""),
        ("Is the sun #1?", "The sun is a star. So. So the answer is yes.", "yes"),
    ]
    assert written(it) == [("a?", "It is.", ""), ("b?", "", ""), ("c?", "So the answer is no.", "no")]
    assert [problem.answer for problem in problems("strategyqa", "train", data=data)] == ["yes", "no"]


def test_labels_tell_steps_type_and_numbers_that_are_not_needed(data: Path) -> None:
    told = labels("svamp", "all", data=data)
    assert told["svamp-chal-1"] == Labels(1, "Subtraction", 0) and told["svamp-chal-2"] == Labels(2, "Addition", 0)
    changed = SVAMP[0] | {"Body": "Of 9 men Dan has 76 dvds. If he sells 25", "Type": "Common-Divison"}
    put(data, "svamp/SVAMP.json", json.dumps([changed]))
    assert labels("svamp", "all", data=data) == {"svamp-chal-1": Labels(1, "Common-Division", 1)}
    assert labels("gsm8k", "train", data=data) == {"gsm8k-train-0": Labels(2, "", 0)}
    assert [label.gold_steps for label in labels("strategyqa", "train", data=data).values()] == [2, 3]
    assert {label.unused_numbers for label in labels("strategyqa", "train", data=data).values()} == {None}


def test_sums_are_of_the_unpacked_file_and_a_pinned_one_must_fit(data: Path) -> None:
    sums = checksums("mawps", "train", data=data)
    assert sums == {"svamp/mawps-asdiv-a_train_no_multiarith.csv": hashlib.sha256(MAWPS.encode()).hexdigest()}
    packed = hashlib.sha256((json.dumps({"question": QUESTION, "answer": PLAIN}) + "\n").encode()).hexdigest()
    with pytest.raises(DataError, match=rf"train\.jsonl is not the published file: expected sha256 \w{{64}}, found {packed}"):
        checksums("gsm8k", "validation", data=data)
    with pytest.raises(DataError, match="train, dev"):
        checksums("strategyqa", "test", data=data)


def test_unknown_names_and_splits_say_what_is_known_and_nearest(data: Path) -> None:
    with pytest.raises(DataError, match="gsm8k, gsm8k-socratic, svamp, strategyqa, mawps") as caught:
        problems("gsm8", "train", data=data)
    assert "'gsm8k'" in caught.value.hint
    with pytest.raises(DataError, match="train, dev") as caught:
        problems("strategyqa", "trian", data=data)
    assert "'train'" in caught.value.hint
    with pytest.raises(DataError, match="train, test, all"):
        traces("svamp", "dev", data=data)


def test_folders_are_looked_through_in_order(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SOCRATIC_DATA", str(tmp_path / "named"))
    put(cache_folder(), "gsm8k/test.jsonl", json.dumps({"question": "cached", "answer": "#### 1"}))
    assert cache_folder() == tmp_path / "cache" / "socratic" / "data"
    assert problems("gsm8k", "test")[0].question == "cached"
    put(tmp_path / "named", "gsm8k/test.jsonl", json.dumps({"question": "named", "answer": "#### 1"}))
    assert problems("gsm8k", "test")[0].question == "named"
    with pytest.raises(DataError):
        problems("gsm8k", "test", data=tmp_path / "given")  # a folder that was given is the only one
    monkeypatch.setenv("SOCRATIC_DATA", "")
    assert problems("gsm8k", "test")[0].question == "cached"


def test_a_missing_file_names_every_place_and_both_ways_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SOCRATIC_DATA", str(tmp_path / "named"))
    with pytest.raises(DataError) as caught:
        problems("strategyqa", "dev")
    assert str(tmp_path / "named" / "strategyqa" / "dev.json.gz") in str(caught.value)
    assert str(tmp_path / "cache" / "socratic" / "data" / "strategyqa" / "dev.json") in str(caught.value)
    assert "socratic data download strategyqa" in caught.value.hint
    assert "--data" in caught.value.hint


@pytest.mark.parametrize(
    ("relative", "text", "name", "where"),
    [
        ("gsm8k/test.jsonl", '{"question": "q", "answer": "#### 1"}\n{"question"', "gsm8k", "test.jsonl:2"),
        ("gsm8k/test.jsonl", '{"question": "q", "answer": "no mark"}', "gsm8k", "test.jsonl:1"),
        ("gsm8k/test.jsonl", '{"question": "q"}', "gsm8k", "test.jsonl:1"),
        ("gsm8k/test.jsonl", "[]", "gsm8k", "test.jsonl:1"),
        ("gsm8k/test.jsonl", "", "gsm8k", "test.jsonl:1"),
        ("strategyqa/dev.json", "null", "strategyqa", "dev.json"),
        ("strategyqa/dev.json", '{"a": 1}', "strategyqa", "record 1"),
        ("svamp/splits.json", '{"train": []}', "svamp", "splits.json"),
    ],
)
def test_a_broken_file_is_an_error_with_its_place(data: Path, relative: str, text: str, name: str, where: str) -> None:
    put(data, relative, text)
    with pytest.raises(DataError, match=where) as caught:
        problems(name, "dev" if name == "strategyqa" else "test", data=data)
    assert caught.value.hint


@pytest.mark.parametrize("equation", ["( 1.0 + 2.0", "( 1.0 / 0.0 )", "", "( 1.0 + x )", "( 1.0 + 2.0 ]"])
def test_a_broken_equation_is_an_error_with_its_place(data: Path, equation: str) -> None:
    put(data, "svamp/SVAMP.json", json.dumps([SVAMP[1] | {"Equation": equation}]))
    with pytest.raises(DataError, match="record 1"):
        traces("svamp", "train", data=data)


def test_a_damaged_gzip_is_an_error_with_its_path(data: Path) -> None:
    packed = data / "gsm8k/train.jsonl.gz"
    for damaged in (packed.read_bytes()[:-9], b"no gzip", packed.read_bytes()[:12] + b"\xff" * 40):
        packed.write_bytes(damaged)
        with pytest.raises(DataError, match=r"train\.jsonl\.gz cannot be read"):
            problems("gsm8k", "train", data=data)


real = pytest.mark.skipif(not os.environ.get("SOCRATIC_DATA"), reason="SOCRATIC_DATA names no folder with the real files")


@real
@pytest.mark.parametrize(
    ("name", "split", "count"),
    [
        ("gsm8k", "train", 7473),
        ("gsm8k", "test", 1319),
        ("gsm8k-socratic", "train", 7473),
        ("gsm8k-socratic", "test", 1319),
        ("svamp", "train", 700),
        ("svamp", "test", 300),
        ("svamp", "all", 1000),
        ("strategyqa", "train", 2061),
        ("strategyqa", "dev", 229),
        ("mawps", "train", 2471),
        ("mawps", "validation", 158),
    ],
)
def test_published_counts_hold_and_ids_are_unique(name: str, split: str, count: int) -> None:
    read = problems(name, split)
    assert len(read) == len({problem.id for problem in read}) == count
    assert all(problem.answer and same_answer(problem.answer, problem.answer) for problem in read)


@real
@pytest.mark.parametrize("name", ["gsm8k", "gsm8k-socratic"])
def test_all_training_equations_of_gsm8k_are_correct_but_two(name: str) -> None:
    checks = [check for trace in traces(name, "train") for step in trace.steps for check in step.checks]
    assert Counter(check.verdict for check in checks) == {Verdict.CORRECT: 23714, Verdict.UNREADABLE: 2}
    assert all("//" in check.expression for check in checks if check.verdict is Verdict.UNREADABLE)


@real
def test_both_forms_of_gsm8k_hold_the_same_problems() -> None:
    assert all(problems("gsm8k", split) == problems("gsm8k-socratic", split) for split in ("train", "test"))


@real
def test_every_trace_survives_its_json_form() -> None:
    for name in names():
        for trace in traces(name, "train")[::97]:
            assert Trace.from_dict(json.loads(json.dumps(trace.to_dict()))) == trace


def test_copies_with_other_numbers_are_validation_problems_where_the_original_is_one() -> None:
    originals = [Problem(f"gsm8k-train-{n}", "How many?", dataset="gsm8k", split="train") for n in range(200)]
    copies = [replace(problem, id=f"{problem.id}-r{n % 12}") for n, problem in enumerate(originals)]
    held = [is_validation(problem) for problem in originals]
    assert any(held) and not all(held)
    assert [is_validation(copy) for copy in copies] == held
    assert not any(is_validation(replace(problem, dataset="mine")) for problem in originals), "one's own problem of such an id"
