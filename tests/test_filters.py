"""Properties of filters.py and of what models say of texts (scores.py). Run: pytest tests/test_filters.py"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socratic import filters
from socratic.config import DataSource, Filter, TrainConfig
from socratic.dialect import Style
from socratic.errors import ConfigError, DataError, ModelError, UsageError
from socratic.filters import Groups, Sample, at_random, balanced, diverse, grouped, likeliest, open_ended, quotas
from socratic.jsonl import write_jsonl
from socratic.mix import training_mix
from socratic.schema import Ended, Problem, Source, Step, Trace, Training

WORDS = "the tin holds six red clips and four blue ones so we add them to get ten in all by hand".split()
CALM = settings(deadline=None, derandomize=True, database=None, max_examples=40)
SIZES = st.lists(st.integers(1, 12), min_size=1, max_size=12)


def sample(problem: int, text: str, number: int = 0) -> Trace:
    asked = Problem(f"p{problem}", f"How many clips has box {problem}?", "10", "boxes", "train")
    return Trace(asked, (Step("", text, "10"),), "10", Ended.DONE, Source("teacher", "scripted", sample=number))


def mixed(sizes: Sequence[int]) -> Groups:
    """Groups of these sizes, their samples in turn, as files of one sample a problem give them."""
    turns = [problem for turn in range(max(sizes)) for problem, size in enumerate(sizes) if turn < size]
    return grouped(sample(problem, "") for problem in turns)


def vectors(n: int, seed: int) -> Any:
    return np.random.default_rng(seed).normal(size=(n, 8)).astype(np.float32)


Chooses = Callable[[Groups, int, int], list[int]]  # of groups, a budget and a seed
CHOOSERS: dict[str, Chooses] = {
    "random": at_random,
    "diversity": lambda groups, keep, seed: diverse(groups, vectors(count(groups), 3), keep, seed),
    "likelihood": lambda groups, keep, seed: likeliest(groups, vectors(count(groups), 4)[:, 0].tolist(), keep),
    "open-endedness": lambda groups, keep, seed: open_ended(groups, texts(count(groups)), keep, seed),
}


def count(groups: Groups) -> int:
    return sum(map(len, groups.values()))


def texts(n: int) -> list[str]:
    return [" ".join(WORDS[: 2 + place % 17]) for place in range(n)]


@pytest.mark.parametrize("name", CHOOSERS)
@given(sizes=SIZES, keep=st.integers(1, 7), seed=st.integers(0, 5))
@CALM
def test_a_filter_keeps_some_of_each_problem_in_order(name: str, sizes: list[int], keep: int, seed: int) -> None:
    groups, most = mixed(sizes), max(quotas(keep)) if name == "open-endedness" else keep
    places = CHOOSERS[name](groups, keep, seed)
    assert places == sorted(set(places)) and set(places) <= set(range(count(groups)))
    for own in groups.values():
        kept = len(set(own) & set(places))
        assert 1 <= kept <= min(most, len(own))
        assert kept == min(keep, len(own)) or name == "open-endedness"
    assert places == CHOOSERS[name](groups, keep, seed)


@pytest.mark.parametrize("name", ["random", "diversity", "open-endedness"])
def test_another_seed_chooses_others(name: str) -> None:
    groups = mixed([12] * 10)
    assert CHOOSERS[name](groups, 5, 0) != CHOOSERS[name](groups, 5, 1)


def test_what_is_chosen_of_one_problem_does_not_hang_on_others() -> None:
    few, many = ([f"{problem}-{n}" for problem in problems for n in range(9)] for problems in ("ac", "abc"))
    chosen = [
        {names[place] for place in at_random(grouped(sample(ord(name[0]), "") for name in names), 4, 7)} for names in (few, many)
    ]
    assert chosen[0] == {name for name in chosen[1] if name[0] != "b"}


def test_diversity_takes_one_of_each_cluster() -> None:
    corners = np.eye(8, dtype=np.float32)[[0, 0, 1, 0, 2, 0, 1, 0]] + vectors(8, 0) / 1000
    for seed in range(5):
        places = diverse({"p": list(range(8))}, corners, 3, seed)
        assert sorted(corners[places].argmax(1)) == [0, 1, 2]


def test_samples_that_are_all_alike_still_fill_the_budget() -> None:
    assert len(diverse({"p": list(range(8))}, np.ones((8, 4), np.float32), 5, 0)) == 5


@given(scores=st.lists(st.floats(-9, 0), min_size=6, max_size=20))
@CALM
def test_no_sample_left_out_is_likelier_than_one_kept(scores: list[float]) -> None:
    kept = likeliest({"p": list(range(len(scores)))}, scores, 5)
    left = set(range(len(scores))) - set(kept)
    assert max((scores[place] for place in left), default=-10) <= min(scores[place] for place in kept)


def test_the_more_bigrams_a_problem_has_the_more_of_its_samples_are_kept() -> None:
    traces = [sample(p, " ".join(WORDS[: 2 + p])) for _ in range(9) for p in reversed(range(10))]
    groups = grouped(traces)
    kept = Counter(traces[place].problem.id for place in open_ended(groups, [filters.text_of(t) for t in traces], 5, 0))
    assert [kept[f"p{p}"] for p in range(10)] == [1, 1, 3, 3, 5, 5, 7, 7, 9, 9]  # section 4 of the SCoTD paper


@given(keep=st.integers(1, 60))
@CALM
def test_quotas_rise_and_average_the_budget(keep: int) -> None:
    assert sum(quotas(keep)) == 5 * keep and list(quotas(keep)) == sorted(quotas(keep)) and quotas(keep)[0] == 1


@given(sizes=SIZES, visits=st.integers(0, 6), seed=st.integers(0, 3))
@CALM
def test_a_visit_has_each_problem_once(sizes: list[int], visits: int, seed: int) -> None:
    traces = [sample(problem, f"{n}", n) for problem, size in enumerate(sizes) for n in range(size)]
    drawn = balanced(traces, visits, seed)
    for visit in range(visits):
        part = drawn[visit * len(sizes) : (visit + 1) * len(sizes)]
        assert [trace.problem.id for trace in part] == [f"p{problem}" for problem in range(len(sizes))]
        assert set(part) <= set(traces)
    assert drawn == balanced(traces, visits, seed)


def test_visits_draw_anew_and_every_sample_has_its_turn() -> None:
    traces = [sample(0, f"{n}", n) for n in range(4)]
    shares = Counter(trace.source.sample for trace in balanced(traces, 400, 0))
    assert set(shares) == {0, 1, 2, 3} and max(shares.values()) < 150


# Files, and what decides


def test_samples_are_read_as_written(tmp_path: Path) -> None:
    samples = [Sample(sample(0, "six and four"), -0.25), Sample(sample(1, "ten"))]
    write_jsonl(tmp_path / "t.jsonl", (one.to_dict() for one in samples))
    assert filters.read(tmp_path / "t.jsonl") == samples


@pytest.mark.parametrize("line", ['{"steps": []}', "no JSON", '{"problem": {"id": "p", "question": "?"}, "logprob": "high"}'])
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "t.jsonl").write_text(line + "\n")
    with pytest.raises(DataError, match=r"t\.jsonl:1"):
        filters.read(tmp_path / "t.jsonl")


def test_likelihood_is_the_teacher_s_where_it_told_it() -> None:
    samples = [Sample(sample(0, f"{n}", n), -float(n)) for n in range(6)]
    assert filters.select(samples, Filter(by="likelihood", keep=2)) == samples[:2]
    with pytest.raises(UsageError, match="1 of 7") as caught:
        filters.select([*samples, Sample(sample(0, "6", 6))], Filter(by="likelihood", keep=2))
    assert "--model" in caught.value.hint


@pytest.mark.parametrize("by", ["random", "open-endedness"])
def test_select_keeps_samples_as_they_are(by: str) -> None:
    samples = [Sample(sample(p, " ".join(WORDS[: n + 1]), n)) for p in range(5) for n in range(8)]
    kept = filters.select(samples, Filter.model_validate({"by": by, "keep": 3}), seed=1)
    assert len(kept) == 15 and [one for one in samples if one in kept] == kept


@pytest.mark.parametrize(
    "source",
    [
        {"benchmark": "mawps", "visits": 3},
        {"curriculum": 5, "filter": {"by": "random"}},
        {"traces": "t.jsonl", "visits": 3, "repeat": 2},
        {"traces": "t.jsonl", "filter": {"by": "rnd"}},
        {"traces": "t.jsonl", "filter": {"by": "random", "keep": 0}},
    ],
)
def test_a_source_that_makes_no_sense_is_refused(source: dict[str, Any]) -> None:
    with pytest.raises((ValueError, ConfigError)):
        DataSource.model_validate(source)


def test_a_student_visits_each_problem_as_often_and_what_is_refused_costs_no_visit(tmp_path: Path) -> None:
    right = [
        sample(p, f"We add {n} to {10 - n}: {n}+{10 - n} = <<{n}+{10 - n}=10>>10.", n) for p in range(3) for n in range(1, 7)
    ]
    wrong = [sample(p, "2+2 = <<2+2=5>>5", 9) for p in range(3)]
    write_jsonl(tmp_path / "t.jsonl", (trace.to_dict() for trace in [*wrong, *right]))
    source = {"traces": str(tmp_path / "t.jsonl"), "visits": 20}
    mix = training_mix(TrainConfig.model_validate({"data": [source]}), Style(), Training.COT, data=tmp_path)
    assert Counter(trace.problem.id for trace in mix.traces) == {"p0": 20, "p1": 20, "p2": 20}
    assert mix.used == {"boxes": 60} and len(set(mix.traces)) > 12
    one = {**source, "filter": {"by": "random", "keep": 1}, "visits": 0}
    few = training_mix(TrainConfig.model_validate({"data": [one]}), Style(), Training.ANSWER, data=tmp_path)
    assert Counter(trace.problem.id for trace in few.traces) == {"p0": 1, "p1": 1, "p2": 1}


# What models say


def test_vectors_have_length_one_and_do_not_hang_on_the_batch(encoder: Path) -> None:
    from socratic.scores import mean_pooled

    together = mean_pooled(["How many clips?", "What is the cost of each in May?", "clips " * 400], encoder)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.allclose(mean_pooled(["How many clips?"], encoder)[0], together[0], atol=1e-5)


def test_log_probability_is_that_of_the_text_alone(student: Path, new_gpt2: Callable[[], Any]) -> None:
    import torch
    from tokenizers import Tokenizer

    from socratic.scores import mean_logprobs

    pairs = [("How many?", "She has 48/2 clips in May, so it is 24."), ("What is the cost of each?", "Ten.")]
    found = mean_logprobs(pairs, str(student))
    tokenizer, model = Tokenizer.from_file(str(student / "tokenizer.json")), new_gpt2()
    for pair, score in zip(pairs, found, strict=True):
        before, said = (tokenizer.encode(f"{text}\n", add_special_tokens=False).ids for text in pair)
        with torch.inference_mode():
            surprise = model(input_ids=torch.tensor([before + said])).logits[0].log_softmax(-1)
        steps = [surprise[len(before) + place - 1, token].item() for place, token in enumerate(said)]
        assert score == pytest.approx(sum(steps) / len(steps), abs=0.01)  # the folder holds fp16
    assert mean_logprobs([("clips " * 500, "cut off")], str(student)) == [-np.inf]


def test_a_model_that_is_none_is_named(tmp_path: Path) -> None:
    from socratic.scores import mean_logprobs

    with pytest.raises(ModelError, match="nowhere"):
        mean_logprobs([("How many?", "Ten.")], str(tmp_path / "nowhere"))


@pytest.mark.parametrize(("by", "said"), [("diversity", "clustering"), ("open-endedness", "counting bigrams")])
def test_a_filter_that_takes_its_time_shows_how_far_it_is(
    by: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "120"}.items():  # as to a person
        monkeypatch.setenv(name, value)
    CHOOSERS[by](mixed([5, 1, 4]), 2, 0)
    bar = capsys.readouterr().err
    assert said in bar and "3/3" in bar
