"""Properties of the offline teacher: what its families promise, what it refuses, and that drawing repeats.

In: the packaged families, and small broken ones made here. Out: pass or fail. Does not know how traces are rendered.
The check of all families with many draws is marked slow.
"""

from __future__ import annotations

import json
import random
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from socratic.arithmetic import evaluate, number_value
from socratic.curriculum import (
    Family,
    check_files,
    draw,
    draw_many,
    faults,
    held_out,
    load_families,
    packaged_files,
    parse_family,
)
from socratic.curriculum.expressions import Values, read_condition, read_formula
from socratic.curriculum.lexicon import spell
from socratic.curriculum.notation import read_notation
from socratic.errors import FamilyError
from socratic.schema import Ended, Trace, Verdict

GOOD: dict[str, Any] = {
    "id": "apples-given-away",
    "topic": "apples",
    "text": [
        "{p} has {a} {f.many} and gives {b} away. How many are left?",
        "How many {f.many} does {p} keep of {a} if {p.he} gives {b} away?",
        "{a} {f.many} are on {p}'s table until {b} are taken by a friend. Find the number that stays.",
    ],
    "vars": {"p": "person", "f": "fruit", "a": "5..60", "b": "2..40"},
    "where": ["a > b"],
    "steps": [{"q": "How many {f.many} are left?", "eq": "a - b", "as": "left", "say": "{left} {f:left} are left."}],
}
STEP: dict[str, Any] = GOOD["steps"][0]


@pytest.fixture(scope="module")
def families() -> tuple[Family, ...]:
    return load_families()


@pytest.fixture(scope="module")
def traces(families: tuple[Family, ...]) -> list[Trace]:
    return list(draw_many(families, n=2000, seed=11))


def changed(**changes: Any) -> dict[str, Any]:
    """The good family with some keys replaced; None takes a key away."""
    return {key: value for key, value in {**GOOD, **changes}.items() if value is not None}


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


# --- the packaged families


def test_all_packaged_families_load(families: tuple[Family, ...]) -> None:
    assert len(families) >= 2251
    assert sum(len(family.wordings) for family in families) >= 8048


def test_a_sample_of_the_packaged_families_has_no_fault(families: tuple[Family, ...]) -> None:
    for family in random.Random(3).sample(families, 150):
        assert list(faults(family, draws=8, seed=3)) == []


@pytest.mark.slow
def test_no_packaged_family_has_a_fault() -> None:
    assert check_files(packaged_files(), draws=40, seed=5) == []


# --- drawn traces


def test_every_equation_is_right_and_the_last_answer_is_the_answer(traces: list[Trace]) -> None:
    for trace in traces:
        assert [check.verdict for step in trace.steps for check in step.checks] == [Verdict.CORRECT] * len(trace.steps)
        assert trace.steps[-1].answer == trace.answer == trace.problem.answer
        assert trace.ended is Ended.DONE


def test_an_answer_is_the_value_of_its_equation(traces: list[Trace]) -> None:
    for step in (step for trace in traces for step in trace.steps):
        assert evaluate(step.checks[0].expression).value == number_value(step.answer)
        assert step.solution.startswith(f"<<{step.checks[0].expression}={step.answer}>>")


def test_no_brace_is_left_and_no_double_space_but_for_slips(traces: list[Trace]) -> None:
    for trace in traces:
        assert not re.search(r"[{}]|   ", trace.problem.question)
        for text in (*(step.question for step in trace.steps), *(step.solution for step in trace.steps)):
            assert not re.search(r"[{}]|  ", text), text


def test_thousands_have_commas_everywhere_in_a_problem_or_nowhere() -> None:
    family = parse_family(changed(vars={**GOOD["vars"], "a": "5000..9000", "b": "1000..3000"}), "here:1")
    styles = set()
    for seed in range(40):
        trace = draw(family, random.Random(seed))
        told = trace.problem.question + trace.steps[0].solution.partition(">>")[2]
        styles |= (found := {"," in number for number in re.findall(r"\d,?\d{3}", told)})
        assert len(found) == 1
    assert styles == {True, False}


def test_same_seed_same_corpus_and_a_longer_one_begins_alike(families: tuple[Family, ...], traces: list[Trace]) -> None:
    assert list(draw_many(families, n=200, seed=11)) == traces[:200]
    assert list(draw_many(families, n=200, seed=12)) != traces[:200]


