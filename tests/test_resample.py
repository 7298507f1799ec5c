"""Properties of resample.py: new numbers, the same words, right arithmetic; and a refusal where that is not certain.

In: problems written here, some of GSM8K's kind; two hundred of the curriculum; GSM8K train where SOCRATIC_DATA names it.
Out: pass or fail. Run: pytest tests/test_resample.py
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sympy import Rational

from socratic import benchmarks
from socratic.arithmetic import Known, check_solution, equations, find_numbers, number_text, number_value
from socratic.redraw import Plan
from socratic.resample import Refusal, align
from socratic.schema import Ended, Problem, Source, Step, Trace, Verdict


def resample(old: Trace, rng: random.Random) -> Trace | None:
    plan = align(old)
    return plan.draw(rng) if isinstance(plan, Plan) else None


def trace(question: str, *steps: tuple[str, str], answer: str | None = None) -> Trace:
    """A trace of (subquestion, solution) pairs, their answers read off; the answer is the last result."""
    known, done = Known.of(question), list[Step]()
    for asked, solution in steps:
        checks, known = check_solution(solution, known)
        done.append(Step(asked, solution, number_text(known.results[-1]) if checks else "", checks))
    last = answer or number_text(known.results[-1])
    return Trace(Problem("p-1", question, last, "gsm8k", "train"), tuple(done), last, Ended.DONE, Source("human", "test"))


def of_one(question: str, equation: str, words: str = "") -> Trace:
    """A trace of one step: "48/2=24" and what the sentence says besides."""
    return trace(question, ("How many?", f"{words} <<{equation}>>{equation.partition('=')[2]}"))


CLIPS = trace(
    "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. How many in all?",
    ("How many clips did Natalia sell in May?", "Natalia sold 48/2 = <<48/2=24>>24 clips in May."),
    ("How many with the 24 clips of May?", "Natalia sold 48+24 = <<48+24=72>>72 clips altogether."),
)
SHOP = trace(
    "Twenty boys buy an 8-ounce cup at $1,250.00 each, and get 20% off. A cup lasts 7 days. How much do all twenty pay?",
    ("How much is the discount?", "It is 20% of $1,250, so $1,250*.20 = $<<1250*.20=250.00>>250.00."),
    ("What does each pay?", "Each pays $1250 - $250 = $<<1250-250=1000>>1,000."),
    ("How much do all 20 pay?", "They pay 20 * $1,000.00 = $<<20*1000=20000>>20,000."),
)
AGES = trace(
    "In 1998 Ann ran 2.5 miles on each of 4 days at 6:30. In a leap year she would run 366 times. How far did she run?",
    ("How far did she run?", "She ran 2.5 * 4 = <<2.5*4=10>>10 miles."),
)
DOZENS = trace(
    "Ed has 12 boxes with a dozen eggs each, and 1/2 of the eggs are brown. He keeps 9 of these. How many does he give away?",
    ("How many eggs?", "He has 12*12 = <<12*12=144>>144 eggs."),
    ("How many brown ones?", "There are 144*1/2 = <<144*1/2=72>>72 brown ones."),
    ("How many does he give away?", "He gives away 72-9 = <<72-9=63>>63."),
)
WRITTEN = [CLIPS, SHOP, AGES, DOZENS]


@pytest.fixture(scope="module")
def pairs(traces: list[Trace]) -> list[tuple[Trace, Trace]]:
    """Traces and what became of them: each of those written here ten times, the curriculum's once."""
    drawn = [(old, resample(old, random.Random(seed))) for old in WRITTEN for seed in range(10)]
    drawn += [(old, resample(old, random.Random(1))) for old in traces]
    return [(old, new) for old, new in drawn if new]


def masked(text: str) -> str:
    """A text without its numbers, in digits or in words."""
    for number in reversed(find_numbers(text)):
        text = f"{text[: number.start]}#{text[number.end :]}"
    return text


