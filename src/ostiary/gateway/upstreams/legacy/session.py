"""What one caller has with a legacy server, whatever happens to the server.

A conversation that is lost is begun anew, once for all who wait, with the log level and the subscriptions of
the one before; who made a call in it sees nothing of that.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Hashable
from itertools import chain, repeat
from typing import TYPE_CHECKING

import msgspec

from ostiary.gateway.errors import GatewayError
from ostiary.gateway.upstreams.legacy.calls import whole_answer
from ostiary.gateway.upstreams.legacy.channel import ConversationLost
from ostiary.gateway.upstreams.legacy.conversation import Conversation, Means
from ostiary.gateway.upstreams.legacy.listeners import LISTENERS, Listener, wanted_resources
from ostiary.inline_coroutines import in_task, kept_if_awaited
from ostiary.mcp.elicitation import ASKING_METHODS
from ostiary.mcp.eras import LOG_LEVEL_KEY
from ostiary.mcp.handshake import discovery
from ostiary.mcp.legacy_notices import LEVELS, level_of
from ostiary.mcp.subscriptions import LISTEN, Subscription, read_subscription
from ostiary.transport.upstream import CallerBusy, CallStep, UpstreamAnswer, UpstreamFailed

if TYPE_CHECKING:
    from ostiary.gateway.upstreams.legacy.channel import Postage
    from ostiary.mcp.change_notices import Change
    from ostiary.mcp.handshake import Agreement, Introduction
    from ostiary.mcp.messages import Message

PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between tries to find again a server to which somebody listens; the last one for ever."""
NO_SUCH_DOOR = frozenset({400, 404, 405})
"""With these a server refuses a handshake that speaks another transport."""
MOST_TRIES = 2
DISCOVER = b"server/discover"


