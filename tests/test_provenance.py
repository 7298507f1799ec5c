"""What a run's record says of the software. Run: pytest tests/test_provenance.py"""

from __future__ import annotations

import re
from importlib.metadata import version

from socratic import provenance


def test_versions_are_those_that_are_installed() -> None:
    found = provenance.versions()
    assert found["socratic-cot"] == version("socratic-cot") and set(provenance.LIGHT) <= found.keys()


def test_a_commit_is_a_whole_one_or_nothing() -> None:
    assert re.fullmatch(r"([0-9a-f]{40}(-dirty)?)?", provenance.commit())


def test_sums_hang_on_every_row_and_their_order() -> None:
    rows = [("a", "Line\u2028separator", None), ("b", "é", "2")]
    assert provenance.sha256(rows) == provenance.sha256(iter(rows))
    assert len({provenance.sha256(some) for some in (rows, rows[::-1], rows[:1], [("a", "Line"), *rows])}) == 4
