"""socratic: small language models that reason step by step, in the open.

    from socratic import Orchestrator
    print(Orchestrator.from_pretrained("default").solve("Tom has 3 bags of 12 apples. How many apples does he have?"))

Names are loaded when they are first used: importing this loads neither torch nor transformers nor sympy.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from socratic.orchestrator import Orchestrator as Orchestrator
    from socratic.schema import Decoding as Decoding
    from socratic.schema import Problem as Problem
    from socratic.schema import Trace as Trace

__version__ = "0.1.0"

_HOMES = {"Orchestrator": "orchestrator", "Decoding": "schema", "Problem": "schema", "Trace": "schema"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'socratic' has no attribute '{name}'")
    return getattr(import_module(f"socratic.{_HOMES[name]}"), name)
