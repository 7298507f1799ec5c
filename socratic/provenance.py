"""What a run's record says of the software and of its inputs: commit, versions, sums.

In: nothing, or what is to be summed. Out: texts. Knows nothing of what runs.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Final

LIGHT: Final = ("socratic-cot", "numpy", "ctranslate2", "tokenizers", "sympy")
HEAVY: Final = ("torch", "transformers")  # named where a run has loaded them


def commit() -> str:
    """The commit of this package's checkout, "-dirty" behind it where files differ; "" where there is none."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent, check=False).stdout.strip()
    except OSError:  # no git on this machine
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
