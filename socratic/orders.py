"""What a teacher is to be asked, which calls that makes, and what they would cost at most.

In: a prompt, sampling, a leakage guard, problems; prices and what the ledger has. Out: an `Order`, the `Work` that it makes of
the problems (what stands twice or may not be learned from is left out), its `Job`s, and a `Plan` for those who ask first. Asks
nothing and writes nothing. Knows nothing of servers.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from socratic import benchmarks, budget, prompts
from socratic.budget import Budget, Limits, Price, Tokens
from socratic.errors import DataError, UsageError
from socratic.judge import Fault, Reason, Rules, leak
from socratic.leakage import Guard, is_test, set_name
from socratic.ledger import Index, key_of
from socratic.prompts import Answers, Form, Prompt
from socratic.schema import Problem
from socratic.teacher import Sampling


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked: a prompt in its forms, for JSON and for marked lines, so many samples, and what is made of the replies.

    `most` bounds the tokens of one call, `reasks` says how often a reply that cannot be read is asked for again. Answers that
    were `stored` before were not made by this prompt: it only tells their form, and its hash is not theirs.
    """

    prompts: tuple[Prompt, Prompt]
    sampling: Sampling
    rules: Rules
    most: Callable[[Problem], Tokens]
    samples: int = 1
    reasks: int = 1
    stored: bool = False

    @property
    def answers(self) -> Answers:
        """The kind of answer that is asked for."""
        return self.prompts[0].answers

    @property
    def prompt_sha256(self) -> str:
        """Of the prompt that the replies were made by."""
        return "" if self.stored else self.prompts[0].sha256


def order(
    prompt: str, sampling: Sampling, guard: Guard, *, samples: int, reasks: int, check_labels: bool = True, stored: bool = False
) -> Order:
    """An order by the name or path of its prompt. Raises UsageError for one that makes no sense, DataError for the prompt."""
    if samples > 1 and sampling.temperature == 0 and not stored:
        raise UsageError(f"{samples} samples at temperature 0 would be one text", hint="--temperature 0.7, or --samples 1")
    forms = (prompts.load(prompt, form=Form.JSON), prompts.load(prompt, form=Form.MARKED))
    refuse_leaks(forms[0], guard)
    most = (lambda problem: Tokens()) if stored else _bound(forms, sampling.reply_tokens)
    return Order(forms, sampling, Rules(guard, check_labels), most, samples, 0 if stored else reasks, stored)


def refuse_leaks(prompt: Prompt, guard: Guard) -> None:
    """Raise DataError for a prompt whose worked examples show a test problem: the teacher's students would have seen it."""
    for number, example in enumerate(prompt.examples, 1):
        if found := guard.leak(example, own="svamp train"):  # which the guard has, and whoever tests on the other 300 may show
            reason = f"example {number} of the prompt '{prompt.name}' is like {found.problem} of {found.test_set}"
            raise DataError(f"{reason} ({found.kind.value})", hint="take an example of the training split, or a new one")


def _bound(forms: Sequence[Prompt], reply_tokens: int) -> Callable[[Problem], Tokens]:
    """The most tokens of a call, whichever form is sent. Raises DataError where a prompt wants more than a question."""
    fixed = max(budget.most_tokens([*_sent(form, ""), json.dumps(form.answers.model.json_schema())]) for form in forms)
    times = max(len("".join(_sent(form, "?"))) - len("".join(_sent(form, ""))) for form in forms)  # that the question stands
    return lambda problem: Tokens(fixed + times * budget.most_tokens([problem.question]), reply_tokens)


def _sent(prompt: Prompt, question: str) -> list[str]:
    return [message.content for message in prompt.fill(question=question)]


