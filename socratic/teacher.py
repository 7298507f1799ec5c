"""Who answers: a teacher, and the one that most are, a model behind a server that speaks OpenAI's dialect.

In: a problem, the number of the sample, the number of the attempt. Out: a `Reply`: text as the teacher wrote it, bounded and
without the key, and what it used; else a CallError (this call brought none) or a TeacherError (no call will). Transport is
retried by the `openai` client; who watches is told of each try that was lost on the way, since it may be billed. JSON is asked
for by a ladder, json_schema, json_object, marked text; what a server refuses is not asked for again. Knows nothing of ledgers,
of money, or of whether an answer is right.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from pydantic import SecretStr

from socratic.errors import CallError, SocraticError, TeacherError, UsageError
from socratic.prompts import Answers, Prompt
from socratic.replies import MAX_COMPLAINT, Reply, Rung, read_reply
from socratic.schema import Problem

if TYPE_CHECKING:  # it takes most of a second
    from openai import APIStatusError, AsyncOpenAI

MAX_PAUSE: Final = 120.0  # seconds that a server may ask us to wait; the client does not heed more either
LOCAL: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Sampling:
    """What a reply hangs on beside the problem and the prompt. `seed` is that of sample 0; later samples add their number."""

    model: str
    temperature: float | None = None
    reply_tokens: int = 1024
    top_p: float | None = None
    seed: int | None = None
    logprobs: bool = False


class Teacher(Protocol):
    """Whoever answers problems; `attempt` counts the re-asks of one sample."""

    @property
    def troubles(self) -> Counter[str]:
        """What went wrong on the way, by kind, calls that a retry saved included."""
        ...

    async def ask(self, problem: Problem, *, sample: int, attempt: int) -> Reply:
        """One reply. Raises CallError, TeacherError."""
        ...

    async def close(self) -> None:
        """No call follows."""
        ...


@dataclass(frozen=True, slots=True)
class Server:
    """Where calls go and how patient they are; `retries` are the client's, of transport, each with a time-out in seconds."""

    base_url: str | None = None  # None: $OPENAI_BASE_URL, else OpenAI's
    key_name: str = "OPENAI_API_KEY"  # of the environment variable
    timeout: float = 120.0
    retries: int = 6


_on_loss: ContextVar[Callable[[], None] | None] = ContextVar("_on_loss", default=None)


@contextmanager
def watching(on_loss: Callable[[], None]) -> Iterator[None]:
    """Be told, as it happens, of each try of the calls within that was sent and brought nothing: a server may bill it.

    A SocraticError that `on_loss` raises ends the call in place of the next try.
    """
    token = _on_loss.set(on_loss)
    try:
        yield
    finally:
        _on_loss.reset(token)


def is_local(base_url: str) -> bool:
    """Whether a server is on this machine; such servers mostly want no key."""
    return urlsplit(base_url).hostname in LOCAL


