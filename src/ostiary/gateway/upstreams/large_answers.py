"""Large answers of a server: translated one at a time, in pieces, so that others are served between them."""

from __future__ import annotations

from collections import deque

from ostiary.inline_coroutines import InlineFuture, next_turn
from ostiary.mcp.links import LinkSplice


class OneAtATime:
    """Lets one inline coroutine in, and the others after it in the order in which they came.

    As `async with`, in which the event loop has had a turn: whoever leaves is not kept by whoever follows.
    """

    def __init__(self) -> None:
        self._is_taken = False
        self._waiting: deque[InlineFuture[None]] = deque()

    async def __aenter__(self) -> None:
        if self._is_taken:
            turn: InlineFuture[None] = InlineFuture()
            self._waiting.append(turn)
            await turn
        self._is_taken = True
        try:
            await next_turn()
        except BaseException:
            self._leave()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        self._is_taken = False
        while self._waiting and not self._is_taken:
            turn = self._waiting.popleft()
            if not turn.done:  # else it left while it waited
                turn.set(None)


async def in_pieces(splice: LinkSplice) -> bytes:
    """What the splice gives. Raises InvalidRequest."""
    while splice.goes_on():
        await next_turn()
    return bytes(splice.out)
