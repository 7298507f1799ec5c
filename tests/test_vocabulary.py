"""Properties of the tokens: nothing is lost, digits stand alone, and text never becomes a mark.

In: vocabularies learned here in a moment. Out: pass or fail.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from socratic.errors import ModelError
from socratic.transcript import ASK, DONE, EQUALS, MARKS, NUMBERS, PROBLEM, SOLVE, Mark, Piece, Role, Segment
from socratic.vocabulary import Vocabulary

CALM = settings(deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])

TEXTS = [
    f" {name} sold {n} {thing} for ${n * 3}.50 each. How many {thing} did {name} sell in {n % 12} months?"
    for n, name in enumerate(["Natalia", "Weng", "Betty", "Julie", "James", "Mark"] * 20)
    for thing in ("clips", "cakes", "loaves of bread", "books")
]
ALL_DIGITS = "0123456789"
SIZE = 340  # 256 bytes, the marks, and what the texts teach


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.learn(TEXTS, size=SIZE)


def joined(pieces: list[Piece]) -> list[Piece]:
    """Pieces as they are read back: neighbouring texts are one, an empty one is none."""
    whole = list[Piece]()
    for piece in (p for p in pieces if p):
        if isinstance(piece, str) and whole and isinstance(whole[-1], str):
            whole[-1] += piece
        else:
            whole.append(piece)
    return whole


@CALM
@given(pieces=st.lists(st.text() | st.sampled_from(TEXTS) | st.sampled_from(MARKS), max_size=12))
def test_decoding_gives_back_what_was_encoded(vocabulary: Vocabulary, pieces: list[Piece]) -> None:
    assert vocabulary.decode(vocabulary.encode(pieces)) == joined(pieces)


@CALM
@given(text=st.text(alphabet=ALL_DIGITS + " .,$%+-*/()a", min_size=1))
def test_every_digit_is_a_token_of_its_own(vocabulary: Vocabulary, text: str) -> None:
    tokens = [vocabulary.tokens[number] for number in vocabulary.encode([text])]
    assert [token for token in tokens if any(c in ALL_DIGITS for c in token)] == [c for c in text if c in ALL_DIGITS]


def test_no_token_but_the_marks_holds_a_digit_and_anything_else(vocabulary: Vocabulary) -> None:
    names = {mark.name for mark in MARKS}
    mixed = [t for t in vocabulary.tokens if t not in names and len(t) > 1 and any(c in ALL_DIGITS for c in t)]
    assert mixed == []


def test_every_mark_is_one_token_and_each_a_different_one(vocabulary: Vocabulary) -> None:
    ids = [vocabulary.encode([mark]) for mark in MARKS]
    assert all(len(number) == 1 for number in ids)
    assert len({number for (number,) in ids}) == len(MARKS)
    assert [vocabulary.marks[number] for (number,) in ids] == list(MARKS)


@pytest.mark.parametrize("mark", MARKS, ids=lambda mark: mark.name)
def test_text_that_looks_like_a_mark_stays_text(vocabulary: Vocabulary, mark: Mark) -> None:
    for text in (mark.name, f" say {mark.name} now", mark.name * 3, f"x{mark.name}"):
        ids = vocabulary.encode([text])
        assert not set(ids) & set(vocabulary.marks)
        assert vocabulary.decode(ids) == [text]


def test_text_that_looks_like_a_mark_stays_text_even_where_it_was_learned_from(tmp_path: Path) -> None:
    names = "".join(mark.name for mark in MARKS)
    learned = Vocabulary.learn([f"{EQUALS.name} {names} hello hello"] * 500, size=600)
    learned.save(tmp_path)
    for vocabulary in (learned, Vocabulary.load(tmp_path)):
        for text in (names, *(mark.name for mark in MARKS)):
            assert vocabulary.decode(vocabulary.encode([text])) == [text]
            assert not set(vocabulary.encode([text])) & set(vocabulary.marks)


def test_a_saved_vocabulary_loads_with_the_same_ids(vocabulary: Vocabulary, tmp_path: Path) -> None:
    vocabulary.save(tmp_path / "new" / "folder")
    loaded = Vocabulary.load(tmp_path / "new" / "folder")
    pieces: list[Piece] = [PROBLEM, TEXTS[0], NUMBERS[3], " \u2028 <|ask|> \N{FIRE}", DONE]
    assert loaded.encode(pieces) == vocabulary.encode(pieces)
    assert (loaded.tokens, loaded.ids, loaded.size) == (vocabulary.tokens, vocabulary.ids, vocabulary.size)


def test_the_size_is_as_asked_and_smaller_where_the_texts_hold_no_more(vocabulary: Vocabulary) -> None:
    assert vocabulary.size == len(vocabulary.tokens) == SIZE
    assert sorted(vocabulary.tokenizer.get_vocab().values()) == list(range(SIZE))
    assert Vocabulary.learn(["aa"], size=SIZE).size < SIZE


def test_the_same_texts_give_the_same_vocabulary(vocabulary: Vocabulary) -> None:
    again = Vocabulary.learn(iter(TEXTS), size=SIZE)
    assert again.tokenizer.to_str() == vocabulary.tokenizer.to_str()


def test_many_runs_are_encoded_as_each_alone(vocabulary: Vocabulary) -> None:
    runs: list[list[Piece]] = [[ASK, " How many", SOLVE], [], ["12"], [DONE]]
    assert vocabulary.encode_all(runs) == [vocabulary.encode(run) for run in runs]
    segments = [Segment(Role.DECOMPOSER, tuple(run)) for run in runs]
    assert vocabulary.encode_segments(segments) == [number for run in runs for number in vocabulary.encode(run)]


def test_a_text_piece_is_encoded_by_itself(vocabulary: Vocabulary) -> None:
    whole = vocabulary.encode([" How many", " clips"])
    assert whole == vocabulary.encode([" How many"]) + vocabulary.encode([" clips"])


@pytest.mark.parametrize("content", [None, "", "{}", "no json"])
def test_a_folder_without_a_readable_vocabulary_is_an_error_with_a_way_on(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=r"tokenizer\.json") as caught:
        Vocabulary.load(tmp_path)
    assert caught.value.hint
