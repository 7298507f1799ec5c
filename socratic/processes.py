"""Jobs in several processes that share the cores.

In: a function of one job, jobs, how many run at once. Out: each job with what came of it, as they are done. Small models gain
little from a second thread, so that two trainings beside each other beat one after the other. Knows nothing of what a job is.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import TypeVar

Job = TypeVar("Job")
Done = TypeVar("Done")


def side_by_side(work: Callable[[Job], Done], jobs: Sequence[Job], at_once: int) -> Iterator[tuple[Job, Done]]:
    """Jobs and their results in the order of completion; one at a time, in this process, if `at_once` is 1.

    Otherwise `work`, jobs and results are pickled. Raises what a job raises; those that have not begun are then dropped.
    """
    if at_once == 1 or len(jobs) < 2:
        yield from ((job, work(job)) for job in jobs)
        return
    spawn = multiprocessing.get_context("spawn")
    with _share_of_cores(at_once), ProcessPoolExecutor(at_once, mp_context=spawn, initializer=_end_with_parent) as pool:
        waiting = {pool.submit(work, job): job for job in jobs}
        try:
            for done in as_completed(waiting):
                yield waiting[done], done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def is_one_of_several() -> bool:
    """Whether this process is such a job's, whose progress bar would overwrite those of the others."""
    return multiprocessing.parent_process() is not None


def _end_with_parent() -> None:
    """A command that is killed leaves nobody behind who writes where the next one goes on."""
    parent = multiprocessing.parent_process()
    threading.Thread(target=_outlive, args=(parent,), daemon=True).start()


def _outlive(parent: BaseProcess) -> None:
    parent.join()
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
