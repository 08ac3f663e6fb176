"""The sessions with one legacy server: for each caller their own, kept while they are used, and bounded.

A session is bound to who calls and to what their client says of itself, which its server was told once. Where
callers have sessions of their own with us, each of those has one there.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Hashable
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ostiary import __version__
from ostiary.gateway.upstreams.legacy.between_calls import QuestionBudget
from ostiary.gateway.upstreams.legacy.channel import ConversationLost, OpenChannel, Postage
from ostiary.gateway.upstreams.legacy.conversation import Means
from ostiary.gateway.upstreams.legacy.parked_calls import ParkedCalls
from ostiary.gateway.upstreams.legacy.session import LegacySession
from ostiary.mcp.errors import InvalidParams, McpError
from ostiary.mcp.handshake import Introduction, introduction
from ostiary.mcp.messages import Message, read_message
from ostiary.mcp.request_state import brought_state, what_is_asked
from ostiary.transport.upstream import CallerBusy, CallStep, UpstreamFailed
from ostiary.transport.upstream.loop_share import LoopShare

if TYPE_CHECKING:
    from ostiary.credentials.headers.headers import Headers
    from ostiary.gateway.upstreams.session import OutgoingMessage
    from ostiary.oauth.canonical_url import CanonicalUrl
    from ostiary.transport.upstream import Upstream, UpstreamAnswer
    from ostiary.transport.upstream.held import HeldAnswers
    from ostiary.transport.upstream.limits import UpstreamLimits

SESSIONS = 4096
"""How many there may be."""
SESSIONS_OF_ONE = 32
"""How many of them may be one caller's, where nothing else is said."""
IDLE_SECONDS = 300.0
"""After which a session that nobody uses is closed."""
REST_SECONDS = 30.0
"""After which it holds no connection."""
SWEEP_SECONDS = 10.0
_CLIENT_INFO = msgspec.json.encode({"name": "ostiary", "version": __version__})
_OURS = Introduction(b"{}", _CLIENT_INFO)
"""How one begins on whose account there is nobody."""
_MODERN_ALONE = (b"mcp-method:", b"mcp-name:", b"mcp-param-")

Key = tuple[Hashable, Hashable, Introduction]
"""Account, session, and client."""


class Ways(NamedTuple):
    """How a server is reached."""

    channels: tuple[OpenChannel, ...]
    """The likeliest first."""
    held: HeldAnswers
    """What is held at once of long answers."""
    pools: tuple[Upstream, ...] = ()
    """The connections of the channels."""


