"""Properties of dressing: a dressed problem has the solution of the bare one, and reads well.

In: the packaged families, the asides and the lexicon. Out: pass or fail. Does not know which texts there are.
"""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest

from socratic.arithmetic import IMPLIED, find_numbers
from socratic.curriculum import Family, draw_many, dressed, dressing, load_families
from socratic.curriculum.asides import ASIDES, CLOSINGS, OPENINGS
from socratic.curriculum.dressing import ALL_ASIDES, SLIPS, dress
from socratic.curriculum.lexicon import NOUNS, PEOPLE, WORDS
from socratic.schema import Operand, Origin, Trace

N = 1500
NAMES = {person.name for people in PEOPLE.values() for person in people}
IMPLYING = {word for words in IMPLIED.values() for word in words.split()}


@pytest.fixture(scope="module")
def families() -> tuple[Family, ...]:
    return load_families()


@pytest.fixture(scope="module")
def pairs(families: tuple[Family, ...]) -> list[tuple[Trace, Trace]]:
    """(bare, dressed) of the same draws."""
    plain, rng = list(draw_many(families, N, seed=7)), random.Random(7)
    return [(trace, dressed(trace, rng)) for trace in plain]


@pytest.fixture(scope="module")
def with_asides(pairs: list[tuple[Trace, Trace]]) -> list[tuple[str, int, str, Trace]]:
    """(bare problem, where the aside went in, aside, bare trace), one for every problem that has room for one."""
    rng, found = random.Random(3), []
    for trace, _ in pairs:
        problem = trace.problem.question
        text = dressing._with_aside(problem, equations(trace), rng)
        if text != problem:
            place = 0 if text.endswith(problem) else dressing.last_sentence(problem)
            end = len(text) - len(problem) + place
            assert text[:place] + text[end:] == problem
            found.append((problem, place, text[place:end].strip(), trace))
    return found


def equations(trace: Trace) -> list[str]:
    return [f"{check.expression}={check.computed}" for step in trace.steps for check in step.checks]


def said(operand: Operand, trace: Trace) -> tuple[object, ...]:
    """Where an operand comes from, whatever place the number has in the problem."""
    if operand.origin is Origin.PROBLEM:
        number = find_numbers(trace.problem.question)[operand.index or 0]
        return operand.text, operand.origin, number.value, number.percent
    return operand.text, operand.origin, operand.index


# --- the solution


def test_dressing_changes_neither_answer_nor_steps(pairs: list[tuple[Trace, Trace]]) -> None:
    for bare, sent in pairs:
        assert sent.answer == bare.answer and sent.problem.id == bare.problem.id
        assert [(s.question, s.solution, s.answer) for s in sent.steps] == [
            (s.question, s.solution, s.answer) for s in bare.steps
        ]


def test_every_operand_comes_from_where_it_came_from(pairs: list[tuple[Trace, Trace]]) -> None:
    for bare, sent in pairs:
        for step, twin in zip(bare.steps, sent.steps, strict=True):
            old = [said(operand, bare) for check in step.checks for operand in check.operands]
            assert old == [said(operand, sent) for check in twin.checks for operand in check.operands], sent.problem.question


def test_a_number_of_an_aside_is_none_of_the_problem_or_its_equations(with_asides: list[tuple[str, int, str, Trace]]) -> None:
    for problem, _, aside, trace in with_asides:
        known = {number.value for text in (problem, *equations(trace)) for number in find_numbers(text)}
        added = [number.value for number in find_numbers(aside)]
        assert len(added) <= 1 and known.isdisjoint(added), (problem, aside)


def test_a_person_or_a_city_of_an_aside_is_new(with_asides: list[tuple[str, int, str, Trace]]) -> None:
    for problem, _, aside, _ in with_asides:
        for name in (NAMES | set(WORDS["city"])) & set(re.findall(r"[\w-]+", aside)):
            assert name not in problem


# --- where an aside stands


def test_an_aside_stands_at_the_start_or_before_the_last_sentence(with_asides: list[tuple[str, int, str, Trace]]) -> None:
    for problem, place, aside, _ in with_asides:
        before, after = problem[:place], problem[place:]
        assert not before or re.search(r"[.!] +$", before), (problem, aside)
        assert "?" not in before
        assert not before or not re.search(r"(?<!\bMr)(?<!\bMrs)(?<![ap]\.m)[.?!] +[A-Z]", after), (problem, aside)


