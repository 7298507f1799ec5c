"""Problems → what a teacher says to them → traces to train on, and rejects with their reasons.

In: the `Work` to do, a way to ask, a folder. Out, in the folder: `ledger.jsonl` (all that was paid), `traces.jsonl`,
`rejects.jsonl`, `run.json`; and a `Summary` that adds up to what was asked. Traces and rejects are written anew from the ledger
at the end of each run, in the order of the problems. Knows nothing of terminals, of benchmarks' files, or of servers.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from socratic import budget, provenance
from socratic.asking import Ask, State
from socratic.budget import Budget, Tokens
from socratic.errors import UsageError
from socratic.filters import Sample
from socratic.judge import Fault, Reason, Reject, judge
from socratic.ledger import Ledger
from socratic.orders import Terms, Work
from socratic.schema import Source, Trace
from socratic.whole import whole, write_json

LEDGER, RECORD = "ledger.jsonl", "run.json"


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
    with (
        whole(folder / "traces.jsonl") as accepted_place,
        whole(folder / "rejects.jsonl") as rejected_place,
        accepted_place.open("w", encoding="utf-8") as traces,
        rejected_place.open("w", encoding="utf-8") as rejects,
    ):
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


# A run into a folder


def run(work: Work, folder: Path, problems: str, terms: Terms, ask: Ask) -> tuple[Summary, State]:
    """Ask what is not in the folder's ledger yet, then write all of it. `problems` names them.

    A run that had to end early returns too, with the reason in the state. Raises UsageError, RunError for a folder that is
    another's, or in use.
    """
    started, model = time.monotonic(), work.order.sampling.model
    terms.limits.check([model], terms.prices)
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
    ours = _mark(problems, work)
    if not folder.exists() or (folder.is_dir() and {path.name for path in folder.iterdir()} <= {f"{RECORD}.partial"}):
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / RECORD, ours)
        return
    try:
        row = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        theirs = {name: row[name] for name in ours}
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = "give --out a folder of its own"
        raise UsageError(f"{folder} is not empty and holds no run of `socratic annotate`", hint=hint) from error
    if theirs != ours:
        found = theirs["annotates"]
        other = f"other problems of the name {found}" if found == problems else f"{found}, not over {problems}"
        raise UsageError(f"{folder} belongs to a run over {other}", hint="give --out another folder")


def _mark(problems: str, work: Work) -> dict[str, str]:
    """What a folder's record is known by."""
    return {"annotates": problems, "first_problem_sha256": provenance.sha256([work.problems[0].question])}


def record(folder: Path, problems: str, work: Work, summary: Summary) -> None:
    """Write down what one must know to get the same again; no key is part of it."""
    row = {
        **_mark(problems, work),
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