@dataclass(frozen=True, slots=True)
class Job:
    """One sample of one problem."""

    problem: Problem
    sample: int
    key: str


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to do: the problems, those of them that are like a test problem and not asked, how many were left out."""

    order: Order
    problems: tuple[Problem, ...]
    leaks: dict[str, Fault]  # by the problem's id
    left_out: Counter[str]

    @classmethod
    def of(cls, problems: Sequence[Problem], order: Order) -> Work:
        """Leave out what stands twice, and validation problems. Raises DataError for test problems, and where nothing is left."""
        kept, left_out, seen = list[Problem](), Counter[str](), set[bytes]()
        for problem in problems:
            mark = sha256(problem.question.encode()).digest()
            if mark in seen:
                left_out["the same question again"] += 1
            elif benchmarks.is_validation(problem):
                left_out["validation slice, never trained on"] += 1
            else:
                kept.append(problem)
            seen.add(mark)
        _refuse_test(kept)
        found = ((problem.id, leak(problem.question, problem, order.rules.guard)) for problem in kept)
        leaks = {name: Fault(Reason.LEAK, f"like {one.problem} ({one.kind.value}); not asked") for name, one in found if one}
        return cls(order, tuple(kept), leaks, left_out)

    @property
    def asked(self) -> int:
        """How many samples are wanted."""
        return len(self.problems) * self.order.samples

    def jobs(self) -> Iterator[Job]:
        """First one sample of each problem, then the next: a run that ends early has learned something of all."""
        for sample in range(self.order.samples):
            for problem in self.problems:
                yield self.job(problem, sample)

    def job(self, problem: Problem, sample: int) -> Job:
        """The call for one sample."""
        return Job(problem, sample, key_of(problem, self.order.prompt_sha256, self.order.sampling, sample))

    def open(self, done: Index) -> Iterator[Job]:
        """The calls that are still to be made."""
        return (job for job in self.jobs() if job.key not in done and job.problem.id not in self.leaks)

    def most(self, problem: Problem) -> Tokens:
        """Of one sample, its re-asks included."""
        return self.order.most(problem).times(1 + self.order.reasks)


def _refuse_test(problems: Sequence[Problem]) -> None:
    if not problems:
        raise DataError("there are no problems to annotate", hint="check the file and --limit")
    for problem in problems:
        if is_test(problem):
            hint = "nothing is trained on test problems: take the training split"
            raise DataError(f"'{problem.id}' is a test problem ({set_name(problem)})", hint=hint)


# Before anything is paid


@dataclass(frozen=True, slots=True)
class Terms:
    """What may be spent, at which prices."""

    limits: Limits
    prices: Mapping[str, Price]
    batch: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do. `likely_input` is an estimate, `most` a bound that re-asks are part of.

    `within` is how many of the calls the limits allow if each costs its most; many cost less, and leave room for others.
    """

    calls: int
    done: int
    leaks: int
    likely_input: int
    most: Tokens
    usd: float | None  # at most
    model: str
    within: int

    def __str__(self) -> str:
        """For people."""
        usd = f"at most ${self.usd:,.2f}" if self.usd is not None else f"unknown: no price is known of '{self.model}' (--prices)"
        early = f"\nlimits: they may end it earlier, after about {self.within:,} calls if each costs its most"
        return (
            f"calls: {self.calls:,} to make; {self.done:,} are in the ledger, {self.leaks:,} are like a test problem\n"
            f"tokens: about {self.likely_input:,} in; at most, if all is asked again: {self.most}\n"
            f"dollars: {usd}{early if self.within < self.calls else ''}"
        )


def plan(work: Work, done: Index, terms: Terms) -> Plan:
    """What the open calls cost, estimated from their texts; `done` is what the ledger has."""
    order, price = work.order, terms.prices.get(work.order.sampling.model)
    spent, usd = sum(done.used.values(), Tokens()), budget.dollars(done.used, terms.prices)
    purse = Budget(terms.limits, price, spent=spent, usd=usd, batch=terms.batch)
    calls, within, likely, most = 0, 0, 0, Tokens()
    for job in work.open(done):
        calls += 1
        likely += budget.likely_tokens(_sent(order.prompts[0], job.problem.question))
        most += order.most(job.problem) if terms.batch else work.most(job.problem)
        within += purse.fits(most)
    leaks = len(work.leaks) * order.samples
    usd = price.dollars(most, batch=terms.batch) if price else None
    return Plan(calls, work.asked - leaks - calls, leaks, likely, most, usd, order.sampling.model, within)
