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
from socratic.ledger import Entry, Ledger, index, key_of
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
    ):
        path.write_bytes(lines[0] + bad + lines[2])
        found = index(path)
        assert found.broken == 1
        assert [entry(number).key in found for number in range(3)] == [True, False, True]
        with Ledger(path) as ledger:
            assert ledger.get(entry(2).key) == entry(2)


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
