"""A results table by one command: students of every cell trained, every cell scored, the table written as it grows.

In: a folder of cells (YAML, one question each) with its recipes.yaml, a base, a run folder. Out: the `Table`; in the run folder
table.md, table.json, table.png, each cell's score and predictions, and the students, which cells that need the same one
share (two that work in lockstep also as a pair). A finished cell is not done again, a stopped run goes on, in its trainings
and in its scorings; a run folder of another configuration is refused, as is one that another process writes. Knows nothing of
what a method does or how a student is trained.
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from socratic import methods, mix, provenance, runlog
from socratic.cells import Order, Sets, Student, Task, asked_of, gold_of, tasks_of, way_of
from socratic.config import TrainConfig
from socratic.dialect import Guidance
from socratic.display import Look, Seen
from socratic.errors import ConfigError, RunError, SocraticError
from socratic.evaluate import DTYPE, Reasoner, Resumable, count_right, evaluate, partials
from socratic.folders import weights_sum
from socratic.locks import alone
from socratic.orchestrator import MAX_STEPS
from socratic.processes import side_by_side
from socratic.report import Row, Score, Table, plot, plot_growth
from socratic.schema import Decoding, Problem, RunRecord, Trace, Training
from socratic.tasks import Task as TestSet
from socratic.voting import Vote
from socratic.whole import write_json, write_text

TRAINED = "trained.json"  # in a student's folder once it is done


def train(settings: TrainConfig, training: Training, run: Path, data: Path | None) -> None:
    """Train one student into a run folder."""
    from socratic.train import train as run_training  # loads torch, which scoring need not

    run_training(settings, training, run, data=data)


def trained_at_once(jobs: int) -> int:
    """Of so many jobs: a GPU is one student's at a time."""
    from socratic.fit import has_gpu  # loads torch

    return 1 if has_gpu() else jobs


@dataclass(frozen=True, slots=True)
class Makers:
    """What trains a student, how many train beside each other, and what makes students reason by a method."""

    train: Callable[[TrainConfig, Training, Path, Path | None], None] = train
    trained_at_once: Callable[[int], int] = trained_at_once
    reasoner: Callable[..., Reasoner] = methods.reasoner


MAKERS = Makers()

Say = Callable[[str], None]  # hears a line per training and per cell
Watch = Callable[[Mapping[str, Look]], AbstractContextManager[None]]  # is open while this is trained or scored, by name


def reproduce(
    order: Order, *, say: Say = lambda line: None, watch: Watch = lambda looks: nullcontext(), makers: Makers = MAKERS
) -> Table:
    """Fill the table. Raises ConfigError, DataError, ModelError, RunError."""
    tasks = tasks_of(order)
    sets = {task.set: asked_of(task.cell, order) for task in {task.set: task for task in tasks}.values()}
    with _room(order.out), alone(order.out):
        _claim(order, tasks, sets)
        for seed in order.seeds:
            waiting = [task for task in tasks if task.seed == seed and not task.place(order.out).exists()]
            _train_all(waiting, order, say, watch, makers)
            for task in waiting:
                _pair_up(task, order.out)
            score_one = partial(_score, sets=sets, order=order, makers=makers)
            with watch(_scorings(waiting, sets, order.out)):
                for task, score in side_by_side(score_one, waiting, order.scored_at_once):
                    write_json(task.place(order.out), asdict(score))
                    _write(_table(order, tasks), order.out)
                    say(str(Row(task.name, task.cell, (score,))))
        table = _table(order, tasks)
        _write(table, order.out)
        plot(table, order.out / "table.png")
        plot_growth(table, order.out / "growth.png")
    return table


# The run folder.


def _claim(order: Order, tasks: Sequence[Task], sets: Sets) -> None:
    """Refuse a folder that another configuration has written; else write down this one. New cells and seeds may join."""
    path = order.out / "run.json"
    common = {"base": order.base, "limit": order.limit, **{name: asked.sha256 for name, asked in sets.items()}}
    settings = {**common, **{f"cell {task.name}": _settings_of(task, order.data) for task in tasks}}
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if other := [name for name, value in settings.items() if kept.get(name, value) != value]:
        hint = "give another --out, or delete the folder"
        raise ConfigError(f"{order.out} belongs to a run of another configuration: {', '.join(other)} differ", hint=hint)
    write_json(path, {**kept, **settings})


