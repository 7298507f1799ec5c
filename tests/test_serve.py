"""The server as its clients meet it: a real one on a free port, real HTTP, the `openai` client. Run: pytest tests/test_serve.py

The extra [serve] is needed; scripted students answer, and two tests run the command itself, one of them against `annotate`.
"""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from socratic.jsonl import read_jsonl, write_jsonl
from socratic.orchestrator import Orchestrator
from socratic.schema import Badge, Decoding, Ended, Solution, Trace
from tests.scripted import ScriptedDecomposer, ScriptedSolver, told

pytest.importorskip("fastapi", reason="needs the extra [serve]")
openai = pytest.importorskip("openai")

from socratic import serve  # noqa: E402

BAGS = "Tom has 3 bags of 12 apples. He eats 5. How many apples does he have?"
CATS = "How many legs do 6 cats have?"
ASKS: dict[str, Sequence[str | Ended]] = {
    BAGS: ["How many apples are there?", "How many are left?"],
    CATS: ["How many legs do 6 cats have?"],
    "Full?": [Ended.CONTEXT_FULL],
    "Crash?": ["Crash"],
}
SOLVES: dict[str, str | Ended] = {
    "How many apples are there?": "3*12 = <<3*12=36>>36",
    "How many are left?": "36-5 = <<36-5=31>>31 “apples”",
    "How many legs do 6 cats have?": "6*4 = <<6*4=24>>24",
    "Crash": Ended.NO_ANSWER,
}
TEXT = "1. How many apples are there?\n   3*12 = 36\n2. How many are left?\n   36-5 = 31 “apples”\nAnswer: 31"


class Watchful(ScriptedSolver):
    """Notices calls that overlap; fails where it is told to; a sampled answer to the cats differs from row to row."""

    busy = overlapped = False

    def __init__(self, script: Mapping[str, str | Ended]) -> None:
        super().__init__(script)
        self.gate = threading.Event()  # closed, it holds the student back
        self.gate.set()

    def solve(self, traces: Sequence[Trace], questions: Sequence[str], decoding: Decoding) -> list[Solution | Ended]:
        self.overlapped |= self.busy
        self.busy = True
        self.gate.wait(30)
        time.sleep(0.002)  # what overlaps shall be seen
        self.busy = False
        if "Crash" in questions:
            raise RuntimeError("this student crashed")
        found = super().solve(traces, questions, decoding)
        legs = [f"6*{4 + row} = <<6*{4 + row}={24 + 6 * row}>>{24 + 6 * row}" for row in range(len(found))]
        return list(map(told, legs)) if decoding.temperature else found


def words(text: str) -> int:
    return len(text.split())


@contextmanager
def served(solver: Watchful) -> Iterator[str]:
    """The base URL of a server that runs in a thread."""
    orchestrator = Orchestrator(ScriptedDecomposer(ASKS), solver, name="scripted")
    listening = serve.listen("127.0.0.1", 0)
    server = serve.server(serve.Service(orchestrator, "scripted", words))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield serve.address(listening)
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def solver() -> Watchful:
    return Watchful(SOLVES)


@pytest.fixture(scope="module")
def url(solver: Watchful) -> Iterator[str]:
    with served(solver) as address:
        yield address


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[Any]:
    with openai.OpenAI(base_url=url, api_key="any", max_retries=0) as client:
        yield client


def chat(client: Any, question: str = BAGS, **options: Any) -> Any:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}]
    return client.chat.completions.create(model="scripted", messages=messages, **options)


