"""The prompts of teachers, and what a teacher may answer to them.

In: the name of a shipped prompt (prompts/ in a checkout, _prompts/ in an installed package) or the path of one's own, and
texts for its variables. Out: a `Prompt`, the `Message`s to send, and the pydantic models of the answers, which are asked for
as JSON or, of servers that know no JSON, as marked lines:

    Q: a subquestion                 pairs, facts: as often as there are steps;
    A: the solution, or the fact     rationale, choice: free text in the place of these lines
    Answer: the final answer

A prompt is one file: YAML between two lines of `---`, then sections, each below its heading on a line of its own.

    # system        what to do (may be left out, with the next two)
    # json          how to answer as JSON; goes to the end of the system message, or
    # marked        how to answer as marked lines goes there
    # user          a worked example's problem,
    # assistant     and its answer as marked lines, from which its JSON is made; as many examples as one likes
    # user          the problem to work, with {{variables}}

Filling is one pass: braces in a text that is filled in are text. Knows nothing of problems, servers or money, and does not
judge whether an answer is right.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import AfterValidator, BeforeValidator, ConfigDict, ValidationError

from socratic.answers import normal_choice, normal_yes_no
from socratic.config import Strict
from socratic.errors import DataError, did_you_mean

# What a teacher may answer


def _text(given: str) -> str:
    if not given.strip():
        raise ValueError("expected text, found none")
    return given.strip()


def _some(given: tuple[Any, ...]) -> tuple[Any, ...]:
    if not given:
        raise ValueError("expected one step or more, found none")
    return given


# The bounds are validators and no constraints: strict JSON schemas of some servers know neither minLength nor minItems.
Text = Annotated[str, AfterValidator(_text)]
Line = Annotated[str, AfterValidator(lambda given: " ".join(_text(given).split()))]
YesNo = Annotated[Literal["yes", "no"], BeforeValidator(lambda given: normal_yes_no(str(given)) or given)]
Letter = Annotated[Literal["A", "B", "C", "D", "E"], BeforeValidator(lambda given: normal_choice(str(given)) or given)]


class _Answer(Strict):
    model_config = ConfigDict(coerce_numbers_to_str=True)  # many write "answer": 72

    @classmethod
    @cache  # of each class: pydantic makes it anew
    def json_schema(cls) -> dict[str, Any]:
        """A strict schema: every key required, no other allowed. Not to be changed."""
        return cls.model_json_schema()


class Pair(_Answer):
    """A subquestion and the sentence that answers it."""

    question: Line
    solution: Line


class PairsAnswer(_Answer):
    """Subquestion and solution, step by step, then the final answer."""

    steps: Annotated[tuple[Pair, ...], AfterValidator(_some)]
    answer: Line


class Fact(_Answer):
    """A subquestion and the fact that answers it."""

    question: Line
    fact: Line


class FactsAnswer(_Answer):
    """Subquestion and fact, step by step, then yes or no."""

    steps: Annotated[tuple[Fact, ...], AfterValidator(_some)]
    answer: YesNo


class RationaleAnswer(_Answer):
    """A chain of thought, then the final answer."""

    rationale: Text
    answer: Line


class ChoiceAnswer(_Answer):
    """A chain of thought, then the letter of one choice."""

    rationale: Text
    answer: Letter


Answer = PairsAnswer | FactsAnswer | RationaleAnswer | ChoiceAnswer


class Answers(StrEnum):
    """The kinds of answers that a prompt may ask for."""

    PAIRS = "pairs"
    FACTS = "facts"
    RATIONALE = "rationale"
    CHOICE = "choice"

    @property
    def model(self) -> type[Answer]:
        """What an answer of this kind is read into."""
        return _MODELS[self]


_MODELS: Final[dict[Answers, type[Answer]]] = {
    Answers.PAIRS: PairsAnswer,
    Answers.FACTS: FactsAnswer,
    Answers.RATIONALE: RationaleAnswer,
    Answers.CHOICE: ChoiceAnswer,
}
_TO_Q: Final = {Answers.PAIRS: "solution", Answers.FACTS: "fact"}  # the field that answers a question

# "**Q1:** …", "### Answer: …", "- Answer: …", but "- A: 3 apples" is a list's. Possessive: a megabyte of spaces is read once.
ANSWER: Final = re.compile(r"^[ \t*#>-]*+(?:final[ \t]++)?answer[ \t*]*+:(.*)$", re.MULTILINE | re.IGNORECASE)
_TURN = re.compile(r"^[ \t*#>]*+([QA])[ \t]*+\d*+[ \t*]*+:[ \t*]*+", re.MULTILINE)


def parse_marked(text: str, answers: Answers) -> Answer:
    """Read an answer in marked lines; what follows its first answer line is not looked at. Raises pydantic's ValidationError.

    >>> parse_marked("Q: How many are left?\\nA: 5-3 = <<5-3=2>>2 are left.\\nAnswer: 2", Answers.PAIRS).answer
    '2'
    """
    answer = ANSWER.search(text)
    before = text[: answer.start()] if answer else text
    found: dict[str, Any] = {"answer": answer[1].strip(" \t*")} if answer else {}
    if answers in _TO_Q:
        found["steps"] = _steps(before, _TO_Q[answers])
    else:
        found["rationale"] = before
    return answers.model.model_validate(found)


def _steps(text: str, to_q: str) -> list[dict[str, str]]:
    """A step at every Q, and at an A that no Q stands before: it will be found to lack its question."""
    steps = list[dict[str, str]]()
    _, *turns = _TURN.split(text)  # what stands before the first mark is chatter
    for mark, said in zip(turns[::2], turns[1::2], strict=True):
        if mark == "Q" or not steps or to_q in steps[-1]:
            steps.append({})
        steps[-1]["question" if mark == "Q" else to_q] = said
    return steps


# What is sent


class Form(StrEnum):
    """How answers are asked for."""

    JSON = "json"
    MARKED = "marked"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat; role is system, user or assistant."""

    role: str
    content: str


