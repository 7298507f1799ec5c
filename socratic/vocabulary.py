"""Between pieces and token ids.

In: pieces (dialect), or texts to learn a byte-level BPE from. Out: token ids, and pieces again. Every digit is a token
of its own, every mark is one special token, and text that merely looks like a mark is encoded as plain text: marks get
in by id alone. Works over any `tokenizer.json` (own or GPT-2's). Knows nothing of roles, models or the transcript's order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from socratic.dialect import MARKS, Mark, Piece, Segment
from socratic.errors import ModelError

FILE = "tokenizer.json"
_NAMES = re.compile("|".join(re.escape(mark.name) for mark in MARKS))


class Vocabulary:
    """A tokenizer whose special tokens are the dialect's marks."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.add_special_tokens([mark.name for mark in MARKS])
        tokenizer.encode_special_tokens = True  # "<|ask|>" in a user's text stays text
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self.tokenizer = tokenizer
        by_name = tokenizer.get_vocab()
        self.ids = {mark: by_name[mark.name] for mark in MARKS}

    @classmethod
    def load(cls, folder: Path) -> Vocabulary:
        """Read `tokenizer.json` of a model folder. Raises ModelError."""
        try:
            return cls(Tokenizer.from_file(str(folder / FILE)))
        except Exception as error:  # the library raises bare Exceptions
            hint = "give a folder that `socratic train` wrote"
            raise ModelError(f"no readable {FILE} in {folder} ({error})", hint=hint) from error

    @classmethod
    def learn(cls, texts: Iterable[str], *, size: int) -> Vocabulary:
        """Learn a byte-level BPE of `size` tokens, marks included; fewer where the texts hold no more."""
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = single_digits()
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=size - len(MARKS), initial_alphabet=alphabet, show_progress=False)
        # A mark's name must not be learned as text: the mark would take over the id, and text would become a mark.
        tokenizer.train_from_iterator((_NAMES.sub(" ", text) for text in texts), trainer)
        return cls(tokenizer)

    def pruned(self, texts: Iterable[str], *, size: int) -> Vocabulary:
        """A pretrained tokenizer, cut to the tokens of `texts` and as many other ASCII ones as fit `size`, by frequency.

        Its ids are in order of frequency. Letters, digits and signs stay: every ASCII text can be written (a WordPiece's save
        for words of more than a hundred letters, a BPE's every text), and `texts` are cut as before.
        """
        spec = json.loads(self.tokenizer.to_str())
        by_rank = [token for token, _ in sorted(spec["model"]["vocab"].items(), key=lambda item: item[1])]
        encoded = self.tokenizer.encode_batch(list(texts), add_special_tokens=False)
        used = {token for text in encoded for token in text.tokens}
        shrink = _shrunk_wordpiece if self._is_wordpiece else _shrunk_bpe
        spec["model"] = shrink(spec["model"], by_rank, used, max(0, size - len(MARKS)))
        spec |= {"added_tokens": [], "post_processor": None, "padding": None, "truncation": None}
        return Vocabulary(Tokenizer.from_str(json.dumps(spec)))

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.tokenizer.save(str(folder / FILE))

    @property
    def size(self) -> int:
        """Number of tokens, marks included."""
        return int(self.tokenizer.get_vocab_size())

    @cached_property
    def marks(self) -> dict[int, Mark]:
        """Token id to mark."""
        return {number: mark for mark, number in self.ids.items()}

    @cached_property
    def tokens(self) -> list[str]:
        """Token strings by id, as engines that speak in strings want them."""
        return [self.tokenizer.id_to_token(i) or "" for i in range(self.size)]

    def encode(self, pieces: Sequence[Piece]) -> list[int]:
        """Token ids of pieces; each text piece is encoded by itself and the ids are joined."""
        return self.encode_all([pieces])[0]

    def encode_segments(self, segments: Iterable[Segment]) -> list[int]:
        """Token ids of whole segments, one after another."""
        return [number for ids in self.encode_all([segment.pieces for segment in segments]) for number in ids]

    def encode_all(self, many: Sequence[Sequence[Piece]]) -> list[list[int]]:
        """Token ids of many runs of pieces in one pass."""
        texts = [piece for pieces in many for piece in pieces if isinstance(piece, str)]
        encoded = iter(self.tokenizer.encode_batch_fast(texts, add_special_tokens=False))
        return [[i for p in pieces for i in ((self.ids[p],) if isinstance(p, Mark) else next(encoded).ids)] for pieces in many]

    def decode(self, ids: Sequence[int]) -> list[Piece]:
        """Pieces of token ids: marks one by one, text between them joined."""
        return list(self._pieces(ids))

    def _pieces(self, ids: Sequence[int]) -> Iterator[Piece]:
        for is_mark, run in groupby(ids, key=lambda i: i in self.marks):
            if is_mark:
                yield from (self.marks[i] for i in run)
            elif self._is_wordpiece:
                yield _joined(self.tokenizer.decode(list(run), skip_special_tokens=False))
            else:
                yield self.tokenizer.decode(list(run), skip_special_tokens=False)

    @cached_property
    def _is_wordpiece(self) -> bool:
        return isinstance(self.tokenizer.model, models.WordPiece)


