"""The verbs of `socratic data`: `download` and `list`.

In: names of benchmarks. Out: the paths of their files, or what is known. Knows nothing of what lies in the files.
"""

from __future__ import annotations

from typing import Annotated

import typer

from socratic import display

verbs = typer.Typer(help="Benchmark data: what is known, and downloads.", no_args_is_help=True)


@verbs.command(epilog="Example: socratic data download gsm8k svamp strategyqa")
def download(
    names: Annotated[list[str], typer.Argument(help="gsm8k, svamp, strategyqa")],
    mirror: Annotated[str | None, typer.Option(help="A base address in place of raw.githubusercontent.com.")] = None,
) -> None:
    """Fill the user's cache from pinned public addresses, sha256 checked."""
    from socratic import benchmarks, downloads

    with display.downloading() as update:
        paths = downloads.download(names, cache=benchmarks.cache_folder(), mirror=mirror, progress=update)
    print(*paths, sep="\n")


@verbs.command("list")
def list_benchmarks() -> None:
    """The benchmarks that are known, with their splits."""
    from socratic import benchmarks

    for name in benchmarks.names():
        print(f"{name}: {', '.join(benchmarks.splits(name))}")
