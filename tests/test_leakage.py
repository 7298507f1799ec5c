"""Properties of leakage.py: what is found, what is not, and how often innocent texts are taken for leaks."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from socratic import benchmarks, curriculum
from socratic.curriculum import Family
from socratic.errors import DataError
from socratic.leakage import GRAM, SHARE, Guard, Leak, LeakReport, Likeness, load_guard, set_name, unchecked
from socratic.schema import Problem

BUS = Problem(
    "t-1",
    "Before 8 o'clock, Ann's bus had twenty-five riders; $1,200.50 later one got off. How many are left?",
    None,
    "mine",
    "test",
)
STICKERS = Problem(
    "t-2",
    "Charlie had 10 stickers. He bought 21 stickers from a store in the mall and got 23 stickers for his birthday. Then Charlie "
    "gave 9 of the stickers to his sister and used 28 to decorate a greeting card. How many stickers does Charlie have left?",
    dataset="mine",
    split="test",
)
SHORT = Problem("t-3", "Can a whale swim?", dataset="other")
GUARD = Guard([BUS, STICKERS, SHORT])
DATA = pytest.mark.skipif("SOCRATIC_DATA" not in os.environ, reason="SOCRATIC_DATA names no folder of benchmark data")


def kind(question: str, guard: Guard = GUARD) -> Likeness | None:
    leak = guard.leak(question)
    return leak.kind if leak else None


# What is found


@pytest.mark.parametrize(
    "copy",
    [
        BUS.question,
        BUS.question.upper(),
        "before 8 o 'clock , Ann 's bus had twenty - five riders ; $ 1,200.50 later one got off . How many are left ?",
        "  " + BUS.question.replace(" ", "\n") + "\u2026",
        BUS.question.replace("'", "\u2019"),
    ],
)
def test_a_copy_in_other_case_spaces_and_punctuation_is_exact(copy: str) -> None:
    assert GUARD.leak(copy) == Leak(Likeness.EXACT, "t-1", "mine test")


@pytest.mark.parametrize(
    "numbers",
    [
        ("9", "30", "$7", "three"),
        ("nine", "25", "$1200", "1"),
        ("8", "two hundred", "$.50", "1/2"),
        ("2.5", "1,000,000", "$ 3", "hundred"),
    ],
)
def test_a_renumbered_copy_is_found_whatever_numbers_are_written_with(numbers: tuple[str, str, str, str]) -> None:
    text = BUS.question
    for old, new in zip(("8", "twenty-five", "$1,200.50", "one"), numbers, strict=True):
        text = text.replace(f" {old} ", f" {new} ")
    assert GUARD.leak(text) == Leak(Likeness.MASKED, "t-1", "mine test")


def test_the_same_story_with_another_question_is_found_by_its_8_grams() -> None:
    head, _, _ = STICKERS.question.rpartition(" How")
    assert GUARD.leak(f"{head} How many did he get?") == Leak(Likeness.GRAMS, "t-2", "mine test")
    assert kind(f"Long ago. {head.replace('10', 'eleven')} So what?") is Likeness.GRAMS


def test_half_of_the_8_grams_is_the_bound() -> None:
    words = [chr(97 + i) * 3 for i in range(2 * GRAM)]  # nine different 8-grams
    guard = Guard([Problem("t", " ".join(words))])
    assert SHARE == 0.5
    assert kind(" ".join(words[: GRAM + 4]), guard) is Likeness.GRAMS  # five of nine
    assert kind(" ".join(words[: GRAM + 3]), guard) is None  # four
    repeated = " ".join([*words[: GRAM + 3], *words[: GRAM + 3]])
    assert kind(repeated, guard) is None, "an 8-gram counts once, however often it stands there"


def test_the_strongest_likeness_is_named() -> None:
    near, same = Problem("near", STICKERS.question.replace("Charlie", "Luke")), Problem("same", STICKERS.question)
    assert Guard([near, same]).leak(STICKERS.question) == Leak(Likeness.EXACT, "same", "user")


# What is not


@pytest.mark.parametrize(
    "innocent",
    [
        "",
        "   ",
        "42",
        "???",
        "How many are left?",
        "Can a whale sing?",
        "How many stickers does Charlie have left?",
        "Charlie had 10 stickers. He bought 21 stickers from a shop. How many stickers does he have?",
    ],
)
def test_innocent_texts_are_not_leaks(innocent: str) -> None:
    assert GUARD.leak(innocent) is None


def test_bare_arithmetic_is_no_copy_of_other_arithmetic() -> None:
    guard = Guard([Problem("sum", "3 + 4")])
    assert kind("7 * 9", guard) is None
    assert kind("3+4", guard) is Likeness.EXACT


def test_an_empty_guard_finds_nothing() -> None:
    assert Guard([]).leak(BUS.question) is None


def test_a_set_is_not_compared_with_itself_but_with_the_others() -> None:
    twin = Problem("twin", STICKERS.question.replace("21", "31"), dataset="svamp", split="train")
    guard = Guard([twin, STICKERS])
    assert guard.leak(twin.question, own="svamp train") == Leak(Likeness.MASKED, "t-2", "mine test")
    assert Guard([twin]).leak(twin.question, own=set_name(twin)) is None


# Test sets


def test_what_is_not_at_hand_is_named_and_no_error(tmp_path: Path) -> None:
    guard = load_guard(tmp_path)
    assert guard.missing == ("gsm8k", "svamp", "strategyqa")
    assert not guard.sets
    assert "NOT checked: gsm8k, svamp, strategyqa" in str(LeakReport.of(guard))


def test_a_broken_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "gsm8k" / "test.jsonl").write_text("{broken")
    with pytest.raises(DataError, match=r"test\.jsonl:1"):
        load_guard(tmp_path)


def test_own_test_sets_are_guarded_and_must_be_whole(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps({"question": SHORT.question, "id": "q"}) + "\n")
    assert load_guard(tmp_path, [path]).leak("can a whale swim") == Leak(Likeness.EXACT, "q", "mine.jsonl")
    path.write_text("{broken\n")
    with pytest.raises(DataError, match=r"mine\.jsonl:1"):
        load_guard(tmp_path, [path])


SVAMP = [
    {"ID": name, "Body": f"{name} has 3 cats.", "Question": "How many cats?", "Equation": "3.0", "Answer": 3.0}
    for name in ("Ann", "Bob")
]


def test_svamp_is_two_sets_where_the_split_is_known_and_else_one(tmp_path: Path) -> None:
    (tmp_path / "svamp").mkdir()
    (tmp_path / "svamp" / "SVAMP.json").write_text(json.dumps(SVAMP))
    assert load_guard(tmp_path).sets == {"svamp all": 2}
    (tmp_path / "svamp" / "splits.json").write_text(json.dumps({"train": ["Ann"], "test": ["Bob"]}))
    assert load_guard(tmp_path).sets == {"svamp train": 1, "svamp test": 1}


def test_validation_problems_are_found_by_their_text_alone_and_by_no_problem_of_their_own_split() -> None:
    held = Problem("gsm8k-train-2", STICKERS.question, "17", "gsm8k", "train")
    guard = Guard([BUS], validation=[held])
    assert guard.sets == {"mine test": 1, "gsm8k validation": 1}
    assert guard.leak(held.question.upper()) == Leak(Likeness.EXACT, "gsm8k-train-2", "gsm8k validation")
    assert guard.leak(held.question, own="gsm8k train") is None
    assert guard.leak(held.question.replace("21", "31")) is None
    assert Guard([held], validation=[held]).leak(held.question) == Leak(Likeness.EXACT, "gsm8k-train-2", "gsm8k train")
    assert kind(BUS.question, guard) is Likeness.EXACT


def test_slices_at_hand_are_guarded_on_demand_and_those_that_are_not_are_not_missed(tmp_path: Path) -> None:
    (tmp_path / "gsm8k").mkdir()
    rows = [{"question": f"Ann number {i} has 3 cats.", "answer": "#### 3"} for i in range(60)]
    (tmp_path / "gsm8k" / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    held = benchmarks.problems("gsm8k", "validation", data=tmp_path)
    guard = load_guard(tmp_path, validation=True)
    assert guard.sets == {"gsm8k validation": len(held)} and held
    assert {leak.problem for row in rows if (leak := guard.leak(str(row["question"])))} == {problem.id for problem in held}
    assert guard.missing == load_guard(tmp_path).missing == unchecked(tmp_path)
    assert not load_guard(tmp_path).sets


# Reports


def test_a_report_counts_by_kind_and_keeps_the_first_examples() -> None:
    report, leak = LeakReport.of(GUARD), Leak(Likeness.GRAMS, "t-2", "mine test")
    for i in range(30):
        report.add(Problem(f"p-{i}", ""), leak, refused=i < 20)
    record = json.loads(json.dumps(report.to_dict()))
    assert record["refused"] == {"8-gram": 20} and record["let_through"] == {"8-gram": 10}
    assert record["checked"] == {"mine test": 2, "other": 1}
    assert record["examples"][0] == {"problem": "p-0", "kind": "8-gram", "test_problem": "t-2", "test_set": "mine test"}
    assert len(record["examples"]) == 10
    assert "20 refused (8-gram), 10 let through (8-gram)" in str(report)


# The real sets


@pytest.fixture(scope="module")
def real() -> Guard:
    return load_guard()


@DATA
def test_every_test_problem_is_guarded(real: Guard) -> None:
    assert real.sets == {"gsm8k test": 1319, "svamp test": 300, "svamp train": 700, "strategyqa dev": 229}
    for name, split in (("gsm8k", "test"), ("svamp", "all"), ("strategyqa", "dev")):
        assert all(kind(problem.question, real) is Likeness.EXACT for problem in benchmarks.problems(name, split))


@DATA
def test_every_validation_problem_is_guarded_too_and_published_training_splits_lose_nothing_by_it(real: Guard) -> None:
    guard = load_guard(validation=True)
    assert guard.missing == real.missing and real.sets.items() <= guard.sets.items()
    for name in ("gsm8k", "mawps"):
        held = benchmarks.problems(name, "validation")
        assert guard.sets[f"{name} validation"] == len(held)
        assert all(kind(problem.question, guard) for problem in held)
    for name in ("gsm8k", "mawps", "svamp", "strategyqa"):
        for problem in benchmarks.problems(name, "train"):
            assert guard.leak(problem.question, own=set_name(problem)) == real.leak(problem.question, own=set_name(problem))


@DATA
def test_false_alarms_on_the_curriculum_are_fewer_than_one_in_two_thousand(
    real: Guard, families: tuple[list[Family], list[Family]]
) -> None:
    drawn = curriculum.draw_many(families[0], 2000, seed=5)  # 0 in 20,000 draws of seed 1
    assert [trace.problem.question for trace in drawn if real.leak(trace.problem.question)] == []


@DATA
def test_published_training_splits_hold_no_copies_and_few_near_duplicates(real: Guard) -> None:
    for name, most in (("gsm8k", 4), ("strategyqa", 0)):
        kinds = [kind(problem.question, real) for problem in benchmarks.problems(name, "train")]
        assert set(kinds) <= {None, Likeness.GRAMS}
        assert len(kinds) - kinds.count(None) == most
