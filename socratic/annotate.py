"""Problems → what a teacher says to them → traces to train on, and rejects with their reasons.

In: the `Work` to do, a teacher, a folder. Out, in the folder: `ledger.jsonl` (all that was paid), `traces.jsonl`,
`rejects.jsonl`, `run.json`; and a `Summary` that adds up to what was asked. Traces and rejects are written anew from the ledger
at the end of each run, in the order of the problems. Knows nothing of terminals, of benchmarks' files, or of HTTP.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import IO, Any, Final

from socratic import budget, provenance
from socratic.budget import Budget, Tokens
from socratic.errors import CallError, RunError, SocraticError, UsageError
from socratic.filters import Sample
from socratic.judge import Fault, Reason, Reject, judge, unusable
from socratic.ledger import Entry, Ledger, Loss
from socratic.orders import Job, Order, Terms, Work, refuse_test
from socratic.replies import Finish, Reply
from socratic.schema import Source, Trace
from socratic.teacher import Teacher, watching
from socratic.whole import whole, write_json

LEDGER, RECORD = "ledger.jsonl", "run.json"
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


# What comes of it


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of all samples that were asked for: they are accepted, rejected, or not there yet. And how it went."""

    asked: int
    problems: int
    accepted: int
    unchecked: int  # of the accepted: there is no gold answer, or nobody was to look at it
    rejected: Counter[Reason]
    left_out: Counter[str]  # problems
    broken: int  # lines of the ledger that could not be read
    calls: int  # of this run that brought a reply, as everything below but `spent` and `usd`
    reasked: int
    uncounted: int
    unusable: int
    lost: int  # requests, which `now` and `spent` have at their most
    troubles: Counter[str]
    now: Tokens
    spent: Tokens  # in all runs of the folder
    usd: float | None
    seconds: float

    @property
    def missing(self) -> int:
        """Samples that no call was made for."""
        return self.asked - self.accepted - self.rejected.total()

    def __str__(self) -> str:
        """For people."""
        unknown = "dollars unknown: a price is missing" if self.spent.total else "$0"
        usd = f"${self.usd:,.4f}" if self.usd is not None else unknown
        uncounted = f" ({self.uncounted:,} replies not counted by the server, taken at most)" if self.uncounted else ""
        lost = f" ({self.lost:,} lost calls, which may be billed, taken at most)" if self.lost else ""
        unusable = f" ({self.unusable:,} of them unusable)" if self.unusable else ""
        unchecked = f" ({self.unchecked:,} of them without a look at a gold answer)" if self.unchecked else ""
        lines = [
            f"{self.asked:,} asked ({self.problems:,} problems): {self.accepted:,} accepted{unchecked}, "
            f"{self.rejected.total():,} rejected, {self.missing:,} missing",
            f"rejected: {_counts(self.rejected)}",
            f"this run: {self.calls:,} answered{unusable} in {self.seconds:.1f} s, {self.reasked:,} asked again, "
            f"{self.now}{uncounted}{lost}",
            f"server's troubles: {_counts(self.troubles)}",
            f"spent in all: {self.spent}, {usd}",
        ]
        left_out = [f"left out: {_counts(self.left_out)}"] if self.left_out else []
        broken = [f"broken lines of the ledger, asked anew: {self.broken:,}"] if self.broken else []
        return "\n".join(lines + left_out + broken)

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape of the run's record."""
        found = {place.name: getattr(self, place.name) for place in fields(self)}  # asdict makes nonsense of counters
        return {**found, "now": asdict(self.now), "spent": asdict(self.spent), "missing": self.missing}


def _counts(found: Counter[Any]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in found.most_common()) or "none"


def write(work: Work, ledger: Ledger, state: State, folder: Path, *, seconds: float) -> Summary:
    """Judge what the ledger has of this order, and write traces and rejects anew."""
    accepted, unchecked, rejected = 0, 0, Counter[Reason]()
    with _anew(folder / "traces.jsonl") as traces, _anew(folder / "rejects.jsonl") as rejects:
        for found in _judged(work, ledger, state):
            line = json.dumps(found.to_dict(), ensure_ascii=False) + "\n"
            if isinstance(found, Sample):
                accepted += 1
                unchecked += found.trace.problem.answer is None or not work.order.rules.check_labels
                traces.write(line)
            else:
                rejected[found.fault.reason] += 1
                rejects.write(line)
    return Summary(
        asked=work.asked,
        problems=len(work.problems),
        accepted=accepted,
        unchecked=unchecked,
        rejected=rejected,
        left_out=work.left_out,
        broken=ledger.index.broken,
        calls=state.done,
        reasked=state.reasked,
        uncounted=state.uncounted,
        unusable=state.unusable,
        lost=state.lost,
        troubles=state.troubles,
        now=state.now,
        spent=state.spent,
        usd=state.usd,
        seconds=round(seconds, 1),
    )


