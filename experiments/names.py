"""Do references for names help a small model? The same problems, with a stand-in for every person: who comes first is Ann.

In: how many problems of the curriculum. Out: in a folder, traces.jsonl (as many as `experiments/learning/as-it-is.yaml` learns
from) and mawps.jsonl (the rows that its students are scored on), both with stand-ins. A stand-in is what a reference would be:
one token, the same for the first person of every problem; it tells nobody's sex. Names of the rows that the curriculum lacks are
words that the curriculum has only with a capital, or not at all. Knows nothing of students.

Run: python experiments/names.py runs/names        (two minutes), then the commands of experiments/names.yaml
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from socratic import tasks
from socratic.config import DataSource, TrainConfig
from socratic.curriculum.lexicon import PEOPLE, WORDS
from socratic.dialect import Style
from socratic.jsonl import write_jsonl
from socratic.mix import training_mix
from socratic.schema import Trace, Training

STAND_INS: Final = ("Ann", "Bob", "Cy", "Dee", "Eli", "Fay", "Gil", "Hal")
KNOWN: Final = frozenset(person.name for people in PEOPLE.values() for person in people)
CAPITALISED: Final = re.compile(r"\b[A-Z][a-z]+(?:-[a-z]+)?\b")
SMALL: Final = re.compile(r"\b[a-z]+\b")
TITLES: Final = frozenset("Mr Mrs Ms Dr Halloween Christmas Easter Thanksgiving Valentine".split())


def without_names(text: str, names: frozenset[str], people: dict[str, str]) -> str:
    """The text with a stand-in for each of the names; `people` grows by those that are met for the first time."""

    def stand_in(found: re.Match[str]) -> str:
        name = found[0]
        if name not in names or (name not in people and len(people) == len(STAND_INS)):
            return name
        return people.setdefault(name, STAND_INS[len(people) % len(STAND_INS)])

    capitals = SMALL.sub(lambda found: found[0].capitalize() if found[0].capitalize() in names else found[0], text)
    return CAPITALISED.sub(stand_in, capitals)  # half of the rows, and whoever types in haste, write names small


def unnamed(trace: Trace) -> Trace:
    """A trace of the curriculum with stand-ins, the same in all of its steps."""
    people = dict[str, str]()
    question = without_names(trace.problem.question, KNOWN, people)
    steps = tuple(
        replace(step, question=without_names(step.question, KNOWN, people), solution=without_names(step.solution, KNOWN, people))
        for step in trace.steps
    )
    return replace(trace, problem=replace(trace.problem, question=question), steps=steps)


def names_in(questions: Iterable[str], common: set[str]) -> frozenset[str]:
    """Words with a capital that are no common words, and the curriculum's own names."""
    listed = {word for words in WORDS.values() for phrase in words for word in phrase.split()}
    met = {word for text in questions for word in CAPITALISED.findall(text)}
    return KNOWN | {word for word in met - TITLES - listed if word.lower() not in common}


def main() -> int:
    """Write both files, and tell which names were found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--problems", type=int, default=37_200, help="drawn, of which those of one and two steps are kept")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    source = DataSource(curriculum=asked.problems, seed=1, steps=(1, 2))
    mix = training_mix(TrainConfig(data=(source,)), Style(), Training.UNIFIED, data=None)
    write_jsonl(asked.out / "traces.jsonl", (unnamed(trace).to_dict() for trace in mix.traces))
    problems = tasks.load("mawps").problems
    common = set(SMALL.findall(" ".join(trace.problem.question for trace in mix.traces)))
    names, met = names_in((problem.question for problem in problems), common), Counter[str]()
    rows = list[dict[str, str | None]]()
    for problem in problems:
        people = dict[str, str]()
        question = without_names(problem.question, names, people)
        met.update(people.keys())
        rows.append({"id": problem.id, "question": question, "answer": problem.answer})
    write_jsonl(asked.out / "mawps.jsonl", rows)
    print(f"{len(mix.traces):,} traces, {len(rows):,} rows; names: {', '.join(f'{n} {c}' for n, c in met.most_common(400))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
