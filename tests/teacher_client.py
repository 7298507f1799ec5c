"""A teacher that speaks HTTP to teacher_server, asked one attempt after the other, for tests."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from itertools import count
from typing import Any

from teacher_server import Answer, TeacherServer, question

from socratic import prompts
from socratic.errors import SocraticError
from socratic.replies import Reply
from socratic.schema import Problem
from socratic.teacher import OpenAITeacher, Sampling, Server

PROBLEM = Problem("p", question(3, 12), "36")
SAMPLING = {field.name for field in dataclasses.fields(Sampling)}

Forms = tuple[prompts.Prompt, prompts.Prompt]


def ask(
    server: TeacherServer, forms: Forms, *, attempts: tuple[int, ...] = (0,), **about: Any
) -> tuple[list[Reply | SocraticError], OpenAITeacher]:
    """Replies, or errors, to the same problem, one call after the other."""
    sampling = Sampling("scripted", **{name: about.pop(name) for name in list(about) if name in SAMPLING})
    teacher = OpenAITeacher(Server(server.url, **{"retries": 2, "timeout": 20.0, **about}), sampling, forms)

    async def run() -> list[Reply | SocraticError]:
        found = list[Reply | SocraticError]()
        for attempt in attempts:
            try:
                found.append(await teacher.ask(PROBLEM, sample=0, attempt=attempt))
            except SocraticError as error:
                found.append(error)
        await teacher.close()
        return found

    return asyncio.run(run()), teacher


def script(*answers: Answer | Callable[[dict[str, Any]], Answer]) -> Callable[[dict[str, Any]], Answer]:
    """These answers in turn, the last for ever."""
    turns = count()

    def answer(body: dict[str, Any]) -> Answer:
        found = answers[min(next(turns), len(answers) - 1)]
        return found if isinstance(found, Answer) else found(body)

    return answer
