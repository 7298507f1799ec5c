"""Properties of mix.py. Run: pytest tests/test_mix.py"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from socratic import benchmarks, curriculum
from socratic.config import DataSource, TrainConfig
from socratic.curriculum import Family
from socratic.dialect import Solutions, Style
from socratic.errors import DataError
from socratic.jsonl import write_jsonl
from socratic.leakage import Likeness
from socratic.mix import Mix, Refused, files, trainable, training_mix
from socratic.mix import changed as changed_files
from socratic.schema import Ended, Problem, Source, Step, Trace, Training

EQUATION, SENTENCE = Style(), Style(solutions=Solutions.SENTENCE)
PROBLEM = Problem("user-1", "Ann has 12 apples and buys 8 more. She eats 5. How many are left?", "15")
FIRST = Step("How many apples does she have before she eats?", "She has <<12+8=20>>20 apples.", "20")
LAST = Step("How many are left?", "She has <<20-5=15>>15 apples left.", "15")
GOOD = Trace(PROBLEM, (FIRST, LAST), "15", Ended.DONE, Source("teacher", "scripted"))


def mixed(*sources: DataSource, training: Training = Training.UNIFIED, data: Path | None = None, **settings: object) -> Mix:
    return training_mix(TrainConfig.model_validate({"data": sources, **settings}), EQUATION, training, data=data)


def stored(traces: Iterable[Trace], path: Path) -> DataSource:
    write_jsonl(path, (trace.to_dict() for trace in traces))
    return DataSource(traces=path)


def test_what_is_learned_from_is_told_by_its_sums(traces: list[Trace], tmp_path: Path) -> None:
    drawn, one, other = DataSource(curriculum=1), stored(traces[:1], tmp_path / "a.jsonl"), stored(traces, tmp_path / "b.jsonl")
    sums = files([drawn, one, other], None)
    assert sums.keys() == {"curriculum", str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")}
    assert len(set(sums.values())) == 3
    stored(traces, tmp_path / "a.jsonl")
    assert files([one], None)[str(one.traces)] == sums[str(other.traces)]
    with pytest.raises(DataError, match="no traces at"):
        files([DataSource(traces=tmp_path / "none.jsonl")], None)


def test_files_that_changed_are_named_and_those_that_are_gone_are_not(traces: list[Trace], tmp_path: Path) -> None:
    one, other = stored(traces[:1], tmp_path / "a.jsonl"), stored(traces, tmp_path / "b.jsonl")
    told = files([one, other], None)
    assert changed_files([one, other], told, None) == []
    stored(traces[:2], tmp_path / "a.jsonl")
    (tmp_path / "b.jsonl").unlink()
    assert changed_files([one, other], told, None) == [str(tmp_path / "a.jsonl")]
    assert changed_files([one, other], {}, None) == [], "of a run that kept no sums nothing can be said"


def test_each_source_has_a_bar_that_goes_whatever_ends_it(
    traces: list[Trace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "120"}.items():  # as to a person
        monkeypatch.setenv(name, value)
    mixed(DataSource(curriculum=3), stored(traces[:5], tmp_path / "a.jsonl"))
    bars = capsys.readouterr().err
    for said in ("reading a.jsonl", "mixing a.jsonl", "5/5", "mixing the curriculum", "3/3"):
        assert said in bars
    exam = stored([replace(GOOD, problem=replace(PROBLEM, split="test"))], tmp_path / "exam.jsonl")
    with pytest.raises(DataError) as caught:
        mixed(exam)
    assert caught.traceback and capsys.readouterr().err.endswith("\x1b[2K"), "the line is cleared before the error is said"


# What can be learned


@pytest.mark.parametrize("training", Training)
@pytest.mark.parametrize("style", [EQUATION, SENTENCE])
def test_good_trace_is_learned_as_it_is(style: Style, training: Training) -> None:
    assert trainable(GOOD, style, training) == GOOD


def changed(answer: str | None = "15", steps: tuple[Step, ...] = (FIRST, LAST), kind: str = "teacher") -> Trace:
    return Trace(replace(PROBLEM, answer=answer), steps, answer, Ended.DONE, Source(kind, "scripted"))


WRONG = replace(FIRST, solution="She has <<12+8=21>>21 apples.")
UNREADABLE = replace(FIRST, solution="She has <<12 plus 8=20>>20 apples.")
NOWHERE = replace(LAST, solution="She has <<20-9+4=15>>15 apples left.")
UNASKED = replace(FIRST, question=" ")
VERBAL = Step("Are there enough?", "Yes, there are enough.", "yes")


@pytest.mark.parametrize(
    ("trace", "reason"),
    [
        (replace(GOOD, ended=None), Refused.UNFINISHED),
        (replace(GOOD, ended=Ended.STEP_LIMIT), Refused.UNFINISHED),
        (changed(steps=(WRONG, LAST)), Refused.WRONG_STEP),
        (changed(steps=(UNREADABLE, LAST)), Refused.WRONG_STEP),
        (changed(steps=(FIRST, NOWHERE), kind="curriculum"), Refused.UNGROUNDED),
        (changed(steps=()), Refused.NO_STEP),
        (changed(steps=(VERBAL,), answer="yes"), Refused.NO_STEP),
        (changed(steps=(UNASKED, LAST)), Refused.NO_QUESTION),
        (changed(answer="16"), Refused.WRONG_ANSWER),
        (changed(answer="blue"), Refused.WRONG_ANSWER),
    ],
    ids=lambda value: value.name if isinstance(value, Refused) else "",
)
def test_trace_is_refused_for_its_fault(trace: Trace, reason: Refused) -> None:
    assert trainable(trace, EQUATION, Training.UNIFIED) is reason


def test_people_s_operands_from_nowhere_are_taken() -> None:
    assert trainable(changed(steps=(FIRST, NOWHERE)), EQUATION, Training.UNIFIED) == changed(steps=(FIRST, NOWHERE))


def test_only_a_solver_learns_from_steps_without_a_subquestion() -> None:
    trace = changed(steps=(UNASKED, LAST))
    assert trainable(trace, EQUATION, Training.SOLVER) == trace
    assert trainable(trace, EQUATION, Training.DECOMPOSER) is Refused.NO_QUESTION


def test_equation_students_skip_steps_that_compute_nothing_and_sentence_students_keep_them() -> None:
    trace = changed(steps=(FIRST, replace(VERBAL, question=""), LAST))
    assert trainable(trace, EQUATION, Training.UNIFIED) == GOOD
    assert trainable(trace, SENTENCE, Training.SOLVER) == trace


STATED = replace(FIRST, solution="There are <<12=12>>12 apples, and <<(8)=8>>8 more.", answer="8")
RESTATED = replace(LAST, question="How many is that?", solution="That is <<15=15>>15.")
NEGATED = replace(FIRST, solution="That is <<-(12-20)=8>>8, and <<ceil(7.5)=8>>8.", answer="8")


def test_equation_students_skip_equations_of_one_number_and_sentence_students_keep_them() -> None:
    trace = changed(steps=(STATED, FIRST, LAST, RESTATED))
    assert trainable(trace, EQUATION, Training.UNIFIED) == GOOD
    assert trainable(trace, SENTENCE, Training.UNIFIED) == trace


@pytest.mark.parametrize("steps", [(RESTATED,), (STATED, RESTATED), (FIRST, RESTATED), (FIRST, NEGATED, LAST)])
def test_equations_of_one_number_stay_where_the_answer_hangs_on_them(steps: tuple[Step, ...]) -> None:
    assert trainable(changed(steps=steps), EQUATION, Training.UNIFIED) == changed(steps=steps)


def test_sentence_students_skip_steps_without_a_solution() -> None:
    trace = changed(steps=(replace(FIRST, solution=" "), VERBAL), answer="yes")
    assert trainable(trace, SENTENCE, Training.UNIFIED) == changed(steps=(VERBAL,), answer="yes")


def test_who_writes_the_answer_alone_needs_an_answer_and_no_steps() -> None:
    gold = changed(answer="$1,500", steps=(WRONG,))
    assert trainable(gold, EQUATION, Training.ANSWER) == replace(gold, answer="1500")
    assert trainable(replace(gold, answer="7"), EQUATION, Training.ANSWER) == replace(gold, answer="1500")
    for answer in (None, "blue"):
        assert trainable(changed(answer=answer), EQUATION, Training.ANSWER) is Refused.NO_ANSWER


def test_only_who_asks_needs_subquestions() -> None:
    trace = changed(steps=(UNASKED, LAST))
    refused = {training for training in Training if trainable(trace, EQUATION, training) is Refused.NO_QUESTION}
    assert refused == {Training.DECOMPOSER, Training.QUESTIONS, Training.UNIFIED, Training.BASE}


def test_sentence_students_learn_answers_that_are_no_numbers() -> None:
    trace = changed(steps=(VERBAL,), answer="yes")
    assert trainable(trace, SENTENCE, Training.UNIFIED) == trace
    assert trainable(changed(steps=(VERBAL,), answer="no"), SENTENCE, Training.UNIFIED) is Refused.WRONG_ANSWER


@pytest.mark.parametrize(("answer", "ok"), [("15.0", True), ("$15", True), (None, True), ("1500%", True), ("15.5", False)])
def test_answers_are_compared_as_numbers(answer: str | None, ok: bool) -> None:
    assert isinstance(trainable(changed(answer=answer), EQUATION, Training.UNIFIED), Trace) is ok


def test_a_wrong_answer_is_refused_unless_the_source_keeps_it(tmp_path: Path) -> None:
    wrong = replace(GOOD, problem=replace(PROBLEM, answer="99"))
    source = stored([GOOD, wrong], tmp_path / "traces.jsonl")
    mix = mixed(source)
    assert mix.traces == [GOOD] and mix.refused == {Refused.NOT_GOLD: 1}
    kept = mixed(source.model_copy(update={"wrong_answers": "kept"}))
    assert sorted(kept.traces, key=str) == sorted([GOOD, wrong], key=str) and not kept.refused


@pytest.mark.parametrize(
    ("gold", "ok"),
    [(None, True), ("15.0", True), ("$15", True), ("1500%", True), ("15%", True), ("15.5", False), ("blue", False)],
)
def test_answers_are_gold_as_where_students_are_graded(gold: str | None, ok: bool, tmp_path: Path) -> None:
    mix = mixed(stored([GOOD, replace(GOOD, problem=replace(PROBLEM, answer=gold))], tmp_path / "traces.jsonl"))
    assert mix.refused == ({} if ok else {Refused.NOT_GOLD: 1})


def test_a_trace_without_an_answer_of_its_own_must_lead_to_the_gold_one() -> None:
    silent = replace(GOOD, answer=None)
    assert trainable(silent, EQUATION, Training.UNIFIED) == silent
    assert trainable(replace(silent, problem=replace(PROBLEM, answer="99")), EQUATION, Training.UNIFIED) is Refused.WRONG_ANSWER


def test_who_writes_the_answer_alone_learns_the_gold_one_of_a_wrong_trace(tmp_path: Path) -> None:
    source = stored([replace(GOOD, problem=replace(PROBLEM, answer="99"))], tmp_path / "traces.jsonl")
    [learned] = mixed(source, training=Training.ANSWER).traces
    assert learned.answer == "99"


# Test and validation problems


TESTS = [("gsm8k", "test"), ("svamp", "all"), ("strategyqa", "dev"), ("gsm8k-test", ""), ("mine", "Test"), ("x", "dev_2")]


@pytest.mark.parametrize(("dataset", "split"), TESTS)
def test_one_test_problem_stops_the_run(dataset: str, split: str, tmp_path: Path) -> None:
    hidden = replace(GOOD, problem=replace(PROBLEM, id="hidden-7", dataset=dataset, split=split))
    with pytest.raises(DataError, match="hidden-7") as caught:
        mixed(stored([GOOD, GOOD, hidden], tmp_path / "traces.jsonl"))
    assert "remove" in caught.value.hint


def test_words_that_only_contain_test_are_fine(tmp_path: Path) -> None:
    fine = replace(GOOD, problem=replace(PROBLEM, dataset="latest-contest", split="train"))
    assert mixed(stored([fine], tmp_path / "traces.jsonl")).traces == [fine]


@pytest.fixture
def gsm8k(tmp_path: Path) -> Path:
    """A data folder with 60 problems in GSM8K's Socratic form."""
    (tmp_path / "gsm8k").mkdir()
    lines = [
        {"question": f"Ann has {i} apples and buys 8.", "answer": f"How many? ** She has <<{i}+8={i + 8}>>{i + 8}.\n#### {i + 8}"}
        for i in range(10, 70)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "gsm8k" / "train_socratic.jsonl").write_text(text)
    return tmp_path


