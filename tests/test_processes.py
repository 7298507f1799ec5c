"""Properties of processes.py: every job once, its share of the cores, errors at once, and nobody left behind.

Run: pytest tests/test_processes.py
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from socratic.errors import ConfigError, RunError
from socratic.processes import is_one_of_several, side_by_side

THREADS = "OMP_NUM_THREADS"


def threads_of(job: int) -> tuple[bool, str | None, int]:
    return is_one_of_several(), os.environ.get(THREADS), os.getpid()


def refuse(job: int) -> int:
    raise ConfigError(f"no {job}", hint="take another")


@pytest.mark.parametrize("at_once", [1, 2])
def test_every_job_is_done_once_and_comes_with_its_result(at_once: int) -> None:
    jobs = [3, 1, 2]
    done = dict(side_by_side(float, jobs, at_once))
    assert done == {1: 1.0, 2: 2.0, 3: 3.0}


def test_several_processes_share_the_cores_and_this_one_keeps_its_settings() -> None:
    before = os.environ.get(THREADS)
    found = [result for _, result in side_by_side(threads_of, [1, 2], 2)]
    share = str(max(1, (os.cpu_count() or 1) // 2))
    assert all(result[:2] == (True, share) and result[2] != os.getpid() for result in found)
    assert (is_one_of_several(), os.environ.get(THREADS)) == (False, before)


def test_one_at_a_time_stays_in_this_process() -> None:
    [(_, result), _] = side_by_side(threads_of, [1, 2], 1)
    assert result == (False, os.environ.get(THREADS), os.getpid())


@pytest.mark.parametrize("at_once", [1, 2])
def test_what_a_job_raises_is_raised_whole(at_once: int) -> None:
    with pytest.raises(ConfigError, match="no ") as caught:
        list(side_by_side(refuse, [1, 2], at_once))
    assert caught.value.hint == "take another"


def beside_a_sleeper(job: tuple[str, Path]) -> int:
    """The sleeper says where it is; what else is asked for is done once it sleeps."""
    does, mark = job
    if does == "sleep":
        mark.write_text(str(os.getpid()))
        time.sleep(120)
    elif does == "return":
        return 1
    wait_for(mark)
    if does == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    raise ConfigError("no")


@pytest.mark.parametrize(("does", "error"), [("raise", ConfigError), ("die", RunError)])
def test_an_error_is_told_at_once_what_is_done_is_kept_and_the_neighbour_is_ended(
    does: str, error: type[Exception], tmp_path: Path
) -> None:
    mark, kept = tmp_path / "sleeper", list[int]()
    started = time.monotonic()
    with pytest.raises(error) as caught:
        for _, result in side_by_side(beside_a_sleeper, [("return", mark), ("sleep", mark), (does, mark)], 2):
            kept.append(result)
    assert time.monotonic() - started < 60 and kept == [1]
    assert not is_alive(int(mark.read_text()))
    if isinstance(caught.value, RunError):
        assert "--jobs 1" in caught.value.hint


def test_who_waits_no_longer_ends_the_others(tmp_path: Path) -> None:
    mark = tmp_path / "sleeper"
    jobs = side_by_side(beside_a_sleeper, [("return", mark), ("sleep", mark)], 2)
    assert next(jobs) == (("return", mark), 1)
    pid, started = int(wait_for(mark)), time.monotonic()
    jobs.close()  # type: ignore[attr-defined]
    assert not is_alive(pid) and time.monotonic() - started < 60


SLEEPERS = """
import os, sys, time
from pathlib import Path
from socratic.processes import side_by_side

def sleep(path):
    Path(path).write_text(str(os.getpid()))
    time.sleep(60)

if __name__ == "__main__":
    list(side_by_side(sleep, sys.argv[1:], 2))
"""


def test_a_killed_command_leaves_nobody_behind(tmp_path: Path) -> None:
    script, marks = tmp_path / "sleepers.py", [tmp_path / "a", tmp_path / "b"]
    script.write_text(SLEEPERS, encoding="utf-8")
    command = subprocess.Popen([sys.executable, script, *marks])
    pids = [int(wait_for(mark)) for mark in marks]
    assert all(is_alive(pid) for pid in pids)
    os.kill(command.pid, signal.SIGKILL)
    command.wait()
    deadline = time.monotonic() + 20
    while any(is_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(is_alive(pid) for pid in pids)


def wait_for(mark: Path) -> str:
    deadline = time.monotonic() + 30
    while not (mark.exists() and mark.read_text(encoding="utf-8")) and time.monotonic() < deadline:
        time.sleep(0.05)
    return mark.read_text(encoding="utf-8")


def is_alive(pid: int) -> bool:
    """A process that ended and that nobody has asked for yet counts as gone."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
