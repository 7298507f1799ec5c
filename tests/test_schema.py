"""Properties of the values and of their JSON form: nothing is lost, nothing broken goes unseen.

In: traces drawn by hypothesis, and small files. Out: pass or fail.
"""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from socratic.errors import DataError
from socratic.jsonl import read_jsonl, write_jsonl
from socratic.schema import Badge, Check, Ended, Operand, Origin, Problem, Report, Source, Step, Trace, Verdict

CALM = settings(deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])

TEXT = st.text(max_size=12)
PROBLEMS = st.builds(Problem, TEXT, TEXT, st.none() | TEXT, TEXT, TEXT)
OPERANDS = st.builds(Operand, TEXT, st.sampled_from(Origin), st.none() | st.integers(0, 20))
CHECKS = st.builds(Check, TEXT, TEXT, TEXT, st.sampled_from(Verdict), st.lists(OPERANDS, max_size=2).map(tuple))
STEPS = st.builds(Step, TEXT, TEXT, TEXT, st.lists(CHECKS, max_size=2).map(tuple), st.none() | st.floats(0, 1))
SOURCES = st.builds(Source, TEXT, TEXT, TEXT, st.integers(0, 9))
TRACES = st.builds(
    Trace, PROBLEMS, st.lists(STEPS, max_size=3).map(tuple), st.none() | TEXT, st.none() | st.sampled_from(Ended), SOURCES
)


@CALM
@given(TRACES)
def test_a_trace_survives_json(trace: Trace) -> None:
    found = Trace.from_dict(json.loads(json.dumps(trace.to_dict())))
    assert found == trace and [step.likelihood for step in found.steps] == [step.likelihood for step in trace.steps]


@CALM
@given(st.lists(TRACES, max_size=3))
def test_traces_survive_a_file(tmp_path_factory: pytest.TempPathFactory, traces: list[Trace]) -> None:
    path = tmp_path_factory.mktemp("traces") / "traces.jsonl"
    assert write_jsonl(path, [trace.to_dict() for trace in traces]) == len(traces)
    assert [Trace.from_dict(line) for _, line in read_jsonl(path) if isinstance(line, dict)] == traces


def test_the_json_shape_is_the_one_that_the_design_shows() -> None:
    shown = {
        "problem": {"id": "gsm8k-train-0", "question": "Natalia sold", "answer": "72", "dataset": "gsm8k", "split": "train"},
        "steps": [{"question": "How many?", "solution": "48/2 = <<48/2=24>>24", "answer": "24"}],
        "answer": "72",
        "ended": "done",
        "source": {"kind": "human", "name": "", "prompt_sha256": "", "sample": 0},
    }
    trace = Trace.from_dict(shown)
    assert trace.steps == (Step("How many?", "48/2 = <<48/2=24>>24", "24"),)
    assert trace.to_dict() | {"steps": shown["steps"]} == shown


def test_only_the_problem_is_needed_of_a_trace() -> None:
    trace = Trace.from_dict({"problem": {"id": "1", "question": "q"}})
    assert (trace.steps, trace.answer, trace.ended, trace.source.kind) == ((), None, None, "human")


PROBLEM = {"id": "1", "question": "q"}
STEP = {"question": "q", "solution": "s", "answer": "a"}
CHECK = {"expression": "1+1", "stated": "2", "computed": "2", "verdict": "correct"}


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({}, "problem"),
        ([], "list"),
        ({"problem": []}, "mapping"),
        ({"problem": {"id": "1"}}, "question"),
        ({"problem": PROBLEM | {"colour": "red"}}, "colour"),
        ({"problem": PROBLEM | {"question": None}}, "Problem.question: expected str, found None"),
        ({"problem": PROBLEM | {"answer": 72}}, "Problem.answer: expected str | None, found 72"),
        ({"problem": PROBLEM, "answer": 72}, "Trace.answer: expected str | None, found 72"),
        ({"problem": PROBLEM, "ended": "bored"}, "bored"),
        ({"problem": PROBLEM, "steps": 3}, "int"),
        ({"problem": PROBLEM, "steps": ["s"]}, "'str' object"),
        ({"problem": PROBLEM, "steps": [{"question": "q"}]}, "solution"),
        ({"problem": PROBLEM, "steps": [STEP | {"answer": 24}]}, "Step.answer: expected str, found 24"),
        ({"problem": PROBLEM, "steps": [STEP | {"checks": [CHECK | {"verdict": "maybe"}]}]}, "maybe"),
        ({"problem": PROBLEM, "steps": [STEP | {"checks": [CHECK | {"operands": [{"text": "1"}]}]}]}, "origin"),
        ({"problem": PROBLEM, "source": {"kind": "human"}}, "name"),
        ({"problem": PROBLEM, "source": {"kind": "human", "name": "", "sample": "0"}}, "Source.sample"),
    ],
)
def test_what_is_no_trace_is_an_error_that_names_the_fault(data: Any, named: str) -> None:
    with pytest.raises(DataError) as caught:
        Trace.from_dict(data)
    assert named in str(caught.value)


def test_values_are_frozen_and_equal_by_content() -> None:
    for value in (Problem("1", "q"), Step("q", "s", "a"), Source("human", ""), Operand("1", Origin.NOWHERE)):
        with pytest.raises(FrozenInstanceError):
            setattr(value, fields(value)[0].name, "other")
    assert Trace(Problem("1", "q")) == Trace(Problem("1", "q"))
    assert len({Trace(Problem("1", "q")), Trace(Problem("1", "q"))}) == 1


def test_the_accuracy_of_an_empty_report_is_zero() -> None:
    empty = Report("svamp", "m", True, 0, 0, 0.0, 1.0, 0, 0.0, {Badge.WRONG: 0}, {})
    assert empty.accuracy == 0.0
