"""Does `socratic annotate` keep pace with a server, in flat memory, and does SIGKILL cost nothing but the calls in flight?

In: how many problems, samples, calls at the same time and kills; how slow the server is. Out: Markdown on stdout, a table of
whole runs and one of what they must show; exit code 1 where a bound is missed. tests/teacher_server.py answers, in a process of
its own: figures worth quoting need two idle cores. Knows the package by its command line and its ledger's keys alone.

Run: python experiments/annotate_speed.py        (1,000 and 250 problems, 20 kills: about five minutes)
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final
from urllib.parse import urlsplit

SERVER: Final = Path(__file__).parent.parent / "tests" / "teacher_server.py"
PACE: Final = 1.3  # times the ideal that a whole command may take
FLAT: Final = 1_000  # bytes that memory may grow for each call: its key and its share of the problem (0.4 KB), and no reply
KIB: Final = 1 if sys.platform == "darwin" else 1024  # bytes in the unit of ru_maxrss


@dataclass(frozen=True, slots=True)
class Trial:
    """What is asked, at how many calls at the same time, of a server that takes `delay` seconds for each."""

    problems: int
    samples: int
    concurrency: int
    delay: float

    @property
    def calls(self) -> int:
        """One for each sample."""
        return self.problems * self.samples

    @property
    def ideal(self) -> float:
        """Seconds, if nobody ever waited for anything but the server."""
        return self.calls * self.delay / self.concurrency


@dataclass(frozen=True, slots=True)
class Run:
    """What a whole run took. In seconds: the command, its start up to the first call, its calls, its processor."""

    trial: Trial
    seconds: float
    start: float
    calling: float
    cpu: float
    peak: int  # bytes

    def __str__(self) -> str:
        """A row."""
        ideal, end, trial = self.trial.ideal, self.seconds - self.start - self.calling, self.trial
        return (
            f"| {trial.problems:,}, {trial.samples} each | {ideal:.1f} s | {self.calling:.1f} s ({self.calling / ideal:.2f}) "
            f"| {self.start:.1f} s | {end:.1f} s | {self.seconds:.1f} s ({self.seconds / ideal:.2f}) "
            f"| {self.cpu:.1f} s | {self.peak / 1e6:.1f} MB |"
        )


HEAD: Final = """| problems | ideal | calls (of ideal) | start | end | command (of ideal) | processor | peak memory |
| --- | --- | --- | --- | --- | --- | --- | --- |"""


@dataclass(frozen=True, slots=True)
class Counts:
    """What the server tells of itself: calls, how many of them differ, when the first and the last came."""

    calls: int
    distinct: int
    first: float = 0.0  # of time.monotonic, which all processes of a machine share
    last: float = 0.0


@dataclass(frozen=True, slots=True)
class Survival:
    """What was there when a run that was killed again and again had come to its end."""

    trial: Trial
    asked: Counts
    keys: list[str]  # of the ledger's lines
    in_flight: list[int]  # at each kill: calls that the server got and the ledger did not


# Processes


@contextmanager
def teacher(delay: float) -> Iterator[str]:
    """The base URL of a server that was asked nothing yet."""
    process = subprocess.Popen([sys.executable, str(SERVER), "--delay", str(delay)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate()


def counts(url: str) -> Counts:
    """What the server was asked up to now."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request("GET", "/v1/counts")
        return Counts(**json.load(connection.getresponse()))
    finally:
        connection.close()


