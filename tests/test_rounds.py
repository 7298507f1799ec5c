"""What rounds keep, and that they go on where they stopped. Scripted students sample. Run: pytest tests/test_rounds.py"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from socratic import config
from socratic.config import RoundsConfig, TrainConfig
from socratic.errors import ConfigError, DataError, ModelError, RunError
from socratic.evaluate import read_graded
from socratic.jsonl import read_jsonl, write_jsonl
from socratic.locks import alone
from socratic.orchestrator import GREEDY, Orchestrator
from socratic.rounds import Hands, Harvest, Round, is_right, run, solution, table
from socratic.schema import Badge, Decoding, Ended, Problem, Solution, Step, Trace
from tests.scripted import ScriptedDecomposer, ScriptedSolver, VaryingSolver

ASK = "How many apples?"
WAYS = [
    "<<3*12=36>>36",  # greedy, and the mix's own
    "<<12*3=36>>36",  # the same, written the other way round
    "<<12+12+12=36>>36",
    "<<12+12 + 12=36>>36 apples",
    "<<12*3.0=36>>36",
    "<<3+12=15>>15",  # wrong answer
    "<<3*12=35>>35 <<35+1=36>>36",  # wrong arithmetic
    "<<40-4=36>>36",  # numbers from nowhere
    "36",  # nothing to check
]


def question(number: int) -> str:
    return f"Tom has {number} bags of 12 apples. How many apples does he have?"


def solved(*ways: str, problem: Problem | None = None) -> list[Trace]:
    """Traces that an orchestrator makes of scripted solutions, one each; the first is greedy and left out."""
    problem = problem or Problem("tom", question(3), "36")
    solver = VaryingSolver({ASK: [ways[0], *ways]})
    orchestrator = Orchestrator(ScriptedDecomposer({problem.question: [ASK]}), solver)
    return orchestrator.solve_many([problem] * len(ways), Decoding(temperature=1.0))


POOL = solved(*WAYS)


def test_right_and_verified_traces_are_kept_once_for_each_list_of_equations() -> None:
    harvest = Harvest([])
    kept = [harvest.add(trace) for trace in POOL]
    assert kept == [True, True, True, True, True, False, False, False, False]
    assert [trace.steps[0].solution for trace in harvest.new] == [WAYS[0], WAYS[2]]
    counts = harvest.counts
    assert (counts.sampled, counts.right, counts.kept, counts.new) == (9, 8, 5, 2)


def test_what_was_told_before_is_not_new_but_to_another_problem_it_is() -> None:
    told = solved(WAYS[0])
    harvest = Harvest(told)
    assert harvest.add(solved(WAYS[1])[0]) and harvest.new == []
    other = Problem("other", question(3) + " Count them.", "36")
    assert harvest.add(solved(WAYS[0], problem=other)[0]) and len(harvest.new) == 1


@hypothesis.settings(deadline=None)  # no test of speed
@given(st.lists(st.sampled_from(range(len(WAYS))), max_size=30), st.randoms())
def test_whatever_is_sampled_all_that_is_new_is_right_verified_and_different(places: list[int], order: Any) -> None:
    sampled = [POOL[place] for place in places]
    harvest, other = Harvest([]), Harvest([])
    for trace in sampled:
        harvest.add(trace)
    for trace in order.sample(sampled, len(sampled)):
        other.add(trace)
    assert all(is_right(trace) and {step.badge for step in trace.steps} == {Badge.VERIFIED} for trace in harvest.new)
    solutions = [solution(trace) for trace in harvest.new]
    assert len(set(solutions)) == len(solutions) == harvest.counts.new <= harvest.counts.kept <= harvest.counts.right
    assert harvest.counts == other.counts and set(solutions) == {solution(trace) for trace in other.new}


def test_an_unfinished_trace_is_not_kept_however_right() -> None:
    (trace,) = solved(WAYS[0])
    for ended in (Ended.STEP_LIMIT, Ended.REPEATED, None):
        assert not Harvest([]).add(replace(trace, ended=ended))
    assert Harvest([]).add(trace)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("$1,000 * 2", "1000*2", True),
        ("20%*50", "50*0.2", True),
        ("3+12+5", "5 + 3+12", True),
        ("12-3", "3-12", False),
        ("12/3", "3/12", False),
        ("3*12", "3+12", False),
        ("(3+12)*2", "(12+3)*2", False),  # only plain sums and products are put in order
        ("3*12", "3*13", False),
        ("3*4+1", "4*3+1", False),
        ("-3+12", "12-3", False),
        ("ceil(46/6)", "46/6", False),
        ("3//4", "3/ /4", True),  # unreadable ones are compared as text
    ],
)
def test_solutions_are_the_same_by_what_they_compute(one: str, other: str, same: bool) -> None:
    def of(expression: str) -> Trace:
        return Trace(Problem("p", "?"), (Step("?", f"<<{expression}=1>>1", "1"),))

    assert (solution(of(one)) == solution(of(other))) is same


def test_steps_are_part_of_a_solution_in_their_order() -> None:
    first, second = Step("?", "<<3*12=36>>36", "36"), Step("?", "<<36-5=31>>31", "31")
    problem = Problem("p", "?")
    assert solution(Trace(problem, (first, second))) != solution(Trace(problem, (second, first)))
    assert solution(Trace(problem, (first, second))) == ("12*3", "36-5")


# The loop


class World:
    """Students by name: each round's samples one way more than the last. Notices what is asked of it, and can break down."""

    def __init__(self) -> None:
        self.loaded, self.learned, self.mixes = list[str](), list[Path](), list[TrainConfig]()
        self.breaks_in = ""

    def load(self, name: str) -> Orchestrator:
        self.loaded.append(name)
        skill = 0 if name == "start" else int(Path(name).parts[-3].removeprefix("round-"))
        ways = [WAYS[0], WAYS[5], *([WAYS[2]] * min(skill, 1)), *(["<<36/1=36>>36", "<<40-4=36>>36"] * (skill > 1))]
        asks = {question(3): [ASK], question(4): [f"{ASK} (4)"]}
        answers: dict[str, Sequence[str | Ended]] = {ASK: [WAYS[5 if skill == 0 else 0], *ways], f"{ASK} (4)": [WAYS[5]] * 2}
        return Orchestrator(ScriptedDecomposer(asks), VaryingSolver(answers), name=name, batch_size=6)

    def learn(self, mix: TrainConfig, folder: Path) -> Path:
        if folder.parent.name == self.breaks_in:
            raise KeyboardInterrupt
        self.learned.append(folder)
        self.mixes.append(mix)
        return folder / "student"

    @contextmanager
    def tally(self, total: int) -> Iterator[Callable[[bool], None]]:
        heard = list[bool]()
        yield heard.append
        assert len(heard) == total

    @property
    def hands(self) -> Hands:
        return Hands(self.load, self.learn, self.tally, fingerprint=lambda name: name)


