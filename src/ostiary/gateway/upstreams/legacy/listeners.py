"""Those who listen to what a legacy server says unasked (`subscriptions/listen`), in one session.

What they hear says that something is another now, not what it is: a listener who is behind hears each of it
once, when there is room again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.mcp.change_notices import Change
from ostiary.mcp.events import write_event
from ostiary.transport.upstream import Stream, UpstreamAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ostiary.mcp.subscriptions import Subscription
    from ostiary.transport.upstream.loop_share import LoopShare

LISTENERS = 16
"""How many there may be in one session."""


class Listener:
    """One of them, and the source of its own stream."""

    def __init__(
        self,
        subscription: Subscription,
        message_id: bytes,
        loop_share: LoopShare,
        left: Callable[[Listener], None],
    ) -> None:
        """message_id: raw, of the request that listens; left: called when nobody does any more."""
        self.subscription = subscription
        self.loop_share = loop_share
        self._message_id = message_id
        self._left = left
        self._missed: dict[Change, None] = {}
        self._is_behind = False
        self.stream = Stream(self)
        self.stream.feed(write_event(subscription.acknowledged(message_id)))

    @property
    def answer(self) -> UpstreamAnswer:
        """What answers the request."""
        answer = UpstreamAnswer(200, {b"content-type": b"text/event-stream"})
        answer.stream = self.stream
        return answer

    def changed(self, change: Change) -> None:
        """A list, or a resource, is another now."""
        wanted = self.subscription
        if change.switch not in wanted.switches and change.uri not in wanted.resources:
            return
        if self._is_behind:
            self._missed[change] = None
        else:
            self.stream.feed(write_event(change.notice(self._message_id)))

    def changed_perhaps(self) -> None:
        """What they listen to was out of sight for a while."""
        for switch in self.subscription.switches:
            self.changed(Change(switch))
        for uri in self.subscription.resources:
            self.changed(Change(uri=uri))

    def pause(self) -> None:
        """Whoever listens is behind."""
        self._is_behind = True

    def resume(self) -> None:
        """They have caught up."""
        if self._is_behind:
            self._is_behind = False
            missed, self._missed = self._missed, {}
            for change in missed:
                self.changed(change)

    def drop(self) -> None:
        """They have left."""
        self._left(self)


def wanted_resources(listeners: Iterable[Listener]) -> frozenset[str]:
    """The resources that any of them wants to hear of."""
    return frozenset(uri for listener in listeners for uri in listener.subscription.resources)
