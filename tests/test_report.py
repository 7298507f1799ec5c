"""Properties of report.py: a table says what was found, of what, and what is not its own. Run: pytest tests/test_report.py"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from socratic.config import Cell
from socratic.errors import DataError
from socratic.report import COLUMNS, Row, Score, Table, plot, plot_growth, rationales_of
from socratic.schema import Report, Share
from socratic.statistics import wilson

PAPER = {"student": "GPT-2 large", "accuracy": 14.1, "source": "a paper, its table 3"}


def cell(**changes: object) -> Cell:
    known = {"method": "cot", "benchmark": "gsm8k", "split": "test", "train": {"data": [{"benchmark": "gsm8k"}]}}
    return Cell.model_validate({**known, **changes})


def score(correct: int, *, seed: int = 0, n: int = 200, majority: Share | None = None) -> Score:
    low, high = wilson(correct, n)
    report = Report("gsm8k test", "base", True, n, correct, low, high, 0, 90.0, {}, {}, majority=majority)
    return Score(seed, trained=120.0, device="an abacus", report=report)


def table(*rows: Row) -> Table:
    return Table("sums", "scratch-6m", rows)


def cells(markdown: str, name: str) -> dict[str, str]:
    """A row of a table by its columns."""
    line = next(line for line in markdown.splitlines() if line.startswith(f"| {name} |"))
    return dict(zip(COLUMNS, line.strip("| ").split(" | "), strict=True))


def test_a_row_tells_accuracy_interval_n_and_times() -> None:
    row = cells(str(table(Row("cot", cell(), (score(20),)))), "cot")
    assert (row["n"], row["accuracy"], row["seeds"]) == ("200", "10.0 %", "1")
    assert row["95 % interval"] == "6.6 to 14.9"  # scipy's binomtest(20, 200).proportion_ci(method="wilson")
    assert (row["training"], row["scoring"]) == ("2.0 min", "1.5 min")
    assert row["trained, scored on"] == "gsm8k, gsm8k test"


def test_several_seeds_give_their_mean_and_each_of_them() -> None:
    row = Row("cot", cell(), (score(20), score(30, seed=1), score(40, seed=2)))
    shown = cells(str(table(row)), "cot")
    assert (shown["accuracy"], shown["seeds"]) == ("15.0 %", "3 (10.0, 15.0, 20.0)")
    assert row.interval == wilson(30, 200), "more seeds do not make more problems"


def test_published_figures_stand_in_a_column_of_their_own_with_their_source() -> None:
    markdown = str(table(Row("cot", cell(published=[PAPER]), (score(20),)), Row("cot-vote", cell(samples=5), (score(30),))))
    assert cells(markdown, "cot")["published"] == "GPT-2 large 14.1 [1]"
    assert cells(markdown, "cot-vote")["published"] == "-"
    assert "[1] a paper, its table 3" in markdown


@pytest.mark.parametrize(
    ("guidance", "plan", "is_oracle", "shown"),
    [
        ("operators", "gold", True, "operators, gold (oracle)"),
        ("operators", "learned", False, "operators, learned"),
        ("none", "gold", False, "none"),
    ],
)
def test_gold_plans_are_marked_as_oracles(guidance: str, plan: str, is_oracle: bool, shown: str) -> None:
    row = Row("lockstep", cell(method="socratic-lockstep", guidance=guidance, plan=plan), (score(20),))
    assert row.is_oracle == is_oracle == row.to_dict()["oracle"]
    assert cells(str(table(row)), "lockstep")["guidance"] == shown
    assert ("oracle" in str(row)) == is_oracle


def test_cells_that_are_not_done_stand_in_the_table_without_figures() -> None:
    growing = table(Row("cot", cell(), (score(20),)), Row("unified", cell(method="socratic-unified")))
    assert {cells(str(growing), "unified")[column] for column in ("n", "accuracy", "95 % interval", "seeds")} == {"-"}
    assert [row.name for row in growing.done] == ["cot"]
    assert growing.to_dict()["rows"][1]["scores"] == []


def test_the_majority_level_is_a_row_where_there_is_one() -> None:
    level = Share(122, *wilson(122, 229))
    markdown = str(table(Row("cot", cell(), (score(120, n=229, majority=level),))))
    assert cells(markdown, "majority level")["accuracy"] == "53.3 %"
    assert "majority level" not in str(table(Row("cot", cell(), (score(20),))))


def test_json_has_the_same_figures_and_scores_read_back() -> None:
    rows = (score(20), score(30, seed=1))
    [found] = json.loads(json.dumps(table(Row("cot", cell(published=[PAPER]), rows)).to_dict()))["rows"]
    assert (found["cell"], found["n"], found["accuracy"], found["seeds"]) == ("cot", 200, 0.125, 2)
    assert found["published"] == [PAPER]
    assert tuple(map(Score.from_dict, found["scores"])) == rows


def test_what_is_no_score_is_refused() -> None:
    with pytest.raises(DataError, match="not a cell's score"):
        Score.from_dict({"seed": 0})
    with pytest.raises(DataError):
        Score.from_dict({**asdict(score(3)), "report": {"n": 3}})


def test_a_plot_is_drawn_of_a_table_that_is_done_in_part_or_not_at_all(tmp_path: Path) -> None:
    level = Share(122, *wilson(122, 229))
    oracle = cell(guidance="steps", plan="gold", published=[PAPER])
    done = (Row("cot", cell(), (score(20, majority=level),)), Row("oracle", oracle, (score(30),)), Row("later", cell()))
    for name, rows in (("part", done), ("none", done[2:])):
        plot(table(*rows), tmp_path / "deep" / f"{name}.png")
        assert (tmp_path / "deep" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_growth_is_drawn_where_cells_differ_in_how_many_rationales_they_learn_from(tmp_path: Path) -> None:
    def learning(by: str, keep: int) -> Cell:
        return cell(train={"data": [{"traces": "a.jsonl", "filter": {"by": by, "keep": keep}}]})

    few, many, diverse = learning("random", 1), learning("random", 10), learning("diversity", 3)
    label_only = few.model_copy(update={"method": "answer-only"})
    assert [rationales_of(one) for one in (few, many, diverse, label_only, cell())] == [1, 10, None, None, None]
    plot_growth(table(Row("n01", few, (score(20),)), Row("diverse", diverse, (score(30),))), tmp_path / "none.png")
    plot_growth(table(Row("n01", few, (score(20),)), Row("n10", many, (score(30),))), tmp_path / "growth.png")
    assert [path.name for path in tmp_path.iterdir()] == ["growth.png"]