class LegacySessions:
    """An UpstreamSession to a server of MCP 2025-11-25 and before."""

    def __init__(
        self,
        server: str,
        url: CanonicalUrl,
        ways: Ways,
        *,
        limits: UpstreamLimits,
        is_shared: bool = False,
        sessions_of_one: int = SESSIONS_OF_ONE,
    ) -> None:
        """is_shared: whether all have one session, in which nobody's client is asked anything;
        sessions_of_one: how many may be one caller's."""
        self.url = url
        self.timeout = limits.timeout
        self.answer_bytes = limits.answer_bytes
        self.held = ways.held
        self._server = server
        self._pools = ways.pools
        self._is_shared = is_shared
        self._sessions_of_one = sessions_of_one
        self._loop = asyncio.get_running_loop()
        self._parked = ParkedCalls(max(1, limits.connections // 2))
        loop_share = LoopShare(self._loop)
        self._means = Means(
            server, ways.channels, self._parked, QuestionBudget(), loop_share, limits.timeout, is_shared
        )
        self._sessions: OrderedDict[Key, LegacySession] = OrderedDict()
        self._of: Counter[Hashable] = Counter()
        self._sweeper: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def version(self) -> str | None:
        """As of every UpstreamSession."""
        spoken = (session.version for session in reversed(self._sessions.values()))
        return next((version for version in spoken if version is not None), None)

    async def begin(self, message: OutgoingMessage, attached: Headers) -> UpstreamAnswer | None:
        """Shake hands for who sends this message: None, or how the server refused. Raises as `exchange`."""
        session = self._session(message, read_message(message.body))
        return await session.begin(self._postage(message, attached))

    def is_known(self, message: OutgoingMessage) -> bool:
        """Whether who sends this message has shaken hands with a server that knows them from others."""
        return self._session(message, read_message(message.body)).is_known

    async def exchange(self, message: OutgoingMessage, attached: Headers) -> UpstreamAnswer:
        """As of every UpstreamSession. Raises McpError, too."""
        asked = read_message(message.body)
        postage = self._postage(message, attached)
        owner = (message.account, message.session)
        state = brought_state(asked)
        if state is not None:
            return await self._resume(state, owner, asked, postage)
        return await self._session(message, asked).exchange(asked, postage)

    def is_outdated(self, _: UpstreamAnswer) -> bool:
        """As of every UpstreamSession."""
        return False

    @property
    def is_busy(self) -> bool:
        """As of every UpstreamSession."""
        return not all(session.is_idle for session in self._sessions.values())

    def close(self) -> None:
        """Drop all sessions, and their connections."""
        self._parked.close()
        for session in self._sessions.values():
            session.drop()
        self._sessions.clear()
        self._of.clear()
        for pool in self._pools:
            pool.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    # inside

    def _postage(self, message: OutgoingMessage, attached: Headers) -> Postage:
        most_bytes = message.most_bytes or self.answer_bytes
        lines = _without_modern(message.lines)
        return Postage(attached, lines, message.account, most_bytes, message.timeout)

    async def _resume(self, state: str, owner: Hashable, asked: Message, postage: Postage) -> UpstreamAnswer:
        call = self._parked.find(state, owner, what_is_asked(asked))
        if call is not None:
            try:
                return await call.resume(asked, postage)
            except ConversationLost:
                self._parked.remove(state)
        raise InvalidParams(f"server {self._server}: what this call waited for is over: begin the call again")

    def _session(self, message: OutgoingMessage, asked: Message) -> LegacySession:
        try:
            said = introduction(asked.meta, _CLIENT_INFO)
        except McpError as error:
            raise InvalidParams(error.message) from None
        key: Key = (message.account, message.session, said)
        if self._is_shared:
            key = ("everybody", None, _OURS)
        session = self._sessions.get(key)
        if session is None:
            self._make_room(key[0])
            session = self._sessions[key] = LegacySession(self._means, key[2], key[:2])
            self._of[key[0]] += 1
        else:
            self._sessions.move_to_end(key)
        session.used_at = self._loop.time()
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(SWEEP_SECONDS, self._sweep)
        return session

    def _make_room(self, account: Hashable) -> None:
        """Close the session that has long been idle, where there are too many. Raises when none is."""
        if self._of[account] >= self._sessions_of_one and not self.close_idlest(account):
            raise CallerBusy(self._server)
        if len(self._sessions) >= SESSIONS and not self.close_idlest():
            reason = "too many sessions are open there"
            raise UpstreamFailed(self._server, CallStep.ANSWER, reason)

    def close_idlest(self, account: Hashable = ...) -> bool:
        """Close the session, of all or one caller's, that has been idle for longest: whether there is one."""
        for key, session in self._sessions.items():
            if session.is_idle and account in (..., key[0]):
                self._close(key)
                return True
        return False

    def _close(self, key: Key) -> None:
        self._sessions.pop(key).close()
        account = key[0]
        self._of[account] -= 1
        if not self._of[account]:
            del self._of[account]

    def _sweep(self) -> None:
        now = self._loop.time()
        for key, session in [*self._sessions.items()]:
            if session.used_at > now - REST_SECONDS:
                break
            if session.is_idle and session.used_at <= now - IDLE_SECONDS:
                self._close(key)
            elif session.is_idle:
                session.rest()
        self._sweeper = self._loop.call_later(SWEEP_SECONDS, self._sweep) if self._sessions else None


def _without_modern(lines: bytes) -> bytes:
    """The header lines that say something to a legacy server."""
    kept = [line for line in lines.splitlines(keepends=True) if not line.startswith(_MODERN_ALONE)]
    return b"".join(kept)
