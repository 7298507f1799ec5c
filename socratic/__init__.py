"""socratic: two small language models that reason step by step, in the open.

`Orchestrator.from_pretrained("default").solve("…")` gives a `Trace`. Importing this loads neither torch nor transformers.
"""

__version__ = "0.1.0"
