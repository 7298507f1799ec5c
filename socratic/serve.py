"""A small server that speaks OpenAI's HTTP API, over a pair of this project's own.

In: a pair, or any `Orchestrator` with a name and a counter of tokens; requests for chat and text completions, whose last
user message or prompt is one word problem. Out: its trace, as text for people or as the JSON that a teacher is asked for, at
once or by server-sent events, a step each; the whole trace comes beside it as `trace`. One thread computes: requests take
turns, round by round of the loop. Needs FastAPI and uvicorn, of the extra [serve]. Knows nothing of teachers or ledgers.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final, Literal

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from socratic.errors import UsageError
from socratic.folders import find_pair
from socratic.orchestrator import TEMPERATURE, Orchestrator, as_problem
from socratic.schema import Decoding, Ended, Problem, Trace
from socratic.vocabulary import Vocabulary

LARGEST: Final = 1_000_000  # bytes of a request
MOST: Final = 128  # choices of one answer
GRACE: Final = 5  # seconds that running answers have when the server is stopped
LOCAL: Final = ("127.0.0.1", "::1", "localhost")
KEYS: Final = frozenset({"steps", "answer"})  # of JSON content
CUT_SHORT: Final = (Ended.STEP_LIMIT, Ended.CONTEXT_FULL)


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
        if not isinstance(needed, list) or not all(key in KEYS for key in needed):
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


# Who answers


class UnknownModel(UsageError):
    """A request names another model than the one that is served."""


class Service:
    """The endpoints of one pair. One thread computes, and each round of each request waits for its turn."""

    def __init__(self, orchestrator: Orchestrator, name: str, count: Callable[[str], int]) -> None:
        self.orchestrator, self.name, self.count = orchestrator, name, count
        self.created, self.worker, self.turn = int(time.time()), ThreadPoolExecutor(1), asyncio.Lock()

    async def health(self) -> Response:
        """Is the server up?"""
        return JSONResponse({"status": "ok"})

    async def models(self) -> Response:
        """The one model that there is."""
        return JSONResponse({"object": "list", "data": [self._card()]})

    async def model(self, name: str) -> Response:
        """The same by its name."""
        self._require(name)
        return JSONResponse(self._card())

    async def chat(self, asked: ChatRequest, request: Request) -> Response:
        """`/v1/chat/completions`."""
        form = as_text if asked.response_format.type == "text" else as_json
        most = asked.max_completion_tokens or asked.max_tokens
        return await self._reply(self._answer(CHAT, asked, asked.questions(), form, most), asked, request)

    async def text(self, asked: TextRequest, request: Request) -> Response:
        """`/v1/completions`."""
        return await self._reply(self._answer(TEXT, asked, asked.questions(), as_text, asked.max_tokens), asked, request)

    def _card(self) -> dict[str, Any]:
        return {"id": self.name, "object": "model", "created": self.created, "owned_by": "socratic"}

    def _require(self, name: str) -> None:
        if name != self.name:
            raise UnknownModel(f"there is no model '{name:.200}' here; this server has '{self.name}'")

    def _answer(self, endpoint: Endpoint, asked: Asked, questions: list[str], form: Form, most: int | None) -> Answer:
        self._require(asked.model)
        problems, decoding = [as_problem(question) for question in questions], asked.decoding()
        head = {"id": f"{endpoint.prefix}-{uuid.uuid4().hex}", "created": int(time.time()), "model": self.name}
        choices = [Choice(index, form, self.count, most) for index in range(len(problems))]
        read = sum(self.count(problem.question) for problem in problems[:: asked.n])
        return Answer(endpoint, problems, decoding, choices, {**head, "seed": decoding.seed}, read)

    async def _reply(self, answer: Answer, asked: Asked, request: Request) -> Response:
        growing = self._growing(answer, request.is_disconnected)
        if asked.stream:
            events = _events(answer, growing, with_usage=asked.stream_options.include_usage)
            return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
        async for _ in growing:
            pass
        return JSONResponse(answer.whole())

    async def _growing(self, answer: Answer, is_gone: Callable[[], Awaitable[bool]]) -> AsyncIterator[tuple[Choice, list[str]]]:
        """Each choice with its new pieces, until all are written, or nobody is there to read them."""
        rounds = self._rounds(answer.problems, answer.decoding)
        while not all(choice.finish for choice in answer.choices):
            async with self.turn:
                if await is_gone():  # a client that timed out and asks again must not be computed for twice
                    return
                index, trace = await asyncio.get_running_loop().run_in_executor(self.worker, next, rounds)
            yield answer.choices[index], answer.choices[index].grow(trace)

    def _rounds(self, problems: Sequence[Problem], decoding: Decoding) -> Iterator[tuple[int, Trace]]:
        """One trace after each round of the loop; several together, when they have ended."""
        if len(problems) == 1:
            yield from ((0, trace) for trace in self.orchestrator.stream(problems[0], decoding))
        else:
            yield from enumerate(self.orchestrator.solve_each(problems, decoding))


def load(model: str, *, engine: str, max_steps: int) -> Service:
    """The service of a pair, which counts tokens as its decomposer does. Raises ModelError."""
    orchestrator = Orchestrator.from_pretrained(model, engine=engine, max_steps=max_steps)
    asks, _ = find_pair(model)
    vocabulary = Vocabulary.load(asks.path)
    return Service(orchestrator, model, lambda text: len(vocabulary.encode([text])))


async def _events(answer: Answer, growing: AsyncIterator[tuple[Choice, list[str]]], *, with_usage: bool) -> AsyncIterator[str]:
    """Server-sent events. The status is out by then: a failure is an event too, and is raised for the server's log."""
    try:
        async for choice, pieces in growing:
            for chunk in answer.chunks(choice, pieces):
                yield _event(chunk)
    except Exception:
        yield _event(_complaint(500, FAILED))
        raise
    if with_usage:
        yield _event(answer.closing())
    yield "data: [DONE]\n\n"


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