def everything(data: Path) -> list[Problem]:
    return benchmarks.problems("gsm8k-socratic", "train", data=data)


def test_validation_problems_are_never_trained_on(gsm8k: Path) -> None:
    held = {problem.id for problem in everything(gsm8k) if benchmarks.is_validation(problem)}
    mix = mixed(DataSource(benchmark="gsm8k-socratic"), data=gsm8k)
    assert len(held) > 0
    assert {trace.problem.id for trace in mix.traces} == {problem.id for problem in everything(gsm8k)} - held
    assert mix.refused[Refused.VALIDATION] == len(held)


def test_validation_problems_are_never_trained_on_from_a_teacher_s_file_either(gsm8k: Path, tmp_path: Path) -> None:
    written = benchmarks.traces("gsm8k-socratic", "train", data=gsm8k)
    mix = mixed(stored((replace(trace, source=Source("teacher", "any")) for trace in written), tmp_path / "traces.jsonl"))
    assert not any(benchmarks.is_validation(trace.problem) for trace in mix.traces)
    assert mix.refused[Refused.VALIDATION] > 0


def test_validation_questions_under_other_ids_are_left_out_and_named(gsm8k: Path, tmp_path: Path) -> None:
    plain = [{"question": problem.question, "answer": f"#### {problem.answer}"} for problem in everything(gsm8k)]
    put(gsm8k, "gsm8k/train.jsonl", *plain)
    written = benchmarks.traces("gsm8k-socratic", "train", data=gsm8k)
    held = {trace.problem.question for trace in written if benchmarks.is_validation(trace.problem)}
    own = (replace(trace, problem=Problem(f"mine-{i}", trace.problem.question, trace.answer)) for i, trace in enumerate(written))
    mix = mixed(stored(own, tmp_path / "traces.jsonl"), data=gsm8k)
    assert {trace.problem.question for trace in mix.traces} == {trace.problem.question for trace in written} - held
    assert mix.refused == {Refused.LEAK: len(held)} and mix.leaks.checked["gsm8k validation"] == len(held)
    assert {leak.test_set for _, leak in mix.leaks.examples} == {"gsm8k validation"}
    published = mixed(DataSource(benchmark="gsm8k-socratic"), data=gsm8k)
    assert published.refused == {Refused.VALIDATION: len(held)} and not published.leaks.refused


