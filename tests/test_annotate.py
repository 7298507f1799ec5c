"""Annotation: every sample that is asked for has one fate, nothing is paid twice, limits are kept."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from teacher_server import PROMPT, Answer, TeacherServer, complaint, completion, pairs, question, right, serving

from socratic import asking, orders, prompts
from socratic.annotate import LEDGER, Summary, claim, run
from socratic.asking import State
from socratic.budget import Limits, Price, Tokens
from socratic.config import TrainConfig
from socratic.dialect import Style
from socratic.errors import CallError, DataError, RunError, TeacherError, UsageError
from socratic.jsonl import read_jsonl
from socratic.judge import Reason
from socratic.leakage import Guard
from socratic.ledger import index
from socratic.mix import training_mix
from socratic.orders import Order, Terms, Work, plan
from socratic.replay import Replay
from socratic.replies import Finish, Reply
from socratic.schema import Problem, Trace, Training
from socratic.teacher import OpenAITeacher, Sampling, Server

PRICE = Price(input=1.0, output=10.0, batch=0.5)
NO_LIMITS = Limits()
KEY = "sk-fake-0123456789"
PROBLEMS = [Problem(f"p{n}", question(2 + n, 30 + n), str((2 + n) * (30 + n))) for n in range(8)]
PROBLEMS[5] = Problem("p5", "Into 7 crates a farmer packs 35 pears each. How many pears are packed?", "245")  # like no other


@pytest.fixture
def prompt(tmp_path: Path) -> Path:
    """The tiny prompt."""
    path = tmp_path / "tiny.md"
    path.write_text(PROMPT)
    return path


def order(prompt: Path, *, guard: Guard | None = None, **about: Any) -> Order:
    sampling = Sampling("scripted", about.pop("temperature", 0.7), 50)
    return orders.order(str(prompt), sampling, guard or Guard([]), **{"samples": 1, "reasks": 1, **about})


def annotated(
    server: TeacherServer,
    folder: Path,
    wanted: Order,
    problems: Sequence[Problem] = PROBLEMS,
    *,
    limits: Limits = NO_LIMITS,
    prices: dict[str, Price] | None = None,
    concurrency: int = 4,
    **transport: Any,
) -> tuple[Summary, State]:
    teacher = OpenAITeacher(Server(server.url, **{"retries": 1, "timeout": 20.0, **transport}), wanted.sampling, wanted.prompts)
    terms = Terms(limits, {"scripted": PRICE} if prices is None else prices)
    return run(Work.of(problems, wanted), folder, "mine", terms, asking.calls(teacher, concurrency=concurrency))


def rows(path: Path) -> list[dict[str, Any]]:
    return [row for _, row in read_jsonl(path) if isinstance(row, dict)]


def keys(folder: Path) -> Counter[str]:
    return Counter(row["key"] for row in rows(folder / "ledger.jsonl") if "lost" not in row)


def adds_up(summary: Summary) -> bool:
    return summary.asked == summary.accepted + summary.rejected.total() + summary.missing and summary.missing >= 0


def by_question(script: dict[int, Callable[[dict[str, Any]], Answer]]) -> Callable[[dict[str, Any]], Answer]:
    """Right answers, but for some problems, by their place in PROBLEMS."""

    def answer(body: dict[str, Any]) -> Answer:
        asked = next(n for n, problem in enumerate(PROBLEMS) if problem.question == body["messages"][-1]["content"])
        return script.get(asked, right)(body)

    return answer


def test_right_answers_become_traces_in_the_order_of_the_problems(prompt: Path, tmp_path: Path) -> None:
    with serving() as server:
        summary, state = annotated(server, tmp_path / "run", order(prompt, samples=2))
    traces = [Trace.from_dict(row) for row in rows(tmp_path / "run" / "traces.jsonl")]
    assert [(t.problem.id, t.source.sample) for t in traces] == [(p.id, sample) for p in PROBLEMS for sample in (0, 1)]
    assert {(t.source.kind, t.source.name) for t in traces} == {("teacher", "scripted")}
    assert all(len(t.source.prompt_sha256) == 64 for t in traces)
    assert state.stop is None and adds_up(summary) and (summary.accepted, summary.calls) == (16, 16)
    assert summary.usd == pytest.approx(16 * (100 * 1.0 + 20 * 10.0) / 1e6)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["order"]["prompt_sha256"] == traces[0].source.prompt_sha256
    assert record["summary"]["accepted"] == 16


def test_the_traces_can_be_trained_on(prompt: Path, tmp_path: Path) -> None:
    with serving() as server:
        annotated(server, tmp_path / "run", order(prompt))
    settings = TrainConfig.model_validate({"data": [{"traces": str(tmp_path / "run" / "traces.jsonl")}]})
    mix = training_mix(settings, Style(), Training.UNIFIED, data=tmp_path)
    assert len(mix.traces) == len(PROBLEMS) and not mix.refused


def test_a_second_run_asks_nothing_and_writes_the_same(prompt: Path, tmp_path: Path) -> None:
    with serving() as server:
        annotated(server, tmp_path / "run", order(prompt))
        first = (tmp_path / "run" / "traces.jsonl").read_bytes()
        (tmp_path / "run" / "traces.jsonl").unlink()
        summary, _ = annotated(server, tmp_path / "run", order(prompt))
        assert len(server.asked) == 8
    assert (summary.calls, summary.accepted) == (0, 8) and summary.spent.total == 8 * 120
    assert (tmp_path / "run" / "traces.jsonl").read_bytes() == first


def test_a_line_of_the_ledger_that_was_spoilt_is_said_and_asked_anew(prompt: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "run" / "ledger.jsonl"
    with serving() as server:
        sound, _ = annotated(server, tmp_path / "run", order(prompt))
        first, *others = ledger.read_bytes().splitlines(keepends=True)
        ledger.write_bytes(b"".join((first[:20] + b"\n", *others)))
        spoilt, _ = annotated(server, tmp_path / "run", order(prompt))
    assert (sound.broken, spoilt.broken, spoilt.calls, spoilt.accepted) == (0, 1, 1, 8)
    assert "broken" in str(spoilt) and "broken" not in str(sound)


def test_what_changes_a_reply_is_asked_anew_and_the_old_replies_stay(prompt: Path, tmp_path: Path) -> None:
    with serving() as server:
        annotated(server, tmp_path / "run", order(prompt))
        annotated(server, tmp_path / "run", order(prompt, temperature=0.9))
        prompt.write_text(PROMPT.replace("subquestions", "small subquestions"))
        summary, _ = annotated(server, tmp_path / "run", order(prompt))
        assert len(server.asked) == 24
        more, _ = annotated(server, tmp_path / "run", order(prompt, samples=2))
        assert len(server.asked) == 32, "more samples: only the new ones"
    assert (summary.accepted, more.accepted) == (8, 16)
    assert set(keys(tmp_path / "run").values()) == {1} and len(keys(tmp_path / "run")) == 32


LEAKY = Problem("t", PROBLEMS[5].question, "1", "exam", "held")
MISBEHAVIOUR: dict[int, Callable[[dict[str, Any]], Answer]] = {
    0: lambda body: complaint(500, "oops", headers={"retry-after-ms": "5"}),
    1: lambda body: completion("x" * 1_000_000),
    2: lambda body: completion(pairs(body)[:50]),
    3: lambda body: completion(pairs(body).replace('"answer": "165"', '"answer": "166"')),
    4: lambda body: completion(pairs(body).replace("=204>>204", "=205>>205")),
    6: lambda body: completion("I like apples."),
}


def test_every_misbehaviour_is_one_counted_reject_and_the_rest_is_accepted(prompt: Path, tmp_path: Path) -> None:
    wanted = order(prompt, guard=Guard([LEAKY]))
    with serving(by_question(MISBEHAVIOUR)) as server:
        summary, state = annotated(server, tmp_path / "run", wanted)
    found = {row["problem"]: row["reason"] for row in rows(tmp_path / "run" / "rejects.jsonl")}
    reasons = ["http", "length", "format", "wrong_answer", "bad_step", "leak", "format"]
    assert found == {f"p{n}": reason for n, reason in enumerate(reasons)}
    assert state.stop is None and adds_up(summary)
    assert (summary.accepted, summary.rejected[Reason.FORMAT], summary.reasked) == (1, 2, 2)
    assert summary.troubles == {"500": 2}
    assert all(body["messages"][-1]["content"] != LEAKY.question for body in server.asked), "a leak is not paid for"
    told = str(summary)
    assert "8 asked" in told and "1 accepted" in told and "format 2" in told and "500 2" in told and "2 asked again" in told


def test_what_brought_no_reply_is_asked_by_the_next_run_and_nothing_else(prompt: Path, tmp_path: Path) -> None:
    with serving(by_question(MISBEHAVIOUR)) as server:
        annotated(server, tmp_path / "run", order(prompt))
    with serving() as server:
        summary, _ = annotated(server, tmp_path / "run", order(prompt))
        assert [body["messages"][-1]["content"] for body in server.asked] == [PROBLEMS[0].question]
    assert Reason.HTTP not in summary.rejected and adds_up(summary)
    assert set(keys(tmp_path / "run").values()) == {1}


def test_a_reply_that_cannot_be_read_is_asked_for_again_and_both_are_kept(prompt: Path, tmp_path: Path) -> None:
    turns = count()
    with serving(lambda body: completion("hm") if next(turns) == 0 else right(body)) as server:
        summary, _ = annotated(server, tmp_path / "run", order(prompt), PROBLEMS[:1])
    (row,) = rows(tmp_path / "run" / "ledger.jsonl")
    assert [reply["text"] == "hm" for reply in row["replies"]] == [True, False]
    assert (summary.accepted, summary.reasked, summary.now.total) == (1, 1, 240), "both are paid"


def test_a_wrong_answer_is_not_asked_for_again(prompt: Path, tmp_path: Path) -> None:
    with serving(lambda body: completion(pairs(body).replace('"answer": "', '"answer": "9'))) as server:
        summary, _ = annotated(server, tmp_path / "run", order(prompt))
        assert len(server.asked) == 8
    assert summary.rejected == {Reason.WRONG_ANSWER: 8}


def test_a_server_that_never_answers_ends_the_run_early(prompt: Path, tmp_path: Path) -> None:
    many = [Problem(f"m{n}", question(n, 3), str(3 * n)) for n in range(2, 300)]
    with serving(lambda body: complaint(500, "down", headers={"retry-after-ms": "1"})) as server:
        summary, state = annotated(server, tmp_path / "run", order(prompt), many, retries=0)
        assert len(server.asked) < 30
    assert isinstance(state.stop, RunError) and "in a row" in str(state.stop)
    assert adds_up(summary) and summary.missing > 250


def test_a_run_too_short_for_patience_says_too_that_nobody_answered(prompt: Path, tmp_path: Path) -> None:
    with serving(lambda body: complaint(500, "down", headers={"retry-after-ms": "1"})) as server:
        summary, state = annotated(server, tmp_path / "run", order(prompt), PROBLEMS[:2])
    assert summary.accepted == 0 and isinstance(state.stop, RunError) and "no call brought a reply" in str(state.stop)


def test_a_limit_of_tokens_is_kept_and_the_run_goes_on_when_it_is_raised(prompt: Path, tmp_path: Path) -> None:
    wanted = order(prompt, reasks=0)
    most = max(wanted.most(problem).total for problem in PROBLEMS)
    with serving() as server:
        summary, state = annotated(server, tmp_path / "run", wanted, limits=Limits(tokens=3 * 120 + most))
        assert isinstance(state.stop, asking.BudgetUsed) and state.stop.hint
        assert 3 <= summary.accepted < 8 and summary.missing == 8 - summary.accepted and adds_up(summary)
        assert summary.spent.total <= 3 * 120 + most
        again, stopped = annotated(server, tmp_path / "run", wanted, limits=Limits(tokens=3 * 120 + most))
        assert again.calls == 0 and stopped.stop, "what earlier runs spent counts"
        last, state = annotated(server, tmp_path / "run", wanted)
        assert last.accepted == 8 and state.stop is None and len(server.asked) == 8


def test_a_limit_in_dollars_is_kept(prompt: Path, tmp_path: Path) -> None:
    wanted = order(prompt)
    usd = 2 * PRICE.dollars(wanted.most(PROBLEMS[0]).times(2))
    with serving() as server:
        summary, state = annotated(server, tmp_path / "run", wanted, limits=Limits(usd=usd), concurrency=8)
    assert state.stop and 0 < summary.accepted < 8
    assert summary.usd is not None and 0 < summary.usd <= usd


def test_a_bar_projects_what_this_run_costs_beside_what_earlier_runs_cost() -> None:
    state = State(total=10, spent=Tokens(400, 40), usd=3.0, before=1.0)
    assert state.projected is None and "$" not in str(state), "before the first reply nobody can say"
    state.done = 4
    assert state.projected == 1.0 + 2.0 / 4 * 10
    assert "$3.0000 of about $6.0000" in str(state)
    state.done = 10
    assert state.projected == state.usd
    assert State(total=10, spent=Tokens(), usd=None, done=3).projected is None, "a price is missing"


def test_tokens_that_the_server_does_not_count_are_taken_at_most_and_said(prompt: Path, tmp_path: Path) -> None:
    with serving(lambda body: completion(pairs(body), usage={})) as server:
        summary, _ = annotated(server, tmp_path / "run", order(prompt))
    assert summary.uncounted == 8 and "8 replies not counted" in str(summary)
    assert summary.now.input == sum(order(prompt).most(problem).input for problem in PROBLEMS)


CUT = Answer(completion("x").body, act="cut")


def test_lost_calls_are_taken_at_most_in_this_run_and_the_next_which_asks_again(prompt: Path, tmp_path: Path) -> None:
    wanted = order(prompt)
    most = wanted.most(PROBLEMS[0])
    with serving(lambda body: CUT) as server:
        summary, _ = annotated(server, tmp_path / "run", wanted, PROBLEMS[:1])
        assert len(server.asked) == 2
        assert (summary.lost, summary.now, summary.spent) == (2, most.times(2), most.times(2))
        assert summary.usd == pytest.approx(PRICE.dollars(most.times(2))) and "2 lost calls" in str(summary)
        server.script = right
        summary, _ = annotated(server, tmp_path / "run", wanted, PROBLEMS[:1])
    assert (summary.lost, summary.accepted, summary.now) == (0, 1, Tokens(100, 20)) and "lost" not in str(summary)
    assert summary.spent == most.times(2) + summary.now


def test_a_call_that_a_retry_saved_costs_what_was_lost_too(prompt: Path, tmp_path: Path) -> None:
    turns = count()
    with serving(lambda body: CUT if next(turns) == 0 else right(body)) as server:
        summary, _ = annotated(server, tmp_path / "run", order(prompt), PROBLEMS[:1])
    assert (summary.accepted, summary.lost) == (1, 1)
    assert summary.spent == summary.now == order(prompt).most(PROBLEMS[0]) + Tokens(100, 20)


def test_a_limit_in_dollars_holds_where_all_is_lost_retries_included(prompt: Path, tmp_path: Path) -> None:
    wanted = order(prompt, reasks=0)
    limits = Limits(usd=4 * PRICE.dollars(max((wanted.most(problem) for problem in PROBLEMS), key=lambda most: most.total)))
    with serving(lambda body: CUT) as server:
        summary, state = annotated(server, tmp_path / "run", wanted, limits=limits, concurrency=2, retries=6)
        assert isinstance(state.stop, asking.BudgetUsed) and summary.lost == len(server.asked) >= 3
        assert summary.usd is not None and limits.usd is not None and 0 < summary.usd <= limits.usd
        assert summary.usd >= len(server.asked) * PRICE.dollars(min((wanted.most(p) for p in PROBLEMS), key=lambda m: m.total))
        asked = len(server.asked)
        again, state = annotated(server, tmp_path / "run", wanted, limits=limits)
        assert isinstance(state.stop, asking.BudgetUsed) and len(server.asked) == asked and again.usd == summary.usd


def test_bad_statuses_and_servers_that_are_not_there_cost_nothing(prompt: Path, tmp_path: Path) -> None:
    with serving(lambda body: complaint(500, "oops", headers={"retry-after-ms": "5"})) as server:
        annotated(server, tmp_path / "run", order(prompt), PROBLEMS[:2], retries=0)
    summary, _ = annotated(server, tmp_path / "run", order(prompt), PROBLEMS[:2], retries=0)
    assert summary.troubles == {"unsent": 2}
    assert summary.lost == summary.spent.total == 0 and summary.usd == 0.0


MANY = [Problem(f"m{n}", question(n, 3), str(3 * n)) for n in range(2, 62)]


@pytest.mark.parametrize("useless", [completion("hm"), completion('{"steps": [', finish="length")], ids=["format", "length"])
def test_replies_of_which_none_can_be_used_end_the_run_early_and_are_told(useless: Answer, prompt: Path, tmp_path: Path) -> None:
    with serving(lambda body: useless) as server:
        summary, state = annotated(server, tmp_path / "run", order(prompt, reasks=0), MANY)
        assert asking.FRUITLESS <= len(server.asked) < asking.FRUITLESS + 4
        assert isinstance(state.stop, RunError) and "--reply-tokens" in state.stop.hint
        assert summary.unusable == summary.calls and f"{summary.calls} of them unusable" in str(summary)
        assert f"{state.unusable} unusable" in str(state) and adds_up(summary)
        server.script = right
        summary, state = annotated(server, tmp_path / "run", order(prompt, reasks=0), MANY)
    assert state.stop is None and summary.missing == 0 and summary.unusable == 0


def test_one_reply_that_can_be_used_keeps_the_run_going(prompt: Path, tmp_path: Path) -> None:
    turns = count()
    with serving(lambda body: right(body) if next(turns) == 0 else completion("hm")) as server:
        summary, state = annotated(server, tmp_path / "run", order(prompt, reasks=0), MANY, concurrency=1)
    assert state.stop is None and (summary.accepted, summary.unusable) == (1, len(MANY) - 1)


@pytest.mark.parametrize("status", [401, 404])
def test_a_refusal_ends_the_run_at_once(status: int, prompt: Path, tmp_path: Path) -> None:
    with serving(lambda body: complaint(status, "no such thing")) as server:
        summary, state = annotated(server, tmp_path / "run", order(prompt), concurrency=2)
        assert len(server.asked) <= 2
    assert isinstance(state.stop, TeacherError) and summary.missing == 8


def test_callers_that_wait_for_their_share_of_a_budget_end_with_a_refusal_too(prompt: Path, tmp_path: Path) -> None:
    wanted = order(prompt)
    one_call = Limits(tokens=max(wanted.most(problem).times(2).total for problem in PROBLEMS))
    ended = threading.Event()

    def annotate_all() -> None:
        with serving(lambda body: complaint(401, "no such key")) as server:
            annotated(server, tmp_path / "run", wanted, limits=one_call, concurrency=4)
        ended.set()

    threading.Thread(target=annotate_all, daemon=True).start()  # so that a run that never ends fails the test
    assert ended.wait(60)


def test_as_many_calls_run_at_the_same_time_as_are_allowed_and_no_more(prompt: Path, tmp_path: Path) -> None:
    running, most, lock = 0, list[int](), threading.Lock()
    barrier = threading.Barrier(4, timeout=60)

    def answer(body: dict[str, Any]) -> Answer:
        nonlocal running
        with lock:
            running += 1
            most.append(running)
        barrier.wait()  # passes only where four are here together
        with lock:
            running -= 1
        return right(body)

    with serving(answer) as server:
        summary, _ = annotated(server, tmp_path / "run", order(prompt))
    assert summary.accepted == 8 and max(most) == 4


def test_a_plan_asks_nothing_writes_nothing_and_bounds_what_follows(prompt: Path, tmp_path: Path) -> None:
    work = Work.of(PROBLEMS, order(prompt, samples=3))
    found = plan(work, index(tmp_path / "run" / LEDGER), Terms(Limits(), {"scripted": PRICE}))
    assert not (tmp_path / "run").exists()
    assert (found.calls, found.done) == (24, 0) and found.usd
    assert 0 < found.likely_input < found.most.input
    with serving() as server:
        annotated(server, tmp_path / "run", order(prompt))
    later = plan(work, index(tmp_path / "run" / LEDGER), Terms(Limits(), {}))
    assert (later.calls, later.done) == (16, 8) and later.usd is None
    assert "no price is known of 'scripted'" in str(later) and "at most $" in str(found)


def test_what_stands_twice_or_is_never_trained_on_is_left_out(prompt: Path) -> None:
    gsm8k = [Problem(f"gsm8k-train-{n}", question(n, 7), "1", "gsm8k", "train") for n in range(2, 99)]
    work = Work.of([*PROBLEMS, replace(PROBLEMS[0], id="again"), *gsm8k], order(prompt))
    assert work.left_out["the same question again"] == 1
    assert 0 < work.left_out["validation slice, never trained on"] < 30
    assert len(work.problems) + work.left_out.total() == len(PROBLEMS) + 1 + len(gsm8k)


def test_a_prompt_that_shows_a_test_problem_is_refused(prompt: Path) -> None:
    answered = "Q: How many?\nA: 3*4 = 12 jars.\nAnswer: 12"
    example = f"# user\n\nA crate has 4 jars, a shelf has 3 crates. How many jars?\n\n# assistant\n\n{answered}\n\n"
    prompt.write_text(PROMPT.replace("# user", f"{example}# user"))
    (shown,) = prompts.load(prompt).examples
    with pytest.raises(DataError, match="example 1 of the prompt 'tiny' is like t of hidden test"):
        order(prompt, guard=Guard([Problem("t", shown, dataset="hidden", split="test")]))
    order(prompt, guard=Guard([Problem("t", shown, dataset="svamp", split="train")]))


@pytest.mark.parametrize("split", ["test", "dev", "all"])
def test_test_problems_are_refused(split: str, prompt: Path) -> None:
    with pytest.raises(DataError, match="test problem"):
        Work.of([Problem("a", "How?", "1", "svamp", split)], order(prompt))


def test_a_folder_of_something_else_or_of_other_problems_is_refused(prompt: Path, tmp_path: Path) -> None:
    work, longer, other = (Work.of(some, order(prompt)) for some in (PROBLEMS[:2], PROBLEMS[:4], PROBLEMS[1:]))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "weights").write_text("")
    (tmp_path / "file").write_text("")
    for folder in ("other", "file"):
        with pytest.raises(UsageError, match="holds no run"):
            claim(tmp_path / folder, "mine", work)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "run.json.partial").write_text("{")  # of a run that was killed at once
    claim(tmp_path / "new", "mine", work)
    claim(tmp_path / "new", "mine", work)
    with pytest.raises(UsageError, match="over mine, not over yours"):
        claim(tmp_path / "new", "yours", work)
    claim(tmp_path / "new", "mine", longer)
    with pytest.raises(UsageError, match="other problems of the name mine"):
        claim(tmp_path / "new", "mine", other)
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["weights"]


def test_an_order_that_makes_no_sense_is_refused_and_names_all_that_a_prompt_lacks(prompt: Path) -> None:
    with pytest.raises(UsageError, match="temperature 0"):
        order(prompt, temperature=0.0, samples=2)
    prompt.write_text(PROMPT + "\n{{hint}} {{choices}}\n")
    with pytest.raises(DataError, match="missing: hint, choices"):
        order(prompt)


# Stored answers


def stored(folder: Path, problems: Sequence[Problem]) -> Path:
    path = folder / "stored.jsonl"
    rows = [{"question": p.question, "output": [pairs({"messages": [{"content": p.question}]})] * 2} for p in problems]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_stored_answers_are_judged_like_any_others_and_cost_nothing_to_repeat(prompt: Path, tmp_path: Path) -> None:
    wanted = order(prompt, samples=3, stored=True)
    ask = asking.calls(Replay(stored(tmp_path, PROBLEMS[:6])), concurrency=1)
    summary, state = run(Work.of(PROBLEMS, wanted), tmp_path / "run", "mine", Terms(Limits(), {}), ask)
    assert state.stop is None and adds_up(summary)
    assert (summary.accepted, summary.rejected[Reason.HTTP]) == (12, 12)
    assert summary.spent.total == summary.uncounted == 0
    traces = [Trace.from_dict(row) for row in rows(tmp_path / "run" / "traces.jsonl")]
    assert {trace.source.prompt_sha256 for trace in traces} == {""}, "no prompt of ours made them"


class ScriptedTeacher:
    """Says the same to all, with a likelihood; remembers what it was asked."""

    def __init__(self, text: str) -> None:
        self.text, self.asked, self.troubles, self.closed = text, list[tuple[str, int, int]](), Counter[str](), False

    async def ask(self, problem: Problem, *, sample: int, attempt: int) -> Reply:
        self.asked.append((problem.id, sample, attempt))
        await asyncio.sleep(0)
        if attempt:
            raise CallError("gone")
        return Reply(self.text, Finish.STOP, logprob=-0.25)

    async def close(self) -> None:
        self.closed = True


def test_likelihoods_stand_beside_the_traces_for_the_filter(prompt: Path, tmp_path: Path) -> None:
    teacher = ScriptedTeacher(pairs({"messages": [{"content": PROBLEMS[0].question}]}))
    ask = asking.calls(teacher, concurrency=2)
    run(Work.of(PROBLEMS[:1], order(prompt)), tmp_path / "run", "mine", Terms(Limits(), {}), ask)
    assert [row["logprob"] for row in rows(tmp_path / "run" / "traces.jsonl")] == [-0.25]
    assert teacher.closed


def test_a_reply_that_was_paid_is_kept_when_asking_again_fails(prompt: Path, tmp_path: Path) -> None:
    teacher = ScriptedTeacher("hm")
    ask = asking.calls(teacher, concurrency=1)
    work = Work.of(PROBLEMS[:2], order(prompt, samples=2))
    summary, _ = run(work, tmp_path / "run", "mine", Terms(Limits(), {}), ask)
    assert summary.rejected == {Reason.FORMAT: 4} and len(keys(tmp_path / "run")) == 4
    first_attempts = [(name, sample) for name, sample, attempt in teacher.asked if not attempt]
    assert first_attempts == [("p0", 0), ("p1", 0), ("p0", 1), ("p1", 1)], "one sample of each before the next"


# As a user meets it


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "socratic.cli", "annotate", *map(str, arguments)]


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI") and name != "SOCRATIC_DATA"}
    return {**kept, **more}


def problem_file(folder: Path, problems: Sequence[Problem]) -> Path:
    path = folder / "mine.jsonl"
    rows = [{"id": p.id, "question": p.question, "answer": p.answer} for p in problems]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_killed_at_any_moment_and_resumed_every_key_is_there_once_and_only_calls_in_flight_are_paid_again(
    prompt: Path, tmp_path: Path
) -> None:
    problems = [Problem(f"m{n}", question(2 + n, 7), str(7 * (2 + n))) for n in range(60)]
    out, concurrency, kills = tmp_path / "run", 4, (1, 70)
    with serving(delay=0.02) as server:
        arguments = command(
            *(
                problem_file(tmp_path, problems),
                "--teacher",
                "scripted",
                "--base-url",
                server.url,
                "--prompt",
                prompt,
                "--seed",
                "0",
            ),
            *("--samples", "2", "--out", out, "--concurrency", str(concurrency)),
        )
        for moment in kills:
            process = subprocess.Popen(arguments, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            while len(server.asked) < moment and process.poll() is None:
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
            _, said = process.communicate(timeout=300)
            assert process.returncode == -signal.SIGKILL, said.decode()
        done = subprocess.run(arguments, env=environment(), capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        asked = Counter((body["messages"][-1]["content"], body["seed"]) for body in server.asked)
    assert set(keys(out).values()) == {1} and len(keys(out)) == 120
    assert len(asked) == 120 and asked.total() - 120 <= concurrency * len(kills)
    assert len(rows(out / "traces.jsonl")) == 120
    assert "120 asked" in done.stdout and "120 accepted" in done.stdout


def test_a_key_is_in_no_file_or_output_after_it_was_refused(prompt: Path, tmp_path: Path) -> None:
    def refuse(body: dict[str, Any]) -> Answer:
        return complaint(401, f"Incorrect API key provided: {KEY}.")

    with serving(refuse) as server:
        arguments = command(
            *(problem_file(tmp_path, PROBLEMS), "--teacher", "gpt", "--base-url", server.url, "--prompt", prompt),
            *("--out", tmp_path / "run", "--api-key-env", "MY_KEY"),
        )
        done = subprocess.run(
            arguments, env=environment(MY_KEY=KEY, OPENAI_LOG="debug"), capture_output=True, text=True, timeout=300
        )
        assert server.keys[0] == f"Bearer {KEY}"
    assert done.returncode == 2 and "401" in done.stderr and "MY_KEY" in done.stderr and "Traceback" not in done.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert all(KEY.encode() not in path.read_bytes() for path in files) and KEY not in done.stdout + done.stderr


BAD = [
    (["--max-usd", "0"], "a budget of 0"),
    (["--max-tokens", "0"], "a budget of 0"),
    (["--max-usd", "1"], "none is known of 'unknown'"),
    (["--samples", "3", "--temperature", "0"], "temperature 0"),
    (["--prompt", "nonsense"], "no prompt 'nonsense'"),
    (["--base-url", "https://example.org/v1"], "no key"),
    (["--base-url", "nowhere"], "web address"),
    (["--prices", "missing.yaml"], "no file of prices"),
    (["--replay", "missing.json"], "cannot be read"),
]


def test_input_that_cannot_be_worked_with_is_said_in_one_line_and_costs_nothing(
    prompt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from socratic import cli

    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "SOCRATIC_DATA"):
        monkeypatch.delenv(name, raising=False)
    problems = problem_file(tmp_path, PROBLEMS)
    usual = ["annotate", str(problems), "--teacher", "unknown", "--base-url", "http://127.0.0.1:9/v1", "--prompt", str(prompt)]
    for more, said in BAD:
        monkeypatch.setattr(sys, "argv", ["socratic", *usual, "--out", str(tmp_path / "run"), *more])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        told = capsys.readouterr().err
        assert caught.value.code == 2 and said in told, (more, told)
        assert not (tmp_path / "run").exists(), more


def test_lines_that_cannot_be_used_are_named_and_the_others_are_annotated(
    prompt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from socratic import cli

    problems = tmp_path / "mine.jsonl"
    lines = [{"question": p.question, "answer": p.answer} for p in PROBLEMS[:3]]  # no ids
    lines += [{"id": "x", "question": question(9, 9), "answer": "81"}, {"id": "x", "question": question(8, 9), "answer": "72"}]
    problems.write_text("".join(json.dumps(line) + "\n" for line in [*lines, lines[0], {"question": ""}]) + "{")
    with serving() as server:
        arguments = ["annotate", str(problems), "--teacher", "t", "--base-url", server.url, "--prompt", str(prompt)]
        monkeypatch.setattr(sys, "argv", ["socratic", *arguments, "--out", str(tmp_path / "run")])
        with pytest.raises(SystemExit) as caught:
            cli.main()
    told = capsys.readouterr()
    assert caught.value.code == 2
    assert "4 asked" in told.out and "4 accepted" in told.out and "the same question again 1" in told.out
    assert all(f"mine.jsonl:{number}" in told.err for number in (5, 7, 8)) and "3 broken lines" in told.err
