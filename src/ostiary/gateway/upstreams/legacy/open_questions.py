"""What a server has asked of one call, until its caller has answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.mcp.questions import input_required, response_to, responses

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ostiary.gateway.upstreams.legacy.channel import Channel, Postage
    from ostiary.mcp.messages import Message
    from ostiary.transport.upstream import UpstreamAnswer

MOST = 20
"""How many may be open."""
REFUSED = -32000
"""The error of a question that nobody answers."""


class OpenQuestions:
    """They, by the names under which they are answered."""

    __slots__ = ("_kind", "_last", "_open")

    def __init__(self, kind: str, last: int = 0) -> None:
        """kind: with what their names begin; last: the number of the last one before."""
        self._kind = kind
        self._last = last
        self._open: dict[str, tuple[bytes, bytes]] = {}
        """The server's id, and what is asked."""

    def __len__(self) -> int:
        return len(self._open)

    def add(self, request_id: bytes, asked: bytes) -> None:
        """One more."""
        self._last += 1
        self._open[f"{self._kind}-{self._last}"] = (request_id, asked)

    def told(self, state: str | None, server_info: bytes | None) -> bytes:
        """The result that asks."""
        asked = {name: text for name, (_, text) in self._open.items()}
        return input_required(asked, state, server_info)

    def replies(self, message: Message) -> Mapping[str, bytes]:
        """What a message says to them, as the server reads it. Raises InvalidParams."""
        said = responses(message)
        return {
            name: response_to(request_id, said[name])
            for name, (request_id, _) in self._open.items()
            if name in said
        }

    async def reply(
        self, replies: Mapping[str, bytes], channel: Channel, postage: Postage
    ) -> UpstreamAnswer | None:
        """Tell the server: None, or how it refused. An inline coroutine. Raises as a Channel."""
        for name, text in replies.items():
            refused = await channel.send(text, None, postage._replace(account=("aside", postage.account)))
            if refused is not None:
                return refused
            self._open.pop(name, None)
        return None

    def taken_back(self, request_id: bytes) -> None:
        """The server wants no answer to this one any more."""
        self._open = {name: one for name, one in self._open.items() if one[0] != request_id}

    def refuse(self, refuse: Callable[[bytes, int, str], None]) -> None:
        """Nobody has answered in time."""
        for request_id, _ in self._open.values():
            refuse(request_id, REFUSED, "nobody answered in time")
        self._open.clear()
