"""Whether a picture can be written, and how every one of them is.

In: a figure of matplotlib, which the extra [train] brings; the path that a user typed. Out: a file of the kind that its name ends
in. Knows nothing of what is drawn.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from socratic.errors import UsageError, needing_extra

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def require_plotting(path: Path) -> None:
    """Raise UsageError where `save` could not write this file: better at once than after minutes of work."""
    with needing_extra("a plot"):
        from matplotlib.backend_bases import FigureCanvasBase
    kinds = sorted(FigureCanvasBase.filetypes)
    if path.suffix.removeprefix(".").lower() not in kinds:
        raise UsageError(f"'{path}' names no kind of picture", hint=f"end it in one of .{', .'.join(kinds)}")


def save(figure: Figure, path: Path) -> None:
    """Write a figure, its axes open above and on the right; its folder is made where it is missing."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
