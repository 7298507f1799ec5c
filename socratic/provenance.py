"""What a run's record says of the software and of its inputs: commit, versions, sums.

In: nothing, or what is to be summed. Out: texts. Knows nothing of what runs.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Final

LIGHT: Final = ("socratic-cot", "numpy", "ctranslate2", "tokenizers", "sympy")
HEAVY: Final = ("torch", "transformers")  # named where a run has loaded them


def commit(package: Path = Path(__file__).parent) -> str:
    """The commit of this package's checkout, "-dirty" behind it where files differ; "" where there is none.

    Installed, the package may lie inside another project's repository, whose commits say nothing of it.
    """
    if _name_of(package.parent) != LIGHT[0]:
        return ""
    file = Path(__file__).name
    if _git(package, "ls-files", "--full-name", file) != f"{package.name}/{file}":
        return ""  # not tracked, or not from the top on
    return _git(package, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def _name_of(project: Path) -> str:
    """Of the project that is made in this folder; "" where there is none."""
    try:
        return str(tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"])
    except (OSError, ValueError, KeyError):
        return ""


def _git(folder: Path, *command: str) -> str:
    """What git prints; "" where it fails, or is not on this machine."""
    try:
        return subprocess.run(["git", *command], capture_output=True, text=True, cwd=folder, check=False).stdout.strip()
    except OSError:
        return ""


def versions() -> dict[str, str]:
    """Of this package and of what runs a student."""
    return {name: version(name) for name in (*LIGHT, *(name for name in HEAVY if name in sys.modules))}


def sha256(rows: Iterable[object]) -> str:
    """Of rows that JSON can say, one after another."""
    found = hashlib.sha256()
    for row in rows:
        found.update(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    return found.hexdigest()
