"""Properties of bars: what is counted is what was given."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from socratic.bars import counted


@pytest.mark.parametrize("total", [None, 3])
def test_what_is_counted_is_what_was_given_and_the_bar_says_how_much_and_goes(total: int | None) -> None:
    seen = Console(file=io.StringIO(), force_terminal=True, width=100)
    assert list(counted((c for c in "abc"), "letters", total, console=seen)) == ["a", "b", "c"]
    assert "letters" in seen.file.getvalue() and f"/{total or '?'}" in seen.file.getvalue()
    assert seen.file.getvalue().endswith("\x1b[2K"), "the line is cleared"
