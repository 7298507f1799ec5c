"""Properties of reproduce.py: every cell once, whatever stops it; and the whole route with real students, small.

Run: pytest tests/test_reproduce.py
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from socratic import config, runlog
from socratic.cells import BASES, RECIPES, Order, find_cells
from socratic.config import Cell, Recipes, TrainConfig
from socratic.display import Look, Seen
from socratic.errors import ConfigError, ModelError, RunError, UsageError
from socratic.evaluate import Reasoner
from socratic.locks import alone
from socratic.methods import Method, Way
from socratic.reproduce import Makers, reproduce
from socratic.schema import Ended, Problem, Trace, Training

DATA = [{"curriculum": 50, "steps": [1, 2]}]
SCORED = {"benchmark": "curriculum", "split": "held-out"}
TABLE: dict[str, dict[str, Any]] = {
    "cot": {"method": "cot", **SCORED, "train": {"data": DATA}},
    "lockstep": {"method": "socratic-lockstep", **SCORED, "train": {"data": DATA}},
    "operators": {"method": "socratic-lockstep", "guidance": "operators", "plan": "gold", **SCORED, "train": {"data": DATA}},
}
RECIPE = {"length": 160, "rows": 4, "vocabulary": 560, "epochs": 0.1, "warmup_steps": 1, "log_steps": 1, "precision": "fp32"}
STUDENTS = [Training.COT, Training.DECOMPOSER, Training.SOLVER, Training.DECOMPOSER]  # of the three cells; they share a solver


@dataclass
class Fakes:
    """Trains nothing and knows every answer; remembers what it was asked for, and fails when told to."""

    trained: list[tuple[Training, TrainConfig]] = field(default_factory=list)
    scored: list[Method] = field(default_factory=list)
    golds: list[int] = field(default_factory=list)
    failure: BaseException | None = None
    fails_at: int = -1  # the scoring that fails
    answers: int = 1  # that it gives before
    asked: list[int] = field(default_factory=list)  # how many problems, by scoring
    untrainable: Training | None = None

    @property
    def makers(self) -> Makers:
        return Makers(self.train, reasoner=self.reasoner)

    def train(self, settings: TrainConfig, training: Training, run: Path, data: Path | None) -> None:
        if self.failure and training is self.untrainable:
            raise self.failure
        self.trained.append((training, settings))
        (run / "checkpoints").mkdir(parents=True)
        (run / "student").mkdir()
        (run / "provenance.json").write_text(json.dumps({"device": "an abacus"}))
        for step, pace in ((5, 640), (10, 320)):
            runlog.append(run, runlog.Figures(step, 10, 1.0, 1.0, 0.1, pace))

    def reasoner(self, way: Way, students: Mapping[Training, Path], *, gold: Mapping[str, Trace] | None, **_: Any) -> Reasoner:
        assert all(folder.parent.is_dir() for folder in students.values())
        self.scored.append(way.method)
        self.golds.append(len(gold or ()))
        failure = self.failure if len(self.scored) == self.fails_at else None

        def reason(problems: Sequence[Problem]) -> Iterator[Trace]:
            self.asked.append(len(problems))
            for number, problem in enumerate(problems, 1):
                yield Trace(problem, answer=problem.answer, ended=Ended.DONE)
                if failure and number == self.answers:
                    raise failure

        return reason


def write_cells(folder: Path, cells: Mapping[str, Mapping[str, Any]] = TABLE) -> Path:
    recipes = {kind: RECIPE for kind in Recipes.model_fields}
    folder.mkdir(exist_ok=True)
    for name, content in {**cells, "recipes": recipes}.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder


@pytest.fixture
def order(tmp_path: Path) -> Order:
    """Three cells on five problems."""
    return Order(cells=write_cells(tmp_path / "sums"), base="scratch-6m", out=tmp_path / "run", limit=5)


def test_every_cell_is_scored_and_every_student_trained_once(order: Order) -> None:
    fakes, said = Fakes(), list[str]()
    table = reproduce(order, say=said.append, makers=fakes.makers)
    assert [row.name for row in table.done] == ["cot", "lockstep", "operators"]
    assert [training for training, _ in fakes.trained] == STUDENTS
    assert [settings.guidance for _, settings in fakes.trained] == ["none", "none", "none", "operators"]
    assert {(row.n, row.accuracy) for row in table.rows} == {(5, 1.0)}
    assert len(said) == 1 + len(STUDENTS) + len(TABLE), "how many there are to train, then each as it is done"
    assert fakes.golds[:2] == [0, 0] and fakes.golds[2] >= 5, "gold solutions are for oracles alone"


def test_the_run_folder_holds_table_plot_scores_and_predictions(order: Order) -> None:
    table = reproduce(order, makers=Fakes().makers)
    assert (order.out / "table.md").read_text(encoding="utf-8").strip() == str(table)
    assert json.loads((order.out / "table.json").read_text(encoding="utf-8")) == json.loads(json.dumps(table.to_dict()))
    assert (order.out / "table.png").read_bytes().startswith(b"\x89PNG")
    for name in TABLE:
        assert len((order.out / "cells" / f"{name}-seed0.jsonl").read_text(encoding="utf-8").splitlines()) == 5
        assert (order.out / "cells" / f"{name}-seed0.json").is_file()
    assert not [*order.out.rglob("*.partial")]
    assert not [*order.out.rglob("checkpoints")], "they are several times the student's size"


def test_two_students_that_work_in_lockstep_lie_side_by_side_for_who_takes_a_pair(order: Order) -> None:
    reproduce(order, makers=Fakes().makers)
    reproduce(order, makers=Fakes().makers)
    (pair,) = (order.out / "pairs").iterdir()  # not the one with an oracle
    assert pair.name == "lockstep-seed0"
    for role in ("decomposer", "solver"):
        student = (pair / role).resolve(strict=True)
        assert student.name == "student" and student.parent.name.startswith(f"{role}-")


def test_students_that_train_one_after_the_other_are_not_watched(order: Order) -> None:
    watched = list[str]()
    makers = replace(Fakes().makers, trained_at_once=lambda jobs: 1)
    reproduce(order, watch=lambda looks: nullcontext(watched.extend(looks)), makers=makers)
    assert watched == [f"{name}, seed 0" for name in TABLE], "its scorings are"


def test_a_scoring_shows_how_far_it_is_from_its_first_answer_until_it_is_done(order: Order) -> None:
    looks, seen = dict[str, Look](), list[tuple[Seen | None, ...]]()

    @dataclass
    class Looking(Fakes):
        def reasoner(self, *given: Any, **options: Any) -> Reasoner:
            reason = super().reasoner(*given, **options)

            def look(problems: Sequence[Problem]) -> Iterator[Trace]:
                for trace in reason(problems):
                    yield replace(trace, answer="wrong") if trace.problem is problems[0] else trace
                    seen.append(tuple(look() for look in looks.values()))

            return look

    reproduce(order, watch=lambda found: nullcontext(looks.update(found)), makers=Looking().makers)
    first = [one[0] for one in seen]
    assert first[:4] == [
        Seen(1, 5, "0 right (0.0 %)"),
        Seen(2, 5, "1 right (50.0 %)"),
        Seen(3, 5, "2 right (66.7 %)"),
        Seen(4, 5, "3 right (75.0 %)"),
    ]
    assert first[5:] == [None] * 10 and seen[0][1:] == (None, None)
    assert not any(look() for look in looks.values())


def test_training_time_is_that_of_the_logs_steps(order: Order) -> None:
    cot, lockstep, _ = reproduce(order, makers=Fakes().makers).rows
    one = 5 * 4 * 160 / 640 + 5 * 4 * 160 / 320  # steps, rows, tokens a row, tokens a second
    assert (cot.trained, lockstep.trained) == (one, 2 * one)
    assert cot.scores[0].device == "an abacus"


def test_finished_cells_are_not_done_again(order: Order) -> None:
    first = reproduce(order, makers=Fakes().makers)
    idle = Fakes()
    assert reproduce(order, makers=idle.makers) == first
    assert not idle.trained and not idle.scored


def test_a_run_that_was_stopped_goes_on_with_what_is_missing(order: Order) -> None:
    fakes = Fakes(failure=KeyboardInterrupt(), fails_at=2)
    with pytest.raises(KeyboardInterrupt):
        reproduce(order, makers=fakes.makers)
    done = [line for line in (order.out / "table.md").read_text().splitlines() if "100.0 %" in line]
    assert len(done) == 1, "the table grows cell by cell"
    after = Fakes()
    table = reproduce(order, makers=after.makers)
    assert not after.trained
    assert len(after.scored) == 2
    assert table.done == table.rows
    assert not [*order.out.rglob("*.partial")]


def test_the_torch_engine_scores_one_cell_at_a_time(order: Order) -> None:
    assert [replace(order, jobs=3, engine=engine).scored_at_once for engine in ("light", "torch")] == [3, 1]


@pytest.mark.parametrize("answers", range(1, 6))
def test_a_scoring_that_was_stopped_goes_on_at_a_whole_batch_whatever_runs_beside_it(order: Order, answers: int) -> None:
    order = replace(order, batch_size=2, jobs=2)
    whole = reproduce(replace(order, out=order.out.parent / "whole"), makers=Fakes().makers)
    one = replace(order, jobs=1)
    with pytest.raises(KeyboardInterrupt):
        reproduce(one, makers=Fakes(failure=KeyboardInterrupt(), fails_at=2, answers=answers).makers)
    after = Fakes()
    table = reproduce(one, makers=after.makers)
    assert after.asked == [5 - answers // 2 * 2, 5]
    assert [row.accuracy for row in table.rows] == [row.accuracy for row in whole.rows] == [1.0] * 3
    for name in TABLE:
        predictions = Path("cells") / f"{name}-seed0.jsonl"
        assert (order.out / predictions).read_bytes() == (order.out.parent / "whole" / predictions).read_bytes()
    assert not [*order.out.rglob("*.partial")]


def test_what_was_solved_by_other_software_is_no_part_of_a_scoring(order: Order) -> None:
    old = order.out / "cells" / "cot-seed0.jsonl.0123456789ab.partial"
    old.parent.mkdir(parents=True)
    old.write_text('{"correct": false}\n' * 5, encoding="utf-8")
    assert {row.accuracy for row in reproduce(order, makers=Fakes().makers).rows} == {1.0}
    assert not old.exists()


def test_a_run_folder_that_another_process_writes_is_refused(order: Order) -> None:
    order.out.mkdir()
    idle = Fakes()
    with alone(order.out), pytest.raises(RunError, match="another process"):
        reproduce(order, makers=idle.makers)
    assert not idle.trained and not [*order.out.iterdir()]


@pytest.mark.parametrize(
    "failure",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
        RuntimeError("[enforce fail at inline_container.cc:668] . PytorchStreamWriter failed writing file data/2"),
    ],
)
def test_a_full_disk_is_a_readable_error_and_the_run_goes_on(order: Order, failure: Exception) -> None:
    for fakes in (Fakes(failure=failure, untrainable=Training.SOLVER), Fakes(failure=failure, fails_at=2)):
        with pytest.raises(RunError, match="disk is full") as caught:
            reproduce(order, makers=fakes.makers)
        assert "same command" in caught.value.hint
    table = reproduce(order, makers=Fakes().makers)
    assert table.done == table.rows


def test_other_errors_stay_what_they_are(order: Order) -> None:
    with pytest.raises(ZeroDivisionError):
        reproduce(order, makers=Fakes(failure=ZeroDivisionError(), fails_at=1).makers)


def test_a_run_folder_of_another_configuration_is_refused_and_left_alone(order: Order) -> None:
    reproduce(order, makers=Fakes().makers)
    before = {path: path.read_bytes() for path in order.out.rglob("*") if path.is_file()}
    longer = {**TABLE["cot"], "train": {"data": DATA, "epochs": 2}}
    changed = write_cells(order.cells.parent / "changed", {**TABLE, "cot": longer})
    for other, what in (
        (replace(order, base="scratch-12m"), "base"),
        (replace(order, limit=6), "limit"),
        (replace(order, cells=changed), "cell cot"),
    ):
        idle = Fakes()
        with pytest.raises(ConfigError, match=f"another configuration.*{what}") as caught:
            reproduce(other, makers=idle.makers)
        assert "--out" in caught.value.hint
        assert not idle.trained and not idle.scored
    assert {path: path.read_bytes() for path in order.out.rglob("*") if path.is_file()} == before


def test_new_cells_and_seeds_join_a_run(order: Order) -> None:
    reproduce(order, makers=Fakes().makers)
    write_cells(
        order.cells, {"answers": {"method": "answer-only", **SCORED, "train": {"data": DATA, "style": {"numbers": "digits"}}}}
    )
    fakes = Fakes()
    table = reproduce(replace(order, seeds=(0, 1)), makers=fakes.makers)
    assert [len(row.scores) for row in table.rows] == [2, 2, 2, 2]
    assert [training for training, settings in fakes.trained if settings.seed == 0] == [Training.ANSWER]
    assert [training for training, settings in fakes.trained if settings.seed == 1] == [Training.ANSWER, *STUDENTS]


def test_a_published_figure_may_be_added_later(order: Order) -> None:
    reproduce(order, makers=Fakes().makers)
    figure = {"student": "GPT-2 large", "accuracy": 14.1, "source": "a paper"}
    write_cells(order.cells, {**TABLE, "cot": {**TABLE["cot"], "published": [figure]}})
    idle = Fakes()
    assert reproduce(order, makers=idle.makers).rows[0].cell.published
    assert not idle.trained and not idle.scored


@pytest.mark.parametrize(
    ("change", "found", "near"),
    [
        ({"method": "cott"}, "no method 'cott'", "cot"),
        ({"method": "socratic-lockstep", "guidance": "operator"}, "no guidance 'operator'", "operators"),
        ({"plan": "goldd"}, "no plan 'goldd'", "gold"),
        ({"split": "held-aut"}, "no split 'held-aut'", "held-out"),
    ],
)
def test_unknown_names_in_a_cell_give_the_near_ones(tmp_path: Path, change: dict[str, str], found: str, near: str) -> None:
    cells, idle = write_cells(tmp_path / "cells", {"cot": {**TABLE["cot"], **change}}), Fakes()
    with pytest.raises(UsageError, match=found) as caught:
        reproduce(Order(cells, "scratch-6m", tmp_path / "run"), makers=idle.makers)
    assert near in caught.value.hint
    assert not idle.trained and not (tmp_path / "run").exists()


def test_a_misspelled_training_key_is_named_with_its_file(tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "cells", {"cot": {**TABLE["cot"], "train": {"data": DATA, "epoch": 3}}})
    with pytest.raises(ConfigError, match=r"cot\.yaml.*epoch"):
        reproduce(Order(cells, "scratch-6m", tmp_path / "run"), makers=Fakes().makers)


def test_unknown_tables_and_folders_without_cells_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no table 'gsm8'") as caught:
        find_cells("gsm8")
    assert "gsm8k" in caught.value.hint
    with pytest.raises(ConfigError, match="no cells"):
        reproduce(Order(write_cells(tmp_path / "cells", {}), "scratch-6m", tmp_path / "run"), makers=Fakes().makers)


@pytest.mark.parametrize(("base", "near"), [("scratch-7m", "scratch-6m"), ("./gpt-2", "gpt2"), ("minillm/", "minilm")])
def test_an_unknown_base_is_refused_before_anything_is_done(order: Order, base: str, near: str) -> None:
    with pytest.raises(ModelError) as caught:
        reproduce(replace(order, base=base), makers=Fakes().makers)
    assert near in caught.value.hint
    assert not order.out.exists()


def test_a_base_keeps_its_dialect_and_its_weights_are_part_of_the_configuration(
    order: Order, student: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(student, tmp_path / "base")
    dialect = {"numbers": "references", "solutions": "sentence", "results": "learned", "capitals": "marked"}
    (folder / "student.json").write_text(json.dumps({"role": "planner", "style": {**dialect, "guidance": "steps"}}))
    fakes, own = Fakes(), replace(order, base=str(folder))
    reproduce(own, makers=fakes.makers)
    assert [settings.style.model_dump() for _, settings in fakes.trained] == [dialect] * len(STUDENTS)
    with (folder / "model.safetensors").open("ab") as weights:
        weights.write(b" ")
    with pytest.raises(ConfigError, match="another configuration"):
        reproduce(own, makers=Fakes().makers)


def test_scratch_sizes_are_known_bases() -> None:
    from socratic.models import SCRATCH

    assert {base for base in BASES if base.startswith("scratch-")} == SCRATCH.keys()


PAPERS = ("gsm8k", "svamp", "strategyqa", "smoke")


@pytest.mark.parametrize("name", [*PAPERS, "scotd"])
def test_the_projects_own_cells_ask_a_question_each_and_can_be_trained(name: str, tmp_path: Path) -> None:
    from socratic.cells import tasks_of

    folder = find_cells(name)
    files = [path for path in folder.glob("*.yaml") if path.name != RECIPES]
    assert len(files) >= 7
    for file in files:
        config.load(Cell, file)
        assert file.read_text(encoding="utf-8").startswith("# Question: "), file
    assert f"make reproduce-{name}" in (folder / RECIPES).read_text(encoding="utf-8")
    tasks = tasks_of(Order(folder, "scratch-6m", tmp_path))  # whose numbers are masked, as our base's
    assert {task.name for task in tasks} == {file.stem for file in files}


def test_a_student_that_could_not_learn_is_refused_before_any_is_trained(tmp_path: Path) -> None:
    cell = {"method": "answer-only", **SCORED, "train": {"data": DATA, "style": {"numbers": "masked"}}}
    order, fakes = Order(write_cells(tmp_path / "cells", {"answers": cell}), "scratch-6m", tmp_path / "run"), Fakes()
    with pytest.raises(ConfigError, match="masked"):
        reproduce(order, makers=fakes.makers)
    assert not fakes.trained


@pytest.mark.skipif(not os.environ.get("SOCRATIC_DATA"), reason="SOCRATIC_DATA names no folder with the real files")
def test_the_benchmarks_have_their_published_size_and_oracles_a_solution_for_each_problem(tmp_path: Path) -> None:
    from socratic.cells import asked_of, gold_of, tasks_of

    sizes = {"gsm8k test": 1319, "svamp test": 300, "svamp all": 1000, "strategyqa dev": 229, "curriculum held-out": 1000}
    for name in PAPERS:
        order = Order(find_cells(name), "scratch-6m", tmp_path)
        tasks = tasks_of(order)
        for task in {task.set: task for task in tasks}.values():
            assert len(asked_of(task.cell, order).problems) == sizes.pop(task.set)
        for task in {task.set: task for task in tasks if task.cell.plan == "gold"}.values():
            problems = asked_of(task.cell, order).problems
            assert {problem.id for problem in problems} <= (gold_of(task.cell, None) or {}).keys()
    assert not sizes


def test_the_whole_route_runs_with_real_students(tmp_path: Path, student: Path, traces_file: Path) -> None:
    learned = {"data": [{"traces": str(traces_file)}], "epochs": 0.02}
    cells = write_cells(tmp_path / "cells", {name: {**TABLE[name], "train": learned} for name in ("cot", "operators")})
    order = Order(cells, str(student), tmp_path / "run", limit=3, jobs=2, batch_size=3)
    watched = dict[str, Look]()
    table = reproduce(order, watch=lambda looks: nullcontext(watched.update(looks)))
    assert [(row.name, row.n) for row in table.done] == [("cot", 3), ("operators", 3)]
    students = sorted((order.out / "students").iterdir())
    assert {*watched} == {*(run.name for run in students), "cot, seed 0", "operators, seed 0"}, "trained beside each other"
    assert not any(look() for look in watched.values())
    for run in students:
        (run / "student").rename(run / "not done")
        last, seen = runlog.read(run)[-1], watched[run.name]()
        assert seen and (seen.done, seen.total) == (last.step, last.steps) and f"loss {last.loss:.3f}" in seen.told
    for row in table.done:
        [score] = row.scores
        assert score.trained > 0 and score.report.record and score.report.record.problems
        assert len((order.out / "cells" / f"{row.name}-seed0.jsonl").read_text(encoding="utf-8").splitlines()) == 3
