"""Properties of the tokens: nothing is lost, digits stand alone, and text never becomes a mark.

In: vocabularies learned here in a moment, and a small WordPiece cut as an encoder's students have it. Out: pass or fail.
"""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from socratic.arithmetic import Known
from socratic.dialect import ASK, DONE, EQUALS, MARKS, NUMBERS, PROBLEM, RESULTS, SOLVE, Mark, Piece, Role, Segment
from socratic.errors import ModelError
from socratic.readback import read_expression
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


# A BERT's WordPiece, cut


@pytest.fixture(scope="module")
def least(wordpiece: Path) -> Vocabulary:
    """What stays when no text uses anything."""
    return Vocabulary.load(wordpiece).pruned([], size=0)


def test_cut_vocabulary_keeps_what_the_texts_use_and_little_else(wordpiece: Path) -> None:
    whole = Tokenizer.from_file(str(wordpiece / "tokenizer.json"))
    texts = ["How many clips cost \u00a3300?", "Nora\u2019s may", "x" * 20 + "s"]
    used = {token for text in texts for token in whole.encode(text, add_special_tokens=False).tokens if token != "[PAD]"}
    cut = Vocabulary.load(wordpiece).pruned(iter(texts), size=0)
    kept = {*cut.tokens} - {mark.name for mark in MARKS}
    assert used <= kept
    assert all(len(token.removeprefix("##")) == 1 for token in kept - used - {"[PAD]", "[UNK]"})
    for text in texts:
        tokens = [cut.tokens[i] for i in cut.encode([text])]
        assert tokens == whole.encode(text, add_special_tokens=False).tokens[: len(tokens)]


def test_cut_vocabulary_has_the_size_asked_for_and_the_more_frequent_tokens(wordpiece: Path) -> None:
    whole = Tokenizer.from_file(str(wordpiece / "tokenizer.json")).get_vocab()
    full = Vocabulary.load(wordpiece).pruned(["clips"], size=10_000)
    least = Vocabulary.load(wordpiece).pruned(["clips"], size=0)
    assert least.size < full.size < len(whole) + len(MARKS), "unused places and other scripts stay out"
    for size in range(least.size, full.size + 1, 7):
        cut = Vocabulary.load(wordpiece).pruned(["clips"], size=size)
        assert cut.size == len(cut.tokens) == size
        assert sorted(cut.tokenizer.get_vocab().values()) == list(range(size))
        more = [token for token in cut.tokens if token not in least.tokens]
        assert more == [token for token in full.tokens if token not in least.tokens][: len(more)]
    ranks = [whole[token] for token in full.tokens[: full.size - len(MARKS)]]
    assert ranks == sorted(ranks)


@CALM
@given(text=st.text(alphabet=string.printable, max_size=100))
def test_every_ascii_text_can_be_written_whatever_the_texts_were(least: Vocabulary, text: str) -> None:
    assert least.tokenizer.token_to_id("[UNK]") not in least.encode([text])


def test_a_text_is_encoded_whole_and_without_a_frame(lower_case: Vocabulary) -> None:
    assert lower_case.decode(lower_case.encode([" how many" * 200])) == [" how many" * 200]  # BERT's own would cut and pad it


def test_a_saved_cut_vocabulary_loads_with_the_same_ids(lower_case: Vocabulary, tmp_path: Path) -> None:
    lower_case.save(tmp_path)
    loaded, pieces = Vocabulary.load(tmp_path), [PROBLEM, " How many clips did Nora sell?", NUMBERS[3], " [UNK]", DONE]
    assert loaded.encode(pieces) == lower_case.encode(pieces)
    assert (loaded.tokens, loaded.ids) == (lower_case.tokens, lower_case.ids)


@pytest.mark.parametrize("mark", MARKS, ids=lambda mark: mark.name)
def test_text_that_looks_like_a_mark_stays_text_in_a_cut_vocabulary_too(lower_case: Vocabulary, mark: Mark) -> None:
    for text in (mark.name, f" say {mark.name} now", mark.name * 3, f"x{mark.name}"):
        assert not set(lower_case.encode([text])) & set(lower_case.marks)
    for text in ("[UNK]", "[CLS] how", "[PAD]"):
        assert not any(lower_case.tokens[i].startswith("[") and len(lower_case.tokens[i]) > 1 for i in lower_case.encode([text]))


