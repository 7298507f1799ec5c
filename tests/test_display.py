"""What a person sees: the same lines as the plain text, model text never read as markup, complaints on stderr."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from socratic import display
from socratic.arithmetic import Known, check_solution
from socratic.display import Seen
from socratic.downloads import Progress
from socratic.errors import DataError, RunError
from socratic.schema import Ended, Problem, Report, Share, Slice, Step, Trace

PROBLEM = Problem("p", "Natalia sold 48 clips, then half as many. How many altogether?")


def step(question: str, solution: str) -> Step:
    checks, _ = check_solution(solution, Known.of(PROBLEM.question))
    return Step(question, solution, checks[-1].stated if checks else "", checks)


ODD = step("How many [bold]then[/bold]? [/]", "48/2 = <<48/2=25>>25 [red]clips")
TRACES = [Trace(PROBLEM, (ODD,)), Trace(PROBLEM, (ODD, step("Altogether?", "<<48+17=65>>65")), "65", Ended.REPEATED)]


def test_a_growing_trace_shows_each_step_once_and_the_lines_of_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    display.show(iter(TRACES))
    assert capsys.readouterr().out.split() == str(TRACES[-1]).split()


def test_badges_and_endings_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    display.show(iter(TRACES))
    shown = capsys.readouterr().out
    assert "[wrong]" in shown and "[ungrounded]" in shown and "Answer: 65 (repeated)" in shown


@pytest.mark.parametrize("error", [DataError("found [b]x[/b]", hint="do [i]y"), RunError("broke")])
def test_complaints_go_to_stderr_with_their_hint(error: DataError | RunError, capsys: pytest.CaptureFixture[str]) -> None:
    display.complain(error)
    out, err = capsys.readouterr()
    assert out == ""
    assert f"error: {error}" in err
    assert error.hint in err


STEERING = "\x1b]0;owned\x07 \x1b[2J \x9b2J \r \u202e \x7f"  # retitles, clears, goes back, turns around


def test_text_of_others_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    odd = replace(step(f"How many?{STEERING}", f"48/2 = <<48/2=24>>24{STEERING}"), answer=STEERING)
    display.show(iter([Trace(PROBLEM, (odd,), f"24{STEERING}", Ended.DONE)]))
    display.complain(DataError(f"the server said {STEERING}", hint=STEERING))
    share = Share(1, 0.1, 0.9)
    slices = (Slice("type", STEERING, 1, share, share),)
    display.tabulate(replace(Report("s", "m", True, 1, 1, 0.1, 0.9, 0, 1.0, {}, {}), slices=slices))
    out, err = capsys.readouterr()
    assert not {*STEERING} & {*"\x1b\x07\x9b\r\u202e\x7f"} & {*out, *err}
    assert "]0;owned" in out and "]0;owned" in err


def test_what_people_write_is_harmless_as_it_is() -> None:
    for text in ("one\n\ttwo", "你有三個蘋果", "½ of £3 — 50 %", "é́"):
        assert display.harmless(text) == text


def test_a_report_shows_every_kind_with_both_readings_in_lines_that_fit(capsys: pytest.CaptureFixture[str]) -> None:
    half, quarter = Share(2, 0.15, 0.85), Share(1, 0.05, 0.7)
    slices = (Slice("type", "[b]Addition", 4, half, quarter),)
    old = Report("s", "m", True, 4, 2, 0.15, 0.85, 1, 3.0, {"verified": 3, "wrong": 1}, {})
    display.tabulate(replace(old, strict=quarter, unparsed=quarter, majority=half, slices=slices))
    shown = capsys.readouterr().out
    assert "[b]Addition" in shown and shown.count("50.0 %") == 3 and shown.count("25.0 %") == 4
    assert "verified 75.0 %" in shown and max(map(len, shown.splitlines())) <= 80
    display.tabulate(replace(old, badges={}))
    assert "no steps" in capsys.readouterr().out


def test_bars_count_and_leave_stdout_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with display.tally(2) as add:
        add(True)
        add(False)
    with display.downloading() as update:
        update(Progress("gsm8k/test.jsonl", 5, 10))
        update(Progress("gsm8k/test.jsonl", 10, 10))
        update(Progress("gsm8k/train.jsonl", 10, 10, was_here=True))
    out, err = capsys.readouterr()
    assert out == ""
    assert "gsm8k/test.jsonl " in err and "gsm8k/test.jsonl (was" not in err and "gsm8k/train.jsonl (was here)" in err


def test_what_others_do_has_a_bar_from_its_first_unit_until_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    ending: list[Seen | None] = [Seen(9, 10, "steps")]
    going = Seen(1030, 1200, "steps  loss 1.250")
    looks = {"going": lambda: going, "waiting": lambda: None, "ending": lambda: ending[-1]}
    monkeypatch.setattr(display, "stderr", Console(file=(shown := io.StringIO()), force_terminal=True, width=100))
    with display.watching(looks, every=0.01):
        wait_for(lambda: "1,030/1,200 steps  loss 1.250" in shown.getvalue() and "9/10 steps" in shown.getvalue())
        ending.append(None)
        time.sleep(0.05)
        before = len(shown.getvalue())
        wait_for(lambda: "going" in (last := shown.getvalue()[before:].rpartition("\r")[2]) and "ending" not in last)
    assert "waiting" not in shown.getvalue()


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
