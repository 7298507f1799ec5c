"""The verbs that make traces to learn from: `curriculum`, `rationales`, `filter`, `annotate`.

In: families, stored samples of teachers, or a teacher on a server. Out: files of traces; how many, and what was refused, is
said. Knows nothing of students.
"""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from socratic import display
from socratic.cli.options import ALL, Data, Limit, Seed
from socratic.cli.summary import require_whole, say_broken, say_unchecked
from socratic.errors import UsageError, needing_extra
from socratic.jsonl import write_jsonl

verbs = typer.Typer()


@verbs.command(epilog="Example: socratic curriculum --n 3 --seed 7")
def curriculum(
    n: Annotated[int, typer.Option(min=1, help="Problems to draw.")] = 3,
    seed: Seed = 0,
    parts: Annotated[int, typer.Option(min=1, help="Families that one story may be made of.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Write traces as JSONL instead of printing them.")] = None,
    coverage: Annotated[Path | None, typer.Option(help="With --out: draw what was written into this picture.")] = None,
    test_set: Annotated[list[Path] | None, typer.Option(help="With --out: a JSONL of problems to guard; repeatable.")] = None,
    data: Data = None,
    check: Annotated[list[Path] | None, typer.Option(help="Check files of families instead; may be repeated.")] = None,
) -> None:
    """Draw problems with verified traces from the families. Or check families.

    A file (--out) holds no problem twice, none like a benchmark's test problem, and none of the held-out families.
    """
    from socratic import curriculum as teacher

    if check and (out or coverage or test_set):
        raise UsageError("--check looks at families and writes nothing", hint="leave out --check, or --out and what goes with it")
    if not out and (coverage or test_set):
        raise UsageError("--coverage and --test-set go with a file of traces", hint="name it with --out FILE.jsonl")
    if check:
        _check_families(check)
    elif out:
        _write_corpus(out, n, seed, parts, coverage, test_set or [], data)
    else:
        for trace in teacher.draw_many(teacher.load_families(), n, seed, (1, parts), teacher.load_continuations()):
            print(f"{trace.problem.question}\n{trace}\n")


def _check_families(files: list[Path]) -> None:
    from socratic import curriculum as teacher

    faults = teacher.check_files(files)
    for fault in faults:
        print(f"{fault.where} {fault.family}: {fault.reason}")
    if faults:
        raise UsageError(f"{len(faults)} faults in {len(files)} files", hint="socratic/curriculum/FORMAT.md has the format")
    print("no faults")


def _write_corpus(
    out: Path, n: int, seed: int, parts: int, picture: Path | None, test_sets: list[Path], data: Path | None
) -> None:
    from socratic import corpus, leakage, pictures
    from socratic import curriculum as teacher

    if picture:
        pictures.require_plotting(picture)
    taught, _ = teacher.held_out(teacher.load_families())
    guard = leakage.load_guard(data, test_sets)
    with display.counting(n) as add:
        summary = corpus.write(out, taught, n, seed=seed, guard=guard, parts=parts, progress=add)
    if picture:
        corpus.plot(summary.coverage, picture)
    print(summary)
    display.stderr.print(f"traces: {out}" + (f"; picture: {picture}" if picture else ""))


class Wrong(StrEnum):
    """What becomes of samples with a wrong final answer."""

    CHECKED = "checked"
    KEPT = "kept"


@verbs.command(epilog="Example: socratic rationales svamp --labels checked --out runs/scotd/svamp.jsonl")
def rationales(
    name: Annotated[str, typer.Argument(help="svamp (ten samples a problem), svamp-levels, strategyqa, gsm8k.")],
    out: Annotated[Path, typer.Option(help="Where the traces go (JSONL).")],
    labels: Annotated[Wrong, typer.Option(help="checked: samples with a wrong answer are dropped.")] = Wrong.CHECKED,
    files: Annotated[str, typer.Option(help="Only files whose name fits this pattern.")] = "*",
    data: Data = None,
) -> None:
    """Turn stored samples of real teachers into traces. Those of test problems are refused, and everything is counted."""
    from socratic import rationales as stored

    traces, tallies = stored.load(name, stored.Setting(labels.value), files=files, data=data)
    write_jsonl(out, (trace.to_dict() for trace in traces))
    print(*tallies, sep="\n")
    problems = len({trace.problem.id for trace in traces})
    print(f"{len(traces):,} traces of {problems:,} problems: {out}")


class FilterName(StrEnum):
    """What decides which samples of a problem are kept."""

    RANDOM = "random"
    DIVERSITY = "diversity"
    LIKELIHOOD = "likelihood"
    OPEN_ENDEDNESS = "open-endedness"


@verbs.command("filter", epilog="Example: socratic filter runs/scotd/svamp.jsonl --by diversity --out runs/scotd/diverse.jsonl")
def filter_samples(
    traces: Annotated[Path, typer.Argument(help="A JSONL of traces, several of each problem.")],
    out: Annotated[Path, typer.Option(help="Where the kept ones go (JSONL).")],
    by: Annotated[FilterName, typer.Option(help="One of SCoTD's filters.")] = FilterName.RANDOM,
    keep: Annotated[int, typer.Option(min=1, help="Samples of a problem; with open-endedness on average.")] = 5,
    model: Annotated[str, typer.Option(help="diversity: a sentence encoder; likelihood: a causal LM, where logprobs lack.")] = "",
    seed: Seed = 0,
) -> None:
    """Keep some of the samples of each problem, at least one. Diversity and a local likelihood need the extra [train]."""
    from socratic import filters
    from socratic.config import Filter

    samples = filters.read(traces)
    with needing_extra("this filter"):
        kept = filters.select(samples, Filter(by=by.value, keep=keep, model=model), seed=seed)
    write_jsonl(out, (sample.to_dict() for sample in kept))
    problems = len(filters.grouped(sample.trace for sample in samples))
    print(f"{len(kept):,} of {len(samples):,} samples of {problems:,} problems kept ({by.value}): {out}")