class Stopped(Orchestrator):
    """Is stopped before its fourth answer."""

    def solve_each(self, questions: Sequence[str | Problem], decoding: Decoding = GREEDY, *, first: int = 0) -> Iterator[Trace]:
        yield from list(super().solve_each(questions, decoding, first=first))[:3]
        raise KeyboardInterrupt


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., RoundsConfig]:
    """Two problems to sample for, of which one is also measured on under another id, and so is left out."""
    problems = [{"id": str(number), "question": question(number), "answer": str(12 * number)} for number in (3, 4)]
    write_jsonl(tmp_path / "problems.jsonl", problems)
    write_jsonl(tmp_path / "exam.jsonl", [{**problems[1], "id": "other"}])
    write_jsonl(tmp_path / "mix.jsonl", [{**solved(WAYS[0])[0].to_dict()}])
    files = {"problems": str(tmp_path / "problems.jsonl"), "validation": str(tmp_path / "exam.jsonl")}
    mix = {"data": [{"traces": str(tmp_path / "mix.jsonl")}]}
    base = {"student": "start", "rounds": 3, "samples": 6, "train": mix, **files}
    return lambda **changes: RoundsConfig.model_validate({**base, **changes})


@pytest.fixture
def world() -> World:
    return World()


def test_rounds_sample_keep_train_and_measure(settings: Callable[..., RoundsConfig], world: World, tmp_path: Path) -> None:
    out = tmp_path / "out"
    rounds = list(run(settings(), out, world.hands, data=tmp_path))
    assert [one.number for one in rounds] == [0, 1, 2, 3]
    assert [one.counts.sampled for one in rounds] == [0, 6, 6, 6], "the problem that is measured on is left out"
    assert [one.counts.new for one in rounds] == [0, 0, 1, 0], "the mix tells the first way, round 2 the second"
    assert [one.total for one in rounds] == [0, 0, 1, 1]
    assert all(one.n == 1 for one in rounds)
    assert [len(mix.data) for mix in world.mixes] == [2, 3, 4], "each round has the mix and all that was kept so far"
    (kept,) = [row for _, row in read_jsonl(out / "round-2" / "traces.jsonl")]
    assert isinstance(kept, dict) and Trace.from_dict(kept).source.sample == 2
    assert world.loaded == ["start", "start", *(str(folder / "student") for folder in world.learned for _ in (1, 2))][:7]
    lines = table(rounds).splitlines()
    assert len(lines) == 6 and len({line.count("|") for line in lines}) == 1


