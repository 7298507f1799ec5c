"""Which traces a student learns from.

In: a `TrainConfig`'s sources, the style, the role, a data folder. Out: `Mix`: the traces in training order, and how many
were used and refused, by reason. Test problems are an error and validation problems are left out, by their ids and, in files
that are not of the same benchmark, by their text. Traces that are like a test problem are refused, and those whose answer is
not the gold one (see leakage, config). A bar for each source. Knows nothing of tokens, models or run folders.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from socratic import benchmarks, curriculum, filters
from socratic.answers import normal_answer, same_answer
from socratic.arithmetic import Known, check_solution, equations, number_text
from socratic.bars import counted
from socratic.config import DataSource, TrainConfig
from socratic.dialect import GUIDED, Guidance, Numbers, Solutions, Style
from socratic.earlier import ask_earlier
from socratic.errors import ConfigError, DataError, NoDataError
from socratic.leakage import Guard, LeakReport, is_excused, is_test, load_guard, set_name
from socratic.redraw import Plan
from socratic.resample import align
from socratic.schema import Badge, Ended, Problem, Step, Trace, Training, badge

ASKING = frozenset({Training.DECOMPOSER, Training.QUESTIONS, Training.UNIFIED, Training.BASE})  # who writes subquestions


class Refused(StrEnum):
    """Why a trace is not trained on."""

    UNFINISHED = "unfinished"
    VALIDATION = "in the validation slice"
    WRONG_STEP = "wrong or unreadable equation"
    UNGROUNDED = "an operand of a curriculum equation comes from nowhere"
    NO_STEP = "no step that computes"
    NO_QUESTION = "a step without a subquestion"
    WRONG_ANSWER = "last result is not the answer"
    NOT_GOLD = "the answer is not the gold one"
    NO_ANSWER = "no answer that could be compared"
    LEAK = "like a test or validation problem"
    NOT_EARLIER = "no earlier step answers a question that stands alone"
    STEPS = "fewer or more steps than the source asks for"


@dataclass(frozen=True, slots=True)
class Mix:
    """Traces in training order; `used` counts them by data set, `refused` by reason; `leaks`: what is like a test problem."""

    traces: list[Trace]
    used: Counter[str]
    refused: Counter[Refused]
    leaks: LeakReport


def training_mix(settings: TrainConfig, style: Style, training: Training, *, data: Path | None) -> Mix:
    """Read all sources: shuffled by the seed, or with fewer steps first. Raises DataError."""
    guard = load_guard(data, settings.test_sets, validation=True)
    mix = Mix([], Counter(), Counter(), LeakReport.of(guard))
    for source in settings.data:
        looks, start = random.Random(source.seed), len(mix.traces)
        for trace in _read(source, data):
            kept = _wanted(trainable(trace, style, training), source, looks)
            if isinstance(kept, Trace) and _leaks(kept.problem, guard, mix.leaks, allowed=settings.leakage == "allow"):
                kept = Refused.LEAK
            if isinstance(kept, Refused):
                mix.refused[kept] += 1
                continue
            mix.used[kept.problem.dataset] += source.repeat
            mix.traces.extend(curriculum.dressed(kept, looks) if source.curriculum else kept for _ in range(source.repeat))
            for copy in _resampled(kept, source):
                if _leaks(copy.problem, guard, mix.leaks, allowed=settings.leakage == "allow"):
                    mix.refused[Refused.LEAK] += 1
                else:
                    mix.used[f"{copy.problem.dataset} resampled"] += 1
                    mix.traces.append(copy)
        if source.visits:
            _balance(mix, start, source)
    _put_in_order(mix, settings)
    return mix


def style_of(settings: TrainConfig, training: Training) -> Style:
    """The dialect that a student learns in. Raises ConfigError where its role has no use for what the settings say."""
    told = settings.guidance if training in GUIDED else Guidance.NONE  # one file serves a pair, whose solver is told nothing
    style = Style.of(**settings.style.model_dump(), guidance=told)
    if training is Training.ANSWER and style.numbers is Numbers.MASKED:
        hint = "style: {numbers: digits}, or references"
        raise ConfigError("an answer-only student cannot learn answers from a text whose digits are masked", hint=hint)
    if training is Training.PLANNER and style.guidance is Guidance.NONE:
        raise ConfigError("a planner needs something to plan", hint="guidance: steps, operators or equations")
    if training in (Training.ANSWER, Training.COT, Training.BASE) and settings.guidance != "none":
        raise ConfigError(f"nothing guides '{training.value}' students, found guidance: {settings.guidance}", hint="leave it out")
    return style


def files(sources: Iterable[DataSource], data: Path | None) -> dict[str, str]:
    """The sha256 of what sources are read from.

    Raises NoDataError for a file that is missing, DataError for one that is not the published one.
    """
    found = dict[str, str]()
    for source in sources:
        if source.curriculum:
            found["curriculum"] = curriculum.sha256()
        elif source.benchmark:
            found |= benchmarks.checksums(source.benchmark, "train", data=data)
        elif source.traces:
            found[str(source.traces)] = _sum(source.traces)
    return found


def _sum(path: Path) -> str:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        hint = "the experiment's first lines say what makes it"
        raise NoDataError(f"no traces at {path} ({error.strerror})", hint=hint) from error


def changed(sources: Iterable[DataSource], told: Mapping[str, str], data: Path | None) -> list[str]:
    """The files of sources that are others than when these sums were taken; one that is gone is not among them.

    Raises DataError for a file that is not the published one.
    """
    found = dict[str, str]()
    for source in sources:
        with suppress(NoDataError):
            found |= files([source], data)
    return [name for name, value in found.items() if told.get(name, value) != value]


def _balance(mix: Mix, start: int, source: DataSource) -> None:
    """Put visits in the place of a source's traces, which are those from `start`."""
    found = mix.traces[start:]
    mix.traces[start:] = filters.balanced(found, source.visits, source.seed)
    mix.used.subtract(trace.problem.dataset for trace in found)
    mix.used.update(trace.problem.dataset for trace in mix.traces[start:])


