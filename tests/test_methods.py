"""Every method of the papers, run by students that write exactly what training would teach them, and by tiny random ones.

In: drawn traces and a few written here. Out: pass or fail. `TaughtEngine` knows the lessons of one role by heart: it goes on
where a prompt is the beginning of a lesson, and fails the test where it is none. So these tests see any drift between what a
student learns and what it reads and writes later.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from socratic import benchmarks, models
from socratic.dataset import IGNORED, Example, examples
from socratic.decomposer import Decomposer
from socratic.dialect import ASK, GUIDED, Guidance, Numbers, Solutions, Style
from socratic.engines import Completion, Prompt
from socratic.errors import ConfigError, DataError, UsageError
from socratic.evaluate import evaluate, grade
from socratic.methods import Method, Plan, Student, Way, assemble, reasoner, reasoning
from socratic.mix import as_learned, trainable
from socratic.orchestrator import Orchestrator
from socratic.schema import Decoding, Ended, Problem, Source, Step, Trace, Training
from socratic.solver import Solver
from socratic.vocabulary import Vocabulary
from socratic.voting import Vote

STYLES = [Style(numbers, solutions) for numbers in Numbers for solutions in Solutions]
SOCRATIC = (Method.UNIFIED, Method.AT_ONCE, Method.LOCKSTEP)
WAYS = [Way(method) for method in Method]
WAYS += [Way(method, guidance, plan) for method in SOCRATIC for guidance in Guidance if guidance != "none" for plan in Plan]
Students = dict[Training, Student]


def fact(question: str, solution: str, answer: str = "") -> Step:
    return Step(question, solution, answer)


def verbal(id_: str, question: str, answer: str, *facts: tuple[str, str]) -> Trace:
    """A problem as StrategyQA's: facts that compute nothing, then the answer."""
    steps = [fact(asked, said) for asked, said in facts[:-1]]
    last = fact(facts[-1][0], f"{facts[-1][1]} So the answer is {answer}.", answer)
    return Trace(Problem(id_, question, answer), (*steps, last), answer, Ended.DONE, Source("human", ""))


VERBAL = [
    verbal(
        "v-0",
        "Could a llama birth twice during the War in Vietnam (1945-46)?",
        "no",
        ("How long did the war last?", "The war lasted for 6 months."),
        ("How long is a llama with young?", "That takes a llama eleven months."),
        ("Is it less than half of the first?", "Two times that is far too long."),
    ),
    verbal("v-1", "Can a penguin fly?", "no", ("Are its wings for flying?", "It swims with its wings.")),
    verbal("v-2", "Is ice cold?", "yes", ("What is ice?", "Ice is frozen water"), ("Is that cold?", "Frozen water is cold.")),
]


class TaughtEngine:
    """Continues lessons that it knows by heart; remembers which tokens it wrote."""

    context = 4096

    def __init__(self, vocabulary: Vocabulary, lessons: Iterable[Sequence[int]]) -> None:
        self.vocabulary = vocabulary
        self.lessons = [tuple(ids) for ids in lessons]
        self.written = set[tuple[int, int]]()  # lesson, place
        self.read_last = set[tuple[int, int]]()  # where prompts ended

    def complete(
        self, prompts: Sequence[Prompt], *, stop: frozenset[int], max_tokens: int, decoding: Decoding
    ) -> list[Completion]:
        return [Completion(self._continue(prompt, stop)[:max_tokens], 0.0) for prompt in prompts]

    def _continue(self, prompt: Prompt, stop: frozenset[int]) -> list[int]:
        start = len(prompt.ids)
        number = next((i for i, ids in enumerate(self.lessons) if ids[:start] == prompt.ids), None)
        assert number is not None, f"never read in training: {self.vocabulary.decode(prompt.ids)}"
        rest = self.lessons[number][start:]
        end = next(place for place, token in enumerate(rest) if token in stop) + 1
        assert not prompt.banned & set(rest[:end]), "a student must be free to write what it learned"
        self.written |= {(number, start + place) for place in range(end)}
        self.read_last.add((number, start - 1))
        return list(rest[:end])