class OpenAITeacher:
    """A model behind `/chat/completions`."""

    def __init__(self, server: Server, sampling: Sampling, prompts: tuple[Prompt, Prompt]) -> None:
        """`prompts` are one prompt, asking for JSON and for marked lines."""
        import openai

        self.server, self.sampling = server, sampling
        self.base_url = _checked_url(server.base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1")
        self.bad_statuses, self.no_response = Counter[str](), Counter[str]()
        self._prompts = dict(zip(Rung, (prompts[0], *prompts), strict=True))
        self._refused = set[Rung]()
        self._limit = "max_tokens"  # what the server calls the limit of a reply
        self._pause = 0.0  # until then the server wants no calls; of time.monotonic
        self._key = _read_key(server.key_name, self.base_url)
        self.client: AsyncOpenAI = openai.AsyncOpenAI(
            api_key=self._key.get_secret_value() or "none",
            base_url=self.base_url,
            timeout=server.timeout,
            max_retries=server.retries,
            http_client=_http_client(self),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self.client.close()

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """The rungs that the server has not refused."""
        return tuple(rung for rung in Rung if rung not in self._refused)

    @property
    def troubles(self) -> Counter[str]:
        """Bad answers by status; "lost": tries that timed out or broke off; "unsent": those that found no server."""
        return self.bad_statuses + self.no_response

    async def ask(self, problem: Problem, *, sample: int, attempt: int) -> Reply:
        """One reply, each attempt a rung further down. Raises CallError, TeacherError."""
        rungs = self.rungs[min(attempt, len(self.rungs) - 1) :]
        refused, complaint = list[Rung](), ""
        for rung in rungs:
            try:
                reply = await self._call(problem, sample, rung)
            except _NotThatWay as error:
                refused.append(rung)
                complaint = complaint or str(error)
                continue
            self._refused.update(refused)  # only now is it sure that it was the form that was refused
            return reply
        raise CallError(complaint)

    def refuse(self, rung: Rung) -> None:
        """Do not ask this way again. Marked text is the last way, and stays."""
        if rung is not Rung.MARKED:
            self._refused.add(rung)

    def body(self, problem: Problem, sample: int, rung: Rung) -> dict[str, Any]:
        """The request: the same for single calls and for batches."""
        prompt, wanted = self._prompts[rung], self.sampling
        given = {"temperature": wanted.temperature, "top_p": wanted.top_p, "logprobs": wanted.logprobs or None}
        seed = None if wanted.seed is None else wanted.seed + sample
        return {
            "model": wanted.model,
            "messages": [asdict(message) for message in prompt.fill(question=problem.question)],
            self._limit: wanted.reply_tokens,
            **{name: value for name, value in {**given, "seed": seed}.items() if value is not None},
            **_response_format(rung, prompt.answers),
        }

    def read(self, raw: bytes, rung: Rung, retries: int = 0) -> Reply:
        """The reply in the body of a good response, without the key."""
        return read_reply(raw, rung, retries, self.scrub)

    def scrub(self, text: str) -> str:
        """The text without the key; servers quote it in complaints. Halves of surrogate pairs, which no file can hold, go too."""
        key = self._key.get_secret_value()
        return (text.replace(key, "[key]") if key else text).encode("utf-8", "replace").decode("utf-8")

    async def _call(self, problem: Problem, sample: int, rung: Rung) -> Reply:
        body = self.body(problem, sample, rung)
        try:
            async with self.speaking(), asyncio.timeout(self._patience):
                ask = self.client.chat.completions.with_raw_response.create
                # As `extra_body`, which is sent as it is: to look through messages takes the client 4 ms of processor a call.
                raw = await ask(model=self.sampling.model, messages=[], extra_body=body)
        except _OtherName:
            if "max_tokens" not in body:
                raise
            self._limit = "max_completion_tokens"  # newer models of OpenAI know this name alone
            return await self._call(problem, sample, rung)
        return self.read(raw.content, rung, raw.retries_taken)

    @asynccontextmanager
    async def speaking(self) -> AsyncIterator[None]:
        """Turn the client's errors into ours, whose texts and tracebacks hold no key."""
        import openai

        try:
            yield
        except openai.APIStatusError as error:
            raise self._failure(error) from None
        except _Halt as halt:
            raise halt.why from None
        except Exception as error:  # a stream that is read after the client's call breaks with errors of the transport
            if not (isinstance(error, (openai.APIError, TimeoutError)) or _kinds(error) & _TRANSPORT):
                raise
            said = self.scrub(f"{type(error).__name__}: {error}")[:MAX_COMPLAINT]
            raise CallError(said, hint="look at the server, and run the same command again: it goes on") from None

    @property
    def _patience(self) -> float:
        """Seconds for a call with all its retries: a server that sends a byte now and then never times out."""
        return (self.server.retries + 1) * self.server.timeout + self.server.retries * MAX_PAUSE

    def _failure(self, error: APIStatusError) -> CallError | TeacherError:
        """What a bad status means, in words that hold no key."""
        said = self.scrub(f"{error.status_code}: {error.message}")[:MAX_COMPLAINT]
        if error.status_code in _HINTS:
            where = f"{self.base_url}, model '{self.sampling.model}'"
            return TeacherError(
                f"the server refuses ({where}): {said}", hint=_HINTS[error.status_code].format(self.server.key_name)
            )
        if error.code == "insufficient_quota":
            return TeacherError(f"the account has no money left: {said}", hint="pay, or take another teacher; the run goes on")
        if error.status_code in (400, 422):
            return _OtherName(said) if error.param == "max_tokens" else _NotThatWay(said)
        return CallError(said)

    @asynccontextmanager
    async def trying(self, request: Any) -> AsyncIterator[None]:
        """One try of a call. A limit of the rate holds for all: when one is told to wait, the others wait too."""
        await asyncio.sleep(max(0.0, self._pause - time.monotonic()))
        try:
            yield
        except BaseException as error:
            if _REFUSED not in request.extensions:
                self._lose(error)
            raise

    def _lose(self, error: BaseException) -> None:
        """Count a try that brought nothing, and tell of it where it was sent. Raises _Halt where no other shall follow."""
        is_sent = not _kinds(error) & _UNSENT
        self.no_response["lost" if is_sent else "unsent"] += 1
        on_loss = _on_loss.get()
        if not is_sent or on_loss is None:
            return
        try:
            on_loss()
        except SocraticError as why:
            if isinstance(error, Exception):  # what cancels a call goes on cancelling it
                raise _Halt(why) from error

    async def on_response(self, response: Any) -> None:
        """Note a bad status. It is not billed, whether its text arrives or not."""
        if response.status_code >= 400:
            response.request.extensions[_REFUSED] = True
            self.bad_statuses[str(response.status_code)] += 1
        if response.status_code == 429:
            self._pause = max(self._pause, time.monotonic() + pause(response.headers.get("retry-after", "")))


class _Halt(BaseException):
    """No other try shall follow. Not an Exception, after which the client would try again."""

    def __init__(self, why: SocraticError) -> None:
        super().__init__(str(why))
        self.why = why


class _NotThatWay(CallError):
    """The server finds the request wrong: the form of the answer, or this problem."""


class _OtherName(_NotThatWay):
    """The limit of a reply has another name there."""


# The client speaks by `httpx` or `httpx2`, as its version has it: errors are known by name. All others may have been sent.
_UNSENT: Final = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"}
_TRANSPORT: Final = {"RequestError", "SSLError", "EndOfStream"}
_REFUSED: Final = "refused"  # the mark of a request that was answered by a bad status


def _kinds(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _http_client(teacher: OpenAITeacher) -> Any:
    """The client's own way to speak HTTP, with each try told to the teacher: retries are made above it, out of sight."""
    import openai

    class Client(openai.DefaultAsyncHttpxClient):
        async def send(self, request: Any, **about: Any) -> Any:
            async with teacher.trying(request):
                return await super().send(request, **about)

    return Client(event_hooks={"response": [teacher.on_response]})


_HINTS: Final = {
    401: "put a key that this server knows into ${}, or name another variable with --api-key-env",
    403: "the key in ${} may not use this model",
    404: "check --teacher and --base-url: it mostly ends in /v1",
}


def _checked_url(base_url: str) -> str:
    """An address that may be written into records. Raises UsageError."""
    try:
        parts = urlsplit(base_url)
        is_bare = not (parts.username or parts.password or parts.query or parts.fragment)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_bare, is_web = True, False
    if not is_bare:
        raise UsageError("the address of the server must hold no user, password or query", hint="keys go into the environment")
    if not is_web:
        raise UsageError(
            f"expected a web address of a server, found '{base_url[:80]}'", hint="--base-url http://127.0.0.1:8000/v1"
        )
    return base_url


def _read_key(name: str, base_url: str) -> SecretStr:
    """The key in an environment variable; none is fine for a server on this machine. Raises UsageError, never showing a key."""
    key = os.environ.get(name, "").strip()
    if not key and not is_local(base_url):
        raise UsageError(f"no key for {base_url}: ${name} is empty", hint=f"export {name}=…, or name another with --api-key-env")
    if not re.fullmatch(r"[!-~]*", key):
        raise UsageError(f"${name} holds signs that no key has, such as spaces", hint="copy the key again")
    return SecretStr(key)


def _response_format(rung: Rung, answers: Answers) -> dict[str, Any]:
    if rung is Rung.MARKED:
        return {}
    if rung is Rung.OBJECT:
        return {"response_format": {"type": "json_object"}}
    schema = {"name": answers.value, "strict": True, "schema": answers.model.json_schema()}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def pause(retry_after: str, now: datetime | None = None) -> float:
    """The seconds that a Retry-After header asks for, as a number or as a date (RFC 9110, 10.2.3); 0 where it is not heeded."""
    try:
        seconds = float(retry_after)
    except ValueError:
        seconds = _until(retry_after, now or datetime.now(UTC))
    return seconds if 0 < seconds <= MAX_PAUSE else 0.0


def _until(date: str, now: datetime) -> float:
    try:
        then = parsedate_to_datetime(date)
        return (then.replace(tzinfo=then.tzinfo or UTC) - now).total_seconds()  # the oldest form names no zone, and means GMT
    except (ValueError, OverflowError):
        return 0.0
