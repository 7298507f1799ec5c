"""The lockstep loop over scripted students. Run: pytest tests/test_orchestrator.py"""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scripted import ScriptedDecomposer, ScriptedSolver, VaryingSolver

from socratic.errors import UsageError
from socratic.orchestrator import MAX_QUESTION, Orchestrator
from socratic.schema import Badge, Decoding, Ended, Problem, Step, Trace, Verdict

CLIPS = "Natalia sold 48 clips in April and half as many in May. How many clips did she sell altogether?"
PLUMS = "Tom has 3 bags of 12 plums. How many plums does he have?"
ASKS = {CLIPS: ["How many in May?", "How many altogether?"], PLUMS: ["How many plums?"]}
SOLVES = {
    "How many in May?": "48/2 = <<48/2=24>>24",
    "How many altogether?": "48+24 = <<48+24=72>>72",
    "How many plums?": "3*12 = <<3*12=36>>36",
}


def scripted(
    asks: dict[str, list[str | Ended]] | None = None, solves: dict[str, str | Ended] | None = None, **options: int
) -> Orchestrator:
    return Orchestrator(ScriptedDecomposer(asks or ASKS), ScriptedSolver({**SOLVES, **(solves or {})}), **options)


def test_last_step_answers_the_problem() -> None:
    trace = scripted().solve(CLIPS)
    assert [step.answer for step in trace.steps] == ["24", "72"]
    assert (trace.answer, trace.ended) == ("72", Ended.DONE)
    assert [step.badge for step in trace.steps] == [Badge.VERIFIED, Badge.VERIFIED]


def test_students_see_only_the_past() -> None:
    orchestrator = scripted()
    orchestrator.solve(CLIPS)
    decomposer = orchestrator.decomposer
    assert isinstance(decomposer, ScriptedDecomposer)
    assert [len(trace.steps) for trace in decomposer.seen] == [0, 1, 2]
    assert all(trace.ended is None for trace in decomposer.seen)


@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_batches_change_nothing(batch_size: int) -> None:
    questions = [CLIPS, PLUMS, PLUMS, CLIPS, PLUMS]
    one_by_one = [scripted().solve(question) for question in questions]
    assert scripted(batch_size=batch_size).solve_many(questions) == one_by_one


def test_stream_yields_one_more_step_each_round_and_ends_as_solve_does() -> None:
    rounds = list(scripted().stream(CLIPS))
    assert [len(trace.steps) for trace in rounds] == [1, 2, 2]
    assert rounds[-1] == scripted().solve(CLIPS)
    assert [trace.ended for trace in rounds] == [None, None, Ended.DONE]


HALF = "<<48/2=24>>24"


@pytest.mark.parametrize(
    ("asks", "solves", "ended", "answer", "steps"),
    [
        (["How many?", "how many"], {"How many?": "<<48/2=24>>24", "how many": "<<48/2=24>>24"}, Ended.REPEATED, "24", 1),
        (
            ["How many?", "how many", Ended.DONE],
            {"How many?": "<<48/2=24>>24", "how many": "<<48+24=72>>72"},
            Ended.DONE,
            "72",
            2,
        ),
        ([Ended.DONE], {}, Ended.NO_ANSWER, None, 0),
        ([Ended.CONTEXT_FULL], {}, Ended.CONTEXT_FULL, None, 0),
        (["How many in May?", Ended.CONTEXT_FULL], {}, Ended.CONTEXT_FULL, "24", 1),
        (["How many in May?", Ended.NO_ANSWER], {}, Ended.NO_ANSWER, None, 1),
        (["Who?"], {"Who?": "Nobody knows."}, Ended.NO_ANSWER, None, 1),
        (["Who?"], {"Who?": Ended.CONTEXT_FULL}, Ended.CONTEXT_FULL, None, 0),
    ],
)
def test_every_end_is_a_value(
    asks: list[str | Ended], solves: dict[str, str | Ended], ended: Ended, answer: str | None, steps: int
) -> None:
    trace = scripted({CLIPS: asks}, solves).solve(CLIPS)
    assert (trace.ended, trace.answer, len(trace.steps)) == (ended, answer, steps)


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        ("-5", "-5"),
        ("3/4", "0.75"),
        ("yes", "yes"),
        ("The moon is cold. So the answer is no.", "no"),
        ("It has 2 moons. So the answer is yes.", "yes"),
        ("No, she has 5 plums left.", "5"),
        ("She has 5 plums, no more.", "5"),
        ("She sold <<48/2=24>>24 clips, yes.", "24"),
        ("Nobody swims in a bank (A) or an oven. It must be the pool (B).", "B"),
        ("So the answer is B, the pool.", "B"),
        ("The answer is yes, as (B) says.", "yes"),
        ("Yes, the pool (B) is wet.", "yes"),
        ("The current is 5 amperes (A).", "5"),
        ("She pays 5 dollars (A) and 6 cents.", "6"),
        ("It has 12 c.", "12"),
        ("The answer is 5 amperes (A).", "5"),
        ("She sold <<48/2=24>>24 clips. So the answer is B.", "24"),
        ("It is -5 degrees.", "-5"),
        ("The change is -$5.", "-5"),
        ("It takes 3 1/2 hours.", "3.5"),
        ("She ate 1/2 of it.", "0.5"),
        ("There are 3 cats and two dogs.", "2"),
        ("5km", "5"),
        ("= 72", "72"),
        ("5\u00b0", "5"),
        ("There are 10 of 12,5", "5"),
    ],
)
def test_a_last_step_answers_with_its_equation_or_what_it_says(solution: str, answer: str) -> None:
    assert answered(solution).answer == answer


