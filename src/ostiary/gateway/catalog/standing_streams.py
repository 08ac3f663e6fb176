"""Streams that stay open for as long as their callers like. One endpoint's go on at what replaces it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ostiary.gateway.call import Call
from ostiary.inline_coroutines import InlineCoroutine
from ostiary.transport.inline_http import Answer, StreamedAnswer

Follow = Callable[[Call], InlineCoroutine[Answer | StreamedAnswer]]
"""Goes where a call's message leads to. Raises McpError."""


class Standing(Protocol):
    """One of them."""

    def move(self, follow: Follow | None) -> None:
        """Go on there; None where there is nothing any more."""


class StandingStreams:
    """Those of one endpoint."""

    def __init__(self) -> None:
        self._streams: dict[Standing, None] = {}
        self._is_replaced = False
        self._follow: Follow | None = None

    def add(self, stream: Standing) -> None:
        """It begins. One that comes late goes on at once."""
        if self._is_replaced:
            stream.move(self._follow)
        else:
            self._streams[stream] = None

    def discard(self, stream: Standing) -> None:
        """It is over."""
        self._streams.pop(stream, None)

    def hand_over(self, follow: Follow | None) -> None:
        """All of them go on there, and those that are still to come."""
        self._is_replaced, self._follow = True, follow
        streams, self._streams = self._streams, {}
        for stream in streams:
            stream.move(follow)