def test_an_aside_comes_between_no_pronoun_and_what_it_stands_for(with_asides: list[tuple[str, int, str, Trace]]) -> None:
    for problem, place, aside, _ in with_asides:
        after = problem[place:]
        if place:
            assert not re.search(r"\b(it|they|them|their|these|those)\b", after)
        if any(name in aside for name in NAMES):
            assert not re.search(r"\b(he|she|his|her|him)\b", after.partition(". ")[0])


@pytest.mark.parametrize(
    ("problem", "allowed"),
    [
        ("Tom has 3 hats and 5 caps. How many hats does Tom have?", "before the last"),
        ("Tom has 3 hats. How many are left?", "start"),
        ("How many hats has Tom? He had 3 hats.", "start"),
        ("Tom has 3 hats in a box. What does it cost, Tom asks?", "start"),
        ('"I have 3 hats," says Tom. How many hats does Tom have?', "start"),
        ("It has 3 hats in it. How many hats is that?", "nowhere"),
    ],
)
def test_the_place_of_an_aside(problem: str, allowed: str) -> None:
    rng, places = random.Random(1), set()
    for _ in range(60):
        text = dressing._with_aside(problem, [], rng)
        places.add("nowhere" if text == problem else "start" if text.endswith(problem) else "before the last")
    assert allowed in places and places <= {allowed, "start"} | ({"nowhere"} if allowed != "nowhere" else set())


@pytest.mark.parametrize(
    ("problem", "matter"),
    [
        ("Tom is 9 and Ana is 4. How much older is Tom?", r"years old|birthday|turned"),
        ("Tom pays $5 a day. How much does Tom pay a week?", r"\$"),
        ("12 degrees at noon, 4 degrees at night. How many degrees fell the thermometer?", r"degrees|\brain|snow|sunny"),
        ("A bus has 40 seats and 12 passengers. How many seats of the bus are free?", r"\bbus\b|traffic|ferry"),
    ],
)
def test_an_aside_is_about_something_else(problem: str, matter: str) -> None:
    rng = random.Random(2)
    for _ in range(300):
        dressed = dressing._with_aside(problem, [], rng)
        assert len(re.findall(matter, dressed)) == len(re.findall(matter, problem)), dressed


# --- the texts


def test_there_are_many_asides_and_about_two_thirds_have_a_number() -> None:
    assert len(ALL_ASIDES) >= 120
    assert len({aside.template.text for aside in ALL_ASIDES}) == len(ALL_ASIDES)
    assert 0.55 < sum(aside.number is not None for aside in ALL_ASIDES) / len(ALL_ASIDES) < 0.75
    for aside in ALL_ASIDES:
        assert (aside.number is None) == (not aside.template.numbers), aside.template.text


@pytest.mark.parametrize("text", [aside.template.text for aside in ALL_ASIDES])
def test_an_aside_reads_as_one_plain_sentence(text: str) -> None:
    assert re.fullmatch(r"[A-Z{].*[^ .]\.", text) and not re.search(r"[.?!] |  | [.,]", text)
    assert not re.search(r"\ban? \{n\}|\ba [aeiou]|\ban [^aeiouh]|\d", text)
    assert not IMPLYING & set(re.findall(r"[a-z]+", text.lower())), "a word of it stands for a number"
    assert not find_numbers(text)
    assert not re.search(r"(?i)\b(he|she|they|somebody|teacher|mayor|woman|man|girl|boy|friends?)\b", text)


@pytest.mark.parametrize("text", [*OPENINGS, *CLOSINGS])
def test_an_opening_or_closing_has_no_number(text: str) -> None:
    assert not find_numbers(text) and not re.search(r"\d|  ", text)
    assert text[0].isupper() and text[-1] in ".?!:"
    assert not IMPLYING & set(re.findall(r"[a-z]+", text.lower()))


def test_no_matter_stands_twice() -> None:
    for matters in ASIDES:
        assert len(set(matters.split())) == len(matters.split()), matters


# --- slips


