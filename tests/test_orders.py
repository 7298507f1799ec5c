"""What a run would cost is said before: bounds, and where the limits may end it. Run: pytest tests/test_orders.py"""

from __future__ import annotations

from pathlib import Path

import pytest
from teacher_server import PROMPT, question

from socratic import orders
from socratic.budget import Limits, Price, Tokens
from socratic.leakage import Guard
from socratic.ledger import Index
from socratic.orders import Plan, Terms, Work, plan
from socratic.schema import Problem
from socratic.teacher import Sampling

MODEL = "scripted"
PRICE = Price(input=1.0, output=10.0, batch=0.5)
PROBLEMS = [Problem(f"p{n}", question(n, 7 * n), str(7 * n * n)) for n in range(2, 8)]
BEFORE = Tokens(3_000, 400)  # used by earlier runs into the folder
EARLY = "they may end it earlier"


@pytest.fixture
def work(tmp_path: Path) -> Work:
    """Twelve samples of the tiny prompt, each asked for once more where it cannot be read."""
    (tmp_path / "tiny.md").write_text(PROMPT)
    order = orders.order(str(tmp_path / "tiny.md"), Sampling(MODEL, 0.7, 50), Guard([]), samples=2, reasks=1)
    return Work.of(PROBLEMS, order)


def planned(work: Work, limits: Limits, *, batch: bool = False) -> Plan:
    return plan(work, Index(used={(MODEL, False): BEFORE}), Terms(limits, {MODEL: PRICE}, batch))


@pytest.mark.parametrize("batch", [False, True])
def test_a_plan_says_after_how_many_calls_a_limit_may_end_the_run(batch: bool, work: Work) -> None:
    costs = [(work.order.most if batch else work.most)(job.problem) for job in work.jobs()]
    for n, cost in enumerate(costs):
        roof = sum(costs[:n], Tokens(cost.input // 2, 0))  # n calls and a part of the next
        usd = PRICE.dollars(BEFORE) + PRICE.dollars(roof, batch=batch)
        for limits in (Limits(tokens=(BEFORE + roof).total), Limits(usd=usd), Limits(usd, 10**9)):
            found = planned(work, limits, batch=batch)
            assert (found.calls, found.within) == (len(costs), n)
            assert f"{EARLY}, after about {n} calls" in str(found)


def test_without_limits_or_with_room_for_all_nothing_ends_it_earlier(work: Work) -> None:
    most = planned(work, Limits()).most.total + BEFORE.total
    assert not any(EARLY in str(planned(work, limits)) for limits in (Limits(), Limits(tokens=most), Limits(usd=1e6)))
    assert EARLY in str(planned(work, Limits(tokens=most - 1)))
