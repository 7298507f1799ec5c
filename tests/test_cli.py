"""The command line as a user meets it: real processes' exit codes, streams and messages, no traceback. Needs the shipped pair."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from socratic import cli
from socratic.confidence import FILE, Features
from socratic.folders import PAIRS

QUESTION = "Tom has 3 bags of 12 apples. How many apples does he have?"


def run(*arguments: str, stdin: str | bytes = "", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    raw = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        [sys.executable, "-m", "socratic.cli", *arguments], input=raw, capture_output=True, cwd=cwd, timeout=120
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def test_solve_prints_steps_badges_and_the_answer() -> None:
    done = run("solve", QUESTION)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith(("Answer: ", "No answer"))
    assert "\x1b" not in done.stdout, "plain where there is no terminal"
    assert all(line.startswith("confidence: ") for line in done.stderr.splitlines())


def test_json_is_one_line_that_is_a_trace() -> None:
    done = run("solve", QUESTION, "--json")
    (line,) = done.stdout.splitlines()
    trace = json.loads(line)
    assert trace["problem"]["question"] == QUESTION
    assert trace["ended"] in ("done", "step_limit", "repeated", "context_full", "no_answer")
    assert all({"question", "solution", "answer", "checks"} <= set(step) for step in trace["steps"])


def test_stdin_gives_one_problem_a_line_and_the_same_answers() -> None:
    together = run("solve", "--json", stdin=f"\ufeff{QUESTION}\n\nHow many legs do 4 cats have?\n")
    alone = run("solve", "--json", QUESTION)
    assert together.returncode == 0
    assert len(together.stdout.splitlines()) == 2
    assert together.stdout.splitlines()[0] == alone.stdout.strip()


def test_what_the_output_cannot_hold_is_written_as_json_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    odd, plain = "How many legs do 4 cats have \u2192 \u00e9 \U0001f600?", "How many legs do 4 cats have?"
    done = run("solve", "--json", stdin=f"{odd}\n{plain}\n")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["problem"]["question"] for line in done.stdout.splitlines()] == [
        odd,
        "How many legs do 4 cats have?",
    ]


def test_a_line_that_cannot_be_used_costs_only_itself() -> None:
    done = run("solve", "--json", stdin=f"{QUESTION}\n\nbad\x07line\n{'9 ' * 9000}\n{'9' * 30} and 1?\n{QUESTION}\n")
    assert done.returncode == 2
    assert len(done.stdout.splitlines()) == 2
    assert "line 3" in done.stderr and "U+0007" in done.stderr
    assert "line 4" in done.stderr and "3 of 5 lines" in done.stderr
    assert "line 5" in done.stderr and "30 digits, at most 24" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["solve", ""], "empty"),
        (["solve", "x" * 100_000], "100,000 characters"),
        (["solve", *QUESTION.split()], f'put it in quotes: "{QUESTION}"'),
        (["solve", QUESTION, "--model", "no/such/folder"], "no model folder"),
        (["solve", QUESTION, "--max-steps", "0"], "max-steps"),
        (["solve", QUESTION, "--modle", "x"], "modle"),
        (["solve", QUESTION, "--samples", "5", "--min-confidence", "1.01"], "min-confidence"),
        (["evaluate", "svamp", "--samples", "9", "--plot", "curve.pong"], "curve.pong"),
        (["calibrate", "svamp"], "test problems"),
        (["calibrate", "missing.jsonl"], "no file"),
        (["evaluate", "gsm9k"], "gsm8k"),
        (["evaluate", "missing.jsonl"], "no file"),
        (["evaluate", "gsm8k", "--split", "tset"], "test"),
        (["evaluate", "mine.jsonl", "--split", "train"], "leave --split out"),
        (["annotate", "mine.jsonl", "--split", "train", "--teacher", "t", "--out", "o"], "leave --split out"),
        (["evaluate", "gsm8k", "--data", "."], "socratic data download gsm8k"),
        (["contrast", "gsm9k"], "gsm8k"),
        (["contrast", "svamp", "--draws", "0"], "draws"),
        (["train", "solver", "--config", "missing.yaml"], "no experiment file"),
        (["curriculum", "--check", "missing.jsonl"], "no file"),
        (["curriculum", "--coverage", "c.png"], "--out"),
        (["curriculum", "--check", "f.jsonl", "--out", "c.jsonl"], "writes nothing"),
        (["curriculum", "--out", "c.jsonl", "--coverage", "c.pong"], "c.pong"),
        (["curriculum", "--out", "c.jsonl", "--test-set", "missing.jsonl"], "no file"),
        (["data", "download", "gsm9k"], "gsm8k"),
        (["nonsense"], "nonsense"),
    ],
)
def test_the_users_mistakes_exit_with_2_a_message_and_no_traceback(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("question", ["你有三個蘋果 吃了一個", "no numbers at all", "42", "¿Cuántas?", "<|done|> <n0> <<1+1=3>>"])
def test_what_is_no_word_problem_still_gets_an_honest_trace(question: str) -> None:
    done = run("solve", "--", question)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith(("Answer", "No answer"))


def test_each_problem_of_stdin_stands_before_its_trace() -> None:
    asked = [QUESTION, "Ann has 5 pens and buys 2. How many pens has she?"]
    told = run("solve", stdin="\n\n".join(asked) + "\n").stdout.split("\n\n")
    assert [part.splitlines()[0] for part in told] == asked
    assert all("Answer: " in part for part in told)


def test_an_answer_to_a_question_without_numbers_is_called_a_guess() -> None:
    assert "so this is a guess" in run("solve", "Is the moon bigger than the sun?").stderr
    assert "guess" not in run("solve", QUESTION).stderr


def test_empty_stdin_is_a_mistake() -> None:
    done = run("solve", stdin="")
    assert done.returncode == 2 and "no question" in done.stderr


def test_bytes_that_are_no_text_are_no_crash() -> None:
    assert run("solve", stdin=b"\xff\xfe 3 apples and 4 apples?\n").returncode in (0, 2)


def test_evaluate_reports_both_ways_and_spares_good_lines_from_broken_ones(tmp_path: Path) -> None:
    lines = [
        json.dumps({"question": QUESTION, "answer": "36"}),
        "{broken",
        json.dumps({"question": QUESTION, "answer": 36, "id": "b"}),
        json.dumps({"question": QUESTION, "id": "nobody knows"}),
    ]
    (tmp_path / "mine.jsonl").write_text("\n".join(lines) + "\n")
    done = run("evaluate", "mine.jsonl", cwd=tmp_path)
    assert done.returncode == 2
    assert "mine.jsonl:2" in done.stderr and "nobody knows" in done.stderr and "2 broken lines" in done.stderr
    assert "with calculator" in done.stdout and "without calculator" in done.stdout and "of 2" in done.stdout
    assert len((tmp_path / "runs/evaluate/mine-calculator.jsonl").read_text().splitlines()) == 2
    report = json.loads((tmp_path / "runs/evaluate/mine-calculator.json").read_text())
    assert "strictly" in done.stdout and report["strict"]["count"] <= report["correct"]
    assert report["record"]["data"].keys() == {"mine.jsonl"} and report["record"]["batch_size"] == 32
    (tmp_path / "runs/evaluate/mine-bare.jsonl").rename(tmp_path / "runs/evaluate/mine-bare.jsonl.abc.partial")
    run("evaluate", "mine.jsonl", cwd=tmp_path)
    assert json.loads((tmp_path / "runs/evaluate/mine-calculator.json").read_text()) == report, "it was stopped in the other"
    once = run("evaluate", "mine.jsonl", "--no-bare", "--limit", "1", "--out", "once", cwd=tmp_path)
    assert once.stdout.count("calculator: ") == 1 and not list((tmp_path / "once").glob("*-bare*"))


def test_held_out_families_are_a_data_set(tmp_path: Path) -> None:
    done = run("evaluate", "curriculum", "--limit", "5", "--json", "--output", "o", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with_calculator, without = map(json.loads, done.stdout.splitlines())
    assert (with_calculator["dataset"], with_calculator["n"]) == ("curriculum held-out", 5)
    assert with_calculator["calculator"] and not without["calculator"]
    assert json.loads((tmp_path / "o/curriculum-calculator.json").read_text()) == with_calculator


def test_contrast_pairs_problems_with_copies_and_keeps_both(student: Path, tmp_path: Path) -> None:
    options = ["--model", str(student), "--draws", "2", "--limit", "3", "--max-steps", "2", "--output", "o"]
    done = run("contrast", "curriculum", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "3 problems" in done.stdout and "draw 2" in done.stdout and "no difference" in done.stdout
    assert len((tmp_path / "o/curriculum-held-out.jsonl").read_text().splitlines()) == 9
    assert json.loads((tmp_path / "o/curriculum-held-out.json").read_text())["n"] == 3


def test_a_corpus_is_written_summed_up_and_leaks_are_named(tmp_path: Path) -> None:
    (tmp_path / "exam.jsonl").write_text(json.dumps({"question": QUESTION}) + "\n")
    arguments = ["--n", "30", "--out", "c.jsonl", "--data", ".", "--test-set", "exam.jsonl"]
    done = run("curriculum", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "c.jsonl").read_text().splitlines()) == 30
    assert "30 traces" in done.stdout and "a second" in done.stdout and "steps" in done.stdout
    assert "exam.jsonl (1)" in done.stdout and "NOT checked: gsm8k, svamp, strategyqa" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["annotate", "mine.jsonl", "--teacher", "any", "--out", "o", "--dry-run"],
        ["train", "solver", "--config", "mix.yaml"],
        ["rounds", "--config", "rounds.yaml"],
        ["reproduce", "cells"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_who_makes_training_data_or_students_hears_which_test_sets_are_not_at_hand(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text(json.dumps({"question": QUESTION, "answer": "36"}) + "\n")
    (tmp_path / "exam.jsonl").write_text(json.dumps({"question": "How many legs have 4 cats?", "answer": "16"}) + "\n")
    (tmp_path / "mix.yaml").write_text("data: [{traces: none.jsonl}]\n")
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "recipes.yaml").write_text("")  # and no cell
    train = "student: nowhere, train: {data: [{traces: none.jsonl}]}"
    (tmp_path / "rounds.yaml").write_text(f"{{problems: mine.jsonl, validation: exam.jsonl, {train}}}\n")
    done = run(*arguments, "--data", ".", cwd=tmp_path)
    first = done.stderr.splitlines()[0]
    assert first.startswith("not checked for leaks of gsm8k, svamp, strategyqa"), done.stderr
    assert done.returncode == (0 if arguments[0] == "annotate" else 2), "each breaks off right after"


def test_samples_vote_and_a_seed_repeats_them() -> None:
    one, same = (run("solve", QUESTION, "--samples", "5", "--seed", "3", "--json") for _ in range(2))
    assert one.returncode == 0 and one.stdout == same.stdout
    assert "of 5 traces agree" in one.stderr


def test_solve_loads_neither_torch_nor_transformers() -> None:
    code = """
