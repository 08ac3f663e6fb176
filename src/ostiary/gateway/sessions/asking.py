"""What a server asks the client of one call, round after round, until it answers.

A page is asked for once: while its server waits for the person who has opened it, the call goes there again
and again, and nobody is asked anything.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING

from ostiary.gateway.catalog.translate import COMMENT
from ostiary.gateway.errors import BadAnswer, Unanswered
from ostiary.gateway.sessions.listen_stream import KEEP_ALIVE_SECONDS
from ostiary.mcp.events import write_event
from ostiary.mcp.legacy_client.questions import Question, Questions, elicitation_complete, is_accepted
from ostiary.mcp.raw_object import Raw

if TYPE_CHECKING:
    from ostiary.gateway.sessions.live_sessions import LiveSession

MOST_ROUNDS = 32
"""How often a call may be answered with new questions."""
ANSWER_SECONDS = 600.0
"""How long a client, and the person before it, may take for the questions of one answer."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 10.0
"""Seconds between looks at whether a person is done with a page, growing by half."""


class Asking:
    """What the client of one call is asked, round after round. capabilities: what it can do, raw."""

    def __init__(self, capabilities: bytes, live: LiveSession) -> None:
        self._capabilities = capabilities
        self._live = live
        self._rounds = 0
        self._pause = FIRST_PAUSE
        self._until = 0.0
        self._opened: dict[str, tuple[str, Raw]] = {}
        """Pages that the person agreed to open → the id of the question, and what they said."""
        self.responses: dict[str, Raw] = {}

    async def events(self, questions: Questions) -> AsyncGenerator[bytes]:
        """The questions as events; then `responses` has what was said. Raises Unanswered, BadAnswer."""
        loop = asyncio.get_running_loop()
        self.responses = {}
        new: dict[str, Question] = {}
        for name, question in questions.asked.items():
            if question.page in self._opened:
                self.responses[name] = self._opened[question.page][1]
            elif not question.fits(self._capabilities):
                raise Unanswered(f"the server asks for {question.method}, which your client does not offer")
            else:
                new[name] = question
        if new or not self._opened:
            self._rounds += 1
            if self._rounds > MOST_ROUNDS:
                raise BadAnswer(f"the server asked questions {MOST_ROUNDS} times, and does not answer")
            self._pause = FIRST_PAUSE
            async with aclosing(self._ask(new)) as events:
                async for event in events:
                    yield event
            self._until = loop.time() + ANSWER_SECONDS
        elif loop.time() > self._until:
            raise Unanswered(f"a page was opened, and {ANSWER_SECONDS:g} s later its server still waits")
        else:
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 1.5, LONGEST_PAUSE)
            yield COMMENT

    def done(self) -> list[bytes]:
        """The notifications that pages have done what they were opened for."""
        return [elicitation_complete(question_id) for question_id, _ in self._opened.values()]

    async def _ask(self, new: Mapping[str, Question]) -> AsyncGenerator[bytes]:
        loop = asyncio.get_running_loop()
        asked = self._live.asked
        ids = {name: secrets.token_hex(8) for name in new}
        try:
            for question_id in ids.values():
                asked[question_id] = loop.create_future()
            for name, question in new.items():
                yield write_event(question.written(ids[name]))
            until = loop.time() + ANSWER_SECONDS
            waiting = {asked[question_id] for question_id in ids.values()}
            while waiting:
                if loop.time() >= until:
                    raise Unanswered(
                        f"your client did not answer the server's question in {ANSWER_SECONDS:g} s"
                    )
                _, waiting = await asyncio.wait(waiting, timeout=min(KEEP_ALIVE_SECONDS, until - loop.time()))
                if waiting:
                    yield COMMENT
            for name, question in new.items():
                self._note(name, question, ids[name], *asked[ids[name]].result())
        finally:
            for question_id in ids.values():
                asked.pop(question_id, None)

    def _note(self, name: str, question: Question, question_id: str, kind: str, value: Raw) -> None:
        if kind == "error":
            raise Unanswered(f"your client answered {question.method} with an error")
        self.responses[name] = value
        if question.page is not None and is_accepted(value):
            self._opened[question.page] = (question_id, value)