@pytest.mark.parametrize("broken", ["round-1", "round-3"])
def test_stopped_rounds_go_on_and_do_nothing_twice(
    settings: Callable[..., RoundsConfig], world: World, broken: str, tmp_path: Path
) -> None:
    whole = list(run(settings(), tmp_path / "whole", World().hands, data=tmp_path))
    world.breaks_in = broken
    with pytest.raises(KeyboardInterrupt):
        list(run(settings(), tmp_path / "out", world.hands, data=tmp_path))
    again = World()
    resumed = list(run(settings(), tmp_path / "out", again.hands, data=tmp_path))
    assert [(one.counts, one.correct) for one in resumed] == [(one.counts, one.correct) for one in whole]
    assert len(world.learned) + len(again.learned) == 3
    assert len(world.loaded) + len(again.loaded) == 7, "samples that were written down are not drawn again"
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    last = World()
    assert list(run(settings(), tmp_path / "out", last.hands, data=tmp_path)) == resumed
    assert last.loaded == last.learned == []
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("changed", [False, True])
def test_a_measuring_that_was_stopped_goes_on_at_a_whole_batch_with_the_same_student(
    settings: Callable[..., RoundsConfig], world: World, changed: bool, tmp_path: Path
) -> None:
    write_jsonl(tmp_path / "exam.jsonl", [{"id": str(i), "question": question(4), "answer": "48"} for i in range(10, 15)])
    asked = list[int]()

    class Counting(Orchestrator):
        def solve_each(
            self, questions: Sequence[str | Problem], decoding: Decoding = GREEDY, *, first: int = 0
        ) -> Iterator[Trace]:
            asked.append(len(questions))
            return super().solve_each(questions, decoding, first=first)

    def hands(kind: type[Orchestrator], mark: str) -> Hands:
        def load(name: str) -> Orchestrator:
            scripted = world.load(name)
            return kind(scripted.decomposer, scripted.solver, name=name, batch_size=2)

        return Hands(load, world.learn, world.tally, fingerprint=lambda name: mark)

    with pytest.raises(KeyboardInterrupt):
        next(run(settings(), tmp_path / "out", hands(Stopped, "a"), data=tmp_path))
    first = next(run(settings(), tmp_path / "out", hands(Counting, "b" if changed else "a"), data=tmp_path))
    assert first.n == 5 and asked == [5 if changed else 3]
    solved = read_graded(tmp_path / "out" / "round-0" / "validation.jsonl")
    assert sorted(graded.trace.problem.id for graded in solved) == [str(i) for i in range(10, 15)]


def test_a_sampling_that_was_stopped_goes_on_with_the_chances_it_would_have_had(
    settings: Callable[..., RoundsConfig], world: World, tmp_path: Path
) -> None:
    class Drawing(ScriptedSolver):
        """Draws what it says from the decoding's seed, as an engine does."""

        def solve(self, traces: Sequence[Trace], questions: Sequence[str], decoding: Decoding) -> list[Solution | Ended]:
            return [Solution(f"<<{decoding.seed}+1={decoding.seed + 1}>>{decoding.seed + 1}")] * len(questions)

    def hands(kind: type[Orchestrator]) -> Hands:
        asks = ScriptedDecomposer({question(3): [ASK], question(4): [ASK]})
        return Hands(lambda name: kind(asks, Drawing({}), batch_size=2), world.learn, world.tally, fingerprint=lambda name: name)

    def samples(out: Path) -> list[Any]:
        return [row for _, row in read_jsonl(out / "round-1" / "samples.jsonl")]

    class StoppedLater(Stopped):
        """When it samples."""

        def solve_each(
            self, questions: Sequence[str | Problem], decoding: Decoding = GREEDY, *, first: int = 0
        ) -> Iterator[Trace]:
            kind = Stopped if decoding.temperature else Orchestrator
            return kind.solve_each(self, questions, decoding, first=first)

    def interrupt(new: bool) -> None:
        raise KeyboardInterrupt

    whole, out = tmp_path / "whole", tmp_path / "out"
    list(run(settings(rounds=1), whole, hands(Orchestrator), data=tmp_path))
    with pytest.raises(KeyboardInterrupt):
        list(run(settings(rounds=1), out, hands(StoppedLater), data=tmp_path))
    (partly,) = (out / "round-1").glob("samples.jsonl.*.partial")
    assert len(partly.read_text().splitlines()) == 3
    with pytest.raises(KeyboardInterrupt):  # again, while it hears of what is kept
        list(
            run(settings(rounds=1), out, replace(hands(Orchestrator), tally=lambda total: nullcontext(interrupt)), data=tmp_path)
        )
    assert len(partly.read_text().splitlines()) == 2, "the whole batches"
    list(run(settings(rounds=1), out, hands(Orchestrator), data=tmp_path))
    assert samples(out) == samples(whole) and len({row["answer"] for row in samples(out)}) == 3
    assert not partly.exists()