def shape(solution: str) -> tuple[str, list[str]]:
    """What is no number of a solution: its words, and its equations' operators."""
    marks = [re.sub(r"\d*\.?\d+", "#", expression) for expression, _ in equations(solution)]
    return masked(re.sub(r"<<.*?>>", "\u00a7 ", solution)), marks


def test_enough_is_resampled_for_the_properties_to_mean_something(pairs: list[tuple[Trace, Trace]]) -> None:
    assert len({old.problem.id for old, _ in pairs if old.source.kind == "curriculum"}) >= 80
    assert sum(old in WRITTEN for old, _ in pairs) == 10 * len(WRITTEN)


def test_every_equation_is_right_and_its_operands_come_from_where_they_came(pairs: list[tuple[Trace, Trace]]) -> None:
    for old, new in pairs:
        before, after = Known.of(old.problem.question), Known.of(new.problem.question)
        for was, step in zip(old.steps, new.steps, strict=True):
            expected, before = check_solution(was.solution, before)
            checks, after = check_solution(step.solution, after)
            assert step.checks == checks
            assert all(check.verdict is Verdict.CORRECT for check in checks)
            origins = [[(o.origin, o.index) for o in check.operands] for check in checks]
            assert origins == [[(o.origin, o.index) for o in check.operands] for check in expected]


def test_all_but_numbers_is_unchanged(pairs: list[tuple[Trace, Trace]]) -> None:
    for old, new in pairs:
        assert masked(new.problem.question) == masked(old.problem.question)
        assert new.problem.question != old.problem.question
        assert [masked(step.question) for step in new.steps] == [masked(step.question) for step in old.steps]
        assert [shape(step.solution) for step in new.steps] == [shape(step.solution) for step in old.steps]
        assert replace(new, problem=old.problem, steps=old.steps, answer=old.answer) == old


def test_the_answer_is_the_last_result(pairs: list[tuple[Trace, Trace]]) -> None:
    for _, new in pairs:
        last = number_value(equations(new.steps[-1].solution)[-1][1])
        assert new.answer == new.problem.answer == new.steps[-1].answer == number_text(last)


def test_results_stay_whole_positive_and_of_a_sensible_size(pairs: list[tuple[Trace, Trace]]) -> None:
    def results(trace: Trace) -> Iterator[Rational]:
        yield from (number_value(stated) for step in trace.steps for _, stated in equations(step.solution))

    for old, new in pairs:
        largest = max([number.value for number in find_numbers(old.problem.question)] + list(results(old)))
        for before, after in zip(results(old), results(new), strict=True):
            assert (before > 0) == (after > 0)
            assert after.q == 1 or before.q > 1
            assert after <= 10 * largest


def test_numbers_keep_their_kind(pairs: list[tuple[Trace, Trace]]) -> None:
    for old, new in pairs:
        for before, after in zip(find_numbers(old.problem.question), find_numbers(new.problem.question), strict=True):
            assert before.text[0].isalpha() == after.text[0].isalpha()
            assert before.percent == after.percent
            assert (before.value.q == 1) == (after.value.q == 1)
            assert (after.value in (0, 1)) == (before.value in (0, 1))
            assert not after.percent or before.value > 100 or after.value == before.value == 0 or 1 <= after.value <= 100
            assert Rational(2, 5) * before.value <= after.value <= Rational(5, 2) * before.value


def test_same_seed_gives_the_same_and_seeds_give_many() -> None:
    drawn = {resample(CLIPS, random.Random(seed)) for seed in range(20)}
    assert drawn == {resample(CLIPS, random.Random(seed)) for seed in range(20)}
    assert len(drawn) > 10


def test_a_trace_without_an_answer_gets_none() -> None:
    unanswered = replace(CLIPS, answer=None, problem=replace(CLIPS.problem, answer=None))
    new = resample(unanswered, random.Random(1))
    assert new and new.answer is None and new.problem.answer is None


