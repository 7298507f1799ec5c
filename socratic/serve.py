"""A small server that speaks OpenAI's HTTP API, over a pair of this project's own.

In: a pair, or any `Orchestrator` with a name and a counter of tokens; requests for chat and text completions, whose last
user message or prompt is one word problem. Out: its trace (see wire), at once or by server-sent events, a step each. One
thread computes: requests take turns, round by round of the loop. Needs FastAPI and uvicorn, of the extra [serve]. Knows
nothing of teachers or ledgers.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from socratic.errors import UsageError
from socratic.folders import find_pair
from socratic.orchestrator import Orchestrator, as_problem
from socratic.schema import Decoding, Problem, Trace
from socratic.vocabulary import Vocabulary
from socratic.wire import CHAT, TEXT, Answer, Asked, ChatRequest, Choice, Endpoint, Form, TextRequest, as_json, as_text

LARGEST: Final = 1_000_000  # bytes of a request
GRACE: Final = 5  # seconds that running answers have when the server is stopped
LOCAL: Final = ("127.0.0.1", "::1", "localhost")


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
            told = name[:200].encode("utf-8", "replace").decode("utf-8")  # JSON may hold half a character
            raise UnknownModel(f"there is no model '{told}' here; this server has '{self.name}'")

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
