"""Who may import whom: only downwards, never inside a layer, torch in few places, and `import socratic` stays light.

In: the source files of the package, read and not run. Out: pass or fail. A new module gets its place in LAYERS.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import socratic

SRC = Path(socratic.__file__).parent

# From the bottom up. A name may stand here before its file exists; a file whose name is missing fails.
LAYERS = [
    {"errors", "quantized", "whole"},
    {"processes", "locks", "jsonl", "schema", "runlog"},
    {"bars", "pictures"},
    {"arithmetic", "config", "downloads", "provenance", "statistics"},
    {"answers", "dialect", "formulas", "curriculum", "budget", "wording"},
    {"transcript", "readback", "vocabulary", "folders", "benchmarks", "own_problems", "prompts", "replies"},
    {"prefix_lm", "redraw", "weights", "confidence", "faults", "earlier"},
    {"dataset", "models", "leakage", "resample", "rationales", "choices", "teacher", "voting"},
    {"scores", "optimizer", "tasks"},
    {"filters"},
    {"engines", "fit", "mix", "corpus", "ledger", "judge", "replay"},
    {"train", "turns", "orders"},
    {"decomposer", "solver", "asking"},
    {"students"},
    {"orchestrator"},  # defines the protocols it needs; `from_pretrained` alone asks `students`
    {"evaluate", "wire", "oracles", "annotate", "batches"},
    {"compare", "coverage", "calibrate", "methods", "rounds", "contrast", "report", "display", "serve"},
    {"cells", "diagnose"},
    {"reproduce"},
    {"cli"},
]
LEVEL = {name: level for level, layer in enumerate(LAYERS) for name in layer}
HEAVY = {"torch", "transformers", "peft", "accelerate"}
MAY_BE_HEAVY = {"dataset", "models", "optimizer", "fit", "train", "prefix_lm", "scores", "engines/torch"}

FILES = {path.relative_to(SRC).with_suffix("").as_posix(): path for path in sorted(SRC.rglob("*.py"))}
del FILES["__init__"]  # re-exports whatever it likes


def imported(source: str) -> Iterator[str]:
    """The dotted names that a source imports, wherever the import stands; a relative one begins with a dot."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield from (f"{base}.{alias.name}" for alias in node.names)


def breaches(name: str, source: str) -> list[str]:
    """What a module must not import; `name` is its path in the package without the ending."""
    module, found = name.partition("/")[0], list[str]()
    for target in imported(source):
        root, _, rest = target.partition(".")
        below = rest.partition(".")[0]
        is_inside = "/" in name and below == module  # a subpackage's files import each other
        is_free = root != "socratic" or is_inside or below == "__version__"
        if not root:
            found.append(f"{name} must not import {target} relatively")
        elif not is_free and LEVEL.get(below, len(LAYERS)) >= LEVEL[module]:
            found.append(f"{name} must not import {target}")
        elif root in HEAVY and name not in MAY_BE_HEAVY:
            found.append(f"{name} must not import {target}, which takes seconds")
    return found


def test_every_module_has_its_place_in_the_table() -> None:
    assert {name.partition("/")[0] for name in FILES} <= set(LEVEL), "a module is missing from LAYERS"
    assert sum(map(len, LAYERS)) == len(LEVEL), "a module stands twice in LAYERS"


@pytest.mark.parametrize("name", FILES)
def test_a_module_imports_only_downwards(name: str) -> None:
    assert breaches(name, FILES[name].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("schema", "from socratic.arithmetic import check"),
        ("answers", "from socratic import transcript"),
        ("answers", "import socratic.cli"),
        ("answers", "def f():\n    from socratic.vocabulary import FILE"),
        ("answers", "from .errors import DataError"),
        ("answers", "from . import errors"),
        ("answers", "from socratic import Orchestrator"),
        ("engines/ct2", "import torch"),
        ("students", "from transformers import AutoModel"),
        ("curriculum/draw", "from socratic.benchmarks import traces"),
    ],
)
def test_the_check_sees_every_form_of_a_forbidden_import(name: str, source: str) -> None:
    assert breaches(name, source)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("cli/__init__", "from socratic import __version__, errors"),
        ("curriculum/draw", "from socratic.curriculum.family import Family"),
        ("engines/__init__", "from socratic.engines.ct2 import Ct2Engine"),
        ("engines/torch", "import torch.nn"),
        ("train", "from socratic.dataset import pack\nfrom json import loads"),
    ],
)
def test_the_check_lets_allowed_imports_through(name: str, source: str) -> None:
    assert breaches(name, source) == []


@pytest.mark.parametrize("modules", ["socratic", "socratic.cli, socratic.orchestrator, socratic.students"])
def test_importing_the_solving_side_loads_neither_torch_nor_transformers(modules: str) -> None:
    assert loaded(modules, HEAVY) == "[]"


def test_the_command_comes_before_numpy_whose_threads_it_sets() -> None:
    assert loaded("socratic.cli", {"numpy", "sympy", "pydantic", *HEAVY}) == "[]"


def loaded(modules: str, of: set[str]) -> str:
    """Which ones a fresh interpreter has loaded once it has imported the modules."""
    code = f"import sys, {modules}; print(sorted({of!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SRC.parent)
    return done.stdout.strip()