def test_equal_numbers_change_together_each_in_its_own_manner() -> None:
    for seed in range(10):
        new = resample(SHOP, random.Random(seed))
        assert new
        boys, percent, others = (find_numbers(new.problem.question)[index] for index in (0, 3, 5))
        assert boys.value == percent.value == others.value
        assert boys.text[0].isupper() and others.text[0].islower() and percent.text.isdigit()
        assert re.search(r"\$\d{0,3},?\d{3}\.00 each|\$\d{3}\.00 each", new.problem.question)


# What is kept


def kept(old: Trace, *numbers: str) -> bool:
    """Whether the question's numbers of these texts are the same in twenty draws, while others change."""
    places = [index for index, number in enumerate(find_numbers(old.problem.question)) if number.text in numbers]
    drawn = [resample(old, random.Random(seed)) for seed in range(20)]
    texts = [[number.text for number in find_numbers(new.problem.question)] for new in drawn if new]
    changed = [index for index in range(len(texts[0])) if len({text[index] for text in texts}) > 1]
    assert len(places) == len(numbers) and len(texts) == 20 and changed
    return not set(places) & set(changed)


@pytest.mark.parametrize(
    ("old", "numbers"),
    [
        (AGES, ("1998", "6", "30", "366")),  # a year, a time, and a number that no equation uses
        (DOZENS, ("12", "1", "2")),  # which 12 is the dozen?
        (SHOP, ("7",)),
        (of_one("The three friends and 20 others eat. How many?", "3+20=23"), ("three",)),
        (of_one("His two sons, Al and Ed, have 20 cars each. How many cars?", "2*20=40"), ("two",)),
        (of_one("He has 2 dogs and twice as many as 30 cats. How many cats?", "2*30=60"), ("2",)),
        (of_one("He pays $15 with a $20 bill. How much is left?", "20-15=5"), ("20",)),
    ],
)
def test_what_might_be_a_constant_or_means_something_else_is_kept(old: Trace, numbers: tuple[str, ...]) -> None:
    assert kept(old, *numbers)


@pytest.mark.parametrize(
    ("old", "most"),
    [
        (of_one("He sleeps 8 hours on each of 5 nights. How many hours?", "8*5=40"), 12),
        (of_one("He sleeps 20 hours on each of 5 nights. How many hours?", "20*5=100"), 24),
        (of_one("He works 5 days a week for $90 a day. How much?", "5*90=450"), 7),
        (of_one("He is 80 years old, she is 5 less. How old is she?", "80-5=75"), 100),
        (of_one("Of 300 people 60% like it. How many?", "300*60/100=180"), 300 * 2),
    ],
)
def test_units_bound_what_they_count(old: Trace, most: int) -> None:
    first = [find_numbers(new.problem.question)[0].value for seed in range(40) if (new := resample(old, random.Random(seed)))]
    assert len(set(first)) > 3
    assert max(first) <= most


def test_of_the_same_thing_the_smaller_number_stays_smaller() -> None:
    old = of_one("She sat 9 exams and passed 6 exams at $10 each. What was paid for those passed?", "6*10=60", "Of 9 exams:")
    for seed in range(40):
        new = resample(old, random.Random(seed))
        assert new and find_numbers(new.problem.question)[1].value < find_numbers(new.problem.question)[0].value


def test_an_article_fits_its_number() -> None:
    old = of_one("She works an 8-hour shift for $20 an hour. How much does she earn?", "8*20=160")
    drawn = {find_numbers(new.problem.question)[0].text for seed in range(40) if (new := resample(old, random.Random(seed)))}
    assert {"11"} <= drawn <= {"8", "11"}


# What is refused