@pytest.mark.parametrize(
    "pieces",
    [
        [" how many clips does nora's aunt have?"],
        [" how many of the girls' clips didn't nora sell?"],
        [" what do the boys' and the girls' cost, if that's what they'd pay?"],
        [" how many of the boys'?"],
        [" what does each 12-inch, hand-made clip cost?"],
        [" how old is the", NUMBERS[0], "-year-old in", NUMBERS[1], " years?"],
        [" what is 1/2 of 3.50, 0.25 or 1 3/4?"],
        [" what is", NUMBERS[0], "/", NUMBERS[1], " of it?"],
        [" what does it cost in miles/hour at 3:30?"],
        [" how much is $3.50 more than $1,200?"],
        [" how much is $", NUMBERS[0], " more than $", RESULTS[0], "?"],
        [" what is 5% of it (in all)?"],
        [" how many in week 1, 2, and 3; what else: 12, or none?"],
        [" $12 is how much?"],
        [" (why?)"],
        [" nora\u2019s and the girls\u2019 clips"],
    ],
    ids=str,
)
def test_ordinary_subquestions_come_back_from_a_cut_vocabulary(wordpiece: Path, pieces: list[Piece]) -> None:
    cut = Vocabulary.load(wordpiece).pruned([piece for piece in pieces if isinstance(piece, str)], size=0)
    assert cut.decode(cut.encode(pieces)) == pieces


@pytest.mark.parametrize(
    ("pieces", "expression"),
    [
        ([NUMBERS[0], "*", "7"], "48*7"),
        (["12", "*", NUMBERS[0]], "12*48"),
        (["0.5", "*", NUMBERS[0]], "0.5*48"),
        (["(", NUMBERS[0], "+", "12", ")", "*", "(", "7", "-", "5", ")"], "(48+12)*(7-5)"),
        ([NUMBERS[0], "-", "(", "7", "/", "100", ")"], "48-(7/100)"),
        (["48", "+", "24"], "48+24"),
        (["-", "5", "+", NUMBERS[0]], "-5+48"),
        ([" Nora sold <<", NUMBERS[0], "/", "2"], "48/2"),
        ([" Nora sold <<", "48", "-", "12"], "48-12"),
        ([" in May 5 <<", "(", "48", "-", "12", ")", "*", NUMBERS[0]], "(48-12)*48"),
        (["ceil(", NUMBERS[0], "/", "7", ")"], "ceil(48/7)"),
        (["floor(", "ceil(", "48", "/", "7", ")", "/", "2", ")"], "floor(ceil(48/7)/2)"),
        ([NUMBERS[0], "-", "7", "*", "floor(", NUMBERS[0], "/", "7", ")"], "48-7*floor(48/7)"),
        ([" Nora sold <<", "ceil(", "48", "/", "7", ")"], "ceil(48/7)"),
        ([" Nora sold", "ceil(", NUMBERS[0], "/", "7", ")"], "ceil (48/7)"),
    ],
    ids=str,
)
def test_an_expression_reads_the_same_from_a_cut_vocabulary(lower_case: Vocabulary, pieces: list[Piece], expression: str) -> None:
    """WordPiece leaves no spaces in its tokens: which ones were there, decoding has to know."""
    assert read_expression(lower_case.decode(lower_case.encode(pieces)), Known.of("48 clips")) == expression


def test_rounding_reads_the_same_from_bytes(vocabulary: Vocabulary) -> None:
    pieces = [" Nora needs", " <<", NUMBERS[0], "-", "7", "*", "floor(", "ceil(", NUMBERS[0], "/", "7", ")", ")"]
    assert read_expression(vocabulary.decode(vocabulary.encode(pieces)), Known.of("48 clips")) == "48-7*floor(ceil(48/7))"
