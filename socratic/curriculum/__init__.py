"""The offline teacher: families of word problems that write problems with verified traces.

In: the family files in `families/` (4,021 families, 15,545 wordings; the format is in FORMAT.md beside this file) and a
seed. Out: `Trace`s whose every equation `arithmetic` recomputed and found exactly right. Needs no network and no model.
Knows nothing of benchmarks, tokens, or of how students read a trace.

Reading a sheet of problems:

>>> for trace in draw_many(load_families(), n=2, seed=1):  # doctest: +SKIP
...     print(trace.problem.question, *trace.steps, sep="\\n")

Adding a family is adding one line to any .jsonl file in `families/` (or one more file); five keys are needed:

    {"id": "apples-given-away", "topic": "apples",
     "text": ["{p} has {a} apples and gives {b} away. How many are left?", ...two more wordings or more...],
     "vars": {"p": "person", "a": "5..60", "b": "2..40"}, "where": ["a > b"],
     "steps": [{"q": "How many apples are left?", "eq": "a - b", "as": "left", "say": "{left} apples are left."}]}

and `check_files([path])` says what is wrong with it. Modules, each importing only from those before it:
lexicon, expressions, notation, domains, templates, asides, dressing, family, draw, stories, check.
"""

from socratic.curriculum.check import Fault, check_files, faults
from socratic.curriculum.draw import draw, dressed
from socratic.curriculum.family import (
    Family,
    FamilyStep,
    held_out,
    load_continuations,
    load_families,
    packaged_files,
    parse_family,
    sha256,
    some,
)
from socratic.curriculum.stories import draw_many, draw_story

__all__ = [
    "Family",
    "FamilyStep",
    "Fault",
    "check_files",
    "draw",
    "draw_many",
    "draw_story",
    "dressed",
    "faults",
    "held_out",
    "load_continuations",
    "load_families",
    "packaged_files",
    "parse_family",
    "sha256",
    "some",
]
