"""Properties of rationales.py, on small files and, where SOCRATIC_DATA names them, on the stored ones."""

from __future__ import annotations

import gzip
import json
import os
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socratic.arithmetic import Known, check_solution, equations
from socratic.dialect import Solutions, Style
from socratic.errors import DataError, NoDataError
from socratic.mix import trainable
from socratic.rationales import Fate, Setting, load, names, read
from socratic.schema import Badge, Problem, Source, Training, Verdict

CALM = settings(deadline=None, derandomize=True, database=None, max_examples=60)
PROBLEM = Problem("p", "A book of 594 pages has 3 chapters. How many pages has each?", "198", "svamp", "train")
BELIEF = Problem("b", "Is the sun old?", "yes", "strategyqa", "train")


def marks(text: str, answer: str) -> list[str]:
    return ["=".join(pair) for pair in equations(read(text, Problem("p", "How many?", answer)).solution)]


def unmarked(text: str) -> str:
    return re.sub(r"<<[^<>]*>>", "", text)


@pytest.mark.parametrize(
    ("text", "answer", "found"),
    [
        ("Therefore, 40 - 39 = 1. The answer is 1", "1", ["40-39=1"]),
        ("594 pages / 3 chapters = 198 pages per chapter. The answer is 198", "198", ["594/3=198"]),
        ("We divide 594 (total pages) ÷ 3 (number of chapters) = 198.", "198", ["594/3=198"]),
        ("28 packages * 4 pieces/package = 112 pieces.", "112", ["28*4=112"]),
        ("183 t-shirts sold x $62 profit = $11,346", "11346", ["183*62=11346"]),
        ("The book has (80 - 37 = 43) more pages.", "43", ["80-37=43"]),
        ("2 * (3 + 4) = 14. 14 \u2212 4 = 10.", "10", ["2*(3+4)=14", "14-4=10"]),
        ("x = 67 - 36 = 31", "31", ["67-36=31"]),
        ("30/60 * 100 = 50%. The answer is 50", "50", ["30/60*100=50"]),
        ("20 / 60 = 1/3 of an hour. 3 * 1/3 = 1", "1", ["20/60=1/3", "3*1/3=1"]),
        ("- 34 - 15 = 19 cookies are left.", "19", ["34-15=19"]),
        ("There are 2 + 3 = 5The answer is 5", "5", ["2+3=5"]),
        ("594 / 3 = 198. To check: 198 * 3 = 594. The answer is 198", "198", ["594/3=198"]),
        ("25 + 5 = 31. 31 - 1 = 30. The answer is 30", "30", ["25+5=31", "31-1=30"]),
    ],
)
def test_equations_that_lead_to_the_answer_are_marked(text: str, answer: str, found: list[str]) -> None:
    assert marks(text, answer) == found


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("x + 36 = 67, so x = 31. The answer is 31", "31"),
        ("x + 36 - 4 = 32. The answer is 32", "32"),
        ("2y - 12/3 = 8. The answer is 8", "8"),
        ("50 / 2 = 25x. The answer is 25", "25"),
        ("1.5 * 10 = 15 * x. The answer is 15", "15"),
        ("The ratio is 2 : (1+2+5) = 8 : 2. The answer is 8", "8"),
        ("In 1999-2000 there were 7. The answer is 7", "7"),
        ("20 * 2 = 40 minutes. The answer is 75", "75"),
        ("5 - 3 = 2^1. The answer is 2", "2"),
        ("5 - 3 = 2/0. The answer is 2", "2"),
        ("y x 3 + 4 = 7. The answer is 7", "7"),
    ],
)
def test_what_is_no_whole_equation_or_leads_elsewhere_stays_text(text: str, answer: str) -> None:
    assert marks(text, answer) == []


def test_chains_are_marked_where_they_end() -> None:
    assert marks("50 / (2/3) = 50 * (3/2) = 25 * 3 = 75", "75") == ["25*3=75"]


PARTS = [
    "40 apples",
    " - ",
    "39",
    " = ",
    "1",
    ". ",
    "The answer is ",
    "(2/3)",
    "x",
    "$1,200",
    "<<",
    ">>",
    "\n",
    "\x07",
    "yes",
    "é",
]


@given(parts=st.lists(st.sampled_from(PARTS) | st.text(max_size=5), max_size=14))
@CALM
def test_marks_change_no_word_and_every_mark_can_be_read(parts: list[str]) -> None:
    text = "".join(parts)
    rationale = read(text, PROBLEM)
    pairs = equations(rationale.solution)
    assert rationale.solution.count("<<") == rationale.solution.count(">>") == len(pairs)
    assert [check.verdict for check in check_solution(rationale.solution, Known.of(""))[0]].count(Verdict.UNREADABLE) == 0
    if not set("<>") & set(text):
        body = unmarked(rationale.solution).removesuffix(f"So the answer is {rationale.answer}.").rstrip()
        printable = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))
        assert " ".join(printable.split()).startswith(body)
    assert rationale.answer is None or rationale.solution.endswith(f"So the answer is {rationale.answer}.")
    assert not any(ord(c) < 32 for c in rationale.solution)


@pytest.mark.parametrize(
    "text", ["<<__import__('os')=198>>198", "<Solution Path> It is <<198", "\x1b[31m198\x00", "<<<<594/3=198>>>>"]
)
def test_a_teacher_s_own_marks_and_control_characters_are_gone(text: str) -> None:
    rationale = read(f"{text}. The answer is 198", PROBLEM)
    assert not re.search(r"<<|>>|import|Solution|[\x00-\x1f]", rationale.solution)
    assert rationale.answer == "198"


