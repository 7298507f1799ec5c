"""The verb `serve`: a pair behind OpenAI's API.

In: a pair, an address. Out: the base URL on stdout, then answers over HTTP until Ctrl-C. Knows nothing of the API.
"""

from __future__ import annotations

from typing import Annotated

import typer

from socratic import display
from socratic.cli.options import Engine, EngineName, Model, Steps
from socratic.errors import needing_extra

verbs = typer.Typer()


@verbs.command(epilog="Example: socratic serve --model default --port 8000")
def serve(
    model: Model = "default",
    host: Annotated[str, typer.Option(help="Only this machine can reach the default; there is no key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 is any free one.")] = 8000,
    max_steps: Steps = 10,
    engine: Engine = EngineName.LIGHT,
) -> None:
    """Answer over HTTP as OpenAI's API does, until Ctrl-C. Prints the base URL for clients. Needs the extra [serve]."""
    with needing_extra("the server", "serve"):
        from socratic import serve as serving
    service, listening = serving.load(model, engine=engine.value, max_steps=max_steps), serving.listen(host, port)
    if host not in serving.LOCAL:
        display.stderr.print(f"whoever can reach {host} can use this server: it asks for no key")
    print(serving.address(listening), flush=True)
    serving.run(service, listening)