def test_problem_ids_are_unique_and_name_their_family(traces: list[Trace]) -> None:
    assert len({trace.problem.id for trace in traces}) == len(traces)
    for i, trace in enumerate(traces):
        assert trace.problem.id == f"{trace.source.name}-{i}"
        assert (trace.problem.dataset, trace.problem.split, trace.source.kind) == ("curriculum", "train", "curriculum")


def test_the_asked_wording_is_the_one_that_is_told() -> None:
    family = parse_family(GOOD, "here:1")
    assert draw(family, random.Random(1), wording=1).problem.question.startswith("How many")


def test_people_and_things_of_a_problem_are_distinct() -> None:
    nouns = [{"one": "cat", "many": "cats"}, {"one": "dog", "many": "dogs"}]
    text = [wording + " Not {g.many}, {q}." for wording in GOOD["text"]]
    variables = {**GOOD["vars"], "p": "person:f", "q": "person:f", "f": nouns, "g": nouns}
    family = parse_family(changed(text=text, vars=variables), "here:1")
    for seed in range(200):
        question = draw(family, random.Random(seed), wording=0).problem.question
        teller, *_, friend = re.findall(r"[A-Z][\w-]+", question.replace("How", "").replace("Not", ""))
        assert teller != friend and "cats" in question and "dogs" in question


def test_a_number_before_a_colon_an_ordinal_ending_or_a_unit_sign_is_never_spelled_out() -> None:
    text = [f"{{p}} has {{a}} {{f.many}}, the {{b}}th at {{b}}:30, {{b}}% of ${{b}}, {i}. How many are left?" for i in "xyz"]
    family = parse_family(changed(text=text, vars={**GOOD["vars"], "b": "2..9"}), "here:1")
    for seed in range(100):
        assert re.search(r"the \dth at \d:30, \d% of \$\d", draw(family, random.Random(seed)).problem.question)


def test_a_subquestion_names_nobody_whom_the_wording_leaves_out() -> None:
    step = {**STEP, "q": ["How many {f.many} does {p} keep?", "How many are left?"]}
    text = [*GOOD["text"], "Of {a} things {b} are gone. How many are left?"]
    family = parse_family(changed(text=text, steps=[step]), "here:1")
    asked = {draw(family, random.Random(seed), wording=3).steps[0].question for seed in range(20)}
    assert asked == {"How many are left?"}


# --- splitting


def test_held_out_takes_whole_families_and_about_its_share(families: tuple[Family, ...]) -> None:
    train, held = held_out(families, share=0.05, seed=0)
    assert len(train) + len(held) == len(families)
    assert 0.03 < len(held) / len(families) < 0.07
    assert held_out(families, share=0.05, seed=1)[1] != held


def test_adding_a_family_moves_no_other_across_the_split(families: tuple[Family, ...]) -> None:
    _, held = held_out(families, seed=0)
    new = parse_family(changed(id="apples-brand-new"), "here:1")
    train_after, held_after = held_out((new, *families), seed=0)
    assert [family for family in held_after if family is not new] == list(held)
    assert new in (*train_after, *held_after)


# --- the language of equations


@pytest.mark.parametrize(
    ("text", "written", "value"),
    [
        ("(a + b) * 2", "(48+20)*2", 136),
        ("(a * 2) + b", "48*2+20", 116),
        ("a - (b - 2)", "48-(20-2)", 30),
        ("a / (b / 5)", "48/(20/5)", 12),
        ("-b + a", "-20+48", 28),
        ("a * f", "48/3", 16),
        ("f * (a + 3)", "(48+3)/3", 17),
        ("a * g", "48*(2/3)", 32),
        ("b / (1 - f)", "20/(1-(1/3))", 30),
        ("a * d", "48*0.25", 12),
        ("ceil(a / 5)", "ceil(48/5)", 10),
        ("ceil(a / 6)", "ceil(48/6)", 8),
        ("floor((a + b) / 7)", "floor((48+20)/7)", 9),
        ("a // 7", "floor(48/7)", 6),
        ("(a + b) // (b - 2) * 2", "floor((48+20)/(20-2))*2", 6),
        ("a % 7", "48-7*floor(48/7)", 6),
        ("(a + b) % (b - 2) * 2", "(48+20-(20-2)*floor((48+20)/(20-2)))*2", 28),
        ("a - b % 7", "48-(20-7*floor(20/7))", 42),
        ("ceil(b * d * 1.5)", "ceil(20*0.25*1.5)", 8),
        ("ceil(a * f / 5)", "ceil(48/3/5)", 4),
        ("floor(ceil(a / 7) / 2)", "floor(ceil(48/7)/2)", 3),
        ("max(a, b * 3) - 1", "20*3-1", 59),
    ],
)
def test_an_equation_is_written_so_that_it_reads_back_to_its_value(text: str, written: str, value: int) -> None:
    values: Values = {"a": 48, "b": 20, "f": Fraction(1, 3), "g": Fraction(2, 3), "d": Fraction(1, 4)}
    formula = read_formula(text)
    assert read_notation(formula, frozenset({"f", "g"}))(values) == written
    assert formula.value(values) == evaluate(written).value == value


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "a.real",
        "a ** 2",
        "lambda: 1",
        "a[0]",
        "[a]",
        "'a'",
        "True",
        "a if b else 1",
        "a < b",
        "(a := 1)",
        "max(*a, b)",
        "ceil(a, b)",
        "max(a)",
        "ceil",
        "abs(a)",
        "a +",
        "a; b",
        "1e999",
        "",
        "not a",
        "~a",
        "a @ b",
    ],
)
def test_a_formula_outside_the_whitelist_is_refused(text: str) -> None:
    with pytest.raises(FamilyError):
        read_formula(text)