@pytest.mark.parametrize("said", ["The answer is True", "So the answer is yes.", "Yes."])
def test_yes_or_no_and_no_marks_where_the_answer_is_no_number(said: str) -> None:
    rationale = read(f"It is 5 - 1 = 4 billion years old. {said}", BELIEF)
    assert rationale.answer == "yes" and "<<" not in rationale.solution
    assert rationale.equations == (Verdict.CORRECT,)


def test_the_teacher_s_last_words_are_said_once() -> None:
    assert read("We take 200 - 2 = 198. Therefore, the answer is 198", PROBLEM).solution.count("nswer is") == 1
    kept = read("The answer is 594 / 3 = 198. The answer is 198", PROBLEM).solution
    assert kept == "The answer is 594 / 3 = <<594/3=198>>198. So the answer is 198."


# Files

SVAMP = [
    {"ID": f"chal-{n}", "Body": f"Dan has {n} dvds.", "Question": f"How many are {n}?", "Equation": f"{n}.0", "Answer": float(n)}
    for n in range(1, 5)
]
SAMPLES = [
    {"instruction": "Dan has 1 dvds. How many are 1?\n", "output": ["2 - 1 = 1", "It is 7.", "Who knows?"], "label": "1"},
    {"instruction": "dan has 2 dvds how many are 2", "output": ["1 + 1 = 2", "The answer is 2"]},
    {"instruction": "Dan has 4 dvds. How many are 4?", "output": ["4", "5"]},
    {"instruction": "Who is Dan?", "output": ["4"]},
]


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    put(tmp_path / "svamp/SVAMP.json", json.dumps(SVAMP))
    put(tmp_path / "svamp/splits.json", json.dumps({"train": ["chal-1", "chal-2", "chal-3"], "test": ["chal-4"]}))
    put(tmp_path / "teacher/svamp-multicot/gpt.jsonl.gz", "".join(json.dumps(row) + "\n" for row in SAMPLES))
    put(
        tmp_path / "teacher/svamp/a-llama.json",
        json.dumps([{"instruction": SAMPLES[0]["instruction"], "output": "The answer is 1"}]),
    )
    put(tmp_path / "teacher/svamp/b-gpt.json.gz", json.dumps([{"instruction": SAMPLES[1]["instruction"], "output": "2"}]))
    return tmp_path


@pytest.mark.parametrize(
    ("setting", "answers"), [(Setting.SUPERVISED, ["1", "2", "2"]), (Setting.FEW_SHOT, ["1", "7", "2", "2"])]
)
def test_every_sample_has_one_fate_and_test_problems_are_refused(data: Path, setting: Setting, answers: list[str]) -> None:
    traces, (tally,) = load("svamp", setting, data=data)
    assert [trace.answer for trace in traces] == answers
    assert tally.samples == {Fate.RIGHT: 3, Fate.WRONG: 1, Fate.NO_ANSWER: 1, Fate.TEST: 2, Fate.UNKNOWN: 1}
    assert tally.problems == {"svamp-chal-1", "svamp-chal-2"}
    assert {trace.problem.split for trace in traces} == {"train"}
    assert traces[-1].source == Source("teacher", "gpt", sample=1)
    assert str(tally).startswith(
        "gpt.jsonl.gz: 8 samples (3 right, 1 wrong, 1 without an answer, 2 of test problems, 1 of unknown"
    )


@pytest.mark.parametrize(("files", "sources"), [("*", ["a-llama", "b-gpt"]), ("*llama*", ["a-llama"])])
def test_files_are_picked_by_name(data: Path, files: str, sources: list[str]) -> None:
    traces, tallies = load("svamp-levels", Setting.SUPERVISED, files=files, data=data)
    assert [trace.source.name for trace in traces] == [tally.file.partition(".")[0] for tally in tallies] == sources


def test_traces_are_what_a_student_of_whole_solutions_learns(data: Path) -> None:
    traces, _ = load("svamp", Setting.FEW_SHOT, data=data)
    style = Style(solutions=Solutions.SENTENCE)
    assert [trainable(trace, style, Training.COT) for trace in traces] == traces
    assert traces[0].steps[0].badge is not Badge.WRONG


@pytest.mark.parametrize("broken", ["[", "{}", "[1]", '[{"instruction": "?"}]', '[{"instruction": "?", "output": [1]}]'])
def test_a_broken_file_is_named(data: Path, broken: str) -> None:
    put(data / "teacher/svamp/a-llama.json", broken)
    with pytest.raises(DataError, match=r"a-llama\.json"):
        load("svamp-levels", Setting.SUPERVISED, data=data)


def test_missing_files_and_unknown_sets_are_named(data: Path) -> None:
    with pytest.raises(NoDataError, match="claude"):
        load("svamp-levels", Setting.SUPERVISED, files="*claude*", data=data)
    with pytest.raises(DataError, match="strategyqa"):
        load("../svamp", Setting.SUPERVISED, data=data)
    assert "svamp" in names()


STORED = pytest.mark.skipif(
    not (Path(os.environ.get("SOCRATIC_DATA", "/nowhere")) / "teacher").is_dir(), reason="SOCRATIC_DATA has no stored rationales"
)


@STORED
@pytest.mark.parametrize(
    ("name", "files", "samples"),
    [
        ("svamp", "*", {Fate.RIGHT: 3169, Fate.WRONG: 1013, Fate.NO_ANSWER: 688}),
        ("strategyqa", "stqa_llama_level1*", {Fate.RIGHT: 1777, Fate.WRONG: 17, Fate.NO_ANSWER: 3, Fate.TEST: 199}),
    ],
)
def test_the_stored_samples(name: str, files: str, samples: dict[Fate, int]) -> None:
    traces, (tally,) = load(name, Setting.SUPERVISED, files=files)
    assert tally.samples == samples and len(traces) == samples[Fate.RIGHT]
    assert tally.equations[Verdict.UNREADABLE] == 0
