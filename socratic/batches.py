"""The batch endpoint: half the price, an answer within a day. Submit, poll, collect, and go on after any interruption.

In: the open calls of a `Work`, a server. Out: the same ledger as single calls give. Each batch is two files in the run's folder:
its requests as they were uploaded, and its slip, written before and after each step that the server must not do twice. A reply
that cannot be read is not asked for again here, and what a batch could not bring, the next run asks for. Knows nothing of what
answers mean.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ValidationError

from socratic.asking import Ask, BudgetUsed, Progress, State, entry_of, note
from socratic.budget import Budget, Tokens
from socratic.errors import RunError, SocraticError
from socratic.jsonl import BrokenLine, read_jsonl, write_jsonl
from socratic.ledger import Ledger
from socratic.orders import Job, Work
from socratic.replies import MAX_COMPLAINT, Rung
from socratic.teacher import OpenAITeacher
from socratic.whole import write_json

if TYPE_CHECKING:
    from openai.types import Batch as ServersBatch

ENDPOINT: Final = "/v1/chat/completions"
MAX_REQUESTS: Final = 20_000  # in one batch; OpenAI takes 50,000 and 200 MB
OVER: Final = ("completed", "failed", "expired", "cancelled")


@dataclass(frozen=True, slots=True)
class Slip:
    """A batch as the run's folder knows it. `file` and `batch` are the server's names, "" before it gave them."""

    path: Path  # of the slip; its requests lie beside it
    order: str  # whose calls it holds
    rung: Rung
    file: str = ""
    batch: str = ""
    collected: bool = False
    unclaimed: bool = False  # whether it also brought replies to calls that no run since has asked for; they stay on the server

    @property
    def requests(self) -> Path:
        """What was, or will be, uploaded."""
        return self.path.with_suffix(".jsonl")

    def save(self) -> Slip:
        """Write it down; the file is whole at any moment."""
        row = {name: value for name, value in asdict(self).items() if name != "path"}
        write_json(self.path, row)
        return self


def slips(folder: Path) -> list[Slip]:
    """The batches of a run, the oldest first. Raises RunError where a slip cannot be read."""
    return [_slip(path) for path in sorted(folder.glob("*.json"))]


def _slip(path: Path) -> Slip:
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
        return Slip(path, **{**row, "rung": Rung(row["rung"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = "look at your batches at the provider before you remove it: what it asked for is paid"
        raise RunError(f"{path} is no batch's slip: {error}", hint=hint) from error


def calls(teacher: OpenAITeacher, folder: Path, *, poll: float, progress: Progress = lambda state: None) -> Ask:
    """A way to ask: collect what was submitted before, then submit what is open, and wait. `poll` is in seconds."""

    async def ask(work: Work, ledger: Ledger, purse: Budget) -> State:
        state = State.of(work, ledger, purse)
        desk = _Desk(work, teacher, ledger, purse, state, folder, progress)
        try:
            await desk.work_off(poll)
        except SocraticError as error:
            state.stop = error
        finally:
            await teacher.close()
        state.troubles = teacher.bad_statuses + desk.troubles
        return state

    return ask


class _Response(BaseModel):
    status_code: int
    body: Any = None


class _Line(BaseModel):
    """One line of what a batch brings."""

    custom_id: str
    response: _Response | None = None
    error: Any = None


class _Desk:
    """One run's dealings with the batch endpoint."""

    def __init__(
        self, work: Work, teacher: OpenAITeacher, ledger: Ledger, purse: Budget, state: State, folder: Path, progress: Progress
    ) -> None:
        self.work, self.teacher, self.ledger, self.purse = work, teacher, ledger, purse
        self.state, self.folder, self.progress = state, folder, progress
        self.jobs = {job.key: job for job in work.open(ledger.index)}
        self.order = sha256(json.dumps([work.order.prompt_sha256, asdict(work.order.sampling)]).encode()).hexdigest()
        self.troubles = Counter[str]()
        self.unclaimed = set[str]()  # keys of good replies to calls that are not of this run

    async def work_off(self, poll: float) -> None:
        """Until every call has brought something, or no further one can be paid."""
        waiting = [slip for slip in slips(self.folder) if slip.order == self.order and self._is_wanted(slip)]
        self.take(waiting)
        while True:
            for slip in waiting:
                await self.finish(slip, poll)
            if not (prepared := self.prepare()):
                return
            waiting = [await self.submit(slip) for slip in prepared]

    def _is_wanted(self, slip: Slip) -> bool:
        return not slip.collected or (slip.unclaimed and any(key in self.jobs for key in _keys(slip)))

    def open(self) -> list[Job]:
        """The calls that nothing has come of yet."""
        return [job for job in self.jobs.values() if job.key not in self.ledger and job.key not in self.state.failed]

    def take(self, waiting: Iterable[Slip]) -> None:
        """Count what earlier runs submitted as held: it is paid whatever the budget says now."""
        for slip in waiting:
            for key in _keys(slip):
                if key in self.jobs:
                    self.purse.take(self.work.order.most(self.jobs[key].problem))

    def prepare(self) -> list[Slip]:
        """Write slips and requests for open calls, as many as the budget allows."""
        affordable, jobs = list[Job](), self.open()
        for job in jobs:
            most = self.work.order.most(job.problem)
            if not self.purse.fits(most):
                break
            self.purse.take(most)
            affordable.append(job)
        if jobs and not affordable:
            self.state.stop = BudgetUsed()
        rung = self.teacher.rungs[0]
        first = 1 + max((int(slip.path.stem) for slip in slips(self.folder)), default=0)  # some may have been taken away
        parts = [affordable[start : start + MAX_REQUESTS] for start in range(0, len(affordable), MAX_REQUESTS)]
        return [self._slip(self.folder / f"{number:04}.json", part, rung) for number, part in enumerate(parts, first)]

    def _slip(self, path: Path, jobs: Iterable[Job], rung: Rung) -> Slip:
        slip = Slip(path, self.order, rung)
        write_jsonl(slip.requests, (self._request(job, rung) for job in jobs))
        return slip.save()

    def _request(self, job: Job, rung: Rung) -> dict[str, Any]:
        body = self.teacher.body(job.problem, job.sample, rung)
        return {"custom_id": job.key, "method": "POST", "url": ENDPOINT, "body": body}

    async def submit(self, slip: Slip) -> Slip:
        """Upload and start a batch, each once: a batch that was started just before a crash is found again by its file."""
        client = self.teacher.client
        if not slip.file:
            async with self.teacher.speaking():
                slip = replace(slip, file=(await client.files.create(file=slip.requests, purpose="batch")).id).save()
        elif found := await self._started(slip):
            return replace(slip, batch=found).save()
        async with self.teacher.speaking():
            batch = await client.batches.create(input_file_id=slip.file, endpoint=ENDPOINT, completion_window="24h")
        return replace(slip, batch=batch.id).save()

    async def _started(self, slip: Slip) -> str:
        async with self.teacher.speaking():
            async for batch in self.teacher.client.batches.list(limit=100):
                if batch.input_file_id == slip.file:
                    return batch.id
        return ""

    async def finish(self, slip: Slip, poll: float) -> None:
        """Wait for a batch and put what it brought into the ledger; of one that was collected before, what was unclaimed."""
        slip = slip if slip.batch else await self.submit(slip)
        batch = await self._over(slip, poll)
        refused = list[str]()
        for file in filter(None, (batch.output_file_id, batch.error_file_id)):
            async for line in self._lines(slip, file):
                refused += await self._collect(line, slip)
        await self._settle_rest(slip, batch, refused)
        unclaimed = any(key in self.unclaimed and key not in self.ledger for key in _keys(slip))
        replace(slip, collected=True, unclaimed=unclaimed).save()
        if batch.status == "failed":
            said = "; ".join(error.message or "" for error in (batch.errors.data or [])) if batch.errors else ""
            raise RunError(f"the server refused the batch: {self.teacher.scrub(said)[:MAX_COMPLAINT] or 'no reason given'}")

    async def _over(self, slip: Slip, poll: float) -> ServersBatch:
        while True:
            async with self.teacher.speaking():
                batch = await self.teacher.client.batches.retrieve(slip.batch)
            if batch.status in OVER:
                return batch
            self.progress(self.state)
            await asyncio.sleep(poll)

    async def _lines(self, slip: Slip, file: str) -> AsyncIterator[_Line]:
        """The lines of one of the server's files, which lies beside the slip until all are read."""
        place = slip.path.with_suffix(".answers.jsonl")
        async with self.teacher.speaking(), self.teacher.client.files.with_streaming_response.content(file) as response:
            await response.stream_to_file(place)
        for _, row in read_jsonl(place):
            try:
                yield _Line.model_validate(row)
            except ValidationError:
                self.troubles["unreadable lines"] += 1
        place.unlink()  # what was paid is in the ledger now; a server's own words are not kept unseen

    async def _collect(self, line: _Line, slip: Slip) -> list[str]:
        """Note one reply; the key of a call whose form the server finds wrong comes back."""
        job, is_good = self.jobs.get(line.custom_id), line.response is not None and line.response.status_code == 200
        if job is None:
            self.unclaimed |= {line.custom_id} if is_good else set()  # without its problem it cannot be an entry
            return []
        if job.key in self.ledger or (slip.collected and not is_good):
            return []  # what failed was told when the slip was collected, and may have been asked again since
        if line.response and is_good:
            reply = self.teacher.read(json.dumps(line.response.body).encode(), slip.rung)
            entry = entry_of(self.work.order, job, (reply,), batch=True)
            self.ledger.add(entry)
            await self.purse.settle(self.work.order.most(job.problem), entry.used)
            note(self.state, self.work.order, entry, self.purse)
            self.progress(self.state)
            return []
        status = line.response.status_code if line.response else 0
        self.troubles[str(status or "no response")] += 1
        said = line.error or (line.response.body if line.response else None)
        self.state.failed[job.key] = self.teacher.scrub(f"{status}: {json.dumps(said)}")[:MAX_COMPLAINT]
        return [job.key] if status in (400, 422) else []

    async def _settle_rest(self, slip: Slip, batch: ServersBatch, refused: list[str]) -> None:
        """Give back what calls without a reply held. Where all were found wrong in form, they are asked again in another."""
        keys = [key for key in _keys(slip) if key in self.jobs and key not in self.ledger]
        for key in keys:
            await self.purse.settle(self.work.order.most(self.jobs[key].problem), Tokens())
        if slip.collected:
            return
        for key in keys:
            self.state.failed.setdefault(key, f"the batch {batch.status} without an answer to it")
        if keys and len(refused) == sum(1 for _ in _keys(slip)) and slip.rung is not Rung.MARKED:
            self.teacher.refuse(slip.rung)
            for key in refused:
                del self.state.failed[key]


def _keys(slip: Slip) -> Iterator[str]:
    return (row["custom_id"] for _, row in read_jsonl(slip.requests) if not isinstance(row, BrokenLine))
