"""Properties of dataset.py. Run: pytest tests/test_dataset.py"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from socratic.dataset import IGNORED, Example, Packed, Rows, examples, pack, written_by
from socratic.dialect import DONE, END, Guidance, Mark, Numbers, Results, Role, Segment, Solutions, Style
from socratic.errors import DataError
from socratic.schema import Trace, Training
from socratic.transcript import lesson
from socratic.vocabulary import Vocabulary

STYLES = [Style(*parts) for parts in product(Numbers, Solutions, Results)]
ROLES = [training for training in Training if training is not Training.BASE]  # which takes turns between two of them
GUIDED = [replace(style, guidance=Guidance.EQUATIONS) for style in STYLES]


def text_of(segments: list[Segment]) -> str:
    return "".join(piece.name if isinstance(piece, Mark) else piece for segment in segments for piece in segment.pieces)


def decoded(ids: list[int], vocabulary: Vocabulary) -> str:
    return "".join(piece.name if isinstance(piece, Mark) else piece for piece in vocabulary.decode(ids))


# Labels


@pytest.mark.parametrize("training", ROLES)
@pytest.mark.parametrize("style", STYLES + GUIDED, ids=lambda s: f"{s.numbers}-{s.solutions}-{s.results}-{s.guidance}")
def test_supervised_tokens_are_exactly_the_role_s_own_text(
    style: Style, training: Training, traces: list[Trace], vocabulary: Vocabulary
) -> None:
    roles = {
        Training.DECOMPOSER: {Role.DECOMPOSER},
        Training.SOLVER: {Role.SOLVER},
        Training.UNIFIED: {Role.DECOMPOSER, Role.SOLVER},
        Training.QUESTIONS: {Role.DECOMPOSER},
        Training.COT: {Role.SOLVER},
        Training.ANSWER: {Role.SOLVER},
        Training.PLANNER: {Role.GUIDE},
    }[training]
    if style.results is Results.LEARNED and Role.SOLVER in roles:
        roles = {*roles, Role.CALCULATOR}
    for trace, example in zip(traces[:15], examples(traces[:15], vocabulary, style, training), strict=True):
        segments = lesson(trace, style, training)
        assert decoded(example.ids, vocabulary) == text_of(segments)
        learned = [label for label in example.labels if label != IGNORED]
        assert decoded(learned, vocabulary) == text_of([segment for segment in segments if segment.role in roles])
        assert all(label in (IGNORED, token) for token, label in zip(example.ids, example.labels, strict=True))


def test_together_the_two_specialists_learn_what_the_unified_student_learns(traces: list[Trace], vocabulary: Vocabulary) -> None:
    for style in STYLES:
        pair = (Training.DECOMPOSER, Training.SOLVER)
        asks, solves, both = (list(examples(traces[:20], vocabulary, style, t)) for t in (*pair, Training.UNIFIED))
        for ask, solve, unified in zip(asks, solves, both, strict=True):
            pairs = zip(ask.labels, solve.labels, strict=True)
            assert [max(pair) for pair in pairs] == unified.labels
            assert not any(a != IGNORED and b != IGNORED for a, b in zip(ask.labels, solve.labels, strict=True))


def test_a_base_learns_some_problems_with_subquestions_and_the_others_without(
    traces: list[Trace], vocabulary: Vocabulary
) -> None:
    each = [list(examples(traces, vocabulary, Style(), t)) for t in (Training.BASE, Training.COT, Training.UNIFIED)]
    as_cot, as_unified = ([base == other for base, other in zip(each[0], each[way], strict=True)] for way in (1, 2))
    assert all(cot != unified for cot, unified in zip(as_cot, as_unified, strict=True))
    assert len(traces) / 4 < sum(as_cot) < len(traces) * 3 / 4


def test_nobody_learns_the_problem_or_inserted_results() -> None:
    for training in ROLES:
        assert not written_by(training, Style()) & {Role.PROBLEM, Role.CALCULATOR}


def test_who_learns_to_write_problems_learns_them_whole_and_what_the_role_writes(
    traces: list[Trace], vocabulary: Vocabulary
) -> None:
    for training in ROLES:
        usual, both = (list(examples(traces[:20], vocabulary, Style(), training, problems=also)) for also in (False, True))
        for trace, steps, text in zip(traces, usual, both, strict=False):
            start = len(vocabulary.encode(lesson(trace, Style(), training)[0].pieces))
            assert text.labels == [*steps.ids[:start], *steps.labels[start:]]


def test_real_stop_marks_are_supervised_and_the_same_mark_as_padding_is_not(traces: list[Trace], vocabulary: Vocabulary) -> None:
    packed = pack(examples(traces, vocabulary, Style(), Training.UNIFIED), length=500, pad=vocabulary.ids[DONE])
    assert packed.too_long == 0
    is_done, is_learned = packed.ids == vocabulary.ids[DONE], packed.labels != IGNORED
    assert (is_done & is_learned).sum() == len(traces)  # one each
    assert (is_done & ~is_learned).sum() > 0  # padding
    assert (packed.labels == vocabulary.ids[END]).sum() == sum(len(trace.steps) for trace in traces)


def test_many_traces_are_tokenised_as_each_alone(
    traces: list[Trace], vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = [next(examples([trace], vocabulary, Style(), Training.SOLVER)) for trace in traces[:30]]
    monkeypatch.setattr("socratic.dataset.CHUNK", 7)
    assert list(examples(traces[:30], vocabulary, Style(), Training.SOLVER)) == alone


# Packing


def transcripts(packed: Packed) -> list[tuple[list[int], list[int]]]:
    """(ids, labels) of every transcript in the rows, padding left out: a transcript here has two tokens or more."""
    found = []
    for ids, labels, positions in zip(packed.ids, packed.labels, packed.positions, strict=True):
        starts = [*np.flatnonzero(positions == 0), len(ids)]
        found += [(ids[a:b].tolist(), labels[a:b].tolist()) for a, b in pairwise(starts) if b - a > 1]
    return found


def numbered(sizes: list[int]) -> list[Example]:
    return [Example([i] * size, [IGNORED, *[i] * (size - 1)]) for i, size in enumerate(sizes, 1)]


@settings(deadline=None)
@given(st.lists(st.integers(2, 60), min_size=1, max_size=80), st.integers(8, 50))
def test_each_transcript_is_in_one_row_whole_and_once(sizes: list[int], length: int) -> None:
    made = numbered(sizes)
    fitting = [example for example in made if len(example.ids) <= length]
    if not fitting:
        with pytest.raises(DataError):
            pack(made, length=length, pad=0)
        return
    packed = pack(made, length=length, pad=0)
    assert sorted(transcripts(packed)) == [(example.ids, example.labels) for example in fitting]
    assert packed.too_long == len(made) - len(fitting)
    assert packed.ids.shape == packed.labels.shape == packed.positions.shape == (len(packed), length)
    assert packed.supervised == sum(len(example.ids) - 1 for example in fitting)


@settings(deadline=None)
@given(st.lists(st.integers(2, 40), min_size=1, max_size=60))
def test_positions_count_from_0_in_each_transcript_and_padding_stands_alone(sizes: list[int]) -> None:
    packed = pack(numbered(sizes), length=40, pad=0)
    starts = (packed.ids[:, 1:] != packed.ids[:, :-1]) | (packed.ids[:, 1:] == 0)  # numbered from 1, padding is 0
    steps = packed.positions[:, 1:] - packed.positions[:, :-1]
    assert (packed.positions[:, 0] == 0).all()
    assert (packed.positions[:, 1:][starts] == 0).all()
    assert (steps[~starts] == 1).all()
    assert (packed.labels[packed.ids == 0] == IGNORED).all()


def test_first_token_of_a_transcript_is_no_target() -> None:
    packed = pack([Example([5, 6], [5, 6]), Example([7, 8], [7, 8])], length=4, pad=0)
    assert packed.labels.tolist() == [[IGNORED, 6, IGNORED, 8]]


def test_rows_are_well_filled(traces: list[Trace], vocabulary: Vocabulary) -> None:
    made = list(examples(traces, vocabulary, Style(), Training.UNIFIED))
    packed = pack(made, length=256, pad=0)
    assert sum(len(example.ids) for example in made) > 0.85 * packed.ids.size


def test_order_is_kept_but_for_what_fills_gaps() -> None:
    packed = pack(numbered([10] * 100), length=10, pad=0)
    assert sorted(packed.ids[:, 0]) == list(range(1, 101))
    assert all(abs(place - first) <= 16 for place, first in enumerate(packed.ids[:, 0]))


def test_nothing_that_fits_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(DataError, match="3 were longer") as caught:
        pack(numbered([50, 60, 70]), length=20, pad=0)
    assert "length" in caught.value.hint


def test_packed_rows_are_the_same_after_saving_and_loading(tmp_path: Path) -> None:
    packed = pack(numbered([5, 9, 30, 4]), length=12, pad=0)
    packed.save(tmp_path / "rows.npz")
    loaded = Packed.load(tmp_path / "rows.npz")
    for name in ("ids", "labels", "positions"):
        assert np.array_equal(getattr(loaded, name), getattr(packed, name)), name
    assert loaded.too_long == packed.too_long == 1
    assert [path.name for path in tmp_path.iterdir()] == ["rows.npz"]


def test_rows_give_what_the_trainer_reads() -> None:
    rows = Rows(pack(numbered([5, 6, 12]), length=12, pad=0), 1)
    assert len(rows) == 1
    assert set(rows[0]) == {"input_ids", "labels", "position_ids"}
    assert all(column.dtype == torch.int64 and column.shape == (12,) for column in rows[0].values())


# What the model sees of a row


@pytest.fixture
def row(traces: list[Trace], vocabulary: Vocabulary) -> tuple[dict[str, torch.Tensor], list[Example]]:
    """One packed row of two transcripts and padding, and the transcripts."""
    pair = [example for example in examples(traces, vocabulary, Style(), Training.UNIFIED) if len(example.ids) <= 70][:2]
    packed = pack(pair, length=160, pad=vocabulary.ids[DONE])
    assert len(packed) == 1
    return {name: column[None] for name, column in Rows(packed, 1)[0].items() if name != "labels"}, pair


@pytest.mark.parametrize("mode", ["eval", "train"])
@torch.no_grad()
def test_transcript_packed_second_gets_the_logits_it_gets_alone(
    mode: str, row: tuple[dict[str, torch.Tensor], list[Example]], new_gpt2: Callable[[], Any]
) -> None:
    model = new_gpt2().train(mode == "train")
    assert model.config._attn_implementation == "sdpa"
    inputs, pair = row
    together, start = model(**inputs, use_cache=False).logits[0], 0
    for example in pair:
        alone = model(input_ids=torch.tensor([example.ids]), use_cache=False).logits[0]
        torch.testing.assert_close(together[start : start + len(example.ids)], alone, rtol=1e-4, atol=1e-4)
        start += len(example.ids)


def test_no_gradient_flows_from_one_transcript_of_a_row_into_another(
    row: tuple[dict[str, torch.Tensor], list[Example]], new_gpt2: Callable[[], Any]
) -> None:
    model, (inputs, pair) = new_gpt2().train(), row
    embedded = model.get_input_embeddings()(inputs["input_ids"]).detach().requires_grad_()
    first, both = len(pair[0].ids), len(pair[0].ids) + len(pair[1].ids)
    logits = model(inputs_embeds=embedded, position_ids=inputs["position_ids"], use_cache=False).logits
    logits[0, first:both].square().sum().backward()
    felt = embedded.grad[0].abs().sum(-1) > 0
    assert not felt[:first].any()
    assert felt[first:both].all()
    assert not felt[both:].any()


def test_tokenising_shows_how_far_it_is(
    traces: list[Trace], vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "120"}.items():  # as to a person
        monkeypatch.setenv(name, value)
    assert len(list(examples(iter(traces[:7]), vocabulary, Style(), Training.UNIFIED))) == 7
    bar = capsys.readouterr().err
    assert "tokenising" in bar and "7/7" in bar