_VARIABLE = re.compile(r"\{\{([a-z_][a-z0-9_]*)\}\}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt whose variables are still to be filled; the hash is of its file's bytes."""

    name: str
    sha256: str
    answers: Answers
    variables: tuple[str, ...]
    messages: tuple[Message, ...]

    @property
    def examples(self) -> tuple[str, ...]:
        """The problems that it shows worked, which must not be test problems."""
        return tuple(message.content for message in self.messages[:-1] if message.role == "user")

    def fill(self, **variables: str) -> tuple[Message, ...]:
        """The messages to send. Raises DataError naming all variables that are missing or unknown."""
        missing = [name for name in self.variables if name not in variables]
        unknown = [name for name in variables if name not in self.variables]
        if missing or unknown:
            faults = [f"{word}: {', '.join(found)}" for word, found in (("missing", missing), ("unknown", unknown)) if found]
            hint = f"it takes {', '.join(self.variables)}"
            raise DataError(f"variables of the prompt '{self.name}', {'; '.join(faults)}", hint=hint)
        return tuple(Message(m.role, _VARIABLE.sub(lambda found: variables[found[1]], m.content)) for m in self.messages)


# Files


def _folder() -> Path:
    """Where the shipped prompts lie: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "_prompts"
    return installed if installed.is_dir() else package.parent / "prompts"


_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")  # README.md is none


def _shipped() -> dict[str, Path]:
    return {path.stem: path for path in sorted(_folder().glob("*.md")) if _NAME.fullmatch(path.stem)}


def names() -> tuple[str, ...]:
    """The prompts that are shipped."""
    return tuple(_shipped())


def load(name_or_path: str | Path, *, form: Form = Form.JSON) -> Prompt:
    """A shipped prompt by its name, or one's own by the path of its .md file, that asks for answers in a form.

    Raises DataError: no such prompt, or a file that is no prompt.
    """
    path = _find(name_or_path)
    try:
        raw = path.read_bytes()
        answers, messages = _read(raw.decode("utf-8-sig").replace("\r\n", "\n"), form)
        variables = _variables(messages)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", hint=f"shipped prompts: {', '.join(names())}") from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:  # pydantic's error is a ValueError
        raise DataError(f"{path} is no prompt: {_reason(error)}", hint="copy a shipped prompt and change it") from error
    return Prompt(path.stem, hashlib.sha256(raw).hexdigest(), answers, variables, messages)


def _find(name_or_path: str | Path) -> Path:
    """A name is looked up in a list and never made into a path; what ends in .md is the path of a file."""
    shipped, given = _shipped(), str(name_or_path)
    if given in shipped:
        return shipped[given]
    if given.endswith(".md"):
        return Path(given)
    known = f"known: {', '.join(shipped)}; or give the path of a .md file"
    raise DataError(f"no prompt '{given[:80]}'; {known}", hint=did_you_mean(given, shipped, n=3, cutoff=0.4))


def _reason(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    faults = error.errors()
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'top'}: {e['msg']}, found {str(e['input'])[:60]!r}" for e in faults)


class _Front(Strict):
    answers: Answers


_FRONT = re.compile(r"---\n(.*?)^---\n(.*)", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^# (\w+)[ \t]*$", re.MULTILINE)
_ORDER = re.compile(r"(?:system (?:json marked )?)?(?:user assistant )*user")


def _read(text: str, form: Form) -> tuple[Answers, tuple[Message, ...]]:
    """Raises ValueError saying what is wrong."""
    file = _FRONT.fullmatch(text)
    if not file:
        raise ValueError("expected YAML between two lines of '---' at the top, such as 'answers: pairs'")
    answers = _Front.model_validate(yaml.safe_load(file[1])).answers
    before, *parts = _HEADING.split(file[2])
    headings, texts = parts[::2], [part.strip() for part in parts[1::2]]
    if before.strip() or not _ORDER.fullmatch(" ".join(headings)) or not all(texts):
        raise ValueError(
            "expected sections '# system', '# json', '# marked', then '# user' and '# assistant' in turns, '# user' last, "
            f"none empty; found {', '.join(headings) or 'none'}"
        )
    return answers, tuple(_messages(list(zip(headings, texts, strict=True)), answers, form))


def _messages(sections: list[tuple[str, str]], answers: Answers, form: Form) -> Iterator[Message]:
    instructions = [text for heading, text in sections if heading in ("system", form)]
    if instructions:
        yield Message("system", "\n\n".join(instructions))
    for heading, text in sections:
        if heading == "user":
            yield Message("user", text)
        elif heading == "assistant":
            example = parse_marked(text, answers)
            yield Message("assistant", example.model_dump_json() if form is Form.JSON else text)


def _variables(messages: tuple[Message, ...]) -> tuple[str, ...]:
    """The variables in the order in which they stand. Raises ValueError for braces that are none, or in the wrong place."""
    left = "\n".join(_VARIABLE.sub(" ", message.content) for message in messages)
    if "{{" in left:
        raise ValueError(f"expected variables such as {{{{question}}}}, found '{left[left.index('{{') :][:40]}'")
    if any(_VARIABLE.search(message.content) for message in messages[:-1] if message.role != "system"):
        raise ValueError("expected examples that are complete, found a variable in one")
    if not _VARIABLE.search(messages[-1].content):
        raise ValueError("expected a variable such as {{question}} in the last section, found none")
    return tuple(dict.fromkeys(name for message in messages for name in _VARIABLE.findall(message.content)))
