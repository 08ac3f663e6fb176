"""What goes wrong at a gateway, with JSON-RPC codes from the range left to implementations.

GatewayError
├── Unauthorized -32001      401   the caller's token
├── Forbidden -32003         403   the caller, the origin
│   ├── NotPermitted               what no policy lets this caller do
│   └── ScopesLacking              what the caller's token lacks scopes for
├── ServerUnavailable -32010 502   no connection to the server
├── ServerTimedOut -32011    504   no answer in time
├── BadAnswer -32012         502   an answer that is not MCP
│   ├── ListTooLong                a list over its budget
│   └── DefinitionChanged          a tool, prompt or resource that is not what was pinned
├── CredentialFailed -32013  502   the server's credential could not be had
│   └── ForPeopleAlone             it is the caller's account, and the caller is a program
├── CredentialRefused -32014 502   the server refused the credential: never the caller's own 401
├── TryLater -32015          503   not now
│   ├── AuditAway                  calls are audited, and that cannot be written
│   ├── CircuitOpen                a server that cannot be reached, and is left alone for a while
│   └── CredentialAway             whoever gives the server's credential is away
├── NotConnected -32016      403   the caller has to connect an account
├── TooOften -32019          429   the caller asks more often than they may
├── ServerBusy -32018        503   the server takes no more calls for now
│   └── ServerLimited        429   it takes no more of ours
└── Unanswered -32017        200   the client did not say what the server wanted to know
McpError
└── SessionUnknown -32600    404   no such session of this caller
"""

from __future__ import annotations

from ostiary.mcp.errors import InvalidRequest, McpError


class GatewayError(McpError):
    """An answer of the gateway itself.

    headers: lines to send with it, each with its line break; step: how far the call to a server came;
    reason: why a caller was turned away, in one word, where the kind of the error does not say.
    """

    headers: bytes = b""
    step: str = "answer"
    reason: str = ""


class Unauthorized(GatewayError):
    """No token, or one that does not open this door (RFC 6750 section 3)."""

    code, status = -32001, 401


class Forbidden(GatewayError):
    """The caller is known and may not, or calls from an origin that may not."""

    code, status = -32003, 403
    policies: tuple[str, ...] | None = None
    """Those that decided so; None where none was asked."""


class NotPermitted(Forbidden):
    """No policy lets this caller do it, or one forbids it; `data` has the reason that its writer gave."""


class ScopesLacking(Forbidden):
    """The caller's token lacks scopes: the challenge says all that it needs (RFC 6750 section 3.1)."""


class ServerUnavailable(GatewayError):
    """No connection to the server."""

    code, status = -32010, 502


class ServerTimedOut(GatewayError):
    """The server did not answer in time."""

    code, status = -32011, 504
    step = "timeout"


class BadAnswer(GatewayError):
    """The server answered something that is not MCP."""

    code, status = -32012, 502


class ListTooLong(BadAnswer):
    """The server's list is longer than its budget."""

    step = "size"


class DefinitionChanged(BadAnswer):
    """What the server says of a tool, prompt or resource is not what it said when it was pinned."""

    step = "changed"


class CredentialFailed(GatewayError):
    """The credential that the server wants could not be had."""

    code, status = -32013, 502
    step = "credential"


class ForPeopleAlone(CredentialFailed):
    """The server wants the caller's account, and the caller is a program. Its lists leave the server out."""


class CredentialRefused(GatewayError):
    """The server refused the credential that it is configured with."""

    code, status = -32014, 502
    step = "credential"


class TryLater(GatewayError):
    """What is needed is away, or too many of the caller's own calls are under way; later it may succeed."""

    code, status = -32015, 503


class CircuitOpen(TryLater):
    """The server could not be reached again and again, and is left alone until `data` says; see `health`."""


class TooOften(GatewayError):
    """The caller asks more often than the operator lets them; `data` says which setting says so."""

    code, status = -32019, 429
    step = "rate"

    def __init__(self, setting: str, rate: str, retry_after: int) -> None:
        said = f"you ask more often than {setting} allows ({rate}): come again in {retry_after} s"
        super().__init__(said, data={"limit": setting, "rate": rate, "retryAfter": retry_after})
        self.headers = b"retry-after: %d\r\n" % retry_after


class ServerBusy(GatewayError):
    """The server takes no more calls for now. Its status is the server's, and so is its Retry-After."""

    code, status = -32018, 503

    def __init__(self, message: str, retry_after: int | None) -> None:
        super().__init__(message, data=None if retry_after is None else {"retryAfter": retry_after})
        if retry_after is not None:
            self.headers = b"retry-after: %d\r\n" % retry_after


class ServerLimited(ServerBusy):
    """The server takes no more calls of ours, of which there were too many."""

    status = 429


class AuditAway(TryLater):
    """Calls are written down here, and none can be now."""


class CredentialAway(TryLater):
    """Whoever gives the credential that the server wants is away, and said when to come back."""

    step = "credential"


class NotConnected(GatewayError):
    """The caller has to connect an account first, or to connect it again; `data` says which, and where."""

    code, status = -32016, 403
    step = "account"

    def __init__(self, message: str, *, idp: str, connect_url: str) -> None:
        super().__init__(message, data={"idp": idp, "connect_url": connect_url})
        self.idp = idp
        self.connect_url = connect_url


class Unanswered(GatewayError):
    """The client did not say what the server wanted to know: in time, or at all."""

    code, status = -32017, 200


class SessionUnknown(InvalidRequest):
    """No session of this caller has this id here. A client begins a new one (MCP 2025-11-25, transports)."""

    status = 404

    def __init__(self) -> None:
        super().__init__("no session of yours has this Mcp-Session-Id, or it is over: initialize again")