class Lessons:
    """Makes students that were taught the traces as `train` does it; the same lessons are made once."""

    def __init__(self, traces: Sequence[Trace], vocabulary: Vocabulary) -> None:
        self.traces, self.vocabulary, self.made = traces, vocabulary, dict[tuple[Training, Style], list[Example]]()
        self.problems = [trace.problem for trace in traces]
        self.gold = {trace.problem.id: trace for trace in traces}

    def of(self, training: Training, style: Style) -> list[Example]:
        if (training, style) not in self.made:
            learned = [trainable(trace, style, training) for trace in self.traces]
            assert all(isinstance(trace, Trace) for trace in learned)
            taken = (trace for trace in learned if isinstance(trace, Trace))
            self.made[training, style] = list(examples(taken, self.vocabulary, style, training))
        return self.made[training, style]

    def students(self, way: Way, style: Style) -> Students:
        return {training: self.student(training, style, way.guidance) for training in way.trainings()}

    def student(self, training: Training, style: Style, guidance: Guidance) -> Student:
        own = replace(style, guidance=guidance if training in GUIDED else Guidance.NONE)
        return Student(TaughtEngine(self.vocabulary, [example.ids for example in self.of(training, own)]), own)

    def supervised(self, training: Training, style: Style) -> set[tuple[int, int]]:
        lessons = enumerate(self.of(training, style))
        return {(n, place) for n, example in lessons for place, label in enumerate(example.labels) if label != IGNORED}


@pytest.fixture(scope="module")
def sums(traces: list[Trace], vocabulary: Vocabulary) -> Lessons:
    """Lessons of curriculum problems, the first with a step more that an equation student skips."""
    first, *rest = [trace for trace in traces if len(trace.steps) > 1][:5]
    two = fact("How many is two?", "Two is <<2=2>>2.", "2")
    longer = replace(first, steps=(two, *first.steps), source=Source("human", ""))  # a curriculum's must be grounded
    return Lessons([longer, *rest], vocabulary)


@pytest.fixture(scope="module")
def verbals(vocabulary: Vocabulary) -> Lessons:
    return Lessons(VERBAL, vocabulary)


def can_learn(method: Method, style: Style, *, verbal: bool) -> bool:
    """Answers are not learned from masked digits; whoever writes solutions needs sentences for yes and no."""
    if method is Method.ANSWER_ONLY:
        return style.numbers is not Numbers.MASKED
    return style.solutions is Solutions.SENTENCE or not verbal


TAUGHT = [
    pytest.param(way, style, verbal, id=f"{way}-{style.numbers}-{style.solutions}{'-verbal' * verbal}")
    for way in WAYS
    for style in STYLES
    for verbal in (False, True)
    if can_learn(way.method, style, verbal=verbal)
]


@pytest.mark.parametrize(("way", "style", "verbal"), TAUGHT)
def test_a_student_writes_what_it_was_supervised_on_and_nothing_else(
    way: Way, style: Style, verbal: bool, sums: Lessons, verbals: Lessons
) -> None:
    lessons = verbals if verbal else sums
    students = lessons.students(way, style)
    found = Orchestrator(*assemble(way, students, gold=lessons.gold)).solve_many(lessons.problems)
    assert [trace.ended for trace in found] == [Ended.DONE] * len(found)
    assert all(map(grade, found))
    for training, student in students.items():
        assert isinstance(student.engine, TaughtEngine)
        learned = lessons.supervised(training, student.style)
        given = (student.engine.read_last - student.engine.written) & learned  # a turn's opening mark, where no other could stand
        assert student.engine.written | given == learned, training
        assert {lessons.of(training, student.style)[n].ids[place] for n, place in given} <= {lessons.vocabulary.ids[ASK]}


