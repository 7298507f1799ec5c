"""Properties of locks: two never write one place, and nobody who died is in the way."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from socratic.errors import RunError
from socratic.locks import alone


def test_what_one_process_writes_no_other_may_until_it_is_done_or_dead(tmp_path: Path) -> None:
    with alone(tmp_path):
        with pytest.raises(RunError, match="another process writes") as caught, alone(tmp_path):
            raise AssertionError
        assert "--out" in caught.value.hint
        with alone(Path(__file__)):
            assert not list(tmp_path.iterdir()), "nothing is left to be cleared away"
    with alone(tmp_path):
        pass
    holder = "import os, sys; from pathlib import Path; from socratic.locks import alone\n"
    killed = [sys.executable, "-c", f"{holder}with alone(Path(sys.argv[1])): os.kill(os.getpid(), 9)", tmp_path]
    assert subprocess.run(killed, check=False).returncode == -signal.SIGKILL
    with alone(tmp_path):
        pass