def _put_in_order(mix: Mix, settings: TrainConfig) -> None:
    if not mix.traces:
        reasons = "; ".join(f"{count}: {reason}" for reason, count in mix.refused.most_common())
        raise DataError(f"no trace is left to learn from ({reasons or 'the sources are empty'})", hint="look at `data`")
    random.Random(settings.seed).shuffle(mix.traces)
    if settings.order == "easy_first":
        mix.traces.sort(key=lambda trace: len(trace.steps))


def _wanted(kept: Trace | Refused, source: DataSource, rng: random.Random) -> Trace | Refused:
    """What a source lets through of the traces that could be learned from, with the question that it asks."""
    fewest, most = source.steps
    if source.wrong_answers == "refused" and isinstance(kept, Trace) and _misses_gold(kept):
        return Refused.NOT_GOLD
    if source.ask == "earlier" and isinstance(kept, Trace):
        kept = ask_earlier(kept, rng) or Refused.NOT_EARLIER
    return kept if isinstance(kept, Refused) or fewest <= len(kept.steps) <= most else Refused.STEPS


def _misses_gold(trace: Trace) -> bool:
    """Whether it states another answer than the gold one, which is read as leniently as where students are graded."""
    answer, gold = trace.answer, trace.problem.answer
    if answer is None or gold is None or answer == gold:
        return False
    try:
        return not same_answer(answer, gold, lenient=True)
    except DataError:  # a gold answer of no kind: nobody can say that this one is right
        return True


def _resampled(trace: Trace, source: DataSource) -> Iterator[Trace]:
    """Copies with other numbers, as many as the source asks for and the numbers allow, no two alike."""
    plan, seen = align(trace) if source.resampled else None, {trace.problem.question}
    if not isinstance(plan, Plan):
        return
    for number in range(1, source.resampled + 1):
        copy = plan.draw(random.Random(f"{source.seed} {trace.problem.id} {number}"))
        if copy and copy.problem.question not in seen:
            seen.add(copy.problem.question)
            yield replace(copy, problem=replace(copy.problem, id=f"{trace.problem.id}-r{number}"))


def _leaks(problem: Problem, guard: Guard, report: LeakReport, *, allowed: bool) -> bool:
    """Whether a problem is refused for its likeness to a test problem; either way it is counted."""
    own = set_name(problem)
    if own in guard.sets:  # SVAMP's 700, which are test problems to every other source
        report.own[own] += 1
    leak = guard.leak(problem.question, own=own)
    if leak is None:
        return False
    refused = not allowed and not is_excused(leak, problem)
    report.add(problem, leak, refused=refused)
    return refused