def answered(solution: str) -> Trace:
    """The trace of one step with that solution."""
    return scripted({CLIPS: ["Is it?"]}, {"Is it?": solution}).solve(CLIPS)


CALM = settings(deadline=None, derandomize=True, database=None)
LETTERS = st.sampled_from("ABCDE")
WORDS = st.lists(st.sampled_from(["A", "a", "B", "e", "boy", "has", "apples", "No", "yes", "12", "three", "(so)"]), min_size=2)


@CALM
@given(LETTERS, WORDS)
@example("B", ["A", "day", "has", "24", "hours."])
def test_a_letter_is_an_answer_alone_or_where_it_is_called_one(letter: str, words: list[str]) -> None:
    before = " ".join(words)
    for alone in (letter, f"({letter})", f"({letter.lower()})", f"{letter}."):
        assert answered(alone).answer == letter
    for closing in (f"So the answer is {letter}.", f"So the answer is ({letter})", f"the answer is: {letter}, a bank"):
        found = answered(f"{before}. {closing}")
        assert (found.answer, found.ended) == (letter, Ended.DONE)


@CALM
@given(WORDS)
@example(["A", "boy", "has", "apples"])
def test_letters_among_words_answer_nothing(words: list[str]) -> None:
    assert answered(" ".join(words)).answer not in {*"ABCDE"}


def test_a_sentence_that_begins_with_a_letter_leads_on_to_an_answer() -> None:
    asks: dict[str, list[str | Ended]] = {CLIPS: ["What?", "And?"]}
    found = scripted(asks, {"What?": "A boy has apples", "And?": "So the answer is B."}).solve(CLIPS)
    assert (found.answer, found.ended, [step.answer for step in found.steps]) == ("B", Ended.DONE, ["", "B"])
    for text in ("F", "(F)", "AB", "She sold << 48/0"):
        assert answered(text).ended is Ended.NO_ANSWER


def test_facts_without_an_answer_lead_on_to_one_and_other_text_does_not() -> None:
    asks: dict[str, list[str | Ended]] = {CLIPS: ["What?", "And?"]}
    found = scripted(asks, {"What?": "Clips hold paper", "And?": "So the answer is yes."}).solve(CLIPS)
    assert (found.answer, found.ended, [step.answer for step in found.steps]) == ("yes", Ended.DONE, ["", "yes"])
    for text in ("", "(", "+*", "48/0", "(48+24", "ceil(48"):
        found = scripted(asks, {"What?": text}).solve(CLIPS)
        assert (found.answer, found.ended, len(found.steps)) == (None, Ended.NO_ANSWER, 1)


@pytest.mark.parametrize("limit", [1, 3, 7])
def test_step_limit_ends_what_never_stops(limit: int) -> None:
    asks = [f"Question {i}?" for i in range(20)]
    trace = scripted({CLIPS: list(asks)}, {q: "<<48+1=49>>49" for q in asks}, max_steps=limit).solve(CLIPS)
    assert (trace.ended, len(trace.steps), trace.answer) == (Ended.STEP_LIMIT, limit, "49")


def test_wrong_arithmetic_of_a_student_is_seen_with_the_right_value() -> None:
    trace = scripted(solves={"How many in May?": "48/2 = <<48/2=25>>25"}).solve(CLIPS)
    check = trace.steps[0].checks[0]
    assert (check.verdict, check.stated, check.computed) == (Verdict.WRONG, "25", "24")
    assert trace.steps[0].badge is Badge.WRONG


