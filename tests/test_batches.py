"""The batch endpoint: submitted once, collected once, whatever happens between; limits and ladder as for single calls."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from teacher_server import PROMPT, Answer, TeacherServer, complaint, completion, question, right, serving

from socratic import asking, batches, orders
from socratic.annotate import Summary, run
from socratic.asking import State
from socratic.batches import Slip, slips
from socratic.budget import Limits, Price
from socratic.errors import CallError, RunError
from socratic.jsonl import read_jsonl
from socratic.judge import Reason
from socratic.leakage import Guard
from socratic.ledger import Ledger
from socratic.orders import Order, Terms, Work
from socratic.replies import Rung
from socratic.schema import Problem
from socratic.teacher import OpenAITeacher, Sampling, Server

PRICE = Price(input=1.0, output=10.0, batch=0.5)
NO_LIMITS = Limits()
PROBLEMS = [Problem(f"p{n}", question(2 + n, 30 + n), str((2 + n) * (30 + n))) for n in range(6)]


@pytest.fixture
def order(tmp_path: Path) -> Order:
    """The tiny prompt, two samples."""
    path = tmp_path / "tiny.md"
    path.write_text(PROMPT)
    return orders.order(str(path), Sampling("scripted", 0.7, 50), Guard([]), samples=2, reasks=1)


def batched(
    server: TeacherServer, folder: Path, wanted: Order, problems: Sequence[Problem] = PROBLEMS, limits: Limits = NO_LIMITS
) -> tuple[Summary, State]:
    teacher = OpenAITeacher(Server(server.url, retries=0, timeout=60.0), wanted.sampling, wanted.prompts)
    ask = batches.calls(teacher, folder / "batches", poll=0.01)
    return run(Work.of(problems, wanted), folder, "mine", Terms(limits, {"scripted": PRICE}, batch=True), ask)


def entries(folder: Path) -> list[dict[str, Any]]:
    return [row for _, row in read_jsonl(folder / "ledger.jsonl") if isinstance(row, dict)]


def test_a_batch_gives_what_single_calls_give_at_its_own_price(order: Order, tmp_path: Path) -> None:
    with serving() as server:
        summary, state = batched(server, tmp_path / "batch", order)
        assert len(server.batches) == 1
        teacher = OpenAITeacher(Server(server.url), order.sampling, order.prompts)
        ask = asking.calls(teacher, concurrency=2)
        single, _ = run(Work.of(PROBLEMS, order), tmp_path / "single", "mine", Terms(NO_LIMITS, {"scripted": PRICE}), ask)
    assert state.stop is None and (summary.accepted, summary.calls) == (12, 12)
    assert (tmp_path / "batch" / "traces.jsonl").read_bytes() == (tmp_path / "single" / "traces.jsonl").read_bytes()
    assert summary.usd is not None and single.usd is not None and summary.usd == pytest.approx(single.usd / 2)
    assert {row["key"]: row["batch"] for row in entries(tmp_path / "batch")} == {
        row["key"]: True for row in entries(tmp_path / "single")
    }


def dying(server: TeacherServer, folder: Path, order: Order, method: str, when: str) -> None:
    """A run that is killed before or after the server has done something."""
    real: Callable[..., Any] = getattr(server, method)

    def once(*arguments: Any) -> Any:
        setattr(server, method, real)
        found = real(*arguments) if when == "after" else None
        raise OSError("the connection breaks, and the process with it", found)

    setattr(server, method, once)
    _, state = batched(server, folder, order)
    assert state.stop is not None


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("method", ["upload", "create", "look"])
def test_interrupted_at_any_step_a_batch_is_started_once_and_collected_once(
    method: str, when: str, order: Order, tmp_path: Path
) -> None:
    with serving() as server:
        dying(server, tmp_path / "run", order, method, when)
        summary, state = batched(server, tmp_path / "run", order)
        assert len(server.batches) == 1 and len(server.asked) == 12, "nothing was paid twice"
    assert state.stop is None and summary.accepted == 12
    assert set(Counter(row["key"] for row in entries(tmp_path / "run")).values()) == {1}
    assert [slip.collected for slip in slips(tmp_path / "run" / "batches")] == [True]


def test_a_collection_that_was_cut_off_goes_on_where_it_was(order: Order, tmp_path: Path) -> None:
    with serving() as server:
        batched(server, tmp_path / "run", order)
        ledger, (slip,) = tmp_path / "run" / "ledger.jsonl", slips(tmp_path / "run" / "batches")
        lines = ledger.read_bytes().splitlines(keepends=True)
        ledger.write_bytes(b"".join(lines[:5]) + lines[5][:20])
        Slip(slip.path, slip.order, slip.rung, slip.file, slip.batch, collected=False).save()
        summary, _ = batched(server, tmp_path / "run", order)
        assert len(server.asked) == 12
    assert (summary.accepted, summary.calls) == (12, 7)
    assert len({row["key"] for row in entries(tmp_path / "run")}) == len(entries(tmp_path / "run")) == 12


def test_what_a_run_of_fewer_problems_did_not_want_is_collected_by_the_next_that_does(order: Order, tmp_path: Path) -> None:
    with serving() as server:
        dying(server, tmp_path / "run", order, "look", "before")
        fewer, state = batched(server, tmp_path / "run", order, PROBLEMS[:1])
        assert state.stop is None and fewer.accepted == 2
        (slip,) = slips(tmp_path / "run" / "batches")
        assert slip.unclaimed
        summary, state = batched(server, tmp_path / "run", order)
        assert len(server.asked) == 12 and len(server.batches) == 1, "nothing was paid twice"
        (slip,) = slips(tmp_path / "run" / "batches")
    assert state.stop is None and summary.accepted == 12 and summary.spent.total == 12 * 120
    assert slip.collected and not slip.unclaimed


def test_what_failed_in_a_batch_is_asked_again_while_others_of_its_replies_are_unclaimed(order: Order, tmp_path: Path) -> None:
    turns = count()
    with serving(lambda body: complaint(500, "oops") if next(turns) == 0 else right(body)) as server:
        dying(server, tmp_path / "run", order, "look", "before")
        for accepted in (1, 2):
            fewer, _ = batched(server, tmp_path / "run", order, PROBLEMS[:1])
            assert fewer.accepted == accepted
        summary, state = batched(server, tmp_path / "run", order)
        assert len(server.asked) == 13
    assert state.stop is None and summary.accepted == 12


def test_a_download_that_breaks_off_is_an_error_and_the_same_command_goes_on(order: Order, tmp_path: Path) -> None:
    with serving() as server:
        content = server.content
        server.content = lambda name: Answer(content(name).body, act="cut")  # type: ignore[method-assign]
        summary, state = batched(server, tmp_path / "run", order)
        assert isinstance(state.stop, CallError) and "goes on" in state.stop.hint and summary.accepted == 0
        server.content = content  # type: ignore[method-assign]
        summary, state = batched(server, tmp_path / "run", order)
        assert len(server.asked) == 12
    assert state.stop is None and summary.accepted == 12


def test_a_form_that_the_server_refuses_is_left_for_the_next_batch(order: Order, tmp_path: Path) -> None:
    def answer(body: dict[str, Any]) -> Answer:
        return complaint(400, "no schemas here") if body.get("response_format", {}).get("type") == "json_schema" else right(body)

    with serving(answer) as server:
        summary, state = batched(server, tmp_path / "run", order)
    assert state.stop is None and summary.accepted == 12 and summary.troubles == {"400": 12}
    assert [slip.rung for slip in slips(tmp_path / "run" / "batches")] == [Rung.SCHEMA, Rung.OBJECT]


def test_calls_that_fail_in_a_batch_are_counted_and_asked_by_the_next_run(order: Order, tmp_path: Path) -> None:
    turns = count()
    with serving(lambda body: complaint(500, "oops") if next(turns) % 3 == 0 else right(body)) as server:
        summary, state = batched(server, tmp_path / "run", order)
        assert state.stop is None and summary.rejected == {Reason.HTTP: 4} and summary.troubles == {"500": 4}
        server.script = right
        summary, _ = batched(server, tmp_path / "run", order)
        assert summary.accepted == 12 and len(server.asked) == 16


def test_a_slip_that_was_taken_away_leaves_its_number_free_and_no_other_is_overwritten(order: Order, tmp_path: Path) -> None:
    def first_slip_and_the_others() -> tuple[Path, dict[Path, bytes]]:
        first, *others = (slip.path for slip in slips(tmp_path / "run" / "batches"))
        return first, {path: path.read_bytes() for path in others}

    with serving(lambda body: complaint(500, "oops")) as server:
        for _ in range(3):
            batched(server, tmp_path / "run", order)
        first, others = first_slip_and_the_others()
        first.unlink()
        batched(server, tmp_path / "run", order)
    assert (
        len(others) == 2 and others.items() <= {path: path.read_bytes() for path in (tmp_path / "run").rglob("0*.json")}.items()
    )


def test_what_cannot_be_read_is_not_asked_again_in_a_batch(order: Order, tmp_path: Path) -> None:
    with serving(lambda body: completion("hm")) as server:
        summary, _ = batched(server, tmp_path / "run", order)
        batched(server, tmp_path / "run", order)
        assert len(server.asked) == 12
    assert summary.rejected == {Reason.FORMAT: 12}


def test_a_limit_holds_for_what_is_submitted(order: Order, tmp_path: Path) -> None:
    most = max(order.most(problem).total for problem in PROBLEMS)
    with serving() as server:
        summary, state = batched(server, tmp_path / "run", order, limits=Limits(tokens=3 * most))
        assert state.stop is not None and 3 <= summary.accepted < 12 and summary.spent.total <= 3 * most
        asked = len(server.asked)
        summary, state = batched(server, tmp_path / "run", order)
        assert state.stop is None and summary.accepted == 12 and len(server.asked) == 12 > asked


def test_a_batch_that_the_server_refuses_whole_is_an_error_and_not_the_end(order: Order, tmp_path: Path) -> None:
    with serving() as server:
        create = server.create
        server.create = lambda body: {  # type: ignore[method-assign]
            **create(body),
            "status": server.batches["batch-0"].update(status="failed", output_file_id=None) or "validating",
        }
        summary, state = batched(server, tmp_path / "run", order)
        assert isinstance(state.stop, RunError) and "refused the batch" in str(state.stop) and summary.accepted == 0
        server.create = create  # type: ignore[method-assign]
        summary, state = batched(server, tmp_path / "run", order)
    assert state.stop is None and summary.accepted == 12


def test_lines_that_nobody_asked_for_are_not_taken(order: Order, tmp_path: Path) -> None:
    with serving() as server:
        look = server.look

        def look_and_add(name: str) -> dict[str, Any]:
            found = look(name)
            row = {"custom_id": "0" * 64, "response": {"status_code": 200, "body": json.loads(completion("x").body)}}
            junk = ["{", "[]", '{"custom_id": 5}', json.dumps(row), json.dumps({"custom_id": "../x"})]
            server.files[found["output_file_id"]] += "\n".join(junk).encode() + b"\n"
            return found

        server.look = look_and_add  # type: ignore[method-assign]
        summary, state = batched(server, tmp_path / "run", order)
    assert state.stop is None and summary.accepted == 12 and len(entries(tmp_path / "run")) == 12
    assert summary.troubles["unreadable lines"] >= 3


def test_batches_of_another_order_are_left_to_it(order: Order, tmp_path: Path) -> None:
    other = orders.order(str(tmp_path / "tiny.md"), Sampling("scripted", 0.9, 50), Guard([]), samples=1, reasks=1)
    with serving() as server:
        dying(server, tmp_path / "run", order, "look", "before")
        batched(server, tmp_path / "run", other)
        assert [slip.collected for slip in slips(tmp_path / "run" / "batches")] == [False, True]
        summary, _ = batched(server, tmp_path / "run", order)
        assert summary.accepted == 12 and len(server.asked) == 18


def test_a_slip_that_cannot_be_read_stops_before_anything_is_paid(order: Order, tmp_path: Path) -> None:
    with serving() as server:
        batched(server, tmp_path / "run", order, PROBLEMS[:1])
        (slip,) = slips(tmp_path / "run" / "batches")
        slip.path.write_text("{")
        _, state = batched(server, tmp_path / "run", order)
        assert isinstance(state.stop, RunError) and "slip" in str(state.stop) and len(server.batches) == 1


def test_what_a_batch_uploaded_holds_no_key(order: Order, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-fake-0123456789")
    with serving() as server:
        batched(server, tmp_path / "run", order)
        files = [*(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()), *server.files.values()]
    assert all(b"sk-fake-0123456789" not in raw for raw in files)


def test_the_ledger_is_in_use_while_a_batch_is_waited_for(order: Order, tmp_path: Path) -> None:
    with serving() as server:
        look = server.look

        def look_at_lock(name: str) -> dict[str, Any]:
            with pytest.raises(RunError, match="another process"):
                Ledger(tmp_path / "run" / "ledger.jsonl")
            return look(name)

        server.look = look_at_lock  # type: ignore[method-assign]
        _, state = batched(server, tmp_path / "run", order)
    assert state.stop is None
