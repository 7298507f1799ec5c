"""Properties of choices.py, on small files of the published shapes, and the route from such a file to an accuracy.

Run: pytest tests/test_choices.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from scripted import ScriptedSolver
from typer.testing import CliRunner, Result

from socratic import cli, tasks
from socratic.choices import fetch, names, problems
from socratic.config import TrainConfig
from socratic.decomposer import Undivided
from socratic.dialect import Numbers, Role, Solutions, Style
from socratic.errors import DataError, NoDataError
from socratic.evaluate import evaluate
from socratic.jsonl import read_jsonl, write_jsonl
from socratic.mix import Mix, Refused, training_mix
from socratic.orchestrator import Orchestrator
from socratic.schema import Decoding, Ended, Problem, Report, Solution, Source, Step, Trace, Training
from socratic.transcript import lesson

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


# The Hub, which is asked by who names it, and by nobody else.


class Hub(ThreadingHTTPServer):
    """The Hub on 127.0.0.1: it gives bytes for any file, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked = list[str]()
        super().__init__(("127.0.0.1", 0), HubHandler)


class HubHandler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(200)
        for name, value in {"ETag": '"e"', "X-Repo-Commit": "0" * 40, "Content-Length": "7"}.items():
            self.send_header(name, value)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(b"columns")


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A Hub in threads of this process."""
    with Hub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


LOAD = """
import sys
from socratic import tasks
from socratic.errors import NoDataError, UsageError
for name in sys.argv[1:]:
    try:
        tasks.load(name)
    except UsageError as error:
        print(type(error) is NoDataError, error, error.hint, sep="; ")