def write_problems(path: Path, n: int) -> None:
    """Small problems of the kind that the server can solve, no two alike."""
    with path.open("w", encoding="utf-8") as out:
        for bags, apples in ((2 + number // 100, 3 + number % 100) for number in range(n)):
            question = f"Tom has {bags} bags of {apples} apples. How many apples does he have?"
            out.write(json.dumps({"id": f"{bags}x{apples}", "question": question, "answer": str(bags * apples)}) + "\n")


def annotate(trial: Trial, url: str, folder: Path) -> subprocess.Popen[str]:
    """Begin a run, or go on with it. The folder holds no benchmarks, so nothing is guarded against."""
    path = folder / "problems.jsonl"
    write_problems(path, trial.problems)
    verb = [sys.executable, "-m", "socratic.cli", "annotate", str(path), "--out", str(folder / "run"), "--data", str(folder)]
    asked = ["--teacher", "scripted", "--base-url", url, "--samples", str(trial.samples), "--seed", "0"]
    line = [*verb, *asked, "--concurrency", str(trial.concurrency)]
    return subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def require_well(process: subprocess.Popen[str]) -> None:
    """Stop here if a run that nobody killed did not end well: its figures would mean nothing."""
    _, said = process.communicate()
    if process.returncode:
        raise SystemExit(f"annotate ended with {process.returncode}: {said}")


# A whole run


def whole(trial: Trial, folder: Path) -> Run:
    """Measure one run from its first to its last moment."""
    with teacher(trial.delay) as url:
        began = time.monotonic()
        process = annotate(trial, url, folder)
        _, status, used = os.wait4(process.pid, 0)  # of this one child, where getrusage has the largest of all
        seconds, process.returncode = time.monotonic() - began, os.waitstatus_to_exitcode(status)
        require_well(process)
        asked = counts(url)
    calling = asked.last + trial.delay - asked.first
    return Run(trial, seconds, asked.first - began, calling, used.ru_utime + used.ru_stime, used.ru_maxrss * KIB)


# A run that is killed


def survive(run: Run, folder: Path, *, kills: int, seed: int) -> Survival:
    """Kill the same run at random moments of its whole length, starting it again each time, and then let it end."""
    random, in_flight, before = Random(seed), list[int](), 0
    with teacher(run.trial.delay) as url:
        for moment in sorted(random.uniform(0, run.seconds) for _ in range(kills)):
            process = annotate(run.trial, url, folder)
            reach(moment, run, url, process)
            process.kill()
            process.communicate()
            time.sleep(2 * run.trial.delay)  # what it sent with its last breath is counted too
            lost = counts(url).calls - len(lines(folder))
            if process.returncode == -signal.SIGKILL:  # else it came to its end before
                in_flight.append(lost - before)
            before = lost
        require_well(annotate(run.trial, url, folder))
        return Survival(run.trial, counts(url), [json.loads(line)["key"] for line in lines(folder)], in_flight)


def reach(moment: float, run: Run, url: str, process: subprocess.Popen[str]) -> None:
    """Wait until a run has come as far as the undisturbed one had at that moment, by the clock or by its calls."""
    began, share = time.monotonic(), (moment - run.start) / run.calling
    while counts(url).distinct < min(share, 1) * run.trial.calls and process.poll() is None:
        time.sleep(0.005)
    started, after = began + min(moment, run.start), max(0.0, moment - run.start - run.calling)
    time.sleep(max(0.0, max(started, time.monotonic()) + after - time.monotonic()))


def lines(folder: Path) -> list[bytes]:
    """The ledger's whole lines."""
    path = folder / "run" / "ledger.jsonl"
    return [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")] if path.exists() else []


# What must be shown


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that must hold, and what was found."""

    what: str
    found: str
    holds: bool

    def __str__(self) -> str:
        """A row."""
        return f"| {self.what} | {self.found} | {'yes' if self.holds else 'NO'} |"


def pace_and_memory(large: Run, small: Run) -> Iterator[Claim]:
    """Of two runs that differ in their number of problems."""
    pace, grown = large.seconds / large.trial.ideal, (large.peak - small.peak) / (large.trial.calls - small.trial.calls)
    yield Claim(f"the command takes at most {PACE} times the ideal", f"{pace:.2f}", pace <= PACE)
    yield Claim(f"memory grows by at most {FLAT} bytes a call", f"{grown:.0f} bytes", grown <= FLAT)


def paid_once(found: Survival) -> Iterator[Claim]:
    """Of a run that was killed."""
    calls, keys, most = found.trial.calls, len(set(found.keys)), found.trial.concurrency * len(found.in_flight)
    twice, worst = found.asked.calls - found.asked.distinct, max(found.in_flight, default=0)
    kills = f"after {len(found.in_flight)} kills "
    yield Claim(
        f"{kills}each of {calls:,} keys is there once",
        f"{keys:,} in {len(found.keys):,} lines",
        {keys} == {calls, len(found.keys)},
    )
    yield Claim(f"{kills}at most {most:,} calls were made twice", f"{twice:,}", twice <= most and found.asked.distinct == calls)
    yield Claim(f"at most {found.trial.concurrency} were in flight at a kill", f"{worst:,}", worst <= found.trial.concurrency)


def arguments() -> argparse.Namespace:
    """From the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--problems", type=int, default=1000)
    parser.add_argument(
        "--fewer", type=int, default=250, help="problems of the run whose memory is compared; below some hundreds it is noise"
    )
    parser.add_argument("--samples", type=int, default=4, help="of each problem")
    parser.add_argument("--concurrency", type=int, default=8, help="calls at the same time")
    parser.add_argument("--delay", type=float, default=0.05, help="seconds that the server takes for a call")
    parser.add_argument("--kills", type=int, default=20, help="0: only measure whole runs")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    return parser.parse_args()


def main() -> int:
    """Measure, and print."""
    asked = arguments()
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name, part) for part in ("few", "many", "killed")]
        for folder in folders:
            folder.mkdir()
        trials = [Trial(n, asked.samples, asked.concurrency, asked.delay) for n in (asked.fewer, asked.problems)]
        small, large = (whole(trial, folder) for trial, folder in zip(trials, folders, strict=False))
        print(
            f"{asked.concurrency} calls at the same time, {1000 * asked.delay:.0f} ms each\n\n{HEAD}\n{small}\n{large}\n",
            flush=True,
        )
        claims = [*pace_and_memory(large, small)]
        if asked.kills:
            claims += paid_once(survive(large, folders[2], kills=asked.kills, seed=asked.seed))
    print("| what must hold | found | holds |\n| --- | --- | --- |", *claims, sep="\n")
    return 0 if all(claim.holds for claim in claims) else 1


if __name__ == "__main__":
    sys.exit(main())
