"""One call: what is asked, who asks, and with what headers it came."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from ostiary.transport.addresses import network_of

if TYPE_CHECKING:
    from ostiary.identity.principal import Principal
    from ostiary.mcp.messages import Message
    from ostiary.transport.inline_http import Request


class Call:
    """A modern message of one caller.

    principal: None where nobody has to say who they are; request: what brought it; session: the caller's
    own, where their era has one, whose state at a server is nobody else's; permitted: the action and the
    server's own name of what policies have let through, where there are any; outcome: what became of a
    streamed answer, in one word, once that is known.
    """

    __slots__ = ("message", "outcome", "permitted", "principal", "request", "session")

    def __init__(
        self, message: Message, principal: Principal | None, request: Request, session: Hashable = None
    ) -> None:
        self.message = message
        self.principal = principal
        self.request = request
        self.session = session
        self.permitted: tuple[str, str] | None = None
        self.outcome: str | None = None

    @property
    def id(self) -> bytes:
        """What its answer is known by: raw JSON."""
        return self.message.id or b"null"

    @property
    def account(self) -> Hashable:
        """On whose account it is: its caller's, or without tokens that of the network it came from."""
        principal = self.principal  # as `account_of`, which each call would pay for
        return network_of(self.request.peer) if principal is None else principal.identity

    def about(self, message: Message) -> Call:
        """Another message on the same caller's behalf."""
        return Call(message, self.principal, self.request, self.session)


def account_of(principal: Principal | None, request: Request) -> Hashable:
    """On whose account a request is: as of a call."""
    return network_of(request.peer) if principal is None else principal.identity