@pytest.mark.parametrize(
    ("old", "reason"),
    [
        (trace("Ann has 3 cats.", ("How many?", "She has three."), answer="3"), Refusal.EQUATION),
        (of_one("Ann has 30 cats and 4 dogs.", "30+4=35"), Refusal.EQUATION),
        (of_one("Ann has 20 cats for 3 homes.", "20/3=20/3"), Refusal.EQUATION),
        (of_one("Ann has 4 euros and pays 30.", "4-30=-26"), Refusal.EQUATION),
        (replace(CLIPS, answer="73"), Refusal.ANSWER),
        (replace(CLIPS, problem=replace(CLIPS.problem, answer="blue")), Refusal.ANSWER),
        (of_one("Ann has 30 cats and 4 dogs.", "30+5=35"), Refusal.NOWHERE),
        (of_one("Ann has 30 cats and 4 dogs.", "30+4=34", "With 36 birds,"), Refusal.MENTION),
        (of_one("Ann has 30 cats and 4 dogs.", "30+4=34", "As 30x4 shows,"), Refusal.MENTION),
        (of_one("Ann has 30 cats and 4 dogs.", "30+4=34", "As 30-4 = 26,"), Refusal.MENTION),
        (of_one("Ann has 30 cats if she keeps at least 5 and 4 dogs.", "30+4=34"), Refusal.UNUSED),
        (of_one("Ann has 34 pets, 30 cats and 4 dogs.", "30+4=34"), Refusal.UNUSED),
        (of_one("Ann has 34 and 30 and Ed 6 and 4 points. What has the winner?", "34+30=64"), Refusal.CHOICE),
        (of_one("In 2020 there was 1 cat.", "2020+1=2021"), Refusal.KEPT),
    ],
    ids=lambda value: value.name if isinstance(value, Refusal) else "",
)
def test_what_is_not_certain_is_refused_with_the_reason(old: Trace, reason: Refusal) -> None:
    assert align(old) is reason
    assert resample(old, random.Random(1)) is None


def two_steps(second: str) -> Trace:
    question = "Ann has 9 cats and 5 dogs. She buys as many birds as dogs are fewer. Then 4 birds come. How many birds?"
    return trace(question, ("How many fewer?", "<<9-5=4>>4 fewer."), ("How many birds?", second))


def test_an_operand_that_could_be_a_number_or_a_result_is_refused() -> None:
    assert align(two_steps("She has <<9+4=13>>13.")) is Refusal.AMBIGUOUS


def test_a_result_that_nothing_used_goes_before_a_number_that_was_used() -> None:
    question = (
        "Ann has 9 cats, 5 of them black, and 4 dogs. The others that are no black cats get 10 treats each. How many treats?"
    )
    steps = (("a", "She has <<9+4=13>>13 pets."), ("b", "<<9-5=4>>4 cats are not black."), ("c", "They get <<4*10=40>>40."))
    for seed in range(10):
        new = resample(trace(question, *steps), random.Random(seed))
        assert new
        cats, black, _, treats = (number.value for number in find_numbers(new.problem.question))
        assert new.answer == number_text((cats - black) * treats)


def test_a_story_with_the_same_number_twice_can_be_drawn() -> None:
    question = "Al buys 5 pens at 7 dollars each and 5 books at 9 dollars each. How much does he pay?"
    old = trace(question, ("Pens?", "<<5*7=35>>35"), ("Books?", "<<5*9=45>>45"), ("All?", "<<35+45=80>>80"))
    drawn = [new for seed in range(20) if (new := resample(old, random.Random(seed)))]
    assert len(drawn) > 15


def test_where_no_draw_suits_there_is_none() -> None:
    old = of_one("Of 97312 euros Ann pays 42101 for rent and 55211 for food. How many are left?", "97312-42101-55211=0")
    assert isinstance(align(old), Plan)
    assert resample(old, random.Random(1)) is None


# The real thing


@pytest.mark.skipif("SOCRATIC_DATA" not in os.environ, reason="SOCRATIC_DATA names no folder with GSM8K")
def test_half_of_gsm8k_train_is_resampled() -> None:
    some = benchmarks.traces("gsm8k-socratic", "train", data=Path(os.environ["SOCRATIC_DATA"]))[:600]
    drawn = [(old, new) for old in some if (new := resample(old, random.Random(1)))]
    assert len(drawn) > len(some) / 2
    for old, new in drawn:
        assert masked(new.problem.question) == masked(old.problem.question)
        assert all(check.verdict is Verdict.CORRECT for step in new.steps for check in step.checks)