def test_own_and_drawn_problems_have_no_validation_slice(tmp_path: Path) -> None:
    many = [replace(GOOD, problem=replace(PROBLEM, id=f"user-{i}")) for i in range(60)]
    assert len(mixed(stored(many, tmp_path / "traces.jsonl")).traces) == 60


# Leaks


STORY = "Ann has 12 apples, 3 more pears than plums, and twice as many nuts as Ben, who has 5. How many nuts has she?"
OTHER = STORY.replace("many nuts has she", "much is that")  # 9 of the 14 8-grams


def put(folder: Path, relative: str, *rows: dict[str, object]) -> Path:
    path = folder / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(rows) if path.suffix == ".json" else "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(text)
    return folder


@pytest.fixture
def exam(tmp_path: Path) -> Path:
    """A data folder in which STORY is GSM8K's test set."""
    return put(tmp_path / "exam", "gsm8k/test.jsonl", {"question": STORY, "answer": "#### 10"})


def asking(*questions: str, dataset: str = "user", split: str = "") -> list[Trace]:
    return [
        replace(GOOD, problem=Problem(f"user-{i}", q, "15", dataset, split)) for i, q in enumerate((*questions, PROBLEM.question))
    ]


@pytest.mark.parametrize(
    ("question", "kind"),
    [(STORY.upper(), Likeness.EXACT), (STORY.replace("12", "forty"), Likeness.MASKED), (OTHER, Likeness.GRAMS)],
)
def test_a_trace_like_a_test_problem_is_refused_and_counted(question: str, kind: Likeness, exam: Path, tmp_path: Path) -> None:
    mix = mixed(stored(asking(question), tmp_path / "traces.jsonl"), data=exam)
    assert [trace.problem.question for trace in mix.traces] == [PROBLEM.question]
    assert mix.refused == {Refused.LEAK: 1} and mix.leaks.refused == {kind: 1}
    assert mix.leaks.checked == {"gsm8k test": 1} and mix.leaks.missing == ("svamp", "strategyqa")


