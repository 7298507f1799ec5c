"""A teacher's server with real HTTP on 127.0.0.1, for tests: it answers word problems, and misbehaves as a script says.

Run it by itself to measure against: `python tests/teacher_server.py --delay 0.05` prints its address and serves; a GET of
`/v1/counts` tells what it was asked.
"""

from __future__ import annotations

import argparse
import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PROMPT = """---
answers: pairs
---
# system

Break the problem into subquestions.

# json

Reply with JSON.

# marked

Reply with Q, A and Answer lines.

# user

{{question}}
"""


def question(bags: int, apples: int) -> str:
    """A problem that the server can solve."""
    return f"Tom has {bags} bags of {apples} apples. How many apples does he have?"


@dataclass(frozen=True)
class Answer:
    """What the server does with one request; `act` is "hang", "cut" (in mid-body) or "drip" (a byte now and then)."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    act: str = ""


def completion(text: str | None, *, finish: str = "stop", usage: Any = None, **message: Any) -> Answer:
    """A chat completion that says a text."""
    used = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120} if usage is None else usage
    said = {"role": "assistant", "content": text, **message}
    row = {"id": "c", "object": "chat.completion", "created": 0, "model": "scripted-1", "system_fingerprint": "fp"}
    choice = {"index": 0, "message": said, "finish_reason": finish}
    return Answer(json.dumps({**row, "choices": [choice], "usage": used or None}).encode())


def complaint(status: int, message: str, **about: Any) -> Answer:
    """An error as OpenAI words it; `headers` go with it."""
    headers = about.pop("headers", {})
    return Answer(json.dumps({"error": {"message": message, "type": "error", **about}}).encode(), status, headers)


def pairs(body: dict[str, Any]) -> str:
    """The right answer to the last message, in the form that is asked for."""
    bags, apples = map(int, re.findall(r"\d+", body["messages"][-1]["content"])[:2])
    total = bags * apples
    step = {
        "question": "How many apples does he have?",
        "solution": f"He has {bags}*{apples} = <<{bags}*{apples}={total}>>{total}.",
    }
    if "response_format" in body:
        return json.dumps({"steps": [step], "answer": str(total)})
    return f"Q: {step['question']}\nA: {step['solution']}\nAnswer: {total}"


def right(body: dict[str, Any]) -> Answer:
    """A teacher without faults."""
    return completion(pairs(body))


Script = Callable[[dict[str, Any]], Answer]


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256  # many clients come at the same moment; who finds no place tries again after a second


class TeacherServer:
    """The server; `asked` are the bodies that it got, `times` when, `keys` the Authorization headers."""

    def __init__(self, script: Script = right, *, delay: float = 0.0) -> None:
        self.script, self.delay = script, delay
        self.asked, self.times, self.keys = list[dict[str, Any]](), list[float](), list[str]()
        self.files, self.batches = dict[str, bytes](), dict[str, dict[str, Any]]()
        self.lock, self.ended = threading.Lock(), threading.Event()
        self.http = _Http(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"

    def answer(self, body: dict[str, Any], key: str) -> Answer:
        """Remember a request and follow the script."""
        with self.lock:
            self.asked.append(body)
            self.times.append(time.monotonic())
            self.keys.append(key)
        time.sleep(self.delay)
        return self.script(body)

    def counts(self) -> dict[str, Any]:
        """How many calls came, how many of them differ in problem or seed, and when they came (seconds of time.monotonic)."""
        with self.lock:
            differ = {(body["messages"][-1]["content"], body.get("seed")) for body in self.asked}
            times = {"first": self.times[0], "last": self.times[-1]} if self.times else {}
            return {"calls": len(self.asked), "distinct": len(differ), **times}

    # Batches: worked off when they are created, "completed" at the second look.

    def upload(self, raw: bytes) -> dict[str, Any]:
        """The file part of a multipart form."""
        name = f"file-{uuid.uuid4().hex}"
        boundary = raw.partition(b"\r\n")[0]
        part = next(part for part in raw.split(boundary) if b"filename=" in part)
        self.files[name] = part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
        return {
            "id": name,
            "object": "file",
            "bytes": 1,
            "created_at": 0,
            "filename": "f",
            "purpose": "batch",
            "status": "processed",
        }

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        """Work a batch off."""
        good, bad = list[str](), list[str]()
        for line in self.files[body["input_file_id"]].decode().splitlines():
            row = json.loads(line)
            answer = self.answer(row["body"], "")
            response = {"status_code": answer.status, "request_id": "r", "body": json.loads(answer.body)}
            done = json.dumps({"id": "l", "custom_id": row["custom_id"], "response": response, "error": None})
            (good if answer.status == 200 else bad).append(done)
        batch = {"id": f"batch-{len(self.batches)}", "object": "batch", "status": "in_progress", "created_at": 0, **body}
        for name, lines in (("output_file_id", good), ("error_file_id", bad)):
            if lines:
                batch[name] = f"{batch['id']}-{name}"
                self.files[batch[name]] = "\n".join(lines).encode() + b"\n"
        self.batches[batch["id"]] = batch
        return batch

    def look(self, name: str) -> dict[str, Any]:
        """A batch as it is now."""
        batch = self.batches[name]
        found = dict(batch)
        if batch["status"] == "in_progress":
            batch["status"] = "completed"
        return found

    def content(self, name: str) -> Answer:
        """A file, as it is downloaded."""
        return Answer(self.files[name])

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_: Any) -> None:
                """Quiet."""

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/v1/files":
                    self.say(server.upload(raw))
                elif self.path == "/v1/batches":
                    self.say(server.create(json.loads(raw)))
                else:
                    self.send(server.answer(json.loads(raw), self.headers.get("Authorization", "")))

            def do_GET(self) -> None:
                path = self.path.partition("?")[0].removeprefix("/v1/")
                if path == "batches":
                    self.say({"object": "list", "data": list(server.batches.values()), "has_more": False})
                elif path == "counts":
                    self.say(server.counts())
                elif path.startswith("batches/"):
                    self.say(server.look(path.removeprefix("batches/")))
                else:
                    self.send(server.content(path.removeprefix("files/").removesuffix("/content")))

            def say(self, found: dict[str, Any]) -> None:
                self.send(Answer(json.dumps(found).encode()))

            def send(self, answer: Answer) -> None:
                if answer.act == "hang":
                    server.ended.wait(30)
                self.send_response(answer.status)
                for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                if answer.act == "cut":
                    self.wfile.write(answer.body[: len(answer.body) // 2])
                    self.close_connection = True
                elif answer.act == "drip":
                    for byte in answer.body:
                        if server.ended.wait(0.05):
                            return
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                else:
                    self.wfile.write(answer.body)

            def handle(self) -> None:
                try:
                    super().handle()
                except (OSError, ValueError):  # the client has gone, or was killed in the middle of its request
                    self.close_connection = True

            def finish(self) -> None:
                try:
                    super().finish()
                except OSError:
                    pass

        return Handler


@contextmanager
def serving(script: Script = right, *, delay: float = 0.0) -> Iterator[TeacherServer]:
    """A server in threads of this process."""
    server = TeacherServer(script, delay=delay)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.http.shutdown()
        thread.join()
        server.http.server_close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.05)
    server = TeacherServer(delay=parser.parse_args().delay)
    print(server.url, flush=True)
    server.http.serve_forever()
