"""The command `socratic`: each verb parses, calls one function, prints one summary.

In: the arguments, and problems on stdin. Out: results to stdout, everything else to stderr. Exit code 0: done; 1: the work
failed; 2: the user's input; 3: the one question was answered "unsure" (--min-confidence; of several, each line says so
itself, and the code is 0). Heavy modules are imported by the verb that needs them. Knows nothing that the library does not
also offer to Python.

Modules: options and summary are what verbs share; the others hold the verbs.
"""

from __future__ import annotations

import codecs
import errno
import io
import json
import os
import sys
from typing import Annotated

import typer

from socratic import __version__, display
from socratic.cli import calibrating, data, explaining, measuring, serving, solving, teaching, training
from socratic.errors import RunError, SocraticError

app = typer.Typer(
    help="Small language models that reason step by step, in the open.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for group in (solving, measuring, explaining, calibrating, training, teaching, serving):  # the order of `--help`
    app.add_typer(group.verbs)
app.add_typer(data.verbs, name="data")


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Small language models that reason step by step, in the open."""
    if show:
        print(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command; a SocraticError, and a file that cannot be read or written, become message, hint and exit code."""
    # Read when numpy is first imported, which no module above does. OpenBLAS waits for its threads by spinning: beside one
    # busy core two threads took 23 s for an answer that one gives in 2 s.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if isinstance(sys.stdout, io.TextIOWrapper):  # in a file on Windows "→" has no place, and would end the run
        codecs.register_error("json", _as_json)
        sys.stdout.reconfigure(errors="json")
    try:
        app()
    except SocraticError as error:
        display.complain(error)
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        sys.stderr.close()
        raise SystemExit(0) from None
    except OSError as error:
        found = failure(error)
        display.complain(found)
        raise SystemExit(found.exit_code) from None


def _as_json(error: UnicodeError) -> tuple[str, int]:
    """What an encoding lacks as JSON writes it, so that lines of JSON stay whole."""
    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


FULL = (errno.ENOSPC, errno.EDQUOT)


def failure(error: OSError) -> RunError:
    """What the system refused, and of which file: of two the second, as files are written beside their place, then moved."""
    path, reason = error.filename2 or error.filename, error.strerror or str(error) or type(error).__name__
    hint = "look at the path: is it right, is a folder where one is meant, may you read and write there?" if path else ""
    if error.errno in FULL:
        hint = "make room and run the same command again"
    return RunError(f"{os.fsdecode(path)}: {reason}" if isinstance(path, str | bytes) else reason, hint=hint)