@pytest.mark.parametrize("text", ["a", "a + b", "not a > b", "a in b", "a is b", "__import__('os') == 1", "a > b or c.d > 1"])
def test_a_condition_outside_the_whitelist_is_refused(text: str) -> None:
    with pytest.raises(FamilyError):
        read_condition(text)


def test_conditions_chain_and_combine() -> None:
    condition = read_condition("1 < a <= 5 and (a % 2 == 0 or a == 3)")
    assert [a for a in range(8) if condition.holds({"a": a})] == [2, 3, 4]


def test_dividing_by_zero_is_a_fault_of_the_family() -> None:
    with pytest.raises(FamilyError, match=r"here:1 apples-given-away: 'a / \(b - b\) > 1' divides by zero"):
        draw(parse_family(changed(where=["a / (b - b) > 1"]), "here:1"), random.Random(0))


def test_numbers_are_spelled() -> None:
    assert [spell(number) for number in (0, 12, 40, 99, -3)] == ["zero", "twelve", "forty", "ninety-nine", "minus three"]
    assert spell(12_345) == "twelve thousand three hundred forty-five"


# --- what is refused

UNREADABLE: list[tuple[str, dict[str, Any], str]] = [
    ("unknown key", {"colour": "red"}, "unknown family key 'colour'"),
    ("missing key", {"vars": None}, "family key 'vars' is missing"),
    ("too few wordings", {"text": GOOD["text"][:2]}, "3 wordings or more, found 2"),
    ("same wording twice", {"text": GOOD["text"][:1] * 3}, "two wordings are the same"),
    ("wording that is no text", {"text": [1, 2, 3]}, "1: a text was expected"),
    ("unknown slot", {"text": [*GOOD["text"], "{z} and {a}, {b}?"]}, "slot {z} is unknown"),
    ("stray brace", {"text": [*GOOD["text"], "{a and {b}?"]}, "a brace is left"),
    ("noun without form", {"text": [*GOOD["text"], "{f} {a} {b}?"]}, "{f} is a noun"),
    ("person with a number's form", {"text": [*GOOD["text"], "{p.word} {a} {b}?"]}, "a person has he, him, his"),
    ("number with a pronoun", {"text": [*GOOD["text"], "{a.he} {a} {b}?"]}, "a number has only .word"),
    ("unknown domain", {"vars": {**GOOD["vars"], "f": "planet"}}, "unknown domain 'planet'"),
    ("empty range", {"vars": {**GOOD["vars"], "a": "9..5"}}, "range '9..5' is empty"),
    ("mixed list", {"vars": {**GOOD["vars"], "a": [1, "red"]}}, "mixes number, word"),
    ("broken noun", {"vars": {**GOOD["vars"], "f": [{"one": "fish"}]}}, "choice {'one': 'fish'}"),
    ("name that is a function", {"vars": {**GOOD["vars"], "max": "1..5"}}, "can't be called 'max'"),
    ("condition that is code", {"where": ["__import__('os') == 1"]}, "is not allowed"),
    ("condition on a person", {"where": ["p > 1"]}, "'p' is no number known"),
    ("noise that is no variable", {"noise": ["z"]}, "'noise' names 'z'"),
    ("zero that is no bool", {"zero": 1}, "'zero': a bool"),
    ("no steps", {"steps": []}, "'steps': a list with something in it"),
    ("step that is no object", {"steps": ["a - b"]}, "an object was expected"),
    ("unknown step key", {"steps": [{**STEP, "why": "x"}]}, "unknown step key 'why'"),
    ("step without equation", {"steps": [{"q": "How many?", "as": "left"}]}, "step key 'eq' is missing"),
    ("unknown name in an equation", {"steps": [{**STEP, "eq": "a - z"}]}, "'z' is no number known"),
    ("result named like a variable", {"steps": [{**STEP, "as": "a"}]}, "a result can't be called 'a'"),
    ("result named like a form", {"steps": [{**STEP, "as": "many"}]}, "a result can't be called 'many'"),
    ("result used before it is known", {"steps": [{**STEP, "q": "Are {left} left?"}]}, "slot {left} is unknown"),
]