def test_a_folder_that_another_process_writes_is_refused(
    settings: Callable[..., RoundsConfig], world: World, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    with alone(tmp_path / "out"), pytest.raises(RunError, match="another process"):
        next(run(settings(), tmp_path / "out", world.hands, data=tmp_path))
    assert not world.loaded


def test_a_folder_of_another_configuration_is_refused_and_left_alone(
    settings: Callable[..., RoundsConfig], world: World, tmp_path: Path
) -> None:
    list(run(settings(rounds=1), tmp_path / "out", world.hands, data=tmp_path))
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    for other in (settings(rounds=2), settings(rounds=1, samples=5), settings(rounds=1, seed=1)):
        with pytest.raises(ConfigError, match="another configuration"):
            list(run(other, tmp_path / "out", world.hands, data=tmp_path))
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


def test_problems_that_must_not_be_sampled_for_are_refused(
    settings: Callable[..., RoundsConfig], world: World, tmp_path: Path
) -> None:
    bare, broken, guarded = (tmp_path / f"{name}.jsonl" for name in ("bare", "broken", "guarded"))
    bare.write_text(json.dumps({"question": question(5)}) + "\n")
    broken.write_text("{\n")
    write_jsonl(guarded, [{"question": question(number)} for number in (3, 4)])
    train = {**settings().train.model_dump(mode="json"), "test_sets": [str(guarded)]}
    for changes, said in (
        ({"problems": str(bare)}, "no gold answer"),
        ({"validation": str(bare)}, "no gold answer"),
        ({"problems": str(broken)}, "broken.jsonl:1"),
        ({"train": train}, "may be trained on"),
        ({"problems": str(tmp_path / "exam.jsonl")}, "may be trained on"),
        ({"problems": "gsm9k"}, "gsm9k"),
    ):
        with pytest.raises(DataError, match=said):
            list(run(settings(**changes), tmp_path / "out", world.hands, data=tmp_path))
        assert not (tmp_path / "out").exists()


def test_who_runs_rounds_hears_first_which_test_sets_are_not_at_hand(
    settings: Callable[..., RoundsConfig], world: World, tmp_path: Path
) -> None:
    heard = list[tuple[tuple[str, ...], int]]()
    hands = replace(world.hands, unchecked=lambda missing: heard.append((tuple(missing), len(world.loaded))))
    next(run(settings(), tmp_path / "out", hands, data=tmp_path))
    assert heard == [(("gsm8k", "svamp", "strategyqa"), 0)]


def test_a_round_reads_back_as_it_was_written(settings: Callable[..., RoundsConfig], world: World, tmp_path: Path) -> None:
    *_, last = run(settings(rounds=1), tmp_path / "out", world.hands, data=tmp_path)
    assert Round.read(tmp_path / "out" / "round-1" / "round.json") == last


def test_a_missing_student_is_said_before_anything_is_sampled(settings: Callable[..., RoundsConfig], tmp_path: Path) -> None:
    hands = Hands(Orchestrator.from_pretrained, lambda mix, folder: folder, World().tally)
    with pytest.raises(ModelError, match="no model folder"):
        list(run(settings(student="nowhere"), tmp_path / "out", hands, data=tmp_path))


def test_the_experiments_parse_and_say_question_and_command() -> None:
    files = sorted((Path(__file__).parent.parent / "experiments" / "rounds").glob("*.yaml"))
    assert len(files) == 4
    for file in files:
        config.load(RoundsConfig, file)
        head = file.read_text(encoding="utf-8")
        assert "# Question:" in head and f"--config experiments/rounds/{file.name}" in head, file
