"""How a run asks: the calls of a `Work`, one after the other, and how far it is.

In: the `Work` to do, a teacher, the ledger, the budget. Out: what came back, in the ledger; a `State`: what was done, used and
lost, and why no further call is made. A reply that cannot be read is asked for again. Knows nothing of whether an answer
is right, of traces, or of terminals.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from socratic import budget
from socratic.budget import Budget, Tokens
from socratic.errors import CallError, RunError, SocraticError
from socratic.judge import unusable
from socratic.ledger import Entry, Ledger, Loss
from socratic.orders import Job, Order, Work
from socratic.replies import Finish, Reply
from socratic.teacher import Teacher, watching

PATIENCE: Final = 10  # calls in a row that bring no reply, at least, before a run gives up
FRUITLESS: Final = 20  # replies that cannot be used, and no other, before a run asks whether it should go on


@dataclass(slots=True)
class State:
    """How far a run is: what progress bars show, and what the summary tells of the way."""

    total: int  # calls to make
    spent: Tokens  # in all runs of the folder, as `usd`
    usd: float | None
    before: float = 0.0  # dollars of earlier runs
    done: int = 0  # calls that brought a reply
    reasked: int = 0
    uncounted: int = 0  # replies whose tokens the server did not count
    unusable: int = 0  # samples whose last reply was cut off, or is not in the form that was asked for
    lost: int = 0  # requests that were sent and brought nothing; `now` and `spent` have them at their most
    now: Tokens = field(default_factory=Tokens)  # used by this run
    failed: dict[str, str] = field(default_factory=dict)  # complaints by key
    troubles: Counter[str] = field(default_factory=Counter)  # the teacher's
    in_a_row: int = 0  # calls without a reply, since the last one with one
    stop: SocraticError | None = None  # why no further call is made
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, work: Work, ledger: Ledger, purse: Budget) -> State:
        """Before the first call."""
        return cls(sum(1 for _ in work.open(ledger.index)), purse.spent, purse.usd, purse.usd or 0.0)

    @property
    def projected(self) -> float | None:
        """Dollars when all calls are made, if the rest costs what this run's calls cost."""
        return None if self.usd is None or not self.done else self.before + (self.usd - self.before) / self.done * self.total

    def __str__(self) -> str:
        """For a bar."""
        rate = self.done / max(time.monotonic() - self.started, 1e-9)
        usd = f", ${self.usd:,.4f} of about ${self.projected:,.4f}" if self.projected is not None else ""
        failed = f", {len(self.failed):,} without a reply" if self.failed else ""
        unusable = f", {self.unusable:,} unusable" if self.unusable else ""
        return f"{rate:,.1f} a second, {self.now.total:,} tokens{usd}{failed}{unusable}"


Progress = Callable[[State], None]
Ask = Callable[[Work, Ledger, Budget], Coroutine[Any, Any, State]]


def calls(teacher: Teacher, *, concurrency: int, progress: Progress = lambda state: None) -> Ask:
    """A way to ask: single calls, so many at a time, each reply noted in the ledger before the next call is made."""

    async def ask(work: Work, ledger: Ledger, purse: Budget) -> State:
        state = State.of(work, ledger, purse)
        jobs = work.open(ledger.index)  # shared by the callers: each job is taken once
        caller = _Caller(work, teacher, ledger, purse, state, max(PATIENCE, concurrency), progress)
        try:
            await asyncio.gather(*(caller.work_off(jobs) for _ in range(concurrency)))
        finally:
            await teacher.close()
        state.troubles = teacher.troubles
        if state.failed and not state.done and state.stop is None:  # fewer than PATIENCE, yet all
            why = next(reversed(state.failed.values()))
            state.stop = RunError(
                f"no call brought a reply, the last: {why}", hint="look at the server; the same command goes on"
            )
        return state

    return ask


