"""Calls whose server has asked something, until their callers come back with the answers.

Each has a handle, which its caller was given and nobody guesses. It opens nothing for anybody else, and no
other call than the one it was given for.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Hashable
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from ostiary.gateway.upstreams.legacy.channel import Postage
    from ostiary.mcp.messages import Message
    from ostiary.transport.upstream import UpstreamAnswer

LIFETIME = 600.0
"""Seconds in which a person may answer."""
PARKED_OF_ONE = 16
"""How many may be one caller's."""


class Waiting(Protocol):
    """A call, as far as it is known here."""

    async def resume(self, message: Message, postage: Postage) -> UpstreamAnswer:
        """Go on with what was said to the questions. An inline coroutine.

        Raises as a Channel, BadAnswer and InvalidParams.
        """

    def expire(self) -> None:
        """Nobody came back in time."""


class _Parked(NamedTuple):
    call: Waiting
    owner: Hashable
    asked: bytes
    expires: asyncio.TimerHandle


class ParkedCalls:
    """Those of one server."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._parked: dict[str, _Parked] = {}
        self._of: Counter[Hashable] = Counter()

    def __len__(self) -> int:
        return len(self._parked)

    def add(self, call: Waiting, owner: Hashable, asked: bytes) -> str | None:
        """Its handle; None when too many are parked. asked: the digest of what it was called with."""
        if len(self._parked) >= self._most or self._of[owner] >= PARKED_OF_ONE:
            return None
        handle = secrets.token_urlsafe(18)
        expires = asyncio.get_running_loop().call_later(LIFETIME, self._expire, handle)
        self._parked[handle] = _Parked(call, owner, asked, expires)
        self._of[owner] += 1
        return handle

    def find(self, handle: str, owner: Hashable, asked: bytes) -> Waiting | None:
        """The call that was given this handle; None for another's, for another call, and when it is over."""
        parked = self._parked.get(handle)
        return parked.call if parked is not None and (parked.owner, parked.asked) == (owner, asked) else None

    def remove(self, handle: str | None) -> None:
        """It goes on, or is over."""
        parked = self._parked.pop(handle or "", None)
        if parked is not None:
            parked.expires.cancel()
            self._of[parked.owner] -= 1
            if not self._of[parked.owner]:
                del self._of[parked.owner]

    def close(self) -> None:
        """Forget all."""
        for handle in [*self._parked]:
            self.remove(handle)

    def _expire(self, handle: str) -> None:
        call = self._parked[handle].call
        self.remove(handle)
        call.expire()