def joined(chunks: Sequence[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_an_answer_is_the_readable_trace_and_carries_the_whole_one(client: Any) -> None:
    answer = chat(client)
    (choice,) = answer.choices
    assert (choice.message.content, choice.message.role, choice.finish_reason) == (TEXT, "assistant", "stop")
    trace = Trace.from_dict(choice.message.trace)
    assert (trace.answer, trace.ended, len(trace.steps)) == ("31", Ended.DONE, 2)
    assert trace.steps[0].checks, "checks included"
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (words(BAGS), words(TEXT))
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_only_the_last_user_message_is_the_problem(client: Any) -> None:
    parts = [{"type": "text", "text": BAGS[:9]}, {"type": "text", "text": BAGS[9:]}]
    messages = [{"role": "user", "content": CATS}, {"role": "assistant", "content": "24"}, {"role": "user", "content": parts}]
    answer = client.chat.completions.create(model="scripted", messages=messages)
    assert answer.choices[0].message.content == TEXT


def test_a_stream_has_a_chunk_for_each_step_and_adds_up_to_the_answer(client: Any) -> None:
    chunks = list(chat(client, stream=True, stream_options={"include_usage": True}))
    written = [chunk for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert len(written) == 3 and joined(chunks) == TEXT
    assert len({chunk.id for chunk in chunks}) == 1
    *_, last, usage = chunks
    assert last.choices[0].finish_reason == "stop" and Trace.from_dict(last.choices[0].delta.trace).answer == "31"
    assert usage.choices == [] and usage.usage == chat(client).usage
    assert all(chunk.choices for chunk in chat(client, stream=True)), "usage only where it is asked for"


def test_a_stream_ends_with_done_and_is_no_other_kind_of_text(url: str) -> None:
    body = {"model": "scripted", "messages": [{"role": "user", "content": CATS}], "stream": True}
    status, headers, text = post(url, "/v1/chat/completions", json.dumps(body).encode())
    assert status == 200 and headers["content-type"].startswith("text/event-stream")
    *events, done, rest = text.decode().split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    assert all(json.loads(event.removeprefix("data: "))["object"] == "chat.completion.chunk" for event in events)


@pytest.mark.parametrize("kind", ["json_object", "json_schema"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("question", "steps", "answer"), [(BAGS, 2, "31"), (CATS, 1, "24"), ("Full?", 0, "")])
def test_json_content_is_what_a_teacher_is_asked_for(
    client: Any, kind: str, stream: bool, question: str, steps: int, answer: str
) -> None:
    schema = {"type": "object", "properties": {"steps": {}, "answer": {}}, "required": ["steps", "answer"]}
    wanted = {"type": kind, "json_schema": {"name": "trace", "strict": True, "schema": schema}}
    got = chat(client, question, response_format=wanted, stream=stream)
    content = json.loads(joined(list(got)) if stream else got.choices[0].message.content)
    assert content.keys() == {"steps", "answer"} and content["answer"] == answer
    asked = [step for step in ASKS[question] if not isinstance(step, Ended)]
    assert content["steps"] == [{"question": step, "solution": SOLVES[step]} for step in asked]
    assert len(content["steps"]) == steps


@pytest.mark.parametrize("required", [["steps", "difficulty"], [["steps"]], "steps"])
def test_a_schema_that_cannot_be_filled_is_refused(client: Any, required: object) -> None:
    schema = {"name": "s", "schema": {"required": required}}
    with pytest.raises(openai.BadRequestError, match="steps"):
        chat(client, response_format={"type": "json_schema", "json_schema": schema})


def test_several_samples_differ_and_one_alone_is_greedy(client: Any, solver: Watchful) -> None:
    answer = chat(client, CATS, n=3)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert [choice.message.trace["answer"] for choice in answer.choices] == ["24", "30", "36"]
    assert answer.usage.completion_tokens == sum(words(choice.message.content) for choice in answer.choices)
    chunks = list(chat(client, CATS, n=3, stream=True))
    finished = [chunk.choices[0].index for chunk in chunks if chunk.choices[0].finish_reason]
    assert sorted(finished) == [0, 1, 2]
    chat(client, CATS)
    assert solver.decodings[-1].temperature == 0


def test_seed_and_temperature_reach_the_students_and_each_answer_tells_its_seed(client: Any, solver: Watchful) -> None:
    seeds = []
    for _ in range(2):
        assert chat(client, CATS, seed=7, temperature=0.5).seed == 7
        seeds.append(solver.decodings[-1].seed)
        assert solver.decodings[-1].temperature == 0.5
    chat(client, CATS, temperature=1e-40)
    assert solver.decodings[-1].temperature == 0, "what would divide by nothing is greedy"
    assert seeds[0] == seeds[1]
    assert chat(client, CATS).seed != chat(client, CATS).seed, "who gives none gets another sample"


def test_no_more_tokens_than_were_allowed_and_whole_steps_only(client: Any) -> None:
    whole = words(TEXT)
    for most in range(1, whole + 1):
        for answer in (chat(client, max_tokens=most), chat(client, max_completion_tokens=most, max_tokens=whole)):
            (choice,) = answer.choices
            assert answer.usage.completion_tokens == words(choice.message.content) <= most
            assert TEXT.startswith(choice.message.content)
            assert choice.finish_reason == ("stop" if most == whole else "length")
            assert choice.message.trace["answer"] == ("31" if most == whole else None)
            assert len(choice.message.trace["steps"]) == choice.message.content.count("\n   ")


def test_completions_take_one_prompt_or_several(client: Any) -> None:
    one = client.completions.create(model="scripted", prompt=BAGS)
    assert (one.choices[0].text, one.object) == (TEXT, "text_completion")
    assert Trace.from_dict(one.choices[0].trace).answer == "31"
    several = client.completions.create(model="scripted", prompt=[BAGS, CATS], n=2, temperature=0)
    assert [choice.trace["answer"] for choice in several.choices] == ["31", "31", "24", "24"]
    assert several.usage.prompt_tokens == words(BAGS) + words(CATS)
    chunks = list(client.completions.create(model="scripted", prompt=BAGS, stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == TEXT and len(chunks) == 4


def test_the_one_model_is_listed(client: Any) -> None:
    assert [model.id for model in client.models.list()] == ["scripted"]
    assert client.models.retrieve("scripted").id == "scripted"
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("other/one")
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n": 0}, "n: "),
        ({"n": 100_000}, "n: "),
        ({"temperature": 3}, "temperature: "),
        ({"max_tokens": 0}, "max_tokens: "),
        ({"seed": 2**70}, "seed: "),
        ({"stream": "maybe"}, "stream: "),
        ({"question": "  "}, "empty"),
        ({"question": "x" * 5000}, "5,000 characters"),
        ({"question": "3 \x07 4?"}, "U+0007"),
        ({"question": "\x00"}, "U+0000"),
        ({"question": [{"type": "image_url", "image_url": {"url": "x"}}]}, "messages.1.content"),
        ({"extra_body": {"messages": []}}, "messages: "),
        ({"extra_body": {"messages": [{"role": "system", "content": "Hi"}]}}, "'user'"),
        ({"extra_body": {"messages": "Hi"}}, "messages: "),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_cannot_be_used_is_named_in_the_apis_own_words(
    client: Any, options: dict[str, Any], said: str, stream: bool
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        chat(client, **{"stream": stream, **options})
    assert said in caught.value.message
    assert (caught.value.type, caught.value.status_code) == ("invalid_request_error", 400)


def test_half_a_character_is_no_model(url: str) -> None:
    asked = b'{"model": "\\ud83d", "messages": [{"role": "user", "content": "?"}]}'
    request = urllib.request.Request(f"{url}/chat/completions", asked, {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    with caught.value as refused:
        assert refused.code == 404


def test_an_unknown_model_is_not_found(client: Any) -> None:
    with pytest.raises(openai.NotFoundError, match="'scripted'") as caught:
        client.chat.completions.create(model="gpt-4", messages=[{"role": "user", "content": BAGS}])
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_null_is_what_was_not_said_and_unknown_keys_are_passed_over(client: Any) -> None:
    nothing = dict.fromkeys(("n", "temperature", "seed", "stream", "stream_options", "response_format"))
    assert chat(client, extra_body={**nothing, "top_k": 3, "tools": None}).choices[0].message.content == TEXT


def test_too_many_prompts_are_refused(client: Any) -> None:
    for prompts in ([], [CATS] * 200):
        with pytest.raises(openai.BadRequestError, match="1 to 128"):
            client.completions.create(model="scripted", prompt=prompts)


def test_a_student_that_fails_is_a_server_error_and_the_next_request_is_answered(client: Any) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        chat(client, "Crash?")
    assert caught.value.type == "server_error" and "crashed" not in caught.value.message
    with pytest.raises(openai.APIError, match="failed"):
        list(chat(client, "Crash?", stream=True))
    assert chat(client).choices[0].message.content == TEXT


def post(url: str, path: str, body: bytes, kind: str = "application/json") -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection(url.removeprefix("http://").partition("/")[0], timeout=30)
    connection.request("POST" if body else "GET", path, body or None, {"Content-Type": kind} if body else {})
    answer = connection.getresponse()
    try:
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/chat/completions", b"{broken", 400),
        ("/v1/chat/completions", b"\xff\xfe", 400),
        ("/v1/chat/completions", b"[1]", 400),
        ("/v1/chat/completions", b'{"a":' * 50_000, 400),
        ("/v1/chat/completions", b" " * 3_000_000, 413),
        ("/v1/chat/completions", b"", 405),
        ("/v1/embeddings", b"{}", 404),
        ("/nothing", b"", 404),
    ],
)
def test_requests_that_are_no_requests_get_an_error_in_the_same_shape(url: str, path: str, body: bytes, status: int) -> None:
    found, _, text = post(url, path, body)
    error = json.loads(text)["error"]
    assert found == status and error["message"] and error.keys() == {"message", "type", "param", "code"}


def test_health_is_told_without_asking_a_student(url: str) -> None:
    assert post(url, "/health", b"")[0] == 200


def test_requests_at_the_same_time_take_turns_and_get_their_own_answers(client: Any, solver: Watchful) -> None:
    def ask(number: int) -> bool:
        question, answer = [(BAGS, "31"), (CATS, "24")][number % 2]
        got = chat(client, question, stream=number % 3 == 0)
        text = joined(list(got)) if number % 3 == 0 else got.choices[0].message.content
        return bool(text.endswith(f"Answer: {answer}"))

    with ThreadPoolExecutor(12) as askers:
        assert all(askers.map(ask, range(48)))
    assert not solver.overlapped


def test_nobody_computes_for_a_client_that_has_gone(url: str, client: Any, solver: Watchful) -> None:
    solver.questions.clear()
    solver.gate.clear()
    with ThreadPoolExecutor(1) as busy:
        waiting = busy.submit(chat, client)
        while not solver.busy:
            time.sleep(0.001)
        for _ in range(10):
            hang_up(url)
        assert post(url, "/health", b"")[0] == 200, "by now the server knows that they have gone"
        solver.gate.set()
        waiting.result()
    chat(client)  # it waited behind them
    assert set(solver.questions) == {"How many apples are there?", "How many are left?"}


def hang_up(url: str) -> None:
    """Ask, and do not wait for the answer."""
    connection = http.client.HTTPConnection(url.removeprefix("http://").partition("/")[0], timeout=30)
    body = json.dumps({"model": "scripted", "messages": [{"role": "user", "content": CATS}]})
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    connection.close()


def test_a_port_that_is_taken_is_the_users_mistake() -> None:
    with serve.listen("127.0.0.1", 0) as taken, pytest.raises(serve.UsageError, match="cannot listen"):
        serve.listen("127.0.0.1", taken.getsockname()[1])


@contextmanager
def command() -> Iterator[str]:
    """The base URL of the verb itself: a process with the shipped pair, that must end well when it is interrupted."""
    line = [sys.executable, "-m", "socratic.cli", "serve", "--port", "0", "--max-steps", "2"]
    running = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout
    try:
        yield running.stdout.readline().strip()
    finally:
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert (running.returncode, said) == (0, "")


def test_the_command_serves_until_it_is_interrupted() -> None:
    with command() as url:
        assert url.startswith("http://127.0.0.1:"), "only this machine, unless another host is named"
        with openai.OpenAI(base_url=url, api_key="any", max_retries=0) as client:
            answer = client.chat.completions.create(model="default", messages=[{"role": "user", "content": BAGS}])
        assert answer.choices[0].message.trace["problem"]["question"] == BAGS
        assert answer.usage.prompt_tokens > len(BAGS.split()), "tokens, as the pair counts them"


TAUGHT = [
    {"id": "bags", "question": "Tom has 3 bags of 12 apples. How many apples does he have?", "answer": "36"},
    {"id": "pens", "question": "Ann has 5 boxes of 8 pens. How many pens does she have?", "answer": "41"},  # wrong gold
]


def annotated(url: str, folder: Path) -> dict[str, Any]:
    """The summary of the verb `annotate`, two samples of each problem; no benchmark is at hand to guard."""
    write_jsonl(folder / "mine.jsonl", TAUGHT)
    line = [sys.executable, "-m", "socratic.cli", "annotate", folder / "mine.jsonl", "--out", folder / "run", "--data", folder]
    asked = f"--teacher default --base-url {url} --samples 2 --temperature 0.3 --seed 0 --retries 0 --timeout 600".split()
    done = subprocess.run([*line, *asked], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads((folder / "run" / "run.json").read_text())["summary"]
    return summary


def test_a_pair_teaches_over_http_and_what_is_in_the_ledger_needs_no_server(tmp_path: Path) -> None:
    with command() as url:
        summary = annotated(url, tmp_path)
    paid = (tmp_path / "run" / "ledger.jsonl").read_bytes()
    rows = [json.loads(line) for line in paid.splitlines()]
    assert sorted((row["problem"], row["sample"]) for row in rows) == [("bags", 0), ("bags", 1), ("pens", 0), ("pens", 1)]
    assert len({row["key"] for row in rows}) == summary["calls"] == 4
    assert summary["accepted"] + sum(summary["rejected"].values()) == summary["asked"] == 4 and not summary["missing"]
    traces = [Trace.from_dict(row) for _, row in read_jsonl(tmp_path / "run" / "traces.jsonl") if isinstance(row, dict)]
    assert len(traces) == summary["accepted"] and {trace.problem.id for trace in traces} == {"bags"}
    assert {step.badge for trace in traces for step in trace.steps} == {Badge.VERIFIED}
    again = annotated(url, tmp_path)  # nobody listens there any more
    assert (again["calls"], again["troubles"], again["accepted"]) == (0, {}, summary["accepted"])
    assert (tmp_path / "run" / "ledger.jsonl").read_bytes() == paid


def test_a_missing_extra_is_named_with_the_line_that_installs_it(tmp_path: Path) -> None:
    (tmp_path / "fastapi.py").write_text("raise ModuleNotFoundError(\"No module named 'fastapi'\", name='fastapi')\n")
    code = "import sys; sys.path.insert(0, sys.argv.pop()); from socratic.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "serve", str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "pip install '.[serve]'" in done.stderr and "Traceback" not in done.stderr
