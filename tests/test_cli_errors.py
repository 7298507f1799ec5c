"""What the system refuses, terminals that others would steer, reports that must stay: as a user meets them, in real processes."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from socratic.cli import failure
from socratic.errors import RunError

QUESTION = "Tom has 3 bags of 12 apples. How many apples does he have?"


def run(*arguments: str, cwd: Path, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "socratic.cli", *arguments]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, cwd=cwd, timeout=120)


@pytest.mark.parametrize("out", ["file/x.jsonl", "file/deeper/x.jsonl", "folder"])
def test_a_place_that_cannot_be_written_is_an_error_with_the_path_and_a_hint(out: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder").mkdir()
    (tmp_path / "traces.jsonl").write_text("")
    for command in (["filter", "traces.jsonl", "--out", out], ["filter", "traces.jsonl", "--out", str(tmp_path / out)]):
        done = run(*command, cwd=tmp_path)
        assert done.returncode == 1, done.stderr
        assert f"error: {command[-1].partition('/x')[0].removesuffix('/deeper')}" in done.stderr and "hint: " in done.stderr
        assert "Traceback" not in done.stderr
    assert (tmp_path / "file").read_text() == "kept"


def test_a_full_disk_is_an_error_that_says_to_make_room(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("w") as full:
        done = run("data", "list", cwd=tmp_path, stdout=full.fileno())
    assert done.returncode == 1
    assert "No space left" in done.stderr and "make room" in done.stderr and "Traceback" not in done.stderr


def test_a_reader_that_leaves_hears_of_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m socratic.cli curriculum --n 400 | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.stdout and done.stderr == ""


@pytest.mark.parametrize(
    ("error", "said", "hint"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "runs/x"), "runs/x: Permission denied", "may you"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "x.partial", None, "x"), "x: Is a directory", "folder"),
        (OSError(errno.ENOSPC, "No space left on device", b"x"), "x: No space left on device", "same command again"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device", "make room"),
        (OSError(errno.EBADF, "Bad file descriptor", 7), "Bad file descriptor", ""),
        (OSError("nothing there"), "nothing there", ""),
        (TimeoutError(), "TimeoutError", ""),
    ],
)
def test_whatever_the_system_refuses_is_said_with_its_path(error: OSError, said: str, hint: str) -> None:
    found = failure(error)
    assert (str(found), type(found)) == (said, RunError)
    assert hint in found.hint


def test_flipped_problems_of_anybody_leave_the_terminal_alone(tmp_path: Path) -> None:
    for name, correct in (("a", False), ("b", True)):
        problem = {"id": "1", "question": f"{QUESTION}\x1b]0;owned\x07\x1b[2J\x9b2J", "answer": "36"}
        row = {"correct": correct, "problem": problem, "answer": "36" if correct else "15\x1b[2J", "ended": "done"}
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(row) + "\n")
    done = run("compare", "a.jsonl", "b.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{QUESTION}]0;owned[2J2J" in done.stdout
    assert not {"\x1b", "\x07", "\x9b"} & {*done.stdout}


def evaluate(cwd: Path, problems: str, *options: str) -> subprocess.CompletedProcess[str]:
    return run("evaluate", problems, "--max-steps", "2", "--out", "o", *options, cwd=cwd)


def write(path: Path, *questions: str) -> None:
    path.write_text("".join(json.dumps({"question": question, "answer": 36}) + "\n" for question in questions))


def test_a_problem_that_cannot_be_asked_costs_only_itself(student: Path, tmp_path: Path) -> None:
    write(tmp_path / "mine.jsonl", QUESTION, "9 apples. " * 500, "Ring\x07 3 bells?", f"Again: {QUESTION}")
    done = evaluate(tmp_path, "mine.jsonl", "--model", str(student))
    assert done.returncode == 2 and done.stdout.count(" of 2)") == 2, "with the calculator and without"
    assert "mine-2: " in done.stderr and "characters, at most" in done.stderr
    assert "mine-3: " in done.stderr and "U+0007" in done.stderr and "2 broken lines" in done.stderr
    assert len((tmp_path / "o/mine-calculator.jsonl").read_text().splitlines()) == 2


def test_predictions_of_a_set_are_called_by_its_name_whether_or_not_it_may_be_fetched(student: Path, tmp_path: Path) -> None:
    (tmp_path / "quarel").mkdir()
    record = {"id": "7", "answer_index": 0, "question": "Ice is (A) smooth (B) rough"}
    (tmp_path / "quarel" / "quarel-v1-dev.jsonl").write_text(json.dumps(record) + "\n")
    for name, out in (("quarel", "plain"), ("hub:quarel", "fetched")):
        assert evaluate(tmp_path, name, "--data", ".", "--model", str(student), "--out", out).returncode == 0
    plain, fetched = ({path.name for path in (tmp_path / out).iterdir()} for out in ("plain", "fetched"))
    assert "quarel-calculator.json" in plain and plain == fetched


def test_a_report_is_replaced_by_the_same_command_alone(student: Path, tmp_path: Path) -> None:
    write(tmp_path / "mine.jsonl", QUESTION, f"Again: {QUESTION}")
    asked = ("mine.jsonl", "--model", str(student))
    for _ in range(2):
        assert evaluate(tmp_path, *asked).returncode == 0
    kept = {path.name: path.read_bytes() for path in (tmp_path / "o").iterdir()}
    for options, name in ((["--limit", "1"], "problems"), (["--seed", "1"], "seed"), (["--batch-size", "2"], "batch_size")):
        done = evaluate(tmp_path, *asked, *options)
        assert done.returncode == 2 and f"({name})" in done.stderr and "--out" in done.stderr and not done.stdout
    assert {path.name: path.read_bytes() for path in (tmp_path / "o").iterdir()} == kept
    assert evaluate(tmp_path, *asked, "--limit", "1", "--out", "elsewhere").returncode == 0
