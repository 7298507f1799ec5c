"""What goes over the wire of OpenAI's API: requests in, answers and chunks of streams out.

In: the JSON of a request; a trace as it grows. Out: `ChatRequest` and `TextRequest`, read leniently; an `Answer`, whole or in
chunks, with the trace beside it: as text for people or as the JSON that a teacher is asked for. Knows nothing of
HTTP, or of who solves the problems.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from socratic.errors import UsageError
from socratic.orchestrator import TEMPERATURE
from socratic.schema import Decoding, Ended, Problem, Trace

MOST: Final = 128  # choices of one answer
KEYS: Final = frozenset({"steps", "answer"})  # of JSON content
CUT_SHORT: Final = (Ended.STEP_LIMIT, Ended.CONTEXT_FULL)
COLD: Final = 1e-6  # a temperature below it is none: logits divided by less have no end


# What is asked


class Lenient(BaseModel):
    """What the API knows and we do not is passed over; null is what was not said."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _said(cls, data: Any) -> Any:
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


class StreamOptions(Lenient):
    """What a stream ends with."""

    include_usage: bool = False


class Asked(Lenient):
    """What both endpoints take. Without a temperature one choice is greedy and several are sampled."""

    model: str
    n: int = Field(1, ge=1, le=MOST)
    temperature: float | None = Field(None, ge=0, le=2)
    seed: Annotated[int | None, Field(ge=-(2**63), lt=2**63)] = None
    max_tokens: int | None = Field(None, ge=1)
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()

    def decoding(self) -> Decoding:
        """A new seed where none is given, so that who asks again gets another sample."""
        temperature = self.temperature if self.temperature is not None else TEMPERATURE if self.n > 1 else 0.0
        temperature = temperature if temperature >= COLD else 0.0
        return Decoding(temperature, secrets.randbits(31) if self.seed is None else self.seed)


class Part(Lenient):
    """A part of a message; only text can be read."""

    type: Literal["text"]
    text: str


class Said(Lenient):
    """One message."""

    role: str
    content: str | list[Part] = ""

    @property
    def text(self) -> str:
        """Its parts joined."""
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class JsonSchema(Lenient):
    """The shape that is asked for."""

    wanted: dict[str, Any] = Field(default_factory=dict, alias="schema")