def test_researchers_may_let_leaks_through_and_they_are_counted_still(exam: Path, tmp_path: Path) -> None:
    mix = mixed(stored(asking(STORY, OTHER), tmp_path / "traces.jsonl"), data=exam, leakage="allow")
    assert len(mix.traces) == 3
    assert mix.leaks.let_through == {Likeness.EXACT: 1, Likeness.GRAMS: 1} and not mix.leaks.refused


def test_a_published_training_split_loses_copies_but_not_its_near_duplicates(exam: Path, tmp_path: Path) -> None:
    traces = asking(STORY, STORY.replace("12", "13"), OTHER, dataset="mawps", split="train")
    traces = [replace(trace, problem=replace(trace.problem, id=f"mawps-train-{i}")) for i, trace in enumerate(traces)]
    assert not any(benchmarks.is_validation(trace.problem) for trace in traces)
    mix = mixed(stored(traces, tmp_path / "traces.jsonl"), data=exam)
    assert {trace.problem.question for trace in mix.traces} == {OTHER, PROBLEM.question}
    assert mix.leaks.refused == {Likeness.EXACT: 1, Likeness.MASKED: 1} and mix.leaks.let_through == {Likeness.GRAMS: 1}


def test_svamp_s_700_may_be_trained_on_as_svamp_and_by_nobody_else(tmp_path: Path) -> None:
    names = {"train": ["a", "b"], "test": ["c"]}
    rows = [
        {"ID": name, "Body": f"Ann has {i} {name}-apples and 2 more.", "Question": "How many?", "Equation": f"( {i}.0 + 2.0 )"}
        | {"Answer": i + 2.0}
        for i, name in enumerate("abc", 4)
    ]
    data = put(tmp_path / "data", "svamp/SVAMP.json", *rows)
    (data / "svamp" / "splits.json").write_text(json.dumps(names))
    mix = mixed(DataSource(benchmark="svamp"), training=Training.SOLVER, data=data)
    questions = [trace.problem.question for trace in mix.traces]
    assert len(questions) == 2 and mix.leaks.own == {"svamp train": 2} and not mix.refused
    others = mixed(stored(asking(*questions), tmp_path / "traces.jsonl"), data=data)
    assert others.refused == {Refused.LEAK: 2}