class LegacySession:
    """One session."""

    def __init__(self, means: Means, introduction: Introduction, owner: Hashable) -> None:
        """introduction: what the caller's client says of itself; owner: whose calls it carries."""
        self.owner = owner
        self.used_at = 0.0
        self._means = means
        self._introduction = introduction
        self._conversation: Conversation | None = None
        self._beginning: asyncio.Task[Conversation | UpstreamAnswer] | None = None
        self._listeners: set[Listener] = set()
        self._subscribed: frozenset[str] = frozenset()
        self._level: int | None = None
        self._under_way = 0
        self._is_closed = False

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for anything, and nobody listens."""
        conversation = self._conversation
        is_quiet = conversation is None or conversation.is_idle
        return is_quiet and not self._listeners and not self._under_way and self._beginning is None

    @property
    def is_known(self) -> bool:
        """Whether the server knows it from others."""
        return self._conversation is not None and self._conversation.channel.has_session

    @property
    def version(self) -> str | None:
        """The revision of MCP that was agreed on; None while there is no conversation."""
        return None if self._conversation is None else _agreement(self._conversation).version

    async def begin(self, postage: Postage) -> UpstreamAnswer | None:
        """Shake hands: None, or how the server refused. An inline coroutine. Raises as `exchange`."""
        begun = self._conversation or await self._begin(postage)
        return begun if isinstance(begun, UpstreamAnswer) else None

    async def exchange(self, message: Message, postage: Postage) -> UpstreamAnswer:
        """The caller's answer. An inline coroutine. Raises UpstreamFailed, CallerBusy, McpError."""
        self._under_way += 1
        try:
            for _ in range(MOST_TRIES):
                conversation = self._conversation
                if conversation is None or conversation.is_closed:
                    begun = await self._begin(postage)
                    if isinstance(begun, UpstreamAnswer):
                        return begun
                    conversation = begun
                try:
                    return await self._exchange(conversation, message, postage)
                except ConversationLost:
                    self._lose(conversation)
        finally:
            self._under_way -= 1
        reason = "it forgets each session as soon as it has begun"
        raise UpstreamFailed(self._means.server, CallStep.ANSWER, reason)

    def rest(self) -> None:
        """Nobody has used it for a while."""
        if self._conversation is not None:
            self._conversation.rest()

    def close(self) -> None:
        """End it, and tell the server."""
        self._is_closed = True
        if self._beginning is not None:
            self._beginning.cancel()
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            conversation.close(conversation.postage)
        for listener in [*self._listeners]:
            listener.stream.end()
        self._listeners.clear()

    def drop(self) -> None:
        """End it at once."""
        if self._conversation is not None:
            self._conversation.postage = None
        self.close()

    # told by conversations

    def changed(self, change: Change) -> None:
        """As of every Session."""
        for listener in [*self._listeners]:
            listener.changed(change)

    def ended(self, conversation: Conversation) -> None:
        """As of every Session. Who listens is not to notice."""
        if self._conversation is conversation:
            self._conversation = None
        if self._listeners and conversation.postage is not None and not self._is_closed:
            in_task(self._find_again(conversation.postage))

    def deaf(self, error: UpstreamFailed) -> None:
        """As of every Session. Who listens has to come back, with a credential of today."""
        listeners, self._listeners = self._listeners, set()
        for listener in listeners:
            listener.stream.end(error)

    # inside

    async def _exchange(
        self, conversation: Conversation, message: Message, postage: Postage
    ) -> UpstreamAnswer:
        if message.method == DISCOVER:
            return whole_answer(message, "result", discovery(_agreement(conversation)))
        if message.method == LISTEN:
            return await self._listen(conversation, message, postage)
        if not conversation.is_listening and self._may_be_asked(message):  # some ask on that stream
            await in_task(conversation.listen(postage))
        level = level_of(message.meta.members.get(LOG_LEVEL_KEY, b""))
        if level is not None and (self._level is None or level < self._level):
            await in_task(self._set_level(conversation, level, postage))
        return await conversation.call(message, postage)

    def _may_be_asked(self, message: Message) -> bool:
        return self._introduction.answers_questions and message.method in ASKING_METHODS

    def _begin(self, postage: Postage) -> asyncio.Task[Conversation | UpstreamAnswer]:
        """Shake hands, once for all who wait."""
        if self._beginning is None:
            self._beginning = in_task(self._begun(postage))
            self._beginning.add_done_callback(self._has_begun)
        return self._beginning

    def _has_begun(self, _: object) -> None:
        self._beginning = None

    async def _begun(self, postage: Postage) -> Conversation | UpstreamAnswer:
        first: UpstreamAnswer | None = None
        for open_channel in self._means.channels:
            conversation = Conversation(self._means, open_channel, self._introduction, self)
            try:
                refused = await conversation.begin(postage)
                if refused is None:
                    await self._replay(conversation, postage)
                    self._conversation = conversation
                    return conversation
            except ConversationLost:
                raise UpstreamFailed(
                    self._means.server, CallStep.ANSWER, "it forgot the session before it had begun"
                ) from None
            finally:
                if self._conversation is not conversation:
                    conversation.close()
            first = first or refused
            if refused.status not in NO_SUCH_DOOR:
                break
        assert first is not None  # noqa: S101 - there is a channel, and it has refused
        return first

    async def _replay(self, conversation: Conversation, postage: Postage) -> None:
        """Have the server do all that it did in the conversation before."""
        level, self._level, self._subscribed = self._level, None, frozenset()
        if self._listeners:
            await conversation.listen(postage)
        if level is not None:
            await self._set_level(conversation, level, postage)
        await self._subscribe(conversation, wanted_resources(self._listeners), postage)
        for listener in self._listeners:  # who can't know what was missed
            listener.changed_perhaps()

    async def _set_level(self, conversation: Conversation, level: int, postage: Postage) -> None:
        """Have it tell what is of this level: all of the session, of which each call hears its own."""
        if _agreement(conversation).offers("logging"):
            params = msgspec.json.encode({"level": LEVELS[level]})
            await conversation.ask("logging/setLevel", params, postage)
        self._level = level

    async def _listen(self, conversation: Conversation, message: Message, postage: Postage) -> UpstreamAnswer:
        if len(self._listeners) >= LISTENERS:
            raise CallerBusy(self._means.server)
        wanted = read_subscription(message)
        listening = self._listening(conversation, message.id or b"null", wanted, postage)
        return await kept_if_awaited(listening, UpstreamAnswer.close)

    async def _listening(
        self, conversation: Conversation, message_id: bytes, wanted: Subscription, postage: Postage
    ) -> UpstreamAnswer:
        agreement = _agreement(conversation)
        switches = frozenset(
            switch
            for switch in wanted.switches
            if agreement.offers(switch.removesuffix("ListChanged"))  # many tell, and few say that they do
        )
        await conversation.listen(postage)
        resources: tuple[str, ...] = ()
        if wanted.resources and agreement.offers("resources", "subscribe"):
            missing = frozenset(wanted.resources) - self._subscribed
            await self._subscribe(conversation, missing, postage)
            resources = tuple(uri for uri in wanted.resources if uri in self._subscribed)
        subscription = Subscription(switches, resources)
        listener = Listener(subscription, message_id, self._means.loop_share, self._left)
        self._listeners.add(listener)
        return listener.answer

    async def _subscribe(
        self, conversation: Conversation, resources: frozenset[str], postage: Postage
    ) -> None:
        for uri in sorted(resources):
            params = msgspec.json.encode({"uri": uri})
            answered = await conversation.ask("resources/subscribe", params, postage)
            if not isinstance(answered, UpstreamAnswer) and answered[0] == "result":
                self._subscribed |= {uri}

    def _left(self, listener: Listener) -> None:
        """Somebody listens no more: what nobody else wants to hear of is told so."""
        self._listeners.discard(listener)
        conversation = self._conversation
        unwanted = self._subscribed.difference(wanted_resources(self._listeners))
        self._subscribed -= unwanted
        if unwanted and conversation is not None and conversation.postage is not None:
            in_task(self._unsubscribe(conversation, unwanted, conversation.postage))

    async def _unsubscribe(
        self, conversation: Conversation, resources: frozenset[str], postage: Postage
    ) -> None:
        with contextlib.suppress(UpstreamFailed, CallerBusy, ConversationLost, GatewayError):
            for uri in sorted(resources):
                await conversation.ask("resources/unsubscribe", msgspec.json.encode({"uri": uri}), postage)

    def _lose(self, conversation: Conversation) -> None:
        """The server knows it no more: others who wait in it will hear so, and nobody follows them."""
        conversation.retire()
        self.ended(conversation)

    async def _find_again(self, postage: Postage) -> None:
        for pause in chain((0.0,), PAUSES, repeat(PAUSES[-1])):
            await asyncio.sleep(pause)
            if self._is_closed or not self._listeners or self._conversation is not None:
                return
            with contextlib.suppress(UpstreamFailed, CallerBusy, GatewayError):
                if isinstance(await asyncio.shield(self._begin(postage)), UpstreamAnswer):
                    reason = "it was restarted, and refuses a new session"
                    self.deaf(UpstreamFailed(self._means.server, CallStep.ANSWER, reason))
                return


def _agreement(conversation: Conversation) -> Agreement:
    assert conversation.agreement is not None  # noqa: S101 - it has begun
    return conversation.agreement