class ResponseFormat(Lenient):
    """Text, or JSON; of JSON there is one shape."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    json_schema: JsonSchema = JsonSchema()

    @model_validator(mode="after")
    def _can_be_given(self) -> ResponseFormat:
        needed = self.json_schema.wanted.get("required", [])
        if not isinstance(needed, list) or not all(isinstance(key, str) and key in KEYS for key in needed):
            raise ValueError('this model writes {"steps": [{"question", "solution"}], "answer"}, and the schema requires more')
        return self


class ChatRequest(Asked):
    """`/v1/chat/completions`."""

    messages: list[Said] = Field(min_length=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    response_format: ResponseFormat = ResponseFormat()

    def questions(self) -> list[str]:
        """The last user message, once for each choice. Raises UsageError."""
        said = next((message.text for message in reversed(self.messages) if message.role == "user"), None)
        if said is None:
            raise UsageError("no message has the role 'user'", hint="the last one of them is read as a word problem")
        return [said] * self.n


class TextRequest(Asked):
    """`/v1/completions`."""

    prompt: str | list[str]

    def questions(self) -> list[str]:
        """Each prompt, once for each of its choices. Raises UsageError."""
        prompts = [self.prompt] if isinstance(self.prompt, str) else self.prompt
        if not 0 < len(prompts) * self.n <= MOST:
            raise UsageError(f"expected 1 to {MOST} choices, found {len(prompts)} prompts and n = {self.n}")
        return [prompt for prompt in prompts for _ in range(self.n)]


# What is written

Form = Callable[[Trace], list[str]]  # a trace so far as pieces of text: one for each step, and one for its end


def as_text(trace: Trace) -> list[str]:
    """As people read it."""
    steps = [f"{number}. {step.question}\n   {step.plain}\n" for number, step in enumerate(trace.steps, 1)]
    return [*steps, trace.ending] if trace.ended else steps


def as_json(trace: Trace) -> list[str]:
    """As a teacher is asked for it; without an answer that is "". All pieces together are JSON."""
    rows = [json.dumps({"question": s.question, "solution": s.solution}, ensure_ascii=False) for s in trace.steps]
    pieces = [("" if place else '{"steps": [') + (", " if place else "") + row for place, row in enumerate(rows)]
    end = ("" if rows else '{"steps": [') + f'], "answer": {json.dumps(trace.answer or "", ensure_ascii=False)}}}'
    return [*pieces, end] if trace.ended else pieces


@dataclass(slots=True)
class Choice:
    """One answer while it is written; it ends with its trace, or before the piece that `most` tokens have no room for."""

    index: int
    form: Form
    count: Callable[[str], int]
    most: int | None
    trace: Trace | None = None
    pieces: list[str] = field(default_factory=list)
    tokens: int = 0
    finish: Literal["stop", "length"] | None = None

    def grow(self, trace: Trace) -> list[str]:
        """Take the trace as it now is; the pieces that are new."""
        before, self.trace = len(self.pieces), trace
        for piece in self.form(trace)[before:]:
            size = self.count(piece)
            if self.most is not None and self.tokens + size > self.most:
                self.finish = "length"
                self.trace = replace(trace, steps=trace.steps[: len(self.pieces)], answer=None, ended=None)
                return self.pieces[before:]
            self.pieces.append(piece)
            self.tokens += size
        if trace.ended:
            self.finish = "length" if trace.ended in CUT_SHORT else "stop"
        return self.pieces[before:]

    @property
    def told(self) -> dict[str, Any]:
        """The trace's JSON shape."""
        return self.trace.to_dict() if self.trace else {}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How one of the two endpoints words an answer, and the chunks of a stream."""

    prefix: str  # of ids
    whole: str  # what an answer calls itself
    part: str  # and a chunk
    choice: Callable[[Choice], dict[str, Any]]
    piece: Callable[[str], dict[str, Any]]
    last: Callable[[Choice], dict[str, Any]]


CHAT: Final = Endpoint(
    "chatcmpl",
    "chat.completion",
    "chat.completion.chunk",
    lambda choice: {"message": {"role": "assistant", "content": "".join(choice.pieces), "trace": choice.told}},
    lambda piece: {"delta": {"role": "assistant", "content": piece}},
    lambda choice: {"delta": {"trace": choice.told}},
)
TEXT: Final = Endpoint(
    "cmpl",
    "text_completion",
    "text_completion",
    lambda choice: {"text": "".join(choice.pieces), "trace": choice.told},
    lambda piece: {"text": piece},
    lambda choice: {"text": "", "trace": choice.told},
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer under way."""

    endpoint: Endpoint
    problems: Sequence[Problem]
    decoding: Decoding
    choices: Sequence[Choice]
    head: dict[str, Any]  # what stands in the answer and in each chunk: id, time, model, seed
    read: int  # tokens of the problems

    @property
    def usage(self) -> dict[str, int]:
        """Tokens read and written."""
        written = sum(choice.tokens for choice in self.choices)
        return {"prompt_tokens": self.read, "completion_tokens": written, "total_tokens": self.read + written}

    def whole(self) -> dict[str, Any]:
        """The answer in one piece."""
        choices = [self._choice(c, self.endpoint.choice(c), c.finish) for c in self.choices]
        return {**self.head, "object": self.endpoint.whole, "choices": choices, "usage": self.usage}

    def chunks(self, choice: Choice, pieces: Sequence[str]) -> Iterator[dict[str, Any]]:
        """New pieces of a choice; where it has come to its end, a last chunk with the trace."""
        for piece in pieces:
            yield self._chunk([self._choice(choice, self.endpoint.piece(piece), None)])
        if choice.finish:
            yield self._chunk([self._choice(choice, self.endpoint.last(choice), choice.finish)])

    def closing(self) -> dict[str, Any]:
        """The chunk that tells the usage."""
        return {**self._chunk([]), "usage": self.usage}

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {**self.head, "object": self.endpoint.part, "choices": choices}

    def _choice(self, choice: Choice, content: dict[str, Any], finish: str | None) -> dict[str, Any]:
        return {"index": choice.index, **content, "logprobs": None, "finish_reason": finish}
