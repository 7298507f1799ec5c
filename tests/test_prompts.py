"""Properties of prompts.py and of the shipped prompts: worked examples are right, answers are read, filling is strict."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import socratic
from socratic import prompts
from socratic.answers import Kind, kind_of, normal_answer
from socratic.arithmetic import Known, check_solution, equations, find_numbers, number_value
from socratic.errors import DataError
from socratic.leakage import Guard, load_guard
from socratic.prompts import Answers, ChoiceAnswer, FactsAnswer, Form, PairsAnswer, RationaleAnswer, load, parse_marked
from socratic.schema import Badge, Check, Origin, badge

SRC = Path(socratic.__file__).parent
DATA = pytest.mark.skipif("SOCRATIC_DATA" not in os.environ, reason="SOCRATIC_DATA names no folder of benchmark data")


def worked(name: str) -> dict[str, prompts.Answer]:
    """The worked examples of a shipped prompt, as a teacher is shown them: the answer to each problem."""
    prompt = load(name)
    shown = [message.content for message in prompt.messages if message.role == "assistant"]
    return {q: prompt.answers.model.model_validate_json(a) for q, a in zip(prompt.examples, shown, strict=True)}


def pairs(name: str) -> dict[str, PairsAnswer]:
    return {question: reply for question, reply in worked(name).items() if isinstance(reply, PairsAnswer)}


# The shipped prompts


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("cot-arithmetic", Answers.RATIONALE),
        ("cot-choice", Answers.CHOICE),
        ("cot-strategyqa", Answers.RATIONALE),
        ("gsm8k-pairs", Answers.PAIRS),
        ("strategyqa-facts", Answers.FACTS),
        ("svamp-pairs", Answers.PAIRS),
    ],
)
def test_a_shipped_prompt_takes_a_question_and_shows_three_to_eight_examples(name: str, answers: Answers) -> None:
    prompt = load(name)
    assert prompt.name == name and prompt.answers is answers and prompt.variables == ("question",)
    assert 3 <= len(prompt.examples) == len(set(prompt.examples)) <= 8
    assert [m.role for m in prompt.messages] == ["system", *["user", "assistant"] * len(prompt.examples), "user"]


@pytest.mark.parametrize("name", prompts.names())
def test_both_forms_show_the_same_examples_and_tell_their_own_form(name: str) -> None:
    as_json, marked = load(name), load(name, form=Form.MARKED)
    assert (as_json.sha256, as_json.examples, as_json.answers) == (marked.sha256, marked.examples, marked.answers)
    shown = [message.content for message in marked.messages if message.role == "assistant"]
    assert [parse_marked(text, marked.answers) for text in shown] == list(worked(name).values())
    assert "JSON" not in marked.messages[0].content and "\nAnswer: " in marked.messages[0].content
    told = json.loads(as_json.messages[0].content.rpartition("\n")[2])  # `json_object` wants the word JSON as well
    assert "JSON" in as_json.messages[0].content and keys(told) == keys(json.loads(as_json.messages[2].content))


def keys(value: Any) -> Any:
    """The shape of some JSON: keys in order, of a list its first item."""
    if isinstance(value, dict):
        return [(key, keys(below)) for key, below in value.items()]
    return keys(value[0]) if isinstance(value, list) else None


@DATA
@pytest.mark.parametrize("name", prompts.names())
def test_no_example_is_like_a_test_problem(name: str, guard: Guard) -> None:
    assert [(question, leak) for question in load(name).examples if (leak := guard.leak(question))] == []


@pytest.fixture(scope="module")
def guard() -> Guard:
    found = load_guard()
    assert not found.missing
    return found


WRITTEN = re.compile(r"(\S+) = \$?<<([^=]*)=([^>]*)>>([\d.]*\d)")  # 48/2 = $<<48/2=24>>24


def checked(question: str, solutions: list[str]) -> list[tuple[Check, ...]]:
    """The checks of each solution. The text around each calculator mark must say what the mark says."""
    known, found = Known.of(question), list[tuple[Check, ...]]()
    for solution in solutions:
        assert [(left, stated) for left, _, stated, _ in WRITTEN.findall(solution)] == equations(solution)
        assert all(left == inside and stated == right for left, inside, stated, right in WRITTEN.findall(solution))
        checks, known = check_solution(solution, known)
        found.append(checks)
    return found


@pytest.mark.parametrize("name", ["gsm8k-pairs", "svamp-pairs"])
def test_each_step_of_an_example_is_one_verified_equation_that_is_needed(name: str) -> None:
    for question, reply in pairs(name).items():
        steps = checked(question, [step.solution for step in reply.steps])
        assert [len(step) for step in steps] == [1] * len(steps)
        assert {badge(step) for step in steps} == {Badge.VERIFIED}
        used = {operand.index for step in steps for operand in step[0].operands if operand.origin is Origin.STEP}
        assert used == set(range(len(steps) - 1)), "a result that no later step uses"
        assert steps[-1][0].computed == reply.answer == normal_answer(reply.answer)


@pytest.mark.parametrize("name", ["gsm8k-pairs", "svamp-pairs"])
def test_no_subquestion_gives_away_what_is_not_yet_known(name: str) -> None:
    for question, reply in pairs(name).items():
        known = {number.value for number in find_numbers(question)}
        for step in reply.steps:
            asked = {number.value for number in find_numbers(step.question)}
            assert asked <= known, step.question
            result = number_value(equations(step.solution)[-1][1])
            assert result not in asked, step.question
            known.add(result)


def test_the_last_subquestion_is_the_one_that_the_problem_asks() -> None:
    for name in ("gsm8k-pairs", "svamp-pairs"):
        for question, reply in pairs(name).items():
            asked, last = (set(re.findall(r"[a-z]+", text.lower())) for text in (question, reply.steps[-1].question))
            assert reply.steps[-1].question.endswith("?") and len(last & asked) >= 0.7 * len(last)


def test_examples_are_of_several_lengths() -> None:
    assert {len(reply.steps) for reply in pairs("svamp-pairs").values()} == {1, 2}
    assert len({len(reply.steps) for reply in pairs("gsm8k-pairs").values()}) >= 3


def test_every_equation_of_an_arithmetic_rationale_is_verified_and_the_last_gives_the_answer() -> None:
    for question, reply in worked("cot-arithmetic").items():
        assert isinstance(reply, RationaleAnswer)
        [checks] = checked(question, [reply.rationale])
        assert badge(checks) is Badge.VERIFIED and checks[-1].computed == reply.answer


def test_the_chains_of_thought_work_problems_of_the_decompositions_to_the_same_answers() -> None:
    for cot, decompositions in (("cot-arithmetic", ("gsm8k-pairs", "svamp-pairs")), ("cot-strategyqa", ("strategyqa-facts",))):
        answers = {question: reply.answer for name in decompositions for question, reply in worked(name).items()}
        for question, reply in worked(cot).items():
            assert reply.answer == answers[question]


def test_strategyqa_is_answered_yes_as_often_as_no_and_its_last_subquestion_is_such_a_question() -> None:
    replies = [reply for reply in worked("strategyqa-facts").values() if isinstance(reply, FactsAnswer)]
    answers = [reply.answer for reply in replies]
    assert answers.count("yes") == answers.count("no")
    for reply in replies:
        assert 2 <= len(reply.steps) <= 4
        assert re.match(r"(Is|Are|Do|Does|Did|Can|Could|Was|Were|Would)\b.*\?$", reply.steps[-1].question)
        assert not any(re.search(r"\b(yes|no)\b", step.fact.lower()) for step in reply.steps[:-1])


def test_the_multiple_choices_have_two_four_and_five_choices_and_every_letter_is_right_once() -> None:
    offered = {q: re.findall(r"^\(([A-E])\) \S", q, re.MULTILINE) for q in load("cot-choice").examples}
    assert {len(letters) for letters in offered.values()} == {2, 4, 5}
    assert all("".join(letters) == "ABCDE"[: len(letters)] for letters in offered.values())
    replies = worked("cot-choice")
    assert all(reply.answer in offered[question] for question, reply in replies.items())
    assert {reply.answer for reply in replies.values()} == set("ABCDE")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("gsm8k-pairs", Kind.NUMBER), ("cot-strategyqa", Kind.YES_NO), ("cot-choice", Kind.CHOICE)],
)
def test_the_answers_are_of_the_kind_that_is_graded(name: str, kind: Kind) -> None:
    assert {kind_of(reply.answer) for reply in worked(name).values()} == {kind}


# What a teacher may answer

STEPS = [{"question": "How many?", "solution": "3+4 = <<3+4=7>>7"}]


@pytest.mark.parametrize("answers", Answers)
def test_a_schema_is_strict_and_uses_no_word_that_strict_servers_refuse(answers: Answers) -> None:
    text = json.dumps(answers.model.json_schema())
    assert text.count('"type": "object"') == text.count('"additionalProperties": false')
    assert not re.search(r'"(minLength|maxLength|pattern|format|minItems|maxItems|default|prefixItems)":', text)
    schema = answers.model.json_schema()
    for part in (schema, *schema.get("$defs", {}).values()):
        assert part["required"] == list(part["properties"])


@pytest.mark.parametrize(
    ("model", "given", "answer"),
    [
        (PairsAnswer, {"steps": STEPS, "answer": 7}, "7"),
        (PairsAnswer, {"steps": STEPS, "answer": " 7\n"}, "7"),
        (RationaleAnswer, {"rationale": "So.", "answer": 2.5}, "2.5"),
        (FactsAnswer, {"steps": [{"question": "q?", "fact": "f"}], "answer": "Yes."}, "yes"),
        (FactsAnswer, {"steps": [{"question": "q?", "fact": "f"}], "answer": False}, "no"),
        (ChoiceAnswer, {"rationale": "So.", "answer": "(c)"}, "C"),
    ],
)
def test_usual_ways_to_write_an_answer_are_taken(model: type[prompts.Answer], given: dict[str, Any], answer: str) -> None:
    assert model.model_validate_json(json.dumps(given)).answer == answer


@pytest.mark.parametrize(
    ("model", "given"),
    [
        (PairsAnswer, {"steps": STEPS}),
        (PairsAnswer, {"steps": [], "answer": "7"}),
        (PairsAnswer, {"steps": STEPS, "answer": " "}),
        (PairsAnswer, {"steps": STEPS, "answer": None}),
        (PairsAnswer, {"steps": STEPS, "answer": True}),
        (PairsAnswer, {"steps": STEPS, "answer": "7", "note": "extra"}),
        (PairsAnswer, {"steps": [{"question": "", "solution": "7"}], "answer": "7"}),
        (PairsAnswer, {"steps": [{"question": "How many?"}], "answer": "7"}),
        (FactsAnswer, {"steps": [{"question": "q?", "fact": "f"}], "answer": "maybe"}),
        (RationaleAnswer, {"rationale": "\n", "answer": "7"}),
        (ChoiceAnswer, {"rationale": "So.", "answer": "F"}),
        (ChoiceAnswer, {"rationale": "So.", "answer": "A or B"}),
        (ChoiceAnswer, ["A"]),
    ],
)
def test_what_is_not_in_the_shape_is_refused(model: type[prompts.Answer], given: Any) -> None:
    with pytest.raises(ValidationError):
        model.model_validate_json(json.dumps(given))


MARKED = re.compile(r"^[\s*#>-]*(q|a|(final\s+)?answer)[\s\d*]*:", re.MULTILINE | re.IGNORECASE)
LINES = st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]), min_size=1, max_size=40).filter(
    lambda text: text.strip(" \t*\n") and not MARKED.search(text)
)


def one_line(text: str) -> str:
    return text.replace("\n", " ").strip(" \t*")


@settings(deadline=None)
@given(st.lists(st.tuples(LINES, LINES), min_size=1, max_size=4), LINES, LINES)
def test_marked_steps_are_read_as_the_same_in_json(steps: list[tuple[str, str]], answer: str, chatter: str) -> None:
    steps = [(q.strip(" \t*"), a.strip(" \t*")) for q, a in steps]
    data = {"steps": [{"question": q, "solution": a} for q, a in steps], "answer": one_line(answer)}
    turns = "\n".join(f"Q: {q}\nA: {a}" for q, a in steps)
    try:
        expected = PairsAnswer.model_validate(data)
    except ValidationError:  # of white space alone
        return
    assert parse_marked(f"{turns}\nAnswer: {one_line(answer)}", Answers.PAIRS) == expected
    assert parse_marked(f"{chatter}\n{turns}\nAnswer: {one_line(answer)}\n\nQ: Next?\nAnswer: 5", Answers.PAIRS) == expected


@settings(deadline=None)
@given(LINES, st.sampled_from("ABCDE"))
def test_a_marked_rationale_is_what_stands_before_its_answer(rationale: str, letter: str) -> None:
    if not rationale.strip():
        return
    read = parse_marked(f"{rationale}\nAnswer: ({letter})\nAnswer: E", Answers.CHOICE)
    assert read == ChoiceAnswer.model_validate({"rationale": rationale, "answer": letter})


@pytest.mark.parametrize(
    "text",
    [
        "Sure!\n**Q1:** How many?\n**A1:** 3+4 = <<3+4=7>>7\n**Answer: 7**",
        "Q : How many?\nA : 3+4 = <<3+4=7>>7\nanswer: 7",
        "Q: How\n   many?\nA: 3+4 =\n<<3+4=7>>7\n\nAnswer: 7\nWas that right?",
        "### Q1: How many?\n### A1: 3+4 = <<3+4=7>>7\n### Answer: 7",
        "Q: How many?\nA: 3+4 = <<3+4=7>>7\n- **Final answer:** 7",
        "> Q: How many?\n> A: 3+4 = <<3+4=7>>7\n> Answer: 7",
    ],
)
def test_usual_ways_to_write_marked_lines_are_read(text: str) -> None:
    assert parse_marked(text, Answers.PAIRS) == PairsAnswer.model_validate({"steps": STEPS, "answer": "7"})


def test_a_list_in_a_solution_is_part_of_it() -> None:
    read = parse_marked("Q: Which?\nA: Box A and B:\n- A: 3\n- B: 4, 3+4 = <<3+4=7>>7\nAnswer: 7", Answers.PAIRS)
    assert isinstance(read, PairsAnswer) and len(read.steps) == 1 and "- A: 3" in read.steps[0].solution


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The answer is 7.",
        "Answer: 7",
        "Q: How many?\nA: 7",
        "Q: How many?\nAnswer: 7",
        "A: 7\nAnswer: 7",
        "Q: How many?\nA: 7\nA: 8\nAnswer: 7",
        "Q: How many?\nQ: How many more?\nA: 7\nAnswer: 7",
        "Q: How many?\nA: 7\nAnswer:",
        "Q: How many?\nA:\nAnswer: 7",
        "Q" + " " * 1_000_000,
        "\n".join(["Q: How many?"] * 50_000),
        "answer" + " *" * 500_000,
    ],
)
def test_marked_lines_that_lack_something_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        parse_marked(text, Answers.PAIRS)


# Filling

OWN = """---
answers: rationale
---
# system
Speak {{tongue}}.
# user
One?
# assistant
One.
Answer: 1
# user
{{question}}, {{hint}}
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "own.md").write_text(OWN, encoding="utf-8")
    return tmp_path / "own.md"


