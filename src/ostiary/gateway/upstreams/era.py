"""Which era of MCP a server speaks: found out once, and again when an answer says that it speaks another.

A server is asked `server/discover` by the first who calls it, with the credential of that call, while others
wait. One that answers it is modern; one that shakes hands is legacy. A refusal of the credential, and a
server that is away, say nothing about it.

Many a server speaks both. A legacy caller is spoken for in a session there, if it keeps any: tools that were
written for sessions ask their questions in nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from ostiary import __version__
from ostiary.credentials.headers.headers import ServerRefusal
from ostiary.gateway.errors import BadAnswer
from ostiary.gateway.upstreams.session import OutgoingMessage
from ostiary.mcp.era_signs import Era, era_of, has_left, is_error, probe, says_nothing
from ostiary.mcp.events import KEEP_ALIVE, EventReader, EventTooLong
from ostiary.transport.upstream import CallStep, UpstreamAnswer, UpstreamFailed

if TYPE_CHECKING:
    from ostiary.credentials.headers.headers import Headers
    from ostiary.gateway.upstreams.legacy.pool import LegacySessions
    from ostiary.gateway.upstreams.session import UpstreamSession

_PROBE_LINES = b"mcp-method: server/discover\r\n"
_PROBE = probe({"name": "ostiary", "version": __version__})
PROBE_BYTES = 256 * 1024
"""The longest answer to the question."""
SECONDS_BETWEEN = 10.0
"""How soon after one another a server is asked again."""


class EitherEra:
    """An UpstreamSession that speaks to its server as it likes to be spoken to."""

    def __init__(
        self, server: str, modern: UpstreamSession, legacy: LegacySessions, *, silence_is_legacy: bool = False
    ) -> None:
        """silence_is_legacy: whether a server that says nothing to the question is shaken hands with, as over
        stdio, where nobody refuses what they don't know."""
        self.url = modern.url
        self.timeout = modern.timeout
        self.answer_bytes = modern.answer_bytes
        self.held = modern.held
        self._server = server
        self._modern = modern
        self._legacy = legacy
        self._silence_is_legacy = silence_is_legacy
        self._settled: UpstreamSession | None = None
        self._speaks_both: bool | None = None
        """Of a modern server; None until a legacy caller has come."""
        self._asking: asyncio.Future[UpstreamFailed | None] | None = None
        self._loop = asyncio.get_running_loop()
        self._asked_at = -SECONDS_BETWEEN

    @property
    def version(self) -> str | None:
        """As of every UpstreamSession."""
        return None if self._settled is None else self._settled.version

    def exchange(self, message: OutgoingMessage, attached: Headers) -> Awaitable[UpstreamAnswer]:
        """As of every UpstreamSession."""
        settled = self._settled
        if settled is None or (message.session is not None and settled is self._modern):
            return self._exchange(message, attached)
        return settled.exchange(message, attached)

    def is_outdated(self, answer: UpstreamAnswer) -> bool:
        """As of every UpstreamSession."""
        now = self._loop.time()
        if self._settled is None or now < self._asked_at + SECONDS_BETWEEN:
            return False
        era = Era.LEGACY if self._settled is self._legacy else Era.MODERN
        if not has_left(era, answer.status, answer.body):
            return False
        self._settled = self._speaks_both = None
        return True

    @property
    def is_busy(self) -> bool:
        """As of every UpstreamSession."""
        return self._asking is not None or self._modern.is_busy or self._legacy.is_busy

    def close(self) -> None:
        """As of every UpstreamSession."""
        self._modern.close()
        self._legacy.close()

    # inside

    async def _exchange(self, message: OutgoingMessage, attached: Headers) -> UpstreamAnswer:
        while self._settled is None:
            if self._asking is None:
                answer = await self._ask(message, attached)
                if answer is not None:
                    return answer
            else:
                failure = await self._asking
                if failure is not None:
                    raise failure
        if message.session is not None and self._settled is self._modern:
            return await self._exchange_for_legacy_caller(message, attached)
        return await self._settled.exchange(message, attached)

    async def _exchange_for_legacy_caller(
        self, message: OutgoingMessage, attached: Headers
    ) -> UpstreamAnswer:
        if self._speaks_both is None:
            try:
                refused = await self._legacy.begin(message, attached)
            except UpstreamFailed as error:
                self._speaks_both = False if error.step is CallStep.TIMEOUT else None
            except BadAnswer:
                self._speaks_both = False
            else:
                if refused is not None and ServerRefusal.is_one(refused.status):
                    return refused
                if refused is None or not says_nothing(refused.status):
                    self._speaks_both = refused is None and self._legacy.is_known(message)
        session = self._legacy if self._speaks_both else self._modern
        return await session.exchange(message, attached)

    async def _ask(self, message: OutgoingMessage, attached: Headers) -> UpstreamAnswer | None:
        """Find out, while others wait: None, or what answers the message already."""
        self._asking = asking = self._loop.create_future()
        self._asked_at = self._loop.time()
        failure: UpstreamFailed | None = None
        try:
            return await self._find_out(message, attached)
        except UpstreamFailed as error:
            failure = error
            raise
        finally:
            self._asking = None
            asking.set_result(failure)

    async def _find_out(self, message: OutgoingMessage, attached: Headers) -> UpstreamAnswer | None:
        is_question = message.lines.startswith(_PROBE_LINES)
        question = message if is_question else _probe_for(message)
        answer = await self._asked(question, attached)
        era = Era.LEGACY if answer is None else era_of(answer.status, answer.body)
        if era is None:
            return answer
        if era is Era.LEGACY:
            refused = await self._legacy.begin(message, attached)
            if refused is None:
                self._settled = self._legacy
                return None
            if not is_error(refused.body):
                return refused
        self._settled = self._modern  # if it knows neither question, it is not for want of a handshake
        return answer if is_question and message.session is None else None

    async def _asked(self, question: OutgoingMessage, attached: Headers) -> UpstreamAnswer | None:
        """What the server says to the question, whole; None for silence that means something."""
        try:
            answer = await self._modern.exchange(question, attached)
            return answer if answer.stream is None else await self._read(answer)
        except UpstreamFailed as error:
            if error.step is CallStep.TIMEOUT and self._silence_is_legacy:
                return None
            raise

    async def _read(self, answer: UpstreamAnswer) -> UpstreamAnswer:
        """The answer that a stream has, without the stream."""
        assert answer.stream is not None  # noqa: S101 - said by who calls
        reader, ends_at = EventReader(PROBE_BYTES), self._loop.time() + self.timeout
        whole = UpstreamAnswer(answer.status, {b"content-type": b"application/json"})
        try:
            async for chunk in answer.stream:
                for data in reader.feed(chunk):
                    if data != KEEP_ALIVE and b'"method"' not in data:
                        whole.body = data
                        return whole
                if self._loop.time() > ends_at:
                    reason = "no answer in its stream within its timeout"
                    raise UpstreamFailed(self._server, CallStep.TIMEOUT, reason)
        except EventTooLong:
            raise UpstreamFailed(
                self._server, CallStep.SIZE, f"its answer is longer than {PROBE_BYTES} bytes"
            ) from None
        finally:
            answer.stream.close()
        return whole


def _probe_for(message: OutgoingMessage) -> OutgoingMessage:
    return OutgoingMessage(_PROBE_LINES, _PROBE, message.account, message.session, PROBE_BYTES)