# The server

FAILED: Final = "the server failed; its log says why"
CODES: Final = {404: "not_found", 405: "method_not_allowed", 413: "request_too_large"}


def build(service: Service) -> FastAPI:
    """The application: routes, errors in the API's shape, a limit on what is read."""
    app = FastAPI(title="socratic", docs_url=None, redoc_url=None)  # those pages load scripts from elsewhere
    app.get("/health")(service.health)
    app.get("/v1/models")(service.models)
    app.get("/v1/models/{name:path}")(service.model)
    app.post("/v1/chat/completions")(service.chat)
    app.post("/v1/completions")(service.text)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(UsageError, _on_usage)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_failure)
    app.add_middleware(Limit)
    return app


class Limit:
    """Refuses a request that is too large, after reading it to its end: who still sends does not hear an answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read <= LARGEST:
                return message
            while message.get("more_body"):
                message = await receive()
            raise HTTPException(413, f"the request has more than {LARGEST:,} bytes")

        await self.app(scope, counted, send)


def _complaint(status: int, message: str, *, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # as it is registered
    named = [(".".join(map(str, fault["loc"][1:])), fault["msg"]) for fault in error.errors() if len(fault["loc"]) > 1]
    if not named or any(fault["type"] == "json_invalid" for fault in error.errors()):
        return JSONResponse(_complaint(400, "expected a JSON object, sent as application/json"), 400)
    message = "; ".join(f"{where}: {what}" for where, what in named[:5])
    return JSONResponse(_complaint(400, message, param=named[0][0]), 400)


def _on_usage(request: Request, error: Exception) -> Response:
    if isinstance(error, UnknownModel):
        return JSONResponse(_complaint(404, str(error), param="model", code="model_not_found"), 404)
    hint = f" ({error.hint})" if isinstance(error, UsageError) and error.hint else ""
    return JSONResponse(_complaint(400, f"{error}{hint}"), 400)


def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # as it is registered
    return JSONResponse(_complaint(error.status_code, error.detail, code=CODES.get(error.status_code)), error.status_code)


def _on_failure(request: Request, error: Exception) -> Response:
    return JSONResponse(_complaint(500, FAILED), 500)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 is any free one. Raises UsageError where there is none to be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError, UnicodeError) as error:
        raise UsageError(f"cannot listen on {host} port {port}: {error}", hint="another --port, or 0 for any free one") from error


def address(listening: socket.socket) -> str:
    """The base URL of a client."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"


def server(service: Service) -> uvicorn.Server:
    """A server that can be run on a socket, and stopped by `should_exit`."""
    return uvicorn.Server(uvicorn.Config(build(service), log_level="warning", timeout_graceful_shutdown=GRACE))


def run(service: Service, listening: socket.socket) -> None:
    """Answer until Ctrl-C; what runs then may finish."""
    with suppress(KeyboardInterrupt):  # uvicorn has shut down in order, and raises the signal once more
        server(service).run(sockets=[listening])
