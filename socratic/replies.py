"""What a teacher's reply is, and how it is read out of a chat completion.

In: a text, or the body of a server's response and what takes the key out of it. Out: a `Reply`: text as the teacher wrote it,
bounded, how it ended, and what it used; whatever the body holds, it is a reply. Knows nothing of calls, of prompts, or of whether
an answer is right.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel, Field, ValidationError

MAX_TEXT: Final = 20_000  # characters of a reply that are kept; no rationale is that long
MAX_COMPLAINT: Final = 300  # characters of a server's complaint, or of a name that it gives
MAX_USAGE: Final = 1_000  # characters of its account of tokens


class Rung(StrEnum):
    """How JSON is asked for, the strictest first."""

    SCHEMA = "json_schema"
    OBJECT = "json_object"
    MARKED = "marked"


class Finish(StrEnum):
    """How a reply ended."""

    STOP = "stop"
    LENGTH = "length"  # at the limit of tokens
    OVERSIZE = "oversize"  # at MAX_TEXT
    REFUSED = "refused"  # by the model, or by a filter
    UNREADABLE = "unreadable"  # the server sent what is no chat completion


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the server counted them; `raw` is its own account as JSON, since providers count differently."""

    input: int
    output: int
    raw: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. `logprob` is the mean of its tokens, `retries` were made for transport; stored answers have no `rung`."""

    text: str
    finish: Finish
    rung: Rung | None = None
    usage: Usage | None = None
    served: str = ""  # the model that the server names
    fingerprint: str = ""
    logprob: float | None = None
    retries: int = 0


def bounded(text: str, finish: Finish) -> Reply:
    """A text as a reply, cut where it is longer than any answer."""
    return Reply(text[:MAX_TEXT], Finish.OVERSIZE if len(text) > MAX_TEXT else finish)


# What is read of a chat completion. Usage is read apart: a wrong one must not cost the answer.


class _Said(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Token(BaseModel):
    logprob: float


class _Logprobs(BaseModel):
    content: tuple[_Token, ...] | None = None


class _Choice(BaseModel):
    message: _Said
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Completion(BaseModel):
    choices: tuple[_Choice, ...] = Field(min_length=1)
    usage: Any = None
    model: str | None = None
    system_fingerprint: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)


def read_reply(raw: bytes, rung: Rung, retries: int, scrub: Callable[[str], str]) -> Reply:
    """The reply in the body of a good response; one that is no chat completion is unreadable. `scrub` takes keys out."""
    try:
        completion = _Completion.model_validate_json(raw)
    except ValidationError:
        return Reply(scrub(raw.decode("utf-8", "replace"))[:MAX_TEXT], Finish.UNREADABLE, rung, retries=retries)
    choice = completion.choices[0]
    text, finish = _said(choice)
    kept = bounded(scrub(text), finish)
    return Reply(
        text=kept.text,
        finish=kept.finish,
        rung=rung,
        usage=_usage(completion.usage, scrub),
        served=scrub(completion.model or "")[:MAX_COMPLAINT],
        fingerprint=scrub(completion.system_fingerprint or "")[:MAX_COMPLAINT],
        logprob=_mean_logprob(choice.logprobs),
        retries=retries,
    )


def _said(choice: _Choice) -> tuple[str, Finish]:
    if choice.message.refusal or choice.finish_reason == "content_filter":
        return choice.message.refusal or choice.message.content or "", Finish.REFUSED
    return choice.message.content or "", Finish.LENGTH if choice.finish_reason == "length" else Finish.STOP


def _mean_logprob(found: _Logprobs | None) -> float | None:
    """Mean of the tokens; None where the server gave none, or values that are none."""
    tokens = found.content if found and found.content else ()
    mean = math.fsum(token.logprob for token in tokens) / len(tokens) if tokens else math.nan
    return mean if math.isfinite(mean) else None


def _usage(raw: Any, scrub: Callable[[str], str]) -> Usage | None:
    try:
        found = _Usage.model_validate(raw)
    except ValidationError:
        return None
    return Usage(found.prompt_tokens, found.completion_tokens, scrub(json.dumps(raw))[:MAX_USAGE])