@settings(deadline=None)
@given(text=st.text() | st.sampled_from(["{{question}}", "{{hint}}{{", r"\1 \g<0> $x", "\n# user\nAnswer me\n---\n"]))
def test_what_is_filled_in_is_text_and_never_filled_or_read_again(text: str) -> None:
    prompt = load("gsm8k-pairs")
    filled = prompt.fill(question=text)
    assert filled[-1].content == text
    assert filled[:-1] == prompt.messages[:-1]


def test_each_variable_goes_to_its_place(own: Path) -> None:
    filled = load(own).fill(hint="{{question}}", question="{{hint}}", tongue="Greek")
    assert (filled[0].content, filled[-1].content) == ("Speak Greek.", "{{hint}}, {{question}}")


def test_all_missing_and_all_unknown_variables_are_named_at_once(own: Path) -> None:
    with pytest.raises(DataError, match="'own', missing: tongue, hint; unknown: qestion, gold") as caught:
        load(own).fill(qestion="?", gold="7", question="?")
    assert "tongue, question, hint" in caught.value.hint


# Files


def test_the_hash_is_of_the_bytes_and_lines_may_end_as_they_like(own: Path) -> None:
    raw, first = own.read_bytes(), load(own)
    assert first.sha256 == hashlib.sha256(raw).hexdigest() and first.name == "own"
    own.write_bytes(b"\xef\xbb\xbf" + raw.replace(b"\n", b"\r\n"))
    assert load(str(own)).messages == first.messages
    assert load(own).sha256 != first.sha256