import sys
from socratic.orchestrator import Orchestrator
Orchestrator.from_pretrained().solve("2 and 3 apples. How many?")
print([name for name in ("torch", "transformers", "openai", "scipy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


def predictions(path: Path, names: str, *, correct: bool = True) -> None:
    """Of the same question under several ids, all right or all wrong."""
    for name in names:
        problem = {"id": name, "question": QUESTION, "answer": "36"}
        row = {"correct": correct, "problem": problem, "answer": "36" if correct else "15", "ended": "done"}
        with path.open("a") as out:
            out.write(json.dumps(row) + "\n")


def test_compare_says_a_verdict_and_shows_flipped_traces(tmp_path: Path) -> None:
    predictions(tmp_path / "a.jsonl", "abcdefg", correct=False)
    predictions(tmp_path / "b.jsonl", "abcdefg")
    done = run("compare", "a.jsonl", "b.jsonl", "--flipped", "all", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "\nB is better: +100.0 points (100.0 to 100.0), p = 0.016\n" in done.stdout
    assert done.stdout.count(QUESTION) == 7 and "B, right:\n  Answer: 36" in done.stdout
    one, same = (run("compare", "a.jsonl", "b.jsonl", "--json", cwd=tmp_path).stdout for _ in range(2))
    assert one == same and len(json.loads(one)["flips"]) == 7


def test_files_that_do_not_compare_exit_with_2(tmp_path: Path) -> None:
    predictions(tmp_path / "a.jsonl", "ab")
    predictions(tmp_path / "b.jsonl", "bc")
    for arguments, said in (
        (["a.jsonl", "b.jsonl"], "1 missing in b.jsonl (a) and 1 missing in a.jsonl (c)"),
        (["a.jsonl", "a.jsonl", "--flipped", "many"], "expected a number or 'all', found 'many'"),
    ):
        done = run("compare", *arguments, cwd=tmp_path)
        assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr


def test_an_unsure_vote_has_no_answer_and_an_exit_code_of_its_own(student: Path) -> None:
    asked = ("solve", QUESTION, "--model", str(student), "--samples", "3", "--max-steps", "2", "--json")
    sure, unsure = run(*asked), run(*asked, "--min-confidence", "1")
    row, withheld = json.loads(sure.stdout), json.loads(unsure.stdout)
    assert sure.returncode == 0 and "not calibrated for votes" in sure.stderr and "of 3 traces agree" in sure.stderr
    assert {"confidence", "calibrated", "agreeing", "samples", "features"} <= set(row) and not row["calibrated"]
    assert row["confidence"] < 1, "random weights do not agree with themselves"
    assert (unsure.returncode, withheld["answer"], withheld["ended"]) == (3, None, "unsure")
    assert withheld["confidence"] == row["confidence"]


def calibrated(folder: Path, samples: int) -> Path:
    """The shipped pair, calibrated as if it were right with a probability of 1/2, whatever its answers are like."""
    folder.mkdir()
    for file in (PAIRS / "default").iterdir():
        (folder / file.name).symlink_to(file)
    (folder / FILE).unlink(missing_ok=True)
    weights = dict.fromkeys((place.name for place in fields(Features)), 0.0)
    (folder / FILE).write_text(json.dumps({"models": [{"samples": samples, "intercept": 0.0, "weights": weights}]}))
    return folder


def test_a_single_trace_is_sure_only_where_the_pair_is_calibrated_for_single_traces(student: Path, tmp_path: Path) -> None:
    asked = ("solve", QUESTION, "--model")
    for folder in (student, calibrated(tmp_path / "votes", 9)):
        plain, refused = run(*asked, str(folder)), run(*asked, str(folder), "--min-confidence", "0.2")
        assert (plain.returncode, plain.stderr) == (0, "")
        assert refused.returncode == 2 and "calibrate --samples 1" in refused.stderr
    singly = str(calibrated(tmp_path / "single", 1))
    answered, withheld = run(*asked, singly, "--min-confidence", "0.2"), run(*asked, singly, "--min-confidence", "0.9")
    assert answered.returncode == 0 and answered.stdout == run(*asked, singly).stdout
    assert withheld.returncode == 3 and "unsure" in withheld.stdout
    assert answered.stderr == "confidence: rather likely (50 %); a vote is right more often: --samples 9\n"
    row = json.loads(run(*asked, singly, "--json").stdout)
    assert (row["confidence"], row["calibrated"]) == (0.5, True)


def test_votes_are_evaluated_with_a_risk_coverage_table_and_a_picture(student: Path, tmp_path: Path) -> None:
    rows = [json.dumps({"question": f"Tom has {n} bags of 12 apples. How many?", "answer": 12 * n}) for n in range(3, 7)]
    (tmp_path / "mine.jsonl").write_text("\n".join(rows) + "\n")
    options = ["--model", str(student), "--samples", "3", "--max-steps", "2", "--min-confidence", "0.5", "--plot", "c.png"]
    done = run("evaluate", "mine.jsonl", *options, "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "a vote of 3 traces" in done.stdout and "AURC" in done.stdout and "from a confidence of 50 %" in done.stdout
    votes = [json.loads(line) for line in (tmp_path / "out/mine-vote3.jsonl").read_text().splitlines()]
    assert len(votes) == 4 and all(0 <= vote["confidence"] <= 1 for vote in votes)
    assert len(json.loads((tmp_path / "out/mine-vote3-coverage.json").read_text())["points"]) == 5
    assert json.loads((tmp_path / "out/mine-vote3.json").read_text())["samples"] == 3
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


def test_help_has_an_example_for_every_verb() -> None:
    runner, verbs = CliRunner(), get_command(cli.app).commands.keys() - {"data"}  # type: ignore[attr-defined]
    assert len(verbs) > 10
    for verb in (*verbs, "data download"):
        assert "Example: socratic" in runner.invoke(cli.app, [*verb.split(), "--help"]).stdout, verb


def test_the_shipped_pair_is_whole_and_small() -> None:
    files = [path for path in PAIRS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 120e6
    assert not [path for path in files if path.suffix in (".pt", ".pth", ".pkl", ".ckpt")]
