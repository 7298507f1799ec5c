"""Replies: whatever a server sends is one, of bounded size, and what cannot be believed of it costs nothing else."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from pydantic import TypeAdapter
from teacher_client import Forms, ask, script
from teacher_server import Answer, completion, serving

from socratic.replies import MAX_TEXT, Finish, Reply

HALF = completion("x").body[:40]


@pytest.mark.parametrize(
    ("answer", "finish"),
    [
        (Answer(HALF), Finish.UNREADABLE),
        (Answer(b""), Finish.UNREADABLE),
        (Answer(b"<html>busy</html>", headers={"Content-Type": "text/html"}), Finish.UNREADABLE),
        (Answer(b"\xff\xfe\x00"), Finish.UNREADABLE),
        (Answer(b'{"choices": []}'), Finish.UNREADABLE),
        (Answer(b"[" * 100_000), Finish.UNREADABLE),
        (completion(None), Finish.STOP),
        (completion("x", finish="length"), Finish.LENGTH),
        (completion("x", finish="content_filter"), Finish.REFUSED),
        (completion(None, refusal="I will not"), Finish.REFUSED),
        (completion("x" * 1_000_000), Finish.OVERSIZE),
    ],
)
def test_whatever_body_comes_is_a_reply_of_bounded_size(answer: Answer, finish: Finish, forms: Forms) -> None:
    with serving(script(answer)) as server:
        (reply,), _ = ask(server, forms)
    assert isinstance(reply, Reply) and reply.finish is finish
    assert len(reply.text) <= MAX_TEXT
    assert TypeAdapter(Reply).validate_json(json.dumps(dataclasses.asdict(reply))) == reply


@pytest.mark.parametrize(
    "usage", [{"prompt_tokens": -1, "completion_tokens": 2}, {"tokens": 3}, "many", [1], {"prompt_tokens": "x"}]
)
def test_tokens_that_cannot_be_believed_are_not_counted_and_do_not_cost_the_answer(usage: Any, forms: Forms) -> None:
    with serving(script(completion("hello", usage=usage))) as server:
        (reply,), _ = ask(server, forms)
    assert isinstance(reply, Reply) and reply.text == "hello" and reply.usage is None


def test_likelihoods_are_kept_where_they_are_given(forms: Forms) -> None:
    body = json.loads(completion("a b").body)
    body["choices"][0]["logprobs"] = {"content": [{"token": "a", "logprob": -1.0}, {"token": "b", "logprob": -2.0}]}
    with serving(script(Answer(json.dumps(body).encode()))) as server:
        (reply,), _ = ask(server, forms, logprobs=True)
    assert isinstance(reply, Reply) and reply.logprob == pytest.approx(-1.5)
    assert server.asked[0]["logprobs"] is True
