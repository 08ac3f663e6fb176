"""What the gateway's audit tells. The words do not change between releases.

Every event has `time`, `address`, and who calls, as their token says: `issuer`, `subject`, `client`, and
`act`, the chain of those who act for the subject. A call is a line when it ends, however many there are.
While none can be written, calls are answered 503, and none is made.

What strangers can cause at will is written as the authorization server's events of that kind are: some of
each minute, then how many `more`.
"""

from __future__ import annotations

from enum import StrEnum


class GatewayEvent(StrEnum):
    """One word an event."""

    CALL = "call"
    """A call ended: `server`, `method`, `name` (of the tool, prompt or resource, as the server calls it);
    `decision` of the policies where there are any (`permitted` or `denied`, and by which `policies`); the
    kind of `credential` that the server is sent; `outcome`, the `code` of an error, `seconds`; `arguments`
    with `audit_arguments`. A call for all servers names none."""
    CALLER_REFUSED = "caller_refused"
    """A request was turned away before it was a call: `reason`."""