@pytest.mark.parametrize(("changes", "reason"), [case[1:] for case in UNREADABLE], ids=[case[0] for case in UNREADABLE])
def test_an_unreadable_family_is_refused_with_file_family_and_reason(changes: dict[str, Any], reason: str) -> None:
    data = changed(**changes)
    with pytest.raises(FamilyError) as refused:
        parse_family(data, "bad.jsonl:7")
    assert str(refused.value).startswith("bad.jsonl:7 apples-given-away: ")
    assert reason in str(refused.value)


SAME = [f"From {{a}} he takes {{b}}{end} How many are left?" for end in (".", "!", ";")]
FAULTY: list[tuple[str, dict[str, Any], str]] = [
    ("wording without a number", {"text": [*GOOD["text"], "{a} are there. How many are left?"]}, "wording 4 never says {b}"),
    ("wording that asks nothing", {"text": [*GOOD["text"], "{p} has {a} and gives {b}."]}, "wording 4 asks nothing"),
    ("unused number", {"vars": {**GOOD["vars"], "c": "1..9"}}, "{c} is used by no step"),
    ("noise that is used", {"noise": ["a"]}, "'a' is listed in 'noise', but a step uses it"),
    ("subquestion without a mark", {"steps": [{**STEP, "q": "Say how many."}]}, "does not end in '?'"),
    ("subquestion about a stranger", {"text": [*GOOD["text"], "{a} less {b}?"]}, "that wording 4 doesn't"),
    ("odd article", {"text": [*GOOD["text"], "Of a {a} apples and an pear {b} go. How many stay?"]}, "reads oddly at 'an pear'"),
    ("odd space", {"text": [*GOOD["text"], "{p} has {a} {f.many} , {b} go. How many stay?"]}, "reads oddly at ' ,'"),
    ("numbers that never fit", {"where": ["a > 99"]}, "none of 2000 draws fits"),
    ("too few problems", {"vars": {"p": "person", "f": "fruit", "a": [9], "b": [4]}, "text": SAME}, "different problems"),
]


@pytest.mark.parametrize(("changes", "reason"), [case[1:] for case in FAULTY], ids=[case[0] for case in FAULTY])
def test_a_faulty_family_is_found_by_the_check(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    path = write(tmp_path / "faulty.jsonl", changed(**changes))
    found = check_files([path], draws=20, seed=2)
    assert {(fault.where, fault.family) for fault in found} == {(f"{path}:1", GOOD["id"])}
    assert any(reason in fault.reason for fault in found), found


def test_a_good_family_has_no_fault(tmp_path: Path) -> None:
    assert check_files([write(tmp_path / "good.jsonl", GOOD)]) == []


def test_ids_and_wordings_that_stand_twice_are_found(tmp_path: Path) -> None:
    path = write(tmp_path / "twice.jsonl", GOOD, GOOD, changed(id="apples-again"))
    reasons = [fault.reason for fault in check_files([path], draws=9)]
    assert f"the id stands at {path}:1 too" in reasons
    assert sum(reason.startswith("a wording stands in apples-given-away too") for reason in reasons) == 3
    with pytest.raises(FamilyError, match=r"twice.jsonl:2 apples-given-away: the id stands at .*twice.jsonl:1 too"):
        load_families([path])


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "broken.jsonl", GOOD)
    path.write_text(path.read_text(encoding="utf-8") + "\n{", encoding="utf-8")
    assert [fault.where for fault in check_files([path], draws=9)] == [f"{path}:2"]
    with pytest.raises(FamilyError, match=r"broken.jsonl:2: expected one JSON object"):
        load_families([path])


def test_drawing_from_no_families_is_refused() -> None:
    with pytest.raises(FamilyError, match="no families"):
        list(draw_many([], n=1, seed=0))