def _read(source: DataSource, data: Path | None) -> Iterator[Trace]:
    for trace in counted(*_found(source, data)):
        _refuse_test(trace.problem)
        yield trace


def _found(source: DataSource, data: Path | None) -> tuple[Iterable[Trace], str, int]:
    """A source's traces, the curriculum's drawn only as they are taken; what it is called, and how many they are."""
    if source.curriculum:
        return _drawn(source), "mixing the curriculum", source.curriculum
    if source.benchmark:
        traces = benchmarks.traces(source.benchmark, "train", data=data)
        return traces, f"mixing {source.benchmark}", len(traces)
    assert source.traces is not None  # config: exactly one of three
    samples = filters.read(source.traces)
    kept = filters.select(samples, source.filter, seed=source.seed) if source.filter else samples
    return (sample.trace for sample in kept), f"mixing {source.traces.name}", len(kept)


def _drawn(source: DataSource) -> Iterator[Trace]:
    families, _ = curriculum.held_out(curriculum.load_families())
    if source.share < 1:
        families = curriculum.some(families, source.share)
    further = curriculum.load_continuations()
    return curriculum.draw_many(families, source.curriculum, source.seed, source.parts, further)


def _refuse_test(problem: Problem) -> None:
    if is_test(problem):
        raise DataError(
            f"'{problem.id}' is a test problem (dataset '{problem.dataset}', split '{problem.split}')",
            hint="nothing is trained on test problems; remove them from the source",
        )


def trainable(trace: Trace, style: Style, training: Training) -> Trace | Refused:
    """The trace as a student learns it, or why not.

    A solver can do without subquestions, which SVAMP and MAWPS lack but for the last; who writes them can't. To who writes
    the answer alone, the steps don't matter. A trace that states no answer must lead to the gold one; whether a stated one
    is gold its source decides.
    """
    if trace.ended is not Ended.DONE:
        return Refused.UNFINISHED
    if benchmarks.is_validation(trace.problem):
        return Refused.VALIDATION
    if training is Training.ANSWER:
        return _answered(trace)
    known = Known.of(trace.problem.question)
    for step in trace.steps:
        checks, known = check_solution(step.solution, known)
        if checks and badge(checks) in (Badge.WRONG, Badge.UNCHECKABLE):
            return Refused.WRONG_STEP
        if badge(checks) is Badge.UNGROUNDED and trace.source.kind == "curriculum":
            return Refused.UNGROUNDED  # halves, mostly: the families can always draw a problem that can be learned
    learned = as_learned(trace, style)
    if not learned.steps:
        return Refused.NO_STEP
    if training in ASKING and not all(step.question.strip() for step in learned.steps):
        return Refused.NO_QUESTION
    answer = trace.problem.answer if trace.answer is None else trace.answer
    if answer is not None and not _is_answer(known, learned.steps[-1], answer):
        return Refused.WRONG_ANSWER
    return learned


def as_learned(trace: Trace, style: Style) -> Trace:
    """The trace with the steps that a student of this style writes.

    Sentence students skip empty solutions. Equation students skip what computes nothing, such as `<<2=2>>`, save where it
    states the last result.
    """
    if style.solutions is Solutions.SENTENCE:
        return replace(trace, steps=tuple(step for step in trace.steps if step.solution.strip()))
    stating = [step for step in trace.steps if equations(step.solution)]
    computing = [step for step in stating if any(_OPERATOR.search(text) for text, _ in equations(step.solution))]
    is_whole = bool(computing) and _last_result(computing) == _last_result(stating)
    return replace(trace, steps=tuple(computing if is_whole else stating))


_OPERATOR = re.compile(r"[\d.%)]\s*[-+*/]|ceil|floor")


def _last_result(steps: Sequence[Step]) -> str:
    return equations(steps[-1].solution)[-1][1]


def _answered(trace: Trace) -> Trace | Refused:
    try:
        return replace(trace, answer=normal_answer(trace.problem.answer or trace.answer or ""))
    except DataError:
        return Refused.NO_ANSWER


def _is_answer(known: Known, last: Step, answer: str) -> bool:
    """Whether the last result, or the last step's answer where nothing was computed, is the answer."""
    try:
        return same_answer(number_text(known.results[-1]) if known.results else last.answer, answer)
    except DataError:  # of no kind that can be compared
        return False