@pytest.mark.parametrize("method", Method)
def test_the_steps_come_back_and_are_one_where_nothing_was_asked(method: Method, sums: Lessons) -> None:
    students = sums.students(Way(method), Style(Numbers.DIGITS))
    found = Orchestrator(*assemble(Way(method), students)).solve_many(sums.problems)
    learned = [as_learned(trace, Style()) for trace in sums.traces]
    alone = method in (Method.ANSWER_ONLY, Method.COT)
    assert [[step.question for step in trace.steps] for trace in found] == [
        [""] if alone else [step.question for step in trace.steps] for trace in learned
    ]
    if method is not Method.ANSWER_ONLY:
        stated = [[check.stated for step in trace.steps for check in step.checks] for trace in found]
        assert stated == [[check.computed for step in trace.steps for check in step.checks] for trace in learned]


def test_a_student_taught_the_answers_of_other_problems_is_wrong(sums: Lessons, vocabulary: Vocabulary) -> None:
    others = [*sums.traces[1:], sums.traces[0]]
    assert not any(one.answer == other.answer for one, other in zip(sums.traces, others, strict=True))
    turned = [
        replace(one, problem=replace(one.problem, answer=other.answer)) for one, other in zip(sums.traces, others, strict=True)
    ]
    way = Way(Method.ANSWER_ONLY)
    students = Lessons(turned, vocabulary).students(way, Style(Numbers.DIGITS))
    found = Orchestrator(*assemble(way, students)).solve_many(sums.problems)
    assert not any(map(grade, found))


@pytest.mark.skipif("SOCRATIC_DATA" not in os.environ, reason="SOCRATIC_DATA is not set: no GSM8K here")
def test_gold_traces_score_100_percent_on_gsm8k_and_shuffled_ones_nearly_none(tmp_path: Path) -> None:
    gold = benchmarks.traces("gsm8k", "test")
    others = [trace.answer for trace in gold]
    random.Random(0).shuffle(others)
    shuffled = [replace(trace, answer=answer) for trace, answer in zip(gold, others, strict=True)]
    for traces, least, most in ((gold, 1.0, 1.0), (shuffled, 0.0, 0.03)):
        about = {"dataset": "gsm8k", "model": "gold", "calculator": True, "predictions": tmp_path / "gold.jsonl"}
        report = evaluate(lambda problems, traces=traces: iter(traces), [trace.problem for trace in traces], **about)
        assert report.n == 1319 and least <= report.accuracy <= most


def voted(lessons: Lessons, way: Way, style: Style) -> list[Vote]:
    orchestrator = Orchestrator(*assemble(way, lessons.students(way, style)))
    votes = list(reasoning(orchestrator, samples=3, decoding=Decoding())(lessons.problems))
    return [found for found in votes if isinstance(found, Vote)]


@pytest.mark.parametrize("method", Method)
def test_every_method_votes_on_numbers_and_on_yes_and_no(method: Method, sums: Lessons, verbals: Lessons) -> None:
    for lessons in (sums, verbals):
        votes = voted(lessons, Way(method), Style(Numbers.DIGITS, Solutions.SENTENCE))
        assert [found.agreeing for found in votes] == [3] * len(lessons.problems)
        assert all(grade(found.trace) for found in votes)


# What is asked for, and what is refused


def test_learned_plans_need_a_planner_and_gold_ones_none() -> None:
    for method in SOCRATIC:
        own = Way(method, Guidance.NONE, Plan.LEARNED).trainings()
        assert Way(method, Guidance.OPERATORS, Plan.GOLD).trainings() == own
        assert Way(method, Guidance.OPERATORS, Plan.LEARNED).trainings() == (*own, Training.PLANNER)
        assert len(own) == (1 if method is Method.UNIFIED else 2)


@pytest.mark.parametrize("method", [Method.ANSWER_ONLY, Method.COT])
@pytest.mark.parametrize("plan", Plan)
def test_nothing_guides_who_asks_nothing(method: Method, plan: Plan) -> None:
    with pytest.raises(ConfigError, match="nothing guides"):
        Way(method, Guidance.STEPS, plan).trainings()


def test_an_oracle_is_called_one() -> None:
    assert len(set(map(str, WAYS))) == len(WAYS)
    assert {"oracle" in str(way) for way in WAYS if way.guidance is not Guidance.NONE and way.plan is Plan.GOLD} == {True}
    assert {"oracle" in str(way) for way in WAYS if way.guidance is Guidance.NONE or way.plan is Plan.LEARNED} == {False}