def _settings_of(task: Task, data: Path | None) -> dict[str, Any]:
    """All that a cell's figures hang on but the seed. Raises DataError where a file to learn from is missing or a changed one."""
    cell = task.cell.model_dump(mode="json", exclude={"published", "train"})
    students = {s.training.value: s.settings.model_dump(mode="json", exclude={"seed"}) for s in task.students}
    bases = {s.settings.word_vectors or s.settings.model for s in task.students}
    learned = mix.files([source for student in task.students for source in student.settings.data], data)
    return {
        **cell,
        "students": students,
        "files": learned,
        "weights": {base: weights_sum(Path(base).expanduser()) for base in bases},
    }


FULL = ("No space left on device", "PytorchStreamWriter failed")  # safetensors and torch raise errors of their own


@contextmanager
def _room(out: Path) -> Iterator[None]:
    """The folder; a full disk, whichever library meets it first, as an error that says how to go on."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        yield
    except SocraticError:
        raise
    except Exception as error:
        is_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        if not is_full and not any(text in str(error) for text in FULL):
            raise
        hint = "make room and run the same command again: finished cells are kept, a training goes on from its checkpoint"
        raise RunError(f"the disk is full: writing to {out} failed", hint=hint) from error


# Training.


def _train_all(tasks: Sequence[Task], order: Order, say: Say, watch: Watch, makers: Makers) -> None:
    """Each student once, however many cells need it."""
    students = {student.name: student for task in tasks for student in task.students}
    waiting = [student for name, student in students.items() if not (order.out / "students" / name / TRAINED).exists()]
    work = partial(_train, order=order, makers=makers)
    if not waiting:
        return
    say(f"{len(waiting)} of {len(students)} students to train; each keeps a log: {order.out / 'students'}/…/log.jsonl")
    at_once, runs = makers.trained_at_once(order.jobs), [order.out / "students" / student.name for student in waiting]
    looks = {run.name: partial(_trained, run) for run in runs}
    with watch(looks) if min(at_once, len(runs)) > 1 else nullcontext():  # one alone shows a bar of its own
        for number, (student, _) in enumerate(side_by_side(work, waiting, at_once), 1):
            say(f"trained {number} of {len(waiting)}: {student.name}, seed {student.settings.seed}")


def _trained(run: Path) -> Seen | None:
    """How far a training is, by its log."""
    for last in runlog.read(run)[-1:]:
        if not (run / "student").exists():
            return Seen(last.step, last.steps, f"steps  loss {last.loss:.3f}  {last.tokens_per_s:,} tokens/s")
    return None


def _train(student: Student, *, order: Order, makers: Makers) -> None:
    """One student; its checkpoints, several times its size, go when it is done."""
    run = order.out / "students" / student.name
    makers.train(student.settings, student.training, run, order.data)
    write_json(run / TRAINED, {"seconds": _seconds(run, student.settings)})
    shutil.rmtree(run / "checkpoints", ignore_errors=True)


def _pair_up(task: Task, out: Path) -> None:
    """Links to a decomposer and a solver side by side, as `--model` takes a pair; guided ones need a guide, and are left out."""
    runs = {student.training: out / "students" / student.name for student in task.students}
    pair = out / "pairs" / f"{task.name}-seed{task.seed}"
    if runs.keys() != {Training.DECOMPOSER, Training.SOLVER} or task.cell.guidance != Guidance.NONE:
        return
    pair.mkdir(parents=True, exist_ok=True)
    for link, run in ((pair / training.value, run) for training, run in runs.items()):
        if not link.is_symlink():
            link.symlink_to(Path("../..") / run.relative_to(out) / "student")


def _seconds(run: Path, settings: TrainConfig) -> float:
    """Of the optimizer's steps by the training's log, which a run that was stopped and went on continues."""
    seconds, before = 0.0, 0
    for figures in runlog.read(run):
        tokens = (figures.step - before) * settings.rows * settings.length
        seconds, before = seconds + tokens / max(figures.tokens_per_s, 1), figures.step
    return seconds


# Scoring.


def _score(task: Task, *, sets: Sets, order: Order, makers: Makers) -> Score:
    asked, predictions = sets[task.set], _predictions(task, order.out)
    runs = [order.out / "students" / student.name for student in task.students]
    record = _run_record(task, asked, order, device := _device(runs), runs)
    # The record tells another --jobs as another device. No answer hangs on that: what was solved beside others is kept.
    resumable = Resumable.of(replace(record, device=device), samples=task.cell.samples, decoding=Decoding(seed=task.seed))
    _forget_others(predictions, resumable)
    reason, solved = _reasoner(task, order, makers), list[int]()

    def last_part(problems: Sequence[Problem]) -> Iterator[Trace | Vote]:
        solved.append(len(problems))
        return reason(problems)

    report = evaluate(
        last_part,
        asked.problems,
        dataset=task.set,
        model=order.base,
        calculator=True,
        predictions=predictions,
        samples=task.cell.samples,
        labels=asked.labels,
        record=record,
        resumable=resumable,
    )
    seconds = round(report.seconds * report.n / max(solved[-1], 1), 1)  # of all, at the pace of the part that was measured
    trained = sum(json.loads((run / TRAINED).read_text(encoding="utf-8"))["seconds"] for run in runs)
    return Score(task.seed, trained, device, replace(report, seconds=seconds))


def _reasoner(task: Task, order: Order, makers: Makers) -> Reasoner:
    cell = task.cell
    return makers.reasoner(
        way_of(cell),
        {student.training: order.out / "students" / student.name / "student" for student in task.students},
        gold=gold_of(cell, order.data),
        samples=cell.samples,
        engine=order.engine,
        batch_size=order.batch_size,
        seed=task.seed,
    )


def _forget_others(predictions: Path, resumable: Resumable) -> None:
    """Of other software, or of students that were trained anew: nobody goes on with these."""
    for partly in partials(predictions):
        if partly != resumable.partial(predictions):
            partly.unlink()


def _predictions(task: Task, out: Path) -> Path:
    return task.place(out).with_suffix(".jsonl")


def _scorings(tasks: Sequence[Task], sets: Sets, out: Path) -> dict[str, Look]:
    looks = (partial(_scored, _predictions(task, out), len(sets[task.set].problems)) for task in tasks)
    return {f"{task.name}, seed {task.seed}": look for task, look in zip(tasks, looks, strict=True)}


def _scored(predictions: Path, total: int) -> Seen | None:
    """How far a scoring is."""
    for partly in partials(predictions):
        with suppress(FileNotFoundError):  # done in this very moment
            done, right = count_right(partly)
            return Seen(done, total, f"{right} right ({100 * right / max(done, 1):.1f} %)")
    return None


def _run_record(task: Task, asked: TestSet, order: Order, trained_on: str, runs: Iterable[Path]) -> RunRecord:
    return RunRecord(
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=provenance.commit(),
        engine=order.engine,
        device=trained_on if order.engine == "torch" else f"cpu, {order.jobs} cells at a time",
        dtype=DTYPE,
        batch_size=order.batch_size,
        max_steps=MAX_STEPS,
        seed=task.seed,
        data=asked.files,
        problems=asked.sha256,
        students=" ".join(weights_sum(run / "student") for run in runs),
    )


def _device(runs: Iterable[Path]) -> str:
    """That trained the students, by their records."""
    records = [json.loads(file.read_text(encoding="utf-8")) for run in runs if (file := run / "provenance.json").exists()]
    return ", ".join(dict.fromkeys(record["device"] for record in records))


# The table.


def _table(order: Order, tasks: Sequence[Task]) -> Table:
    rows = dict[str, Row]()
    for task in tasks:
        row, place = rows.setdefault(task.name, Row(task.name, task.cell)), task.place(order.out)
        if place.exists():
            score = Score.from_dict(json.loads(place.read_text(encoding="utf-8")))
            rows[task.name] = replace(row, scores=(*row.scores, score))
    return Table(order.cells.name, order.base, tuple(rows.values()))


def _write(table: Table, out: Path) -> None:
    write_text(out / "table.md", str(table))
    write_json(out / "table.json", table.to_dict())
