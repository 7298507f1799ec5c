"""What a run's record says of the software. Run: pytest tests/test_provenance.py"""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from socratic import provenance

OWN, OTHERS = '[project]\nname = "socratic-cot"\n', '[project]\nname = "other"\n'
COMMIT = ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "a")


def test_versions_are_those_that_are_installed() -> None:
    found = provenance.versions()
    assert found["socratic-cot"] == version("socratic-cot") and set(provenance.LIGHT) <= found.keys()


def test_a_commit_is_a_whole_one_or_nothing() -> None:
    assert re.fullmatch(r"([0-9a-f]{40}(-dirty)?)?", provenance.commit())


def committed(top: Path, package: str, pyproject: str, *, tracked: bool = True) -> Path:
    """A repository whose first commit holds a copy of the file that asks, or does not."""
    folder = top / package
    folder.mkdir(parents=True)
    shutil.copy(provenance.__file__, folder)
    (top / "pyproject.toml").write_text(pyproject, encoding="utf-8")
    for command in (("init", "-q"), ("add", "." if tracked else "pyproject.toml"), COMMIT):
        subprocess.run(["git", *command], cwd=top, check=True)
    return folder


@pytest.mark.skipif(not shutil.which("git"), reason="git is not on this machine")
def test_a_commit_is_that_of_the_packages_own_checkout_or_none(tmp_path: Path) -> None:
    own = committed(tmp_path / "own", "socratic", OWN)
    clean = provenance.commit(own)
    assert re.fullmatch("[0-9a-f]{40}", clean)
    (own / "provenance.py").write_text("", encoding="utf-8")
    assert provenance.commit(own) == f"{clean}-dirty"
    assert provenance.commit(committed(tmp_path / "installed", ".venv/lib/site-packages/socratic", OTHERS, tracked=False)) == ""
    assert provenance.commit(committed(tmp_path / "copied", "socratic", OTHERS)) == ""
    assert provenance.commit(committed(tmp_path / "ignored", "socratic", OWN, tracked=False)) == ""
    below = committed(tmp_path / "below", "parts/socratic", OTHERS)
    (below.parent / "pyproject.toml").write_text(OWN, encoding="utf-8")
    assert provenance.commit(below) == ""
    assert provenance.commit(tmp_path / "nowhere" / "socratic") == ""


def test_sums_hang_on_every_row_and_their_order() -> None:
    rows = [("a", "Line\u2028separator", None), ("b", "é", "2")]
    assert provenance.sha256(rows) == provenance.sha256(iter(rows))
    assert len({provenance.sha256(some) for some in (rows, rows[::-1], rows[:1], [("a", "Line"), *rows])}) == 4
