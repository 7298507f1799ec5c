"""What calls cost, at most and as it turned out, and whether one more may be made.

In: a file of prices, limits, tokens. Out: dollars, or None where nobody knows the price; a `Budget` from which each call is
reserved at its most before it is made, so that no limit is passed by calls that run at the same time. Knows nothing of
teachers or files of answers.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml
from pydantic import Field, RootModel, ValidationError

from socratic.config import Strict, faults
from socratic.errors import ConfigError, UsageError

SHIPPED: Final = Path(__file__).with_name("prices.yaml")
MESSAGE_TOKENS: Final = 10  # that a server puts around a message, at most


class Price(Strict):
    """US dollars for a million tokens, and which part of it a batch costs."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    batch: float = Field(1.0, ge=0, le=1)

    def dollars(self, used: Tokens, *, batch: bool = False) -> float:
        """What so many tokens cost."""
        return (used.input * self.input + used.output * self.output) / 1e6 * (self.batch if batch else 1.0)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Read and written by a teacher."""

    input: int = 0
    output: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.input + other.input, self.output + other.output)

    def times(self, n: int) -> Tokens:
        """Of n such calls."""
        return Tokens(self.input * n, self.output * n)

    @property
    def total(self) -> int:
        """In and out."""
        return self.input + self.output

    def __str__(self) -> str:
        """For people."""
        return f"{self.input:,} tokens in, {self.output:,} out"


class _Prices(RootModel[dict[str, Price]]):
    pass


def load_prices(path: Path | None = None) -> dict[str, Price]:
    """The prices by model: of a file, or the shipped ones. Raises ConfigError."""
    where = path or SHIPPED
    try:
        return _Prices.model_validate(yaml.safe_load(where.read_text(encoding="utf-8"))).root
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:  # pydantic's error is a ValueError
        reason = faults(error) if isinstance(error, ValidationError) else str(error)
        hint = "one line a model: my-model: {input: 0.15, output: 0.60, batch: 0.5}"
        raise ConfigError(f"{where} is no file of prices: {reason}", hint=hint) from error


def dollars(used: Mapping[tuple[str, bool], Tokens], prices: Mapping[str, Price]) -> float | None:
    """What was spent, by model and whether it was a batch; None where a model has no price."""
    if any(model not in prices for model, _ in used):
        return None
    return sum(prices[model].dollars(tokens, batch=batch) for (model, batch), tokens in used.items())


_DENSE = re.compile(r"[^A-Za-z ]")


def most_tokens(texts: Iterable[str]) -> int:
    """More tokens than usual tokenizers make of texts: one for each byte that is no letter or space, one for two of those."""
    return sum(_most(text) + MESSAGE_TOKENS for text in texts)


def _most(text: str) -> int:
    dense = sum(len(sign.encode("utf-8", "replace")) for sign in _DENSE.findall(text))
    return dense + (len(_DENSE.sub("", text)) + 1) // 2


def likely_tokens(texts: Iterable[str]) -> int:
    """The usual rule: four characters of English a token."""
    return sum(len(text) // 4 + MESSAGE_TOKENS // 2 for text in texts)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be spent in all, earlier runs into the same folder included; None is no limit."""

    usd: float | None = None
    tokens: int | None = None

    def check(self, models: Iterable[str], prices: Mapping[str, Price]) -> None:
        """Raise UsageError for limits that allow nothing, or that nobody can keep."""
        if any(limit is not None and not limit > 0 for limit in (self.usd, self.tokens)):
            raise UsageError("a budget of 0 allows no call", hint="leave the limit out, or look at the costs with --dry-run")
        unknown = next((model for model in models if model not in prices), None)
        if self.usd is not None and unknown is not None:
            hint = "put its price into a file and name it with --prices, or limit --max-tokens"
            raise UsageError(f"--max-usd needs a price, and none is known of '{unknown}'", hint=hint)


class Budget:
    """Lets a call through when its most still fits; what it turns out to cost less goes back. `usd` is None without a price."""

    def __init__(self, limits: Limits, price: Price | None, *, spent: Tokens, usd: float | None, batch: bool = False) -> None:
        self.limits, self.batch = limits, batch
        self.spent, self.usd = spent, usd
        self._price = price or Price(input=0, output=0, batch=1)
        self._held = Tokens()
        self._changed = asyncio.Condition()

    def fits(self, more: Tokens) -> bool:
        """Whether so much may still be spent, if all that is held is spent too."""
        tokens = self._held + more
        usd = (self.usd or 0.0) + self._price.dollars(tokens, batch=self.batch)
        too_dear = self.limits.usd is not None and usd > self.limits.usd
        return not too_dear and (self.limits.tokens is None or (self.spent + tokens).total <= self.limits.tokens)

    async def hold(self, most: Tokens) -> bool:
        """Reserve a call; waits while calls in flight may still give something back. False: the budget is used up."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.fits(most) or not self._held.total)
            if not self.fits(most):
                return False
            self.take(most)
            return True

    def take(self, most: Tokens) -> None:
        """Reserve a call without asking."""
        self._held += most

    def lose(self, most: Tokens) -> None:
        """A request was lost, and may be billed: it is spent at its most, beside what its call still holds."""
        self._spend(most)

    async def settle(self, most: Tokens, used: Tokens) -> None:
        """A call that was reserved is over."""
        async with self._changed:
            self._held += most.times(-1)
            self._spend(used)
            self._changed.notify_all()

    def _spend(self, used: Tokens) -> None:
        self.spent += used
        if self.usd is not None:
            self.usd += self._price.dollars(used, batch=self.batch)