@verbs.command(epilog="Example: socratic annotate gsm8k --teacher gpt-4o-mini --samples 4 --max-usd 5 --dry-run --out runs/pairs")
def annotate(
    problems: Annotated[str, typer.Argument(help="gsm8k, svamp, … (training split), or a JSONL with question and answer.")],
    teacher: Annotated[str, typer.Option(help="The model's name, as the server knows it.")],
    out: Annotated[Path, typer.Option(help="Run folder; the same command goes on where it stopped.")],
    base_url: Annotated[str | None, typer.Option(help="Of any OpenAI-compatible server; else $OPENAI_BASE_URL.")] = None,
    prompt: Annotated[str, typer.Option(help="A shipped prompt (prompts/), or a .md file.")] = "gsm8k-pairs",
    samples: Annotated[int, typer.Option(min=1, max=1000, help="Of each problem.")] = 1,
    temperature: Annotated[float, typer.Option(min=0, max=2, help="Of the teacher; 0 is greedy.")] = 0.7,
    top_p: Annotated[float | None, typer.Option(min=0, max=1, help="Where the server takes it.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of sample 0, where the server takes seeds.")] = None,
    logprobs: Annotated[bool, typer.Option("--logprobs", help="Ask for the likelihood of each reply, for the filter.")] = False,
    reply_tokens: Annotated[int, typer.Option(min=1, help="Most tokens of one reply.")] = 1024,
    reasks: Annotated[int, typer.Option(min=0, max=5, help="How often a reply that cannot be read is asked for again.")] = 1,
    keep_wrong: Annotated[
        bool,
        typer.Option("--keep-wrong", help="Look at no gold answer (SCoTD's few-shot setting; train with wrong_answers: kept)."),
    ] = False,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Calls at the same time.")] = 8,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for one try of a call.")] = 120.0,
    retries: Annotated[int, typer.Option(min=0, max=20, help="Of rate limits, errors, cut connections.")] = 6,
    max_usd: Annotated[float | None, typer.Option(help="Most to spend in this folder, earlier runs included.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="The same in tokens, in and out.")] = None,
    prices: Annotated[Path | None, typer.Option(help="A file of prices, as socratic/prices.yaml.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would cost at most, and ask nothing.")] = False,
    batch: Annotated[bool, typer.Option("--batch", help="Use the batch endpoint: cheaper, within a day.")] = False,
    poll: Annotated[float, typer.Option(min=0.01, help="With --batch: seconds between looks.")] = 60.0,
    replay: Annotated[Path | None, typer.Option(help="Stored answers in place of a server; --prompt tells their form.")] = None,
    api_key_env: Annotated[str, typer.Option(help="The environment variable that holds the key.")] = "OPENAI_API_KEY",
    split: Annotated[str, typer.Option(help="Of a benchmark.", show_default="train")] = "",
    limit: Limit = ALL,
    test_set: Annotated[list[Path] | None, typer.Option(help="A JSONL of problems to guard; repeatable.")] = None,
    data: Data = None,
) -> None:
    """Have a teacher work problems out, within a budget. Checked traces, rejects with reasons, nothing paid twice.

    The key is read from the environment alone. Stopped at any moment, the same command goes on.
    """
    from socratic import asking, batches, leakage, orders, tasks
    from socratic.annotate import LEDGER, run
    from socratic.budget import Limits, load_prices
    from socratic.ledger import index
    from socratic.replay import Replay
    from socratic.teacher import OpenAITeacher, Sampling, Server, Teacher

    if batch and replay:
        raise UsageError("stored answers have no batch endpoint", hint="leave --batch out")
    task = tasks.load(problems, split, usual="train", data=data)
    say_broken(task)
    guard = leakage.load_guard(data, test_set or [], validation=True)
    say_unchecked(guard.missing)
    order = orders.order(
        prompt,
        Sampling(teacher, temperature, reply_tokens, top_p, seed, logprobs),
        guard,
        samples=samples,
        reasks=reasks,
        check_labels=not keep_wrong,
        stored=replay is not None,
    )
    work = orders.Work.of(task.first(limit).problems, order)
    terms = orders.Terms(Limits(max_usd, max_tokens), load_prices(prices), batch)
    if dry_run:
        print(orders.plan(work, index(out / LEDGER), terms))
        return
    server = Server(base_url, api_key_env, timeout, retries)
    if batch:
        calls = partial(batches.calls, OpenAITeacher(server, order.sampling, order.prompts), out / "batches", poll=poll)
    else:
        asked: Teacher = Replay(replay) if replay else OpenAITeacher(server, order.sampling, order.prompts)
        calls = partial(asking.calls, asked, concurrency=concurrency)
    with display.annotating() as progress:
        summary, state = run(work, out, Path(task.name).name, terms, calls(progress=progress))
    print(summary)
    display.stderr.print(f"traces, rejects and ledger: {out}")
    if state.stop:
        raise state.stop
    require_whole(task, problems, "annotated")