@dataclass(frozen=True, slots=True)
class _Caller:
    """Makes one call after the other. When it stops, nothing that was paid is lost."""

    work: Work
    teacher: Teacher
    ledger: Ledger
    purse: Budget
    state: State
    patience: int  # calls in a row without a reply, after which no other is made
    progress: Progress

    async def work_off(self, jobs: Iterator[Job]) -> None:
        for job in jobs:
            most = self.work.most(job.problem)
            if self.state.stop is not None:
                return
            if not await self.purse.hold(most):
                self.state.stop = self.state.stop or BudgetUsed()
                return
            if self.state.stop is not None:  # while this call waited for its share
                await self.purse.settle(most, Tokens())
                return
            entry = await self._answered(job)
            if entry:
                self.ledger.add(entry)
            await self.purse.settle(most, entry.used if entry else Tokens())
            note(self.state, self.work.order, entry, self.purse)
            self._lose_heart()
            self.progress(self.state)

    def _lose_heart(self) -> None:
        """Stop where nothing of what was paid so far can be used. Stored answers cost nothing."""
        state = self.state
        if self.work.order.stored or state.stop is not None or not FRUITLESS <= state.done == state.unusable:
            return
        hint = (
            "see rejects.jsonl; raise --reply-tokens where it cuts replies off, or take another prompt; the same command goes on"
        )
        state.stop = RunError(f"none of the first {state.done} replies can be used: cut off, or not in the form", hint=hint)

    def _lose(self, job: Job) -> None:
        """A request was lost, and may be billed. Raises CallError where another would pass the limit, RunError of the ledger."""
        order = self.work.order
        most = order.most(job.problem)
        self.purse.lose(most)
        self.state.lost += 1
        self.state.now += most
        self.ledger.lose(Loss(job.key, order.sampling.model, most))
        if not self.purse.fits(Tokens()):
            raise CallError("the request was lost, and the budget has no room for another try")

    async def _answered(self, job: Job) -> Entry | None:
        """The entry of a job; None where no reply came, which the state then tells."""
        state = self.state
        try:
            with watching(lambda: self._lose(job)):
                entry = entry_of(self.work.order, job, await self._replies(job))
        except CallError as error:
            state.failed[job.key] = str(error)
            state.in_a_row += error.retryable
            if state.in_a_row >= self.patience:
                hint = "look at the server, and run the same command again: it goes on"
                state.stop = RunError(f"{state.in_a_row} calls in a row brought no reply, the last: {error}", hint=hint)
        except SocraticError as error:  # no call will be answered
            state.stop = error
        else:
            state.in_a_row = 0
            return entry
        return None

    async def _replies(self, job: Job) -> tuple[Reply, ...]:
        """The reply, and before it those that could not be read. Raises SocraticError where there is none."""
        replies = list[Reply]()
        for attempt in range(1 + self.work.order.reasks):
            try:
                replies.append(await self.teacher.ask(job.problem, sample=job.sample, attempt=attempt))
            except SocraticError:
                if not replies:
                    raise
                break  # what was paid before is kept
            if not unusable(replies[-1], self.work.order.answers):
                break
        return tuple(replies)


class BudgetUsed(RunError):
    """A limit was reached. The run goes on when it is raised."""

    def __init__(self) -> None:
        super().__init__("the budget is used up", hint="raise the limit and run the same command again: it goes on")


def note(state: State, order: Order, entry: Entry | None, purse: Budget) -> None:
    """Count a call that is over."""
    state.spent, state.usd = purse.spent, purse.usd
    if entry:
        state.done += 1
        state.reasked += len(entry.replies) - 1
        state.uncounted += not entry.counted
        state.unusable += entry.replies[-1].finish is not Finish.STOP or unusable(entry.replies[-1], order.answers)
        state.now += entry.used


def entry_of(order: Order, job: Job, replies: tuple[Reply, ...], *, batch: bool = False) -> Entry:
    """A job's line of the ledger. Where the server did not count tokens, they are taken to be as many as they can be."""
    most, used = order.most(job.problem), Tokens()
    for reply in replies:
        at_most = Tokens(most.input, min(most.output, budget.most_tokens([reply.text])))
        used += Tokens(reply.usage.input, reply.usage.output) if reply.usage else at_most
    counted = order.stored or all(reply.usage for reply in replies)
    return Entry(job.key, job.problem.id, job.sample, order.prompt_sha256, order.sampling, replies, used, counted, batch)
