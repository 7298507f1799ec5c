"""Files that appear whole or not at all, whenever the writer is stopped: written beside their place, then moved there.

In: a path, and what it shall hold. Out: the file, in a folder that is made where there is none. Knows nothing of contents.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Where to write; moved to `path` when the block ends, and left where it is when it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    yield partial
    partial.replace(path)


def write_text(path: Path, text: str) -> None:
    """A text that ends in a line break."""
    with whole(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def write_json(path: Path, value: object) -> None:
    """What JSON can say, indented for people."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False))