"""


def said_with(hub: Hub, folder: Path, *sets: str) -> list[str]:
    """A line of each set that cannot be read, in a process that knows no other Hub and no data but the folder's."""
    places = {"SOCRATIC_DATA": folder / "data", "XDG_CACHE_HOME": folder / "cache", "HF_HOME": folder / "hf"}
    there = {name: str(place) for name, place in places.items()} | {"HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}"}
    env = {name: value for name, value in os.environ.items() if not name.startswith("HF_")} | there
    done = subprocess.run([sys.executable, "-c", LOAD, *sets], capture_output=True, text=True, env=env, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_hub_is_not_asked_unless_it_is_named_and_the_error_says_both_ways_on(hub: Hub, tmp_path: Path) -> None:
    for name, said in zip(names(), said_with(hub, tmp_path, *names()), strict=True):
        assert said.startswith("True; ") and str(tmp_path / "data" / name) in said
        assert f"{name}/ in the folder that SOCRATIC_DATA or --data names" in said and f"hub:{name}" in said
    assert not hub.asked


def test_what_was_fetched_once_is_at_hand_and_is_not_asked_for_again(hub: Hub, tmp_path: Path) -> None:
    fetched, *later = said_with(hub, tmp_path, *["hub:openbookqa", "openbookqa"] * 2)
    assert fetched.startswith("False; ") and "0000.parquet" in fetched, "these bytes are no table, or pyarrow is missing"
    assert later == [fetched] * 3
    files = [path.rpartition("/resolve/")[2] for path in hub.asked if "/resolve/" in path]
    assert files == ["refs%2Fconvert%2Fparquet/main/validation/0000.parquet"] * 2, "its size, then itself"


def test_a_folder_that_has_the_set_or_is_named_keeps_the_hub_out(hub: Hub, tmp_path: Path) -> None:
    put(tmp_path / "data" / "quarel", "quarel-v1-dev.jsonl", QUAREL)
    assert said_with(hub, tmp_path, "hub:quarel") == [] and not hub.asked
    with pytest.raises(NoDataError, match="looked for"):
        fetch("quarel", "dev", data=tmp_path)
    with pytest.raises(DataError, match="known: commonsenseqa"):
        tasks.load("hub:gsm8k")


# The whole route: file, teacher, traces, mix, student, accuracy.

STYLE = Style(numbers=Numbers.DIGITS, solutions=Solutions.SENTENCE)
TAUGHT = {  # stem: the gold letter, and what the teacher says; numbers stand in its way, and in the choices' texts
    "Where is money kept?": ("A", "A vault is locked for 24 hours a day. The answer is (A)."),
    "Where is it warm and wet all year?": ("B", "A boy swims there in all 12 months, and no lake is warm in winter.\nAnswer: B"),
    "Where do two pupils write?": ("C", "Two pupils sit at 1 desk. So the answer is: (C)"),
    "What is hot?": ("D", "An oven is, at 400 degrees (C), and no pool is.\nAnswer: (d)"),
}
MISTAUGHT = {"Where do fish live?": ("E", "They live where it is dry.\nAnswer: A")}


def authors(folder: Path, split: str, stems: Sequence[str]) -> None:
    """CommonsenseQA's file of a split, with its letters, as its authors have it."""
    keys = {stem: key for stem, (key, _) in {**TAUGHT, **MISTAUGHT}.items()}
    asked = [{"question_concept": "x", "stem": stem, "choices": PAIRS} for stem in stems]
    records = [{"id": f"r{i}", "answerKey": keys[one["stem"]], "question": one} for i, one in enumerate(asked)]
    put(folder / "commonsenseqa", f"{split}_rand_split.jsonl", *records)


def annotated(folder: Path, split: str = "train") -> Result:
    """What the command says of a teacher whose answers are stored."""
    stored = folder / "stored.jsonl"
    said = {problem.question: problem for problem in problems("commonsenseqa", split, data=folder)}
    texts = {stem: text for stem, (_, text) in {**TAUGHT, **MISTAUGHT}.items()}
    write_jsonl(stored, ({"question": q, "output": texts[q.partition("\n")[0]]} for q in said))
    given = ["--split", split, "--data", folder, "--replay", stored, "--prompt", "cot-choice", "--teacher", "stored"]
    return CliRunner().invoke(cli.app, ["annotate", "commonsenseqa", *map(str, given), "--out", str(folder / "run")])


def mixed(traces: Path, training: Training) -> Mix:
    settings = TrainConfig.model_validate({"data": [{"traces": str(traces)}]})
    return training_mix(settings, STYLE, training, data=traces.parent)


class ByHeart:
    """Both students: of each problem that was taught it says the lesson, word for word."""

    def __init__(self, mix: Mix, training: Training) -> None:
        self.lessons = {trace.problem.question: lesson(trace, STYLE, training) for trace in mix.traces}

    def _turns(self, trace: Trace, role: Role) -> list[str]:
        segments = (segment for segment in self.lessons[trace.problem.question] if segment.role is role)
        return ["".join(piece for piece in one.pieces if isinstance(piece, str)).strip() for one in segments]

    def ask(self, traces: Sequence[Trace], decoding: Decoding) -> list[str | Ended]:
        is_done = [len(trace.steps) == len(self._turns(trace, Role.SOLVER)) for trace in traces]
        asks = (self._turns(trace, Role.DECOMPOSER) for trace in traces)
        return [Ended.DONE if done else ask[len(t.steps)] for done, ask, t in zip(is_done, asks, traces, strict=True)]

    def solve(self, traces: Sequence[Trace], questions: Sequence[str], decoding: Decoding) -> list[Solution | Ended]:
        return [Solution(self._turns(trace, Role.SOLVER)[len(trace.steps)]) for trace in traces]


def scored(orchestrator: Orchestrator, asked: Sequence[Problem], folder: Path) -> Report:
    about: dict[str, Any] = {"dataset": "commonsenseqa", "model": "scripted", "calculator": True}
    return evaluate(orchestrator.solve_each, asked, predictions=folder / "predictions.jsonl", **about)


@pytest.mark.parametrize("training", [Training.COT, Training.ANSWER])
def test_what_a_teacher_says_of_a_file_is_learned_and_scored(training: Training, tmp_path: Path) -> None:
    authors(tmp_path, "train", [*TAUGHT, *MISTAUGHT])
    done = annotated(tmp_path)
    assert done.exit_code == 0, done.output
    rejects = [row["reason"] for _, row in read_jsonl(tmp_path / "run" / "rejects.jsonl") if isinstance(row, dict)]
    assert rejects == ["wrong_answer"] * len(MISTAUGHT)
    mix = mixed(tmp_path / "run" / "traces.jsonl", training)
    assert len(mix.traces) == len(TAUGHT) and not mix.refused
    student, asked = ByHeart(mix, training), tasks.load("commonsenseqa", "train", data=tmp_path).first(len(TAUGHT)).problems
    report = scored(Orchestrator(student, student), asked, tmp_path)
    assert (report.n, report.accuracy) == (len(TAUGHT), 1.0)
    assert report.strict and report.strict.count == report.n and report.unparsed and not report.unparsed.count


def test_who_says_one_letter_to_all_is_right_as_often_as_it_is_gold(tmp_path: Path) -> None:
    authors(tmp_path, "dev", [*TAUGHT, *MISTAUGHT])
    asked = tasks.load("commonsenseqa", data=tmp_path).problems
    report = scored(Orchestrator(Undivided(), ScriptedSolver({"": "It is so. So the answer is B."})), asked, tmp_path)
    assert (report.n, report.correct, report.unanswered) == (5, 1, 0)
    assert report.majority and report.majority.count == 1


def divided(problem: Problem) -> Trace:
    """A trace with subquestions, the first of which no letter answers."""
    facts = Step("What do we know?", f"A person knows it: {problem.question[:8]}", "")
    closing = Step("Which choice fits?", f"So the answer is {problem.answer}.", problem.answer or "")
    return Trace(problem, (facts, closing), problem.answer, Ended.DONE, Source("teacher", "scripted"))


def test_with_subquestions_one_student_of_both_roles_learns_it_and_without_them_it_does_not(tmp_path: Path) -> None:
    authors(tmp_path, "train", [*TAUGHT])
    asked = tasks.load("commonsenseqa", "train", data=tmp_path).problems
    write_jsonl(tmp_path / "traces.jsonl", (divided(problem).to_dict() for problem in asked))
    mix = mixed(tmp_path / "traces.jsonl", Training.UNIFIED)
    assert len(mix.traces) == len(asked) and not mix.refused
    student = ByHeart(mix, Training.UNIFIED)
    assert scored(Orchestrator(student, student), asked, tmp_path).accuracy == 1.0
    whole = [replace(divided(problem), steps=(replace(divided(problem).steps[1], question=""),)) for problem in asked]
    write_jsonl(tmp_path / "traces.jsonl", (trace.to_dict() for trace in (divided(asked[0]), *whole)))
    assert mixed(tmp_path / "traces.jsonl", Training.UNIFIED).refused == {Refused.NO_QUESTION: len(whole)}


def test_a_trace_whose_last_step_says_another_letter_is_not_learned(tmp_path: Path) -> None:
    authors(tmp_path, "train", [*TAUGHT])
    one, *others = (divided(problem) for problem in tasks.load("commonsenseqa", "train", data=tmp_path).problems)
    astray = replace(one, steps=(one.steps[0], replace(one.steps[1], solution="So the answer is E.", answer="E")))
    write_jsonl(tmp_path / "traces.jsonl", (trace.to_dict() for trace in (astray, *others)))
    assert mixed(tmp_path / "traces.jsonl", Training.COT).refused == {Refused.WRONG_ANSWER: 1}


@pytest.mark.parametrize("split", ["dev", "test"])
def test_nobody_is_taught_or_trained_on_dev_and_test(split: str, tmp_path: Path) -> None:
    authors(tmp_path, split, [*TAUGHT])
    done = annotated(tmp_path, split)
    assert isinstance(done.exception, DataError) and "test problem" in str(done.exception)
    assert not (tmp_path / "run").exists()
    asked = tasks.load("commonsenseqa", split, data=tmp_path).problems
    write_jsonl(tmp_path / "traces.jsonl", (divided(problem).to_dict() for problem in asked))
    for training in (Training.COT, Training.ANSWER, Training.UNIFIED):
        with pytest.raises(DataError, match="test problem"):
            mixed(tmp_path / "traces.jsonl", training)
