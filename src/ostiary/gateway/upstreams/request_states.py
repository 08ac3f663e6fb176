"""What one server wants to hear again, sealed for the caller whom it asked."""

from __future__ import annotations

import msgspec

from ostiary.gateway.call import Call
from ostiary.gateway.seals import SealBroken, Seals
from ostiary.mcp.errors import InvalidParams
from ostiary.mcp.request_state import brought_state, what_is_asked, with_brought_state

SECONDS = 3600.0
"""How long a person may take to answer."""


class RequestStates:
    """Of one server: each opens for the same caller, method and parameters alone."""

    def __init__(self, server: str, seals: Seals) -> None:
        self._server = server
        self._seals = seals
        self._homes = seals.homes

    def seal(self, call: Call, state: str) -> str:
        """The state as the caller carries it."""
        return self._seals.seal(
            self._homes.marked(state.encode()), purpose=self._purpose(call), seconds=SECONDS
        )

    def open(self, call: Call) -> Call:
        """The call with the server's own state. Raises InvalidParams, Elsewhere."""
        brought = brought_state(call.message)
        if brought is None:
            return call
        said = "params.requestState is not what this very call was answered with, or it is over"
        over = InvalidParams(f"{said}: begin the call again")
        try:
            marked = self._seals.open(brought, purpose=self._purpose(call))
        except SealBroken:
            raise over from None
        state = self._homes.unmarked(marked, over)
        return call.about(with_brought_state(call.message, state.decode()))

    def _purpose(self, call: Call) -> bytes:
        whose = ["requestState", self._server, call.account, call.session, what_is_asked(call.message)]
        return msgspec.json.encode(whose)
