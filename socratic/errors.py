"""Every error that this package raises on purpose.

    SocraticError                what was found + what was expected; `hint` says what to do next
    ├── UsageError               the user's input or files (exit code 2)
    │   ├── DataError            a data file is missing, broken or not the pinned one
    │   │   └── NoDataError      no place has the file
    │   ├── ModelError           a model folder is missing, half there, or holds pickle weights
    │   ├── ConfigError          an experiment file says something unknown or impossible
    │   ├── TeacherError         a teacher's server refuses every call: key, model, address, quota
    │   └── FamilyError          a curriculum family says something impossible
    │       └── NoDrawError      no numbers fit what it asks of them
    ├── ExpressionError          an arithmetic expression is outside the whitelist (a value, not a crash)
    └── RunError                 the work itself failed (exit code 1)
        └── CallError            one call to a teacher brought no reply, after all retries

Beside them what many of their hints say. Knows no module of this package.
"""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class SocraticError(Exception):
    """Base of all. `hint` is one sentence for the user; `retryable` says that the same call may succeed later."""

    exit_code = 1
    retryable = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(SocraticError):
    """The user's input cannot be worked with."""

    exit_code = 2


class DataError(UsageError):
    """A data file is missing, broken, or not the one that is pinned."""


class NoDataError(DataError):
    """No place has the data file."""


class ModelError(UsageError):
    """A model cannot be loaded."""


class ConfigError(UsageError):
    """An experiment file says something unknown or impossible."""


class TeacherError(UsageError):
    """A teacher's server refuses every call."""


class FamilyError(UsageError):
    """A curriculum family is malformed, or says something impossible."""


class NoDrawError(FamilyError):
    """No numbers fit what a family asks of them, or none beside the story that it should go on from."""


class ExpressionError(SocraticError):
    """An expression is outside the whitelist, too large, or divides by zero."""


class RunError(SocraticError):
    """The work failed although the input was fine."""


class CallError(RunError):
    """One call to a teacher brought no reply."""

    retryable = True


def did_you_mean(name: str, known: Iterable[str], *, n: int = 1, cutoff: float = 0.5) -> str:
    """A hint: the nearest of the known names, "" where none is near."""
    near = [f"'{found}'" for found in difflib.get_close_matches(name, list(known), n, cutoff)]
    return f"did you mean {' or '.join(near)}?" if near else ""


@contextmanager
def needing_extra(what: str, extra: str = "train") -> Iterator[None]:
    """Around imports and work that need an extra: where it is not installed, say the line that installs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(f"{what} needs {error.name}", hint=f"in the checkout: pip install '.[{extra}]'") from error
