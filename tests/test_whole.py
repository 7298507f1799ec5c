"""whole.py: whenever a writer is stopped, a reader finds the old file or the new one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from socratic.whole import whole, write_json, write_text


def test_until_the_end_the_old_file_stands(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "a.json"
    write_text(path, "old")
    with whole(path) as partial:
        partial.write_text("half")
        assert path.read_text() == "old\n"
    assert path.read_text() == "half"


def test_what_fails_on_the_way_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"name": "Zoë"})
    with pytest.raises(TypeError):
        write_json(path, object())
    with pytest.raises(RuntimeError), whole(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert json.loads(path.read_text(encoding="utf-8")) == {"name": "Zoë"}