def test_test_sets_of_one_s_own_are_guarded(tmp_path: Path) -> None:
    put(tmp_path, "exam.jsonl", {"question": STORY})
    mix = mixed(stored(asking(STORY), tmp_path / "traces.jsonl"), data=tmp_path, test_sets=[tmp_path / "exam.jsonl"])
    assert mix.refused == {Refused.LEAK: 1}


# The mix


def key(trace: Trace) -> str:
    return trace.problem.id


def test_same_seed_gives_the_same_order_and_another_seed_another(traces_file: Path) -> None:
    source = DataSource(traces=traces_file)
    first, again, other = (mixed(source, seed=seed).traces for seed in (1, 1, 2))
    assert first == again != other
    assert sorted(first, key=key) == sorted(other, key=key)


def test_easy_first_means_fewer_steps_first(traces_file: Path) -> None:
    steps = [len(trace.steps) for trace in mixed(DataSource(traces=traces_file), order="easy_first").traces]
    assert steps == sorted(steps)
    assert len(set(steps)) > 1


def test_counts_cover_everything_that_was_read(traces: list[Trace], traces_file: Path) -> None:
    mix = mixed(DataSource(traces=traces_file, steps=(1, 2), repeat=3))
    assert {len(trace.steps) for trace in mix.traces} == {1, 2}
    assert mix.used == {"curriculum": len(mix.traces)}
    assert len(mix.traces) % 3 == 0
    assert len(mix.traces) // 3 + mix.refused.total() == len(traces)
    assert mix.refused[Refused.STEPS] > 0