@pytest.mark.parametrize(
    ("name", "near"), [("gsm8k_pairs", "gsm8k-pairs"), ("GSM8K-pairs", "gsm8k-pairs"), ("cot-choices", "cot-choice")]
)
def test_an_unknown_name_is_told_near_ones(name: str, near: str) -> None:
    with pytest.raises(DataError, match=f"no prompt '{name}'.*svamp-pairs") as caught:
        load(name)
    assert near in caught.value.hint


@pytest.mark.parametrize(
    "name", ["", ".", "../prompts/gsm8k-pairs", "/etc/passwd", "gsm8k-pairs\0", "*", "README", "a\0.md", "none/gsm8k-pairs.md"]
)
def test_a_name_is_never_made_into_a_path(name: str) -> None:
    with pytest.raises(DataError):
        load(name)


def test_a_folder_is_no_prompt(tmp_path: Path) -> None:
    (tmp_path / "folder.md").mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        load(tmp_path / "folder.md")


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("---\nanswers", "answers", "expected YAML between"),
        ("answers: rationale", "answers: essays", "answers: Input should be 'pairs'"),
        ("answers: rationale", "answers: rationale\ntemprature: 1", "temprature"),
        ("answers: rationale", "[", "is no prompt"),
        ("answers: rationale", "", "is no prompt"),
        ("# assistant", "# asistant", "found system, user, asistant, user"),
        ("# assistant", "## assistant", "found system, user, user"),
        ("# system", "Hello!\n# system", "expected sections"),
        ("# system\nSpeak {{tongue}}.", "# json\nAs JSON.", "expected sections"),
        ("One?", "", "none empty"),
        ("Answer: 1", "", "answer: Field required"),
        ("Answer: 1", "Answer: {{question}}", "found a variable in one"),
        ("One?", "{{question}}", "found a variable in one"),
        ("{{hint}}", "{{hint}}{{", "found '{{"),
        ("{{tongue}}", "{{ tongue }}", "found '{{ tongue }}."),
        ("{{hint}}", "{{hint", "{{hint"),
        ("{{question}}, {{hint}}", "Go on.", "in the last section"),
    ],
)
def test_a_file_that_is_no_prompt_is_refused_with_its_name_and_its_fault(own: Path, old: str, new: str, named: str) -> None:
    assert old in OWN
    own.write_text(OWN.replace(old, new), encoding="utf-8")
    with pytest.raises(DataError, match=re.escape(named)) as caught:
        load(own)
    assert str(own) in str(caught.value)


def test_bytes_that_are_no_text_are_refused(own: Path) -> None:
    own.write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="is no prompt"):
        load(own)


def test_an_installed_package_finds_its_prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tomllib.loads((SRC.parent / "pyproject.toml").read_text(encoding="utf-8"))
    shipped = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    shutil.copytree(SRC.parent / "prompts", tmp_path / shipped["prompts"])
    spec = spec_from_file_location("installed", shutil.copy(SRC / "prompts.py", tmp_path / "socratic"))
    assert spec and spec.loader
    installed = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "installed", installed)  # pydantic looks its annotations up there
    spec.loader.exec_module(installed)
    assert [installed.load(name).sha256 for name in installed.names()] == [load(name).sha256 for name in prompts.names()]
