"""Properties of pictures.py. Run: pytest tests/test_pictures.py"""

from __future__ import annotations

from pathlib import Path

import pytest

from socratic import pictures
from socratic.errors import UsageError

matplotlib = pytest.importorskip("matplotlib.figure", reason="matplotlib comes with the extra [train]")


@pytest.mark.parametrize("name", ["c", "c.jsonl", "c.pong"])
def test_a_name_that_is_no_picture_s_is_refused_before_anything_is_drawn(name: str) -> None:
    with pytest.raises(UsageError, match="no kind of picture") as caught:
        pictures.require_plotting(Path(name))
    assert ".png" in caught.value.hint


@pytest.mark.parametrize(("name", "begins"), [("c.png", b"\x89PNG"), ("c.PDF", b"%PDF"), ("c.svg", b"<?xml")])
def test_what_is_not_refused_is_written_with_its_folder(name: str, begins: bytes, tmp_path: Path) -> None:
    figure = matplotlib.Figure()
    panels = figure.subplots(1, 2)
    pictures.require_plotting(tmp_path / "new" / name)
    pictures.save(figure, tmp_path / "new" / name)
    assert (tmp_path / "new" / name).read_bytes().startswith(begins)
    assert not any(axes.spines[side].get_visible() for axes in panels for side in ("top", "right"))