def test_a_slip_touches_no_number_and_no_name(pairs: list[tuple[Trace, Trace]]) -> None:
    rng, seen = random.Random(5), Counter[str]()
    for bare, _ in pairs:
        problem = bare.problem.question
        for slip in SLIPS:
            slipped = slip(problem, rng)
            seen[slip.__name__] += slipped != problem
            assert re.findall(r"\d+", slipped) == re.findall(r"\d+", problem)
            assert [n.value for n in find_numbers(slipped)] == [n.value for n in find_numbers(problem)]
            for name in NAMES & set(re.findall(r"\b[A-Z][\w-]+", problem)):
                assert slipped.lower().count(name.lower()) == problem.lower().count(name.lower()), slipped
            assert abs(len(slipped) - len(problem)) <= 4
    assert min(seen.values()) > 10, seen


def test_a_question_without_its_mark_still_asks() -> None:
    unmarked = SLIPS[1]
    rng = random.Random(0)
    assert unmarked("Tom had 5 hats. How many are left?", rng) == "Tom had 5 hats. How many are left"
    assert unmarked("5 hats, 3 gone. Hats left?", rng) == "5 hats, 3 gone. Hats left?"


def test_what_is_asked_for_is_never_mistyped() -> None:
    mistyped = SLIPS[2]
    problem = "Tom sells seventeen sandwiches and several pancakes. How many sandwiches does Tom sell?"
    found = {mistyped(problem, random.Random(seed)) for seed in range(60)}
    assert len(found) > 8
    assert all(text.count("sandwiches") == 2 and "seventeen" in text for text in found)


# --- shares and seeds


def test_the_shares_are_about_what_they_should_be(pairs: list[tuple[Trace, Trace]]) -> None:
    total = Counter[str]()
    for bare, sent in pairs:
        old, new = bare.problem.question, sent.problem.question
        total["opening"] += any(new.lower().startswith(text.lower()) for text in OPENINGS) and new != old
        total["closing"] += any(new.lower().endswith(text.lower()) for text in CLOSINGS)
        total["longer"] += len(new) > len(old) + 4
        total["changed"] += new != old
    assert 0.017 < total["opening"] / N < 0.045
    assert 0.017 < total["closing"] / N < 0.045
    assert 0.17 < total["longer"] / N < 0.24
    assert 0.19 < total["changed"] / N < 0.27


def test_most_problems_have_room_for_an_aside_and_many_before_the_question(
    with_asides: list[tuple[str, int, str, Trace]],
) -> None:
    assert len(with_asides) / N > 0.93
    assert sum(place > 0 for _, place, _, _ in with_asides) / len(with_asides) > 0.3
    assert 0.5 < sum(bool(find_numbers(aside)) for _, _, aside, _ in with_asides) / len(with_asides) < 0.75


def test_same_seed_same_dress() -> None:
    problem = "Tom has 3 hats and 5 caps. How many hats does Tom have?"
    texts = [[dress(problem, ["3+5=8"], rng) for _ in range(300)] for rng in (random.Random(4), random.Random(4))]
    assert texts[0] == texts[1] and len(set(texts[0])) > 30


# --- the lexicon


def test_names_are_many_distinct_and_no_other_words(families: tuple[Family, ...]) -> None:
    assert len(PEOPLE["f"]) > 300 and len(PEOPLE["m"]) > 300
    assert len(NAMES) == len(PEOPLE["f"]) + len(PEOPLE["m"])
    told = " ".join(re.sub(r"\{.*?\}", "_", wording.text) for family in families for wording in family.wordings)
    things = " ".join(f"{noun.one} {noun.many}" for nouns in NOUNS.values() for noun in nouns)
    words = set(re.findall(r"(?<![\w'])[a-z]+", told)) | set(re.findall(r"[a-z]+", things.lower()))
    taken = words | IMPLYING | {word.lower() for group in WORDS.values() for word in group}
    assert not {name for name in NAMES if name.lower() in taken}
    assert all(name.isascii() and name[0].isupper() for name in NAMES)


@pytest.mark.parametrize("kind", ["tool", "furniture", "clothing", "toy", "container"])
def test_every_word_of_a_list_that_follows_an_article_takes_the_same_one(kind: str) -> None:
    assert not [noun.one for noun in NOUNS[kind] if noun.one[0].lower() in "aeiou"]


def test_no_thing_stands_twice_in_a_list() -> None:
    for nouns in NOUNS.values():
        assert len({noun.one for noun in nouns}) == len({noun.many for noun in nouns}) == len(nouns)
    assert not [word for kind in ("sport", "subject") for word in WORDS[kind] if word[0].lower() in "aeiou"]
