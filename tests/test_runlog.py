"""runlog.py: what was written is read back, a torn line is not, and a run that goes on cuts its log to its checkpoint."""

from __future__ import annotations

from pathlib import Path

from socratic import runlog
from socratic.runlog import LOG, Figures

ROWS = [Figures(step, 30, 2.5 / step, 1.0, 0.001, 900) for step in (10, 20, 30)]


def write(run: Path) -> Path:
    for figures in ROWS:
        runlog.append(run, figures)
    return run


def test_a_log_reads_as_it_was_written_and_a_run_without_one_has_no_lines(tmp_path: Path) -> None:
    assert runlog.read(tmp_path) == []
    assert runlog.read(write(tmp_path)) == ROWS


def test_a_line_that_a_kill_has_torn_is_not_read_and_goes_with_the_next_cut(tmp_path: Path) -> None:
    log = write(tmp_path) / LOG
    log.write_text(log.read_text()[:-5])
    assert runlog.read(tmp_path) == ROWS[:2]
    runlog.cut(tmp_path, 30)
    runlog.append(tmp_path, ROWS[2])
    assert runlog.read(tmp_path) == ROWS


def test_the_steps_after_a_checkpoint_are_taken_out(tmp_path: Path) -> None:
    runlog.cut(tmp_path, 0)
    assert runlog.read(tmp_path) == []
    runlog.cut(write(tmp_path), 20)
    assert runlog.read(tmp_path) == ROWS[:2]
