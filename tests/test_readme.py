"""The README is true: its tree is the folder, its commands exist, its figures are those in experiments/results."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from test_layers import FILES, imported
from typer.main import get_command

from socratic import cli, config, curriculum

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


TREE = re.findall(r"^ +(\w+(?:\.py|\.yaml|/))\s", README.split("## The files")[1].split("```")[1], re.MULTILINE)


def test_the_tree_names_every_module_and_nothing_else() -> None:
    there = {p.name + ("/" if p.is_dir() else "") for p in (ROOT / "socratic").iterdir() if p.name != "py.typed"}
    there -= {"__pycache__/", "__init__.py"}
    assert {*TREE} == there and len(TREE) == len(there)


@pytest.mark.parametrize("name", FILES)
def test_a_module_imports_only_what_stands_above_it_in_the_tree(name: str) -> None:
    above = [line.removesuffix(".py").removesuffix("/") for line in TREE]
    below = above[above.index(name.partition("/")[0]) + 1 :]
    targets = {
        target.split(".")[1] for target in imported(FILES[name].read_text(encoding="utf-8")) if target.startswith("socratic.")
    }
    assert not targets & {*below}


def test_shown_commands_exist_with_their_options() -> None:
    command = get_command(cli.app)
    lines = re.findall(r"^\s*socratic ([a-z].*?)(?:#.*)?$", README, re.MULTILINE)
    assert len(lines) >= 6
    for line in lines:
        found, words = command, re.sub(r'"[^"]*"', "TEXT", line).split()
        while getattr(found, "commands", None):
            found = found.commands[words.pop(0)]  # type: ignore[attr-defined]
        known = {option for parameter in found.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_shown_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^make ([a-z0-9-]+)", README, re.MULTILINE)) <= targets


def test_every_experiment_parses_and_says_question_and_command() -> None:
    files = sorted((ROOT / "experiments").glob("*.yaml"))  # tables' cells lie in folders and are checked by their own tests
    assert len(files) >= 4
    for file in files:
        config.load(config.TrainConfig, file)
        head = file.read_text(encoding="utf-8")
        assert "# Question:" in head and f"--config experiments/{file.name}" in head, file


RESULTS = ROOT / "experiments" / "results"


REPORTS = sorted(path for kind in ("calculator", "bare", "vote*") for path in RESULTS.glob(f"*-{kind}.json"))


@pytest.mark.parametrize("report", REPORTS, ids=str)
def test_figures_are_those_of_the_reports(report: Path) -> None:
    found = json.loads(report.read_text(encoding="utf-8"))
    row = f"{100 * found['correct'] / found['n']:.1f} % | {100 * found['low']:.1f} to {100 * found['high']:.1f} | {found['n']:,}"
    assert row in README, f"{report.stem}: expected '{row}'"


def test_tables_of_methods_are_those_of_their_runs() -> None:
    tables = sorted((RESULTS / "tables").glob("*.json"))
    assert tables
    for row in (row for table in tables for row in json.loads(table.read_text(encoding="utf-8"))["rows"]):
        shown = f"{100 * row['accuracy']:.1f} % | {100 * row['low']:.1f} to {100 * row['high']:.1f} | {row['n']:,} |"
        assert shown in README, f"{row['cell']}: expected '{shown}'"


def test_what_a_swap_gains_is_that_of_the_diagnosis() -> None:
    found = json.loads((RESULTS / "diagnoses" / "gsm8k-lockstep.json").read_text(encoding="utf-8"))
    for row in found["rows"]:
        assert f"{100 * row['accuracy']:.1f} % | {100 * row['low']:.1f} to {100 * row['high']:.1f} |" in README, row["swap"]
        if 0 < row["gain"] < 0.9:
            assert f"+{100 * row['gain']:.1f} ({100 * row['gain_low']:.1f} to {100 * row['gain_high']:.1f})" in README, row[
                "swap"
            ]


def test_the_risk_coverage_table_is_that_of_its_report() -> None:
    points = json.loads((RESULTS / "svamp-coverage.json").read_text(encoding="utf-8"))["points"]
    for p in points:
        assert f"{100 * p['correct'] / p['n']:.1f} % ({100 * p['low']:.1f} to {100 * p['high']:.1f})" in README
    half = next(p for p in points if p["coverage"] == 0.5)
    lift = half["correct"] / half["n"] / (points[-1]["correct"] / points[-1]["n"])
    assert f"half is right {lift:.2f} times as often" in README


def test_counts_of_the_curriculum_are_true() -> None:
    families = curriculum.load_families()
    wordings = sum(len(family.wordings) for family in families)
    assert f"{len(families):,} families of word problems with {wordings:,} wordings" in README
    assert f"Another {len(curriculum.load_continuations())} continuations" in README