def test_an_operand_from_nowhere_leaves_a_step_ungrounded() -> None:
    trace = scripted(solves={"How many in May?": "<<48-17=31>>31"}).solve(CLIPS)
    assert trace.steps[0].badge is Badge.UNGROUNDED


@pytest.mark.parametrize("batch_size", [1, 2, 3, 16])
def test_votes_share_batches_and_keep_the_problems_order(batch_size: int) -> None:
    script = {
        **{question: (solution,) * 5 for question, solution in SOLVES.items()},
        "How many plums?": ("<<3*12=36>>36", "<<3+12=15>>15") * 3,
    }
    orchestrator = Orchestrator(ScriptedDecomposer(ASKS), VaryingSolver(script), batch_size=batch_size)
    votes = list(orchestrator.vote_each([CLIPS, PLUMS, CLIPS], samples=5))
    assert [(v.trace.problem.question, v.trace.answer, v.samples) for v in votes] == [
        (CLIPS, "72", 5),
        (PLUMS, "36", 5),
        (CLIPS, "72", 5),
    ]
    solver = orchestrator.solver
    assert isinstance(solver, VaryingSolver)
    assert max(solver.batches) <= batch_size
    assert sum(solver.batches) == 5 * (2 + 1 + 2), "each trace of each problem once"


def test_a_vote_of_one_is_the_greedy_trace_and_less_is_refused() -> None:
    assert scripted().vote(CLIPS, samples=1).trace == scripted().solve(CLIPS)
    with pytest.raises(UsageError, match="at least 1"):
        scripted().vote(CLIPS, samples=0)


def test_each_batch_and_round_draws_from_its_own_seed_and_the_same_ones_again() -> None:
    def seeds(seed: int) -> list[int]:
        orchestrator = scripted(batch_size=2)
        orchestrator.solve_many([CLIPS] * 6, Decoding(temperature=1.0, seed=seed))
        solver = orchestrator.solver
        assert isinstance(solver, ScriptedSolver)
        return [decoding.seed for decoding in solver.decodings]

    assert len(set(seeds(0))) == 6, "three batches of two rounds"
    assert seeds(0) == seeds(0)
    assert not set(seeds(0)) & set(seeds(1))


def test_the_votes_of_a_batch_do_not_hang_on_the_batches_before_it() -> None:
    def seeds(problems: list[str]) -> list[int]:
        orchestrator = scripted(batch_size=2)
        list(orchestrator.vote_each(problems, samples=3))
        solver = orchestrator.solver
        assert isinstance(solver, ScriptedSolver)
        return [decoding.seed for decoding in solver.decodings if decoding.temperature]

    later = seeds([CLIPS, CLIPS, PLUMS, CLIPS])
    assert later[-len(seeds([PLUMS, CLIPS])) :] == seeds([PLUMS, CLIPS])
    assert len(set(later)) == len(later)


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("7" * (MAX_QUESTION + 1), "characters"),
        ("How many\x00?", "U+0000"),
        ("a\x1b[31mb?", "U+001B"),
    ],
)
def test_what_is_no_question_is_refused_with_a_hint(question: str, found: str) -> None:
    with pytest.raises(UsageError, match=re.escape(found)) as caught:
        scripted().solve(question)
    assert caught.value.hint


@pytest.mark.parametrize("question", ["¿Cuántas manzanas hay?", "你有三個蘋果。", "no numbers at all", "42"])
def test_odd_but_honest_questions_reach_the_students(question: str) -> None:
    trace = Orchestrator(ScriptedDecomposer({question: []}), ScriptedSolver({})).solve(question)
    assert trace.ended is Ended.NO_ANSWER


def test_text_shows_equations_without_marks() -> None:
    assert Step("", "48/2 = <<48/2=24>>24 clips, <<1+1=2>>2 more", "2").plain == "48/2 = 24 clips, 2 more"
    assert Step("", "She sold << 48/0", "").plain == "She sold  48/0", "what could not be computed is shown"
    text = str(scripted().solve(CLIPS))
    assert text.splitlines() == [
        "1. How many in May?",
        "   48/2 = 24   [verified]",
        "2. How many altogether?",
        "   48+24 = 72   [verified]",
        "Answer: 72",
    ]
    assert "<<" not in text


def test_problems_keep_their_identity() -> None:
    problem = Problem("svamp-1", PLUMS, "36", "svamp", "test")
    trace = scripted().solve(problem)
    assert isinstance(trace, Trace) and trace.problem == problem