def single_digits() -> pre_tokenizers.PreTokenizer:
    """Words as GPT-2 parts them, every digit by itself."""
    digits = pre_tokenizers.Digits(individual_digits=True)
    return pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])


def _shrunk_wordpiece(model: dict[str, Any], by_rank: list[str], used: set[str], room: int) -> dict[str, Any]:
    """A WordPiece's model with the used tokens, single letters and signs, and the most frequent others."""
    plain = [token for token in by_rank if token.isascii() and not token.startswith("[unused")]
    needed = used | {t for t in plain if len(t.removeprefix("##")) == 1 or t in ("[UNK]", "[PAD]")}
    others = [token for token in plain if token not in needed]
    kept = needed | set(others[: max(0, room - len(needed))])
    return {**model, "vocab": {token: place for place, token in enumerate(t for t in by_rank if t in kept)}}


def _shrunk_bpe(model: dict[str, Any], by_rank: list[str], used: set[str], room: int) -> dict[str, Any]:
    """A byte-level BPE's model with bytes, used tokens and the most frequent others, and all that they are merged from."""
    parts = {"".join(merge): merge for merge in (tuple(m.split()) if isinstance(m, str) else tuple(m) for m in model["merges"])}
    kept = {token for token in by_rank if len(token) == 1}
    for token in (*sorted(used), *by_rank):
        missing = _missing(token, parts, kept) if token in parts else set()
        if token in used or len(kept) + len(missing) <= room:
            kept |= missing
    merges = [list(merge) for token, merge in parts.items() if token in kept]
    vocab = {token: place for place, token in enumerate(t for t in by_rank if t in kept)}
    return {**model, "vocab": vocab, "merges": merges}


def _missing(token: str, parts: dict[str, tuple[str, ...]], kept: set[str]) -> set[str]:
    """The token and what it is merged from, without what is there."""
    found, waiting = set[str](), [token]
    while waiting:
        token = waiting.pop()
        if token not in kept and token not in found:
            found.add(token)
            waiting.extend(parts.get(token, ()))
    return found


_NO_SPACE = (
    (re.compile(r"(?:(?<=\w) |^)(['\u2019]) (?=(?:s|t|re|ve|ll|d|m)\b)"), r"\1"),
    (re.compile(r"(?<=s) (['\u2019])(?= \w|[.,?!]|$)"), r"\1"),
    (re.compile(r"(?:(?<=\w) |^)([-/]) (?=\w)"), r"\1"),
    (re.compile(r"(?<=\$) (?=\d)"), ""),
    (re.compile(r"(?<=\d) ?([./:]) ?(?=\d)"), r"\1"),
    (re.compile(r"(?<=\d) ?, ?(?=\d{3}(?!\d))"), ","),
    (re.compile(r" (?=[.,?!;:%)])"), ""),
    (re.compile(r"(?<=\() |(?<=<) (?=<)"), ""),
)
_EXPRESSION = re.compile(r"(?:(?<=<<)|^)(?:[\d.%()+*/ -]|(?:ceil|floor) ?\()+$")
_BESIDE_SIGNS = re.compile(r"(?<=[-+*/(]) | (?=[-+*/)])|(?<=[lr]) (?=\()")


def _joined(text: str) -> str:
    """WordPiece's words as a text piece: no space where people and expressions have none, and one before the first word."""
    for space, instead in _NO_SPACE:
        text = space.sub(instead, text)
    text = _EXPRESSION.sub(lambda found: _BESIDE_SIGNS.sub("", found[0]), text)
    return f" {text}" if text[:1].isalnum() or text[:1] in "$(" else text
