"""Money: bounds are bounds, limits are kept whatever runs at the same time, unknown prices are said to be unknown."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from random import Random

import pytest

from socratic import budget
from socratic.budget import Budget, Limits, Price, Tokens
from socratic.errors import ConfigError, UsageError

PRICE = Price(input=1.0, output=4.0, batch=0.5)


def test_a_million_tokens_cost_what_the_file_says() -> None:
    assert PRICE.dollars(Tokens(1_000_000, 1_000_000)) == pytest.approx(5.0)
    assert PRICE.dollars(Tokens(1_000_000, 1_000_000), batch=True) == pytest.approx(2.5)


def test_shipped_prices_can_be_read_and_own_ones_take_their_place(tmp_path: Path) -> None:
    assert all(price.output >= price.input > 0 for price in budget.load_prices().values())
    mine = tmp_path / "prices.yaml"
    mine.write_text("my-model: {input: 0.1, output: 0.2}\n")
    assert budget.load_prices(mine) == {"my-model": Price(input=0.1, output=0.2, batch=1.0)}


@pytest.mark.parametrize(
    "text", ["a: {input: -1, output: 1}", "a: {input: 1}", "a: {input: 1, output: 2, outptu: 3}", "- 1", ": :", ""]
)
def test_a_file_of_prices_that_says_something_else_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="no file of prices"):
        budget.load_prices(path)


def test_dollars_are_unknown_where_one_price_is() -> None:
    assert budget.dollars({("a", False): Tokens(1, 1)}, {"b": PRICE}) is None
    assert budget.dollars({("a", False): Tokens(10**6, 0), ("a", True): Tokens(10**6, 0)}, {"a": PRICE}) == pytest.approx(1.5)


@pytest.mark.parametrize("limits", [Limits(usd=0), Limits(tokens=0), Limits(usd=-1.0), Limits(usd=float("nan"))])
def test_a_budget_of_nothing_is_refused(limits: Limits) -> None:
    with pytest.raises(UsageError, match="a budget of 0"):
        limits.check(["a"], {"a": PRICE})


def test_a_limit_in_dollars_needs_a_price() -> None:
    with pytest.raises(UsageError, match="'b'"):
        Limits(usd=1.0).check(["a", "b"], {"a": PRICE})
    Limits(tokens=1).check(["b"], {})


@pytest.mark.parametrize("seed", range(5))
def test_no_limit_is_passed_by_calls_that_run_at_the_same_time_and_none_is_refused_too_early(seed: int) -> None:
    random, most, limits = Random(seed), Tokens(50, 50), Limits(usd=0.002, tokens=1_000)

    async def run() -> Budget:
        purse = Budget(limits, PRICE, spent=Tokens(), usd=0.0)

        async def caller() -> None:
            while await purse.hold(most):
                for _ in range(random.randrange(4)):
                    await asyncio.sleep(0)
                await purse.settle(most, Tokens(random.randrange(51), random.randrange(51)))

        await asyncio.gather(*(caller() for _ in range(8)))
        return purse

    purse = asyncio.run(run())
    assert purse.spent.total <= 1_000 and (purse.usd or 0) <= 0.002
    assert not purse.fits(most), "what was left would not have been enough for one more"


def test_what_was_lost_is_spent_and_leaves_held_what_is_held() -> None:
    async def run() -> Budget:
        purse = Budget(Limits(tokens=100), PRICE, spent=Tokens(), usd=0.0)
        assert await purse.hold(Tokens(40, 0))
        purse.lose(Tokens(40, 0))
        assert purse.fits(Tokens(20, 0)) and not purse.fits(Tokens(21, 0))
        await purse.settle(Tokens(40, 0), Tokens(10, 0))
        return purse

    purse = asyncio.run(run())
    assert purse.spent == Tokens(50, 0) and purse.usd == pytest.approx(PRICE.dollars(Tokens(50, 0)))


def test_spending_of_earlier_runs_counts() -> None:
    purse = Budget(Limits(tokens=100), None, spent=Tokens(90, 5), usd=None)
    assert purse.fits(Tokens(5, 0)) and not purse.fits(Tokens(6, 0))


@pytest.mark.skipif("SOCRATIC_DATA" not in os.environ, reason="SOCRATIC_DATA is not set")
def test_the_bound_is_above_what_gpt2_makes_of_real_problems(tmp_path: Path) -> None:
    from tokenizers import ByteLevelBPETokenizer

    from socratic import benchmarks

    folder = next(Path(os.environ["SOCRATIC_DATA"]).glob("gpt2-tokenizer"))
    tokenizer = ByteLevelBPETokenizer(str(folder / "encoder.json"), str(folder / "vocab.bpe"))
    texts = [problem.question for problem in benchmarks.problems("gsm8k", "train")[::20]]
    texts += [
        "1 2 3 4 5",
        "{{{}}}" * 20,
        json.dumps({"steps": [{"question": "a"}]} | {str(n): n for n in range(50)}),
        "ä€😀漢字" * 9,
    ]
    for text in texts:
        found = len(tokenizer.encode(text).ids)
        assert found <= budget.most_tokens([text]) <= 4 * found + 2 * budget.MESSAGE_TOKENS
