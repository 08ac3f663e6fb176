"""What one who listens wants to hear (MCP 2026-07-28, `subscriptions/listen`)."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from ostiary.mcp.errors import InvalidParams, McpError
from ostiary.mcp.messages import Message
from ostiary.mcp.raw_object import Raw, read_members, write_object
from ostiary.mcp.server_message import SUBSCRIPTION_KEY

LISTEN = b"subscriptions/listen"
ACKNOWLEDGED = b"notifications/subscriptions/acknowledged"
LIST_SWITCHES = ("toolsListChanged", "promptsListChanged", "resourcesListChanged")
MOST_RESOURCES = 1000
"""Resources that one subscription may name."""
LONGEST_URI = 8 * 1024


@dataclass(frozen=True, slots=True)
class Subscription:
    """switches: of `LIST_SWITCHES`, those that are on; resources: URIs."""

    switches: frozenset[str]
    resources: tuple[str, ...]

    def written(self) -> bytes:
        """As `notifications` of a request, or of what acknowledges it."""
        wanted: dict[str, Raw] = {name: b"true" for name in LIST_SWITCHES if name in self.switches}
        if self.resources:
            wanted["resourceSubscriptions"] = msgspec.json.encode(self.resources)
        return write_object(wanted)

    def acknowledged(self, message_id: bytes) -> bytes:
        """The first message of the stream that answers the request with this raw id."""
        params = write_object(
            {"notifications": self.written(), "_meta": write_object({SUBSCRIPTION_KEY: message_id})}
        )
        return b'{"jsonrpc":"2.0","method":"%s","params":%s}' % (ACKNOWLEDGED, params)


def read_subscription(message: Message) -> Subscription:
    """What the request wants to hear. Raises InvalidParams."""
    try:
        wanted = read_members(message.params["notifications"])
        raw = wanted.get("resourceSubscriptions", b"[]")
        resources = tuple(dict.fromkeys(msgspec.json.decode(raw, type=list[str])))
    except (KeyError, McpError, msgspec.DecodeError):
        raise InvalidParams(
            "params.notifications must be an object, and its resourceSubscriptions a list of URIs"
        ) from None
    if len(resources) > MOST_RESOURCES:
        raise InvalidParams(f"params.notifications names more than {MOST_RESOURCES} resources")
    if any(len(uri) > LONGEST_URI for uri in resources):
        raise InvalidParams(f"a URI in params.notifications is longer than {LONGEST_URI} characters")
    switches = frozenset(name for name in LIST_SWITCHES if bytes(wanted.get(name, b"")) == b"true")
    return Subscription(switches, resources)
