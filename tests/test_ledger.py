"""The ledger: nothing is lost, nothing stands twice, one writer at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socratic.budget import Tokens
from socratic.errors import RunError
from socratic.ledger import Entry, Ledger, Loss, index, key_of
from socratic.replies import Finish, Reply, Rung, Usage
from socratic.schema import Problem
from socratic.teacher import Sampling

SAMPLING = Sampling("model", 0.7)
PROBLEM = Problem("p", "How many?")


def entry(number: int, text: str = "text") -> Entry:
    reply = Reply(text, Finish.STOP, Rung.SCHEMA, Usage(10, 2, '{"prompt_tokens": 10}'), "served", "fp", -0.5, 1)
    return Entry(key_of(PROBLEM, "sha", SAMPLING, number), "p", number, "sha", SAMPLING, (reply,), Tokens(10, 2))


def test_what_was_added_is_found_by_a_later_run(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        for number in range(5):
            ledger.add(entry(number, f"zwölf \u2028 {number}"))
        assert ledger.get(entry(3).key) == entry(3, "zwölf \u2028 3")
    with Ledger(path) as ledger:
        assert all(entry(number).key in ledger for number in range(5))
        assert entry(5).key not in ledger
        assert ledger.get(entry(4).key) == entry(4, "zwölf \u2028 4")
        assert ledger.index.used == {("model", False): Tokens(50, 10)}


@pytest.mark.parametrize(
    "other",
    [
        key_of(replace(PROBLEM, id="q"), "sha", SAMPLING, 0),
        key_of(replace(PROBLEM, question="How few?"), "sha", SAMPLING, 0),
        key_of(PROBLEM, "another prompt", SAMPLING, 0),
        key_of(PROBLEM, "sha", replace(SAMPLING, model="other"), 0),
        key_of(PROBLEM, "sha", replace(SAMPLING, temperature=0.8), 0),
        key_of(PROBLEM, "sha", replace(SAMPLING, top_p=0.9), 0),
        key_of(PROBLEM, "sha", replace(SAMPLING, reply_tokens=2), 0),
        key_of(PROBLEM, "sha", SAMPLING, 1),
    ],
)
def test_whatever_a_reply_hangs_on_makes_another_key(other: str) -> None:
    assert other != key_of(PROBLEM, "sha", SAMPLING, 0)


def test_the_gold_answer_does_not_change_the_key() -> None:
    assert key_of(replace(PROBLEM, answer="7"), "sha", SAMPLING, 0) == key_of(PROBLEM, "sha", SAMPLING, 0)


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(min_value=1, max_value=10_000))
def test_a_file_cut_at_any_byte_keeps_its_whole_lines_and_takes_the_others_again(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("cut") / "ledger.jsonl"
    with Ledger(path) as ledger:
        for number in range(3):
            ledger.add(entry(number))
    whole = path.read_bytes()
    kept = whole[: cut % len(whole)]
    path.write_bytes(kept)
    with Ledger(path) as ledger:
        done = [entry(number).key in ledger for number in range(3)]
        assert done.count(True) == kept.count(b"\n")
        for number in range(3):
            if not done[number]:
                ledger.add(entry(number))
    assert path.read_bytes() == whole, "the lines are the same as if nothing had happened"
    torn = path.with_suffix(".torn")
    tail = kept.rpartition(b"\n")[2]
    assert (torn.read_bytes() if torn.exists() else b"").strip(b"\n") == tail, "what was cut is set aside"


def test_a_broken_line_in_the_middle_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        for number in range(3):
            ledger.add(entry(number))
    lines = path.read_bytes().splitlines(keepends=True)
    for bad in (
        b"\x00\xff\n",
        b"[" * 100_000 + b"\n",
        b'{"key": 1}\n',
        lines[1].replace(b'"replies": [', b'"replies": [], "x": ['),
        lines[1].replace(b'"input": ', b'"input": "x", "y": '),
    ):
        path.write_bytes(lines[0] + bad + lines[2])
        found = index(path)
        assert found.broken == 1
        assert [entry(number).key in found for number in range(3)] == [True, False, True]
        with Ledger(path) as ledger:
            assert ledger.get(entry(2).key) == entry(2)


def test_a_loss_is_spent_in_any_later_run_and_its_call_is_still_to_be_made(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        ledger.add(entry(0))
        for number in (1, 1, 2):
            ledger.lose(Loss(entry(number).key, "model", Tokens(100, 50)))
        ledger.add(entry(2))
        spent = ledger.index.used
    with Ledger(path) as ledger:
        assert ledger.index.used == spent == {("model", False): Tokens(320, 154)}
        assert [entry(number).key in ledger for number in range(3)] == [True, False, True]
        assert ledger.get(entry(2).key) == entry(2) and ledger.index.broken == 0


SMALL_DISK = """
import resource, sys
from pathlib import Path
from socratic.budget import Tokens
from socratic.ledger import Ledger, Loss
path, lines = Path(sys.argv[1]), Path(sys.argv[1]).read_bytes()
resource.setrlimit(resource.RLIMIT_FSIZE, (len(lines) + 200, len(lines) + 200))
try:
    with Ledger(path) as ledger:
        try:
            ledger.lose(Loss("0" * 64, "x" * 1_000, Tokens(1, 1)))
        finally:
            ledger.lose(Loss("1" * 64, "short", Tokens(1, 1)))
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_full_disk_is_said_and_leaves_no_half_line(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        ledger.add(entry(0))
    done = subprocess.run([sys.executable, "-c", SMALL_DISK, str(path)], capture_output=True, text=True, timeout=300)
    assert done.stdout.startswith("RunError the ledger cannot be written") and not done.stderr
    assert [("lost" in json.loads(line)) for line in path.read_bytes().splitlines()] == [False, True]
    with Ledger(path) as ledger:
        assert ledger.get(entry(0).key) == entry(0) and ledger.index.used["short", False] == Tokens(1, 1)
    assert not path.with_suffix(".torn").exists()


def test_memory_holds_no_text(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        for number in range(50):
            ledger.add(entry(number, "x" * 10_000))
        assert len(ledger.index.places) == 50
        assert {type(key) for key in ledger.index.places} == {bytes}
        assert {type(place) for place in ledger.index.places.values()} == {int}


def test_two_processes_cannot_write_one_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    code = f"from pathlib import Path; from socratic.ledger import Ledger; Ledger(Path({str(path)!r}))"
    with Ledger(path) as ledger:
        ledger.add(entry(0))
        with pytest.raises(RunError, match="another process"):
            Ledger(path)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
        assert "another process" in done.stderr
    with Ledger(path) as ledger:
        assert entry(0).key in ledger


def test_each_line_is_there_before_the_ledger_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        ledger.add(entry(0))
        assert json.loads(path.read_bytes())["key"] == entry(0).key
