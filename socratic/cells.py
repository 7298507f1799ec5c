"""What a results table asks: its cells, the students that they need, and the problems that they are scored on.

In: an `Order`: a folder of cells (YAML, one question each) with its recipes.yaml, a base, seeds. Out: a `Task` for each cell and
seed, with the training of each of its students; the problems, and what oracles read. All of it is checked before anything is
trained. Knows nothing of how a student is trained or scored, or of run folders.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from socratic import config, mix, tasks
from socratic.config import Cell, Recipes, StyleConfig, TrainConfig
from socratic.dialect import GUIDED, Guidance
from socratic.errors import ConfigError, ModelError, did_you_mean
from socratic.folders import find_pair, model_type, read_student
from socratic.methods import Method, Plan, Way
from socratic.schema import Trace, Training

CELLS = Path(__file__).parent.parent / "experiments"  # of a checkout; an installed package has none
RECIPES = "recipes.yaml"  # beside the cells
SCRATCH = ("scratch-6m", "scratch-6m-deep", "scratch-6m-wide", "scratch-12m", "scratch-18m", "scratch-30m")  # as models has them
CARRIED = {"minilm": {"capitals": "marked"}, "smollm2": {"numbers": "references"}}  # by packages; dialects that suit them
BASES = ("default", "gpt2", "gpt2-medium", "gpt2-large", *CARRIED, *SCRATCH)


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for; `jobs` students are trained, then cells scored, at the same time, each in a process of its own."""

    cells: Path
    base: str
    out: Path
    limit: int | None = None
    seeds: tuple[int, ...] = (0,)
    jobs: int = 1
    engine: str = "light"
    batch_size: int = 32
    data: Path | None = None

    @property
    def scored_at_once(self) -> int:
        """Cells; the torch engine has one device, whose memory is not shared out."""
        return 1 if self.engine == "torch" else self.jobs


@dataclass(frozen=True, slots=True)
class Student:
    """One training."""

    training: Training
    settings: TrainConfig

    @property
    def name(self) -> str:
        """Of its folder: role and hash of the configuration, the same for all cells that need the same student."""
        content = f"{self.training.value} {json.dumps(self.settings.model_dump(mode='json'), sort_keys=True)}"
        return f"{self.training.value}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True)
class Task:
    """A cell with one seed."""

    name: str
    cell: Cell
    seed: int
    students: tuple[Student, ...]

    @property
    def set(self) -> str:
        """What it is scored on."""
        return f"{self.cell.benchmark} {self.cell.split}"

    def place(self, out: Path) -> Path:
        """Its score, written last; the predictions lie beside it."""
        return out / "cells" / f"{self.name}-seed{self.seed}.json"


Sets = Mapping[str, tasks.Task]  # by benchmark and split


def find_cells(name: str) -> Path:
    """The folder of a table's cells: one of the project's own by name, or any. Raises ConfigError."""
    for folder in (CELLS / name, Path(name)):
        if (folder / RECIPES).is_file():
            return folder
    _unknown("table", name, sorted(path.parent.name for path in CELLS.glob(f"*/{RECIPES}")), f"or a folder with {RECIPES}")


def tasks_of(order: Order) -> list[Task]:
    """Every cell with every seed, in the order of methods."""
    cells = {path: _cell(path) for path in sorted(order.cells.glob("*.yaml")) if path.name != RECIPES}
    if not cells:
        raise ConfigError(f"no cells in {order.cells}", hint="a cell is a YAML file; experiments/gsm8k/ holds some to copy from")
    model, kind, dialect = _base(order.base)
    recipe = getattr(config.load(Recipes, order.cells / RECIPES), kind)
    shared = {**recipe, "model": model, "style": {**dialect, **recipe.get("style", {})}}
    return [
        Task(path.stem, cells[path], seed, tuple(_students(path, cells[path], {**shared, "seed": seed})))
        for seed in order.seeds
        for path in sorted(cells, key=lambda path: _rank(cells[path]))
    ]


def _cell(path: Path) -> Cell:
    cell = config.load(Cell, path)
    for kind, name in ((Method, cell.method), (Guidance, cell.guidance), (Plan, cell.plan)):
        known = [member.value for member in kind]
        if name not in known:
            _unknown(kind.__name__.lower(), name, known, f"found in {path}")
    return cell


def _rank(cell: Cell) -> tuple[str, str, int, int, int, int]:
    way = way_of(cell)
    places = [*Method].index(way.method), [*Guidance].index(way.guidance), [*Plan].index(way.plan)
    return cell.benchmark, cell.split, *places, cell.samples


def way_of(cell: Cell) -> Way:
    """How the cell's problems become answers."""
    return Way(Method(cell.method), Guidance(cell.guidance), Plan(cell.plan))


def _students(path: Path, cell: Cell, shared: Mapping[str, Any]) -> Iterator[Student]:
    style = {**shared["style"], **cell.train.get("style", {})}
    for training in way_of(cell).trainings():
        guidance = cell.guidance if training in GUIDED else "none"  # so that cells of all guidances share their solver
        try:
            settings = TrainConfig.model_validate({**shared, **cell.train, "style": style, "guidance": guidance})
        except ValidationError as error:
            reason = f"{path}, with the recipe beside it: {config.faults(error, 'train')}"
            raise ConfigError(reason, hint="`train` takes TrainConfig's keys") from error
        mix.style_of(settings, training)  # refused before anything is trained
        yield Student(training, settings)


def _base(name: str) -> tuple[str, str, dict[str, str]]:
    """What `model` shall say, which recipe is for it, and the dialect that it knows already. Raises ModelError."""
    if name in SCRATCH:
        return name, "scratch", {}
    from socratic import models  # loads torch

    model = _shipped() if name == "default" else name
    try:
        folder = models.locate(model)
    except ModelError as error:
        near = did_you_mean(name, BASES, n=2, cutoff=0.6)
        raise ModelError(str(error), hint=f"{near} Or {error.hint}" if near else error.hint) from error
    if (folder / "student.json").is_file():
        style = read_student(folder).style
        return model, "own", {name: str(getattr(style, name)) for name in StyleConfig.model_fields}
    dialect = CARRIED["minilm"] if model_type(folder) == "bert" else CARRIED.get(name)
    return (model, "papers", {}) if dialect is None else (model, "own", dialect)


def _shipped() -> str:
    asks, solves = find_pair("default")
    if asks != solves:
        raise ModelError("the shipped pair is two models, and a base is one", hint="train one: make train-pair")
    return str(asks.path)


def _unknown(what: str, name: str, known: Sequence[str], more: str) -> NoReturn:
    raise ConfigError(f"no {what} '{name}'; known: {', '.join(known)}; {more}", hint=did_you_mean(name, known, n=2))


# Problems and their solutions.


def asked_of(cell: Cell, order: Order) -> tasks.Task:
    """The first problems of a set. Raises DataError for an unknown set, or a file that is missing or not the published one."""
    split = tasks.split_of(cell.benchmark, cell.split)  # no file of one's own: nobody would hear of its broken lines
    found = tasks.load(cell.benchmark, split, data=order.data)
    return found if order.limit is None else found.first(order.limit)


def gold_of(cell: Cell, data: Path | None) -> dict[str, Trace] | None:
    """The worked solutions that an oracle's plans are read from, by problem."""
    if not way_of(cell).is_oracle:
        return None
    name = "gsm8k-socratic" if cell.benchmark == "gsm8k" else cell.benchmark
    traces = tasks.worked(name, cell.split, data=data)
    return {trace.problem.id: trace for trace in traces}