def test_resampled_copies_come_beside_the_originals_with_ids_and_numbers_of_their_own(gsm8k: Path) -> None:
    plain = mixed(DataSource(benchmark="gsm8k-socratic"), data=gsm8k)
    mix = mixed(DataSource(benchmark="gsm8k-socratic", resampled=3), data=gsm8k)
    copies = [trace for trace in mix.traces if "-r" in trace.problem.id]
    assert mix.used == {"gsm8k": len(plain.traces), "gsm8k resampled": len(copies)}
    assert sorted(set(mix.traces) - set(copies), key=key) == sorted(plain.traces, key=key)
    assert 2 * len(plain.traces) < len(copies) <= 3 * len(plain.traces)
    assert len({trace.problem.id for trace in copies}) == len(copies)
    for original in plain.traces:
        of_it = [copy.problem.question for copy in copies if copy.problem.id.startswith(f"{original.problem.id}-r")]
        assert len({original.problem.question, *of_it}) == 1 + len(of_it)


def test_no_copy_is_made_of_a_validation_problem(gsm8k: Path) -> None:
    held = {problem.id for problem in everything(gsm8k) if benchmarks.is_validation(problem)}
    mix = mixed(DataSource(benchmark="gsm8k-socratic", resampled=2), data=gsm8k)
    assert len(held) > 0
    assert not {trace.problem.id.partition("-r")[0] for trace in mix.traces} & held


def test_copies_depend_on_the_source_s_seed_alone(gsm8k: Path) -> None:
    def read(seed: int, order: int) -> list[Trace]:
        source = DataSource(benchmark="gsm8k-socratic", resampled=2, seed=seed)
        return sorted(mixed(source, data=gsm8k, seed=order).traces, key=key)

    assert read(1, 1) == read(1, 2) != read(2, 1)


def test_the_curriculum_is_not_resampled() -> None:
    with pytest.raises(ValueError, match="draw more problems"):
        DataSource(curriculum=5, resampled=1)


def test_earlier_questions_stand_in_place_of_their_traces_and_are_counted_by_their_own_steps(tmp_path: Path) -> None:
    source = stored([GOOD], tmp_path / "traces.jsonl").model_copy(update={"ask": "earlier"})
    [copy] = mixed(source).traces
    assert (
        copy.problem.question == "Ann has 12 apples and buys 8 more. She eats 5. How many apples does she have before she eats?"
    )
    assert [step.question for step in copy.steps] == [FIRST.question]
    with pytest.raises(DataError, match=Refused.STEPS):
        mixed(source.model_copy(update={"steps": (2, 9)}))
    with pytest.raises(DataError, match=Refused.NOT_EARLIER):
        mixed(stored([changed(steps=(LAST,), answer=None)], tmp_path / "one.jsonl").model_copy(update={"ask": "earlier"}))


def test_a_share_draws_from_fewer_families_and_parts_make_stories_of_several(families: tuple[list[Family], list[Family]]) -> None:
    def names(source: DataSource) -> set[str]:
        return {trace.source.name for trace in mixed(source).traces}

    assert names(DataSource(curriculum=150, share=0.05)) <= {family.id for family in curriculum.some(families[0], 0.05)}
    composed = [name.split("+") for name in names(DataSource(curriculum=30, parts=(2, 3)))]
    assert composed and all(2 <= len(parts) <= 3 for parts in composed)
    assert {parts[0] for parts in composed} <= {family.id for family in families[0]}


def test_sources_add_up_and_held_out_families_are_never_drawn(
    traces_file: Path, families: tuple[list[Family], list[Family]]
) -> None:
    alone = mixed(DataSource(traces=traces_file)).traces
    both = mixed(DataSource(traces=traces_file), DataSource(curriculum=200, seed=9)).traces
    assert len(alone) < len(both) <= len(alone) + 200
    assert not {trace.source.name for trace in both} & {family.id for family in families[1]}


def test_nothing_left_to_learn_from_says_why(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2: unfinished"):
        mixed(stored([replace(GOOD, ended=None)] * 2, tmp_path / "traces.jsonl"))
    with pytest.raises(DataError, match="empty"):
        mixed(stored([], tmp_path / "none.jsonl"))


@pytest.mark.parametrize("line", ['{"problem": {"id": "x"', '{"steps": []}', "[1, 2]", "\xff"])
def test_broken_line_is_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    path.write_text(json.dumps(GOOD.to_dict()) + "\n" + line + "\n", encoding="latin-1")
    with pytest.raises(DataError, match=r"traces\.jsonl:2"):
        mixed(DataSource(traces=path))
