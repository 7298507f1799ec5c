"""Teachers: what a server does wrong is borne, counted and never paid for twice; the key appears nowhere."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from teacher_client import PROBLEM, Forms, ask, script
from teacher_server import Answer, complaint, completion, pairs, question, right, serving

from socratic.errors import CallError, DataError, RunError, SocraticError, TeacherError, UsageError
from socratic.replay import Replay
from socratic.replies import Finish, Reply, Rung
from socratic.schema import Problem
from socratic.teacher import MAX_PAUSE, OpenAITeacher, Sampling, Server, is_local, pause, watching

KEY = "sk-fake-0123456789"


def test_a_reply_tells_text_tokens_rung_and_who_served_it(forms: Forms) -> None:
    with serving() as server:
        (reply,), _ = ask(server, forms, temperature=0.5, top_p=0.9, seed=7, reply_tokens=99)
    assert isinstance(reply, Reply) and reply.usage
    assert json.loads(reply.text)["answer"] == "36"
    assert (reply.finish, reply.rung, reply.served, reply.fingerprint) == (Finish.STOP, Rung.SCHEMA, "scripted-1", "fp")
    assert (reply.usage.input, reply.usage.output) == (100, 20)
    (body,) = server.asked
    assert (body["temperature"], body["top_p"], body["seed"], body["max_tokens"]) == (0.5, 0.9, 7, 99)
    assert body["response_format"]["json_schema"]["schema"]["additionalProperties"] is False
    assert "logprobs" not in body, "what was not wanted is not sent"


FAULTS = [
    (complaint(429, "slow down", headers={"retry-after-ms": "10"}), "429"),
    (complaint(500, "oops", headers={"retry-after-ms": "10"}), "500"),
    (complaint(503, "oops", headers={"retry-after-ms": "10"}), "503"),
    (Answer(completion("x").body, act="cut"), "lost"),
    (Answer(b"", act="hang"), "lost"),
]


@pytest.mark.parametrize(("fault", "name"), FAULTS, ids=["429", "500", "503", "cut", "hang"])
def test_a_fault_of_transport_is_retried_and_counted(fault: Answer, name: str, forms: Forms) -> None:
    with serving(script(fault, right)) as server:
        (reply,), teacher = ask(server, forms, timeout=3.0)
    assert isinstance(reply, Reply) and reply.finish is Finish.STOP
    assert reply.retries == 1 and len(server.asked) == 2
    assert teacher.troubles == {name: 1}


@pytest.mark.parametrize(("fault", "name"), FAULTS, ids=["429", "500", "503", "cut", "hang"])
def test_a_fault_that_stays_is_the_error_of_one_call(fault: Answer, name: str, forms: Forms) -> None:
    with serving(script(fault)) as server:
        (error,), teacher = ask(server, forms, retries=1, timeout=1.0)
    assert type(error) is CallError and error.retryable
    assert teacher.troubles == {name: 2}


CUT = Answer(completion("x").body, act="cut")
SOON = {"retry-after-ms": "5"}


def test_each_try_that_was_sent_and_brought_nothing_is_told(forms: Forms) -> None:
    told = list[str]()
    with serving(script(CUT, complaint(500, "oops", headers=SOON), CUT, right)) as server, watching(lambda: told.append("lost")):
        (reply,), teacher = ask(server, forms, retries=3)
    assert isinstance(reply, Reply) and told == ["lost"] * 2
    assert teacher.troubles == {"lost": 2, "500": 1}


def test_what_was_never_sent_or_was_refused_is_not_told(forms: Forms) -> None:
    told = list[str]()
    half = complaint(500, "oops", headers=SOON)
    with serving(script(Answer(half.body, half.status, SOON, "cut"))) as server, watching(lambda: told.append("lost")):
        (error,), teacher = ask(server, forms, retries=0)
    assert isinstance(error, CallError) and not told and teacher.troubles["500"] == 1
    with watching(lambda: told.append("lost")):
        (error,), teacher = ask(server, forms, retries=1)  # nobody is there any more
    assert isinstance(error, CallError) and not told and teacher.troubles == {"unsent": 2}


def test_a_call_that_is_given_up_in_mid_flight_is_told(forms: Forms) -> None:
    told = list[str]()
    drip = Answer(completion("x" * 5_000).body, act="drip")
    with serving(script(drip)) as server, watching(lambda: told.append("lost")):
        ask(server, forms, retries=0, timeout=1.0)
    assert told == ["lost"]


def test_who_is_told_of_a_loss_may_end_the_call(forms: Forms) -> None:
    def no_more() -> None:
        raise RunError("that was enough")

    with serving(script(CUT)) as server, watching(no_more):
        (error,), _ = ask(server, forms, retries=6)
        assert len(server.asked) == 1
    assert isinstance(error, RunError) and str(error) == "that was enough"


def test_a_server_that_sends_a_byte_now_and_then_is_given_up(forms: Forms) -> None:
    with serving(script(Answer(completion("x" * 5_000).body, act="drip"))) as server:
        (error,), _ = ask(server, forms, retries=0, timeout=1.0)
    assert type(error) is CallError


def in_seconds(seconds: float) -> str:
    return str(seconds)


def by_a_date(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=1 + seconds), usegmt=True)  # which is cut to whole seconds


@pytest.mark.parametrize("told", [in_seconds, by_a_date])
def test_all_calls_wait_when_one_is_told_to(told: Callable[[float], str], forms: Forms) -> None:
    def slow_down(body: dict[str, Any]) -> Answer:
        return complaint(429, "slow down", headers={"retry-after": told(0.5)})

    with serving(script(slow_down, right)) as server:
        teacher = OpenAITeacher(Server(server.url), Sampling("scripted"), forms)

        async def run() -> None:
            first = asyncio.create_task(teacher.ask(PROBLEM, sample=0, attempt=0))
            while not teacher.bad_statuses:
                await asyncio.sleep(0.005)
            await teacher.ask(PROBLEM, sample=1, attempt=0)
            await first
            await teacher.close()

        asyncio.run(run())
    assert server.times[1] - server.times[0] >= 0.45, "the other call was not told, and waited too"


NOW = datetime(2024, 2, 29, 23, 59, 30, tzinfo=UTC)


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"])
@given(seconds=st.integers(-1_000_000, 1_000_000))
def test_each_form_of_a_date_asks_for_as_long_as_its_seconds(form: str, seconds: int) -> None:
    date = (NOW + timedelta(seconds=seconds)).strftime(form)
    assert pause(date, NOW) == pause(str(seconds), NOW) == (seconds if 0 < seconds <= MAX_PAUSE else 0)


@settings(deadline=None)
@given(st.text() | st.from_regex(r"(\w{3}, )?\d+ (Jan|Feb) -?\d+ \d+:\d+:\d+ (GMT|[+-]\d+)"))
def test_no_header_raises_or_stops_the_run_for_long(header: str) -> None:
    assert 0 <= pause(header) <= MAX_PAUSE


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_refuses_us_ends_everything_at_once(status: int, forms: Forms) -> None:
    with serving(script(complaint(status, "no"))) as server:
        (error,), _ = ask(server, forms)
    assert isinstance(error, TeacherError) and error.hint and "scripted" in str(error)
    assert len(server.asked) == 1


def test_an_empty_account_ends_everything(forms: Forms) -> None:
    with serving(script(complaint(429, "pay", code="insufficient_quota", headers={"retry-after-ms": "5"}))) as server:
        (error,), _ = ask(server, forms, retries=1)
    assert isinstance(error, TeacherError)


def refusing(*formats: str) -> Callable[[dict[str, Any]], Answer]:
    """A server that knows no such response formats."""

    def answer(body: dict[str, Any]) -> Answer:
        wanted = body.get("response_format", {}).get("type", "text")
        return complaint(400, f"{wanted} is not supported") if wanted in formats else right(body)

    return answer


@pytest.mark.parametrize(
    ("formats", "rung"),
    [(("json_schema",), Rung.OBJECT), (("json_schema", "json_object"), Rung.MARKED), (("json_object",), Rung.SCHEMA)],
)
def test_a_rung_that_the_server_refuses_is_asked_for_once(formats: tuple[str, ...], rung: Rung, forms: Forms) -> None:
    with serving(refusing(*formats)) as server:
        replies, _ = ask(server, forms, attempts=(0, 0, 0))
    assert [reply.rung for reply in replies if isinstance(reply, Reply)] == [rung] * 3
    assert len(server.asked) == 3 + len(formats[: list(Rung).index(rung)])


def test_each_attempt_goes_a_rung_down_and_past_what_is_refused(forms: Forms) -> None:
    with serving(refusing("json_object")) as server:
        replies, _ = ask(server, forms, attempts=(0, 1, 2, 0))
    assert [reply.rung for reply in replies if isinstance(reply, Reply)] == [Rung.SCHEMA, Rung.MARKED, Rung.MARKED, Rung.SCHEMA]


def test_marked_text_is_asked_for_in_marked_words(forms: Forms) -> None:
    with serving(refusing("json_schema", "json_object")) as server:
        ask(server, forms)
    systems = [body["messages"][0]["content"] for body in server.asked]
    assert ["JSON" in text for text in systems] == [True, True, False]


def test_a_problem_that_the_server_finds_wrong_in_any_form_costs_only_itself(forms: Forms) -> None:
    with serving(script(*[complaint(400, "context too long")] * 3, right)) as server:
        (error, reply), _ = ask(server, forms, attempts=(0, 0))
    assert isinstance(error, CallError) and "context too long" in str(error)
    assert isinstance(reply, Reply) and reply.rung is Rung.SCHEMA, "no rung is blamed for it"


def test_the_limit_of_a_reply_is_sent_by_the_name_that_the_server_knows(forms: Forms) -> None:
    def strict(body: dict[str, Any]) -> Answer:
        return complaint(400, "use max_completion_tokens", param="max_tokens") if "max_tokens" in body else right(body)

    with serving(strict) as server:
        replies, _ = ask(server, forms, attempts=(0, 0))
    assert all(isinstance(reply, Reply) for reply in replies)
    assert ["max_completion_tokens" in body for body in server.asked] == [False, True, True]


def test_a_key_appears_in_no_error_log_traceback_or_reply(
    forms: Forms, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    echo = Answer(completion(f"your key is {KEY}", usage={"note": KEY}).body, headers={"x-key": "1"})
    with serving(script(complaint(401, f"Incorrect API key provided: {KEY}"), echo, complaint(400, KEY, code=KEY))) as server:
        found, teacher = ask(server, forms, attempts=(0, 0, 0), key_name="MY_KEY")
    assert server.keys[0] == f"Bearer {KEY}", "it was sent, or this test shows nothing"
    assert isinstance(found[0], TeacherError) and "[key]" in str(found[0]) and "MY_KEY" in found[0].hint
    assert isinstance(found[1], Reply) and "[key]" in found[1].text
    told = [repr(found), repr(teacher.server), caplog.text, repr(vars(teacher).get("_key"))]
    for error in found:
        if isinstance(error, SocraticError):
            told += ["".join(traceback.format_exception(error)), error.hint]
    assert KEY not in "".join(told)


@pytest.mark.parametrize("key", ["sk fake", "sk-fäke", "sk\x00x"])
def test_a_key_that_is_none_is_refused_without_showing_it(key: str, forms: Forms, monkeypatch: pytest.MonkeyPatch) -> None:
    if "\x00" in key:
        key = "sk\x01x"  # the environment holds no NUL
    monkeypatch.setenv("MY_KEY", key)
    with pytest.raises(UsageError) as caught:
        OpenAITeacher(Server("http://localhost:1/v1", "MY_KEY"), Sampling("m"), forms)
    assert key not in "".join(traceback.format_exception(caught.value)) + caught.value.hint


def test_no_key_is_fine_on_this_machine_alone(forms: Forms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with serving() as server:
        (reply,), _ = ask(server, forms)
    assert isinstance(reply, Reply)
    with pytest.raises(UsageError, match="OPENAI_API_KEY"):
        OpenAITeacher(Server("https://example.org/v1"), Sampling("m"), forms)
    assert not is_local("http://localhost.example.org/v1")


@pytest.mark.parametrize(
    "url",
    [
        "https://user:secret@example.org/v1",
        "https://example.org/v1?key=secret",
        "ftp://example.org",
        "example.org",
        "",
        "http://[",
    ],
)
def test_an_address_that_is_none_or_holds_secrets_is_refused(url: str, forms: Forms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UsageError) as caught:
        OpenAITeacher(Server(url), Sampling("m"), forms)
    assert "secret" not in str(caught.value)


# Stored answers


def replayed(path: Path, problem: Problem, sample: int) -> Reply:
    return asyncio.run(Replay(path).ask(problem, sample=sample, attempt=0))


@pytest.mark.parametrize("name", ["a.json", "a.json.gz", "a.jsonl", "a.jsonl.gz"])
def test_stored_answers_are_found_by_the_letters_of_the_question(name: str, tmp_path: Path) -> None:
    rows = [
        {"instruction": PROBLEM.question.upper() + " ", "output": ["first", "second"]},
        {"question": "Other?", "text": "third"},
    ]
    text = "\n".join(map(json.dumps, rows)) if "jsonl" in name else json.dumps(rows)
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    assert [replayed(path, PROBLEM, sample).text for sample in (0, 1)] == ["first", "second"]
    assert replayed(path, Problem("o", "other"), 0).text == "third"
    for problem, sample in ((PROBLEM, 2), (Problem("x", "unknown"), 0)):
        with pytest.raises(CallError) as caught:
            replayed(path, problem, sample)
        assert not caught.value.retryable


@pytest.mark.parametrize(
    "text",
    ['{"a": 1}', "[1]", "[", '[{"question": 1, "output": "x"}]', '[{"question": "x", "output": [1]}]', '[{"question": "x"}]'],
)
def test_a_file_that_holds_no_stored_answers_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(DataError):
        Replay(path)
    with pytest.raises(DataError):
        Replay(tmp_path / "missing.json")


def test_the_scripted_server_answers_rightly() -> None:
    assert json.loads(pairs({"messages": [{"content": question(3, 12)}], "response_format": {}}))["answer"] == "36"
