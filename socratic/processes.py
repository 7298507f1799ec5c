"""Jobs in several processes that share the cores.

In: a function of one job, jobs, how many run at once. Out: each job with what came of it, as they are done. Small models gain
little from a second thread, so that two trainings beside each other beat one after the other. Knows nothing of what a job is.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection
from typing import TypeVar

from socratic.errors import RunError

Job = TypeVar("Job")
Done = TypeVar("Done")


def side_by_side(work: Callable[[Job], Done], jobs: Sequence[Job], at_once: int) -> Iterator[tuple[Job, Done]]:
    """Jobs and their results in the order of completion; one at a time, in this process, if `at_once` is 1.

    Otherwise `work`, jobs and results are pickled. Raises at once what a job raises, RunError where a process was killed; the
    others are then ended wherever they are, as by a kill, and those that have not begun are dropped.
    """
    if at_once == 1 or len(jobs) < 2:
        yield from ((job, work(job)) for job in jobs)
        return
    spawn = multiprocessing.get_context("spawn")
    held, leash = spawn.Pipe(duplex=False)
    pool = ProcessPoolExecutor(at_once, mp_context=spawn, initializer=_end_with_leash, initargs=(held,))
    with held, leash, _share_of_cores(at_once), pool:
        try:
            yield from _as_they_are_done({pool.submit(work, job): job for job in jobs})
        except BaseException:  # GeneratorExit too: nobody waits for the others any more
            leash.close()
            raise


def _as_they_are_done(jobs: Mapping[Future[Done], Job]) -> Iterator[tuple[Job, Done]]:
    waiting = set(jobs)
    while waiting:
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        # What is finished comes first, so that it can be kept before anyone hears of an error.
        for future in sorted(done, key=lambda future: future.exception() is not None):
            try:
                yield jobs[future], future.result()
            except BrokenProcessPool as error:
                hint = "probably out of memory: --jobs 1; the same command goes on where it stopped"
                raise RunError("one of the processes beside each other was killed from outside", hint=hint) from error


def is_one_of_several() -> bool:
    """Whether this process is such a job's, whose progress bar would overwrite those of the others."""
    return multiprocessing.parent_process() is not None


def _end_with_leash(held: connection.Connection) -> None:
    """A job ends when the other end of this pipe is let go: another one failed, or the command was killed.

    The next command may then go on where it wrote, and meets nobody.
    """
    threading.Thread(target=_outlive, args=(held,), daemon=True).start()


def _outlive(held: connection.Connection) -> None:
    connection.wait([held])
    os._exit(1)


@contextmanager
def _share_of_cores(at_once: int) -> Iterator[None]:
    """Processes that start inside compute with few threads: those that wait for a core wait for each other at every layer."""
    share = str(max(1, (os.cpu_count() or 1) // at_once))
    before = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    os.environ.update(dict.fromkeys(before, share))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