def test_gold_guidance_without_gold_is_refused(sums: Lessons) -> None:
    way = Way(Method.LOCKSTEP, Guidance.STEPS)
    students = sums.students(way, Style())
    with pytest.raises(ConfigError, match="gold"):
        assemble(way, students)
    pair = assemble(way, students, gold={})
    with pytest.raises(DataError, match=f"'{sums.problems[0].id}' has no gold solution"):
        Orchestrator(*pair).solve(sums.problems[0])


def test_a_guided_student_without_plans_says_so(sums: Lessons) -> None:
    student = sums.student(Training.UNIFIED, Style(), Guidance.STEPS)
    lone = Orchestrator(Decomposer(student.engine, student.style), Solver(student.engine, student.style))
    with pytest.raises(UsageError, match="told the steps"):
        lone.solve(sums.problems[0])


def test_students_of_another_guidance_or_number_style_are_refused(sums: Lessons) -> None:
    way = Way(Method.LOCKSTEP, Guidance.OPERATORS, Plan.LEARNED)
    masked = sums.students(way, Style())
    with pytest.raises(ConfigError, match="trained with guidance 'operators', expected 'steps'"):
        assemble(Way(Method.LOCKSTEP, Guidance.STEPS), masked, gold={})
    mixed = {**masked, Training.PLANNER: sums.student(Training.PLANNER, Style(Numbers.DIGITS), way.guidance)}
    with pytest.raises(ConfigError, match="different styles"):
        assemble(way, mixed)


# From folders


@pytest.fixture(scope="module")
def folder(new_gpt2: Callable[[], Any], vocabulary: Vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a folder with the tiny random GPT-2 as a student of some role."""

    def make(training: Training, guidance: Guidance = Guidance.NONE) -> Path:
        path = tmp_path_factory.mktemp(training.value)
        style = {"numbers": "digits", "solutions": "equation", "results": "inserted", "guidance": guidance.value}
        models.save(new_gpt2(), path, vocabulary=vocabulary, about={"role": training.value, "style": style})
        return path

    return make


def folders(make: Callable[..., Path], way: Way) -> Mapping[Training, Path]:
    return {training: make(training, way.guidance if training in GUIDED else Guidance.NONE) for training in way.trainings()}


def ends(found: Iterable[Any]) -> list[Any]:
    return [(trace.steps, trace.answer, trace.ended, trace.source.name) for trace in found]


RANDOM = [*map(Way, Method), Way(Method.AT_ONCE, Guidance.EQUATIONS, Plan.LEARNED)]


@pytest.mark.parametrize("way", RANDOM, ids=str)
def test_a_random_student_ends_every_trace_and_batches_change_nothing(
    way: Way, sums: Lessons, folder: Callable[..., Path]
) -> None:
    made = folders(folder, way)
    problems = sums.problems[:4]
    found = [ends(reasoner(way, made, batch_size=size)(problems)) for size in (1, 4)]
    assert found[0] == found[1]
    assert all(ended and name == str(way) for _, _, ended, name in found[0])


def test_a_missing_student_and_one_of_another_role_are_named(folder: Callable[..., Path]) -> None:
    cot = folder(Training.COT)
    with pytest.raises(ConfigError, match="needs students for solver"):
        reasoner(Way(Method.LOCKSTEP), {Training.DECOMPOSER: cot})
    with pytest.raises(ConfigError, match="trained as 'cot', expected 'answer'"):
        reasoner(Way(Method.ANSWER_ONLY), {Training.ANSWER: cot})


def test_a_unified_student_can_be_both_of_a_pair(folder: Callable[..., Path], sums: Lessons) -> None:
    both = folder(Training.UNIFIED)
    problems = sums.problems[:2]
    pair = reasoner(Way(Method.LOCKSTEP), {Training.DECOMPOSER: both, Training.SOLVER: both})(problems)
    one = reasoner(Way(Method.UNIFIED), {Training.UNIFIED: both})(problems)
    assert [found[:3] for found in ends(pair)] == [found[:3] for found in ends(one)]