def _judged(work: Work, ledger: Ledger, state: State) -> Iterator[Sample | Reject]:
    """The samples of each problem together, the problems in their order."""
    order = work.order
    for problem in work.problems:
        for job in (work.job(problem, sample) for sample in range(order.samples)):
            if problem.id in work.leaks:
                yield Reject(problem.id, job.sample, work.leaks[problem.id])
            elif job.key in ledger:
                source = Source("teacher", order.sampling.model, order.prompt_sha256, job.sample)
                reply = ledger.get(job.key).replies[-1]
                found = judge(problem, reply, order.answers, source, order.rules)
                yield Sample(found, reply.logprob) if isinstance(found, Trace) else found
            elif job.key in state.failed:
                yield Reject(problem.id, job.sample, Fault(Reason.HTTP, state.failed[job.key]))


@contextmanager
def _anew(path: Path) -> Iterator[IO[str]]:
    """A text file that appears whole, or stays what it was."""
    with whole(path) as partial, partial.open("w", encoding="utf-8") as out:
        yield out


# A run into a folder


def run(work: Work, folder: Path, problems: str, terms: Terms, ask: Ask) -> tuple[Summary, State]:
    """Ask what is not in the folder's ledger yet, then write all of it. `problems` names them.

    A run that had to end early returns too, with the reason in the state. Raises UsageError, RunError for a folder that is
    another's, or in use.
    """
    started, model = time.monotonic(), work.order.sampling.model
    terms.limits.check([model], terms.prices)
    refuse_test(work.problems)
    claim(folder, problems, work)
    with Ledger(folder / LEDGER) as ledger:
        used = ledger.index.used
        terms.limits.check([model, *(other for other, _ in used)], terms.prices)
        spent = sum(used.values(), Tokens())
        usd = budget.dollars(used, terms.prices) if model in terms.prices else None
        purse = Budget(terms.limits, terms.prices.get(model), spent=spent, usd=usd, batch=terms.batch)
        state = asyncio.run(ask(work, ledger, purse))
        summary = write(work, ledger, state, folder, seconds=time.monotonic() - started)
    record(folder, problems, work, summary)
    return summary, state


def claim(folder: Path, problems: str, work: Work) -> None:
    """Make the folder, or go on in it. Raises UsageError where it belongs to something else, or to other problems.

    Problems may join at the end, as where a limit is raised. Files of one name may be different ones: the first problem tells.
    """
    first = provenance.sha256([work.problems[0].question])
    if not folder.exists() or (folder.is_dir() and {path.name for path in folder.iterdir()} <= {f"{RECORD}.partial"}):
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / RECORD, {"annotates": problems, "first_problem_sha256": first})
        return
    try:
        row = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        found, begins = row["annotates"], row["first_problem_sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = "give --out a folder of its own"
        raise UsageError(f"{folder} is not empty and holds no run of `socratic annotate`", hint=hint) from error
    if (found, begins) != (problems, first):
        other = f"other problems of the name {found}" if found == problems else f"{found}, not over {problems}"
        raise UsageError(f"{folder} belongs to a run over {other}", hint="give --out another folder")


def record(folder: Path, problems: str, work: Work, summary: Summary) -> None:
    """Write down what one must know to get the same again; no key is part of it."""
    row = {
        "annotates": problems,
        "first_problem_sha256": provenance.sha256([work.problems[0].question]),
        "problems_sha256": provenance.sha256((p.id, p.question, p.answer) for p in work.problems),
        "order": {
            "prompt": work.order.prompts[0].name,
            "answers": work.order.answers,
            "prompt_sha256": work.order.prompt_sha256,
            "sampling": asdict(work.order.sampling),
            "samples": work.order.samples,
            "reasks": work.order.reasks,
            "check_labels": work.order.rules.check_labels,
            "guarded": dict(work.order.rules.guard.sets),
            "not_guarded": work.order.rules.guard.missing,
        },
        "summary": summary.to_dict(),
        "commit": provenance.commit(),
        "versions": provenance.versions(),
    }
    write_json(folder / RECORD, row)
