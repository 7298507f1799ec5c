"""A bar for whoever works through many things.

In: things, as they come. Out: the same things, and as long as they are taken a bar on stderr. Knows nothing of what they are,
and says nothing in a job beside others, whose bars would write over each other.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, TypeVar

from socratic.processes import is_one_of_several

if TYPE_CHECKING:
    from rich.console import Console

Item = TypeVar("Item")


def counted(
    items: Iterable[Item], title: str, total: int | None = None, *, console: Console | None = None
) -> Generator[Item, None, None]:
    """The same items, with a bar on stderr as long as they are taken; `total` where they cannot tell themselves."""
    from rich.console import Console  # here, as nobody who solves a problem needs bars
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    console, silent = console or Console(stderr=True), is_one_of_several()
    with Progress(*columns, console=console, transient=True, disable=silent) as bar:
        yield from bar.track(items, total, description=title)
