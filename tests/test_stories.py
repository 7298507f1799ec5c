"""Properties of stories in parts: each goes on from the result before it, with its people and things, and asks one question.

In: the packaged families and continuations, and small ones made here. Out: pass or fail.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from socratic.curriculum import (
    Family,
    check_files,
    draw_many,
    draw_story,
    held_out,
    load_continuations,
    load_families,
    parse_family,
    some,
)
from socratic.curriculum.check import OPENINGS, faults
from socratic.curriculum.dressing import ASKS, last_sentence
from socratic.curriculum.family import CONTINUATIONS, After
from socratic.curriculum.stories import NOT_CONTINUED, Link, link_of
from socratic.errors import FamilyError, NoDrawError
from socratic.schema import Badge, Origin, Trace

N = 150
GIFT: dict[str, Any] = {
    "id": "then-given-away",
    "topic": "continued",
    "after": "owned",
    "text": [
        "Then {p} gives {b} of {p.his} {x.many} to {o}. How many {x.many} does {p} have left?",
        "Now {o} gets {b} of the {x.many} from {p}. How many {x.many} does {p} have left?",
        "After {p} has given {o} {b} of the {x.many}, how many {x.many} does {p} have left?",
    ],
    "vars": {"o": "person", "b": "2..9"},
    "where": ["given > b"],
    "steps": [{"q": "How many {x.many} does {p} have left?", "eq": "given - b", "as": "rest"}],
}


def gift(**changes: Any) -> Family:
    return parse_family({**GIFT, **changes}, "here:1")


def opening(
    told: str = "{p} has {a} {x.many} and finds {b} more.", asked: str = "How many {x.many} does {p} have now?"
) -> Family:
    step = {"q": "How many {x.many} does {p} have now?", "eq": "a + b", "as": "sum"}
    variables = {"p": "person:f", "x": "fruit", "a": "5..60", "b": "5..60"}
    texts = [f"{start}{told} {asked}" for start in ("", "Today ", "On Monday ")]
    return parse_family({"id": "opening", "topic": "here", "text": texts, "vars": variables, "steps": [step]}, "here:2")


@pytest.fixture(scope="module")
def families() -> tuple[Family, ...]:
    return load_families()


@pytest.fixture(scope="module")
def stories(families: tuple[Family, ...]) -> list[Trace]:
    return list(draw_many(families, N, 5, (2, 3), load_continuations()))


def test_packaged_continuations_have_no_fault() -> None:
    assert check_files(sorted(CONTINUATIONS.glob("*.jsonl")), draws=20) == []
    assert {family.after for family in load_continuations()} == set(After)


def test_each_part_builds_on_the_result_of_the_one_before(families: tuple[Family, ...], stories: list[Trace]) -> None:
    lengths = {family.id: len(family.steps) for family in (*families, *load_continuations())}
    for trace in stories:
        end = 0
        for part in trace.source.name.split("+")[:-1]:
            end += lengths[part]
            later = (operand for step in trace.steps[end:] for check in step.checks for operand in check.operands)
            assert any(operand.origin is Origin.STEP and operand.index == end - 1 for operand in later), trace.problem.question


def test_stories_are_verified_and_ask_once_at_their_end(stories: list[Trace]) -> None:
    for trace in stories:
        question = trace.problem.question
        assert {step.badge for step in trace.steps} <= {Badge.VERIFIED, Badge.UNGROUNDED}
        assert not ASKS.search(question[: last_sentence(question)]) or question.count("?") <= 1
        assert trace.answer == trace.problem.answer == trace.steps[-1].answer
        assert 2 <= len(trace.source.name.split("+")) <= 3


def test_the_same_seed_gives_the_same_stories_and_one_part_needs_no_continuations(
    families: tuple[Family, ...], stories: list[Trace]
) -> None:
    assert list(draw_many(families, N // 5, 5, (2, 3), load_continuations())) == stories[: N // 5]
    assert list(draw_many(families, 20, 5, (1, 1), load_continuations())) == list(draw_many(families, 20, 5))
    parts = [trace.source.name.count("+") for trace in draw_many(families, 60, 5, (1, 2), load_continuations())]
    assert set(parts) == {0, 1}


def test_people_and_things_stay_the_same_and_new_people_are_new() -> None:
    for seed in range(30):
        story = draw_story(opening(), [gift()], random.Random(seed), 2)
        assert story
        first, second = story.steps
        assert second.question == first.question.replace("have now", "have left")
        assert story.problem.question.count("?") == 1
        assert int(story.answer or 0) < int(first.answer)


@pytest.mark.parametrize(
    "first",
    [
        opening(told="{p} has {a} {x.many}.", asked="How many {x.many} does {p} have after finding {b} more?"),
        opening(told='"I have {a} {x.many}," says {p}, "and found {b} more.'),
        opening(told="What a day! How did {p} get {a} {x.many}, and then {b} more?"),
    ],
    ids=["a number in the question", "an open quotation", "two questions"],
)
def test_a_text_that_its_question_cannot_be_cut_from_is_not_continued(first: Family) -> None:
    assert draw_story(first, [gift()], random.Random(1), 2) is None
    with pytest.raises(NoDrawError, match="no story of 2 parts"):
        list(draw_many([first], 1, 0, (2, 2), [gift()]))


def test_no_family_follows_itself_or_what_it_cannot() -> None:
    assert draw_story(opening(), [gift()], random.Random(1), 3) is None
    assert draw_story(opening(), [gift(where=["given > 5000 + b"])], random.Random(1), 2) is None
    assert draw_story(OPENINGS[After.MONEY], [gift()], random.Random(1), 2) is None


@pytest.mark.parametrize("asked", ["How many miles does {p} have left?", "How many {x.many} does each get?", "Who wins?"])
def test_measures_and_other_questions_are_no_links(asked: str) -> None:
    assert link_of(gift()) == Link(After.OWNED, "p", "x", "")
    assert link_of(gift(steps=[{"q": asked, "eq": "given - b", "as": "rest"}])) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"after": "weather"}, "'after' is one of owned, counted, money; found 'weather'"),
        ({"vars": {**GIFT["vars"], "p": "person"}}, "'p' comes from the story before"),
        ({"after": "counted"}, "slot {p} is unknown"),
    ],
)
def test_malformed_continuations_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(FamilyError, match=said):
        gift(**changes)


def test_a_continuation_that_tells_the_result_or_never_fits_is_faulty() -> None:
    assert list(faults(gift(), draws=20)) == []
    told = [*GIFT["text"][:2], "{p} has {given} {x.many} and gives {b} to {o}. How many {x.many} does {p} have left?"]
    assert list(faults(gift(text=told), draws=20)) == ["wording 3 prints {given}, which the reader has to work out"]
    assert "follows none" in next(faults(gift(where=["given > 5000 + b"]), draws=20))


def test_shares_of_families_are_nested(families: tuple[Family, ...]) -> None:
    taught, _ = held_out(families)
    quarter, half, whole = ({family.id for family in some(taught, share)} for share in (0.25, 0.5, 1.0))
    assert quarter < half < whole == {family.id for family in taught}
    assert abs(len(quarter) / len(taught) - 0.25) < 0.03


def test_families_that_are_not_continued_are_there(families: tuple[Family, ...]) -> None:
    ids = {family.id for family in families}
    assert ids >= NOT_CONTINUED
    assert sum(map(bool, map(link_of, families))) > 300
