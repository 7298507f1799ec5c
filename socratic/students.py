"""Decomposer and solver out of a folder, each with the engine that runs it.

In: a pair's name or folder. Out: the two students, as the orchestrator wants them. Knows nothing of what they do.
"""

from __future__ import annotations

from socratic.decomposer import Decomposer
from socratic.engines import Engine
from socratic.errors import needing_extra
from socratic.folders import StudentFolder, find_pair
from socratic.solver import Solver


def load_pair(name: str = "default", *, engine: str = "light") -> tuple[Decomposer, Solver]:
    """Two students from a folder (see folders). Raises ModelError."""
    asks, solves = find_pair(name)
    asking = open_engine(asks, engine)
    solving = asking if solves == asks else open_engine(solves, engine)
    return Decomposer(asking, asks.style, done_within=asks.done_within), Solver(solving, solves.style)


def open_engine(folder: StudentFolder, kind: str) -> Engine:
    """The engine for a folder; "light" is whichever runs it without torch, where one does."""
    if kind == "light" and folder.ct2.is_dir():
        from socratic.engines.ct2 import Ct2Engine

        return Ct2Engine(folder.path)
    if kind == "light" and folder.architecture in ("prefix_lm", "llama"):
        from socratic.engines.numpy import NumpyEngine

        return NumpyEngine(folder.path)
    with needing_extra("the torch engine"):
        from socratic.engines.torch import TorchEngine
    return TorchEngine(folder.path)
