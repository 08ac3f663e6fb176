"""What a legacy client hears unasked: that a list, or a resource it subscribed to, is another now."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from ostiary.mcp.change_notices import NOTICES, UPDATED, Change, read_change
from ostiary.mcp.errors import McpError
from ostiary.mcp.raw_object import read_members, write_object
from ostiary.mcp.server_message import ServerMessage
from ostiary.mcp.subscriptions import ACKNOWLEDGED, LIST_SWITCHES, LONGEST_URI, MOST_RESOURCES, Subscription

_ACKNOWLEDGED = b'"%s"' % ACKNOWLEDGED


def whole_subscription(resources: Iterable[str]) -> Subscription:
    """To all lists, and to as many of these resources as one may name."""
    return Subscription(frozenset(LIST_SWITCHES), tuple(sorted(resources)[:MOST_RESOURCES]))


def acknowledged_switches(message: ServerMessage) -> list[str] | None:
    """Of which lists the servers agreed to tell; None for any other message."""
    if bytes(message.method) != _ACKNOWLEDGED:
        return None
    try:
        agreed = read_members(read_members(message.params).get("notifications", b"{}"))
    except McpError:
        return []
    return [switch for switch in LIST_SWITCHES if bytes(agreed.get(switch, b"")) == b"true"]


def readable_change(message: ServerMessage) -> Change | None:
    """What a notification tells; None for what a legacy client has no use for."""
    try:
        change = read_change(message)
    except McpError:
        return None
    return None if change is None or len(change.uri or "") > LONGEST_URI else change


def is_heard(change: Change, resources: Collection[str]) -> bool:
    """Whether a client hears this that subscribed to these: to the resource, or to one that it is part of."""
    uri = change.uri
    return uri is None or uri in resources or any(uri.startswith(one) for one in resources)


def everything(switches: Iterable[str], resources: Iterable[str]) -> list[Change]:
    """That all of it may be another now."""
    return [*map(Change, switches), *(Change(uri=uri) for uri in resources)]


def legacy_notice(change: Change) -> bytes:
    """The notification."""
    if change.uri is None:
        return b'{"jsonrpc":"2.0","method":"%s"}' % NOTICES[change.switch].encode()
    params = write_object({"uri": msgspec.json.encode(change.uri)})
    return b'{"jsonrpc":"2.0","method":"%s","params":%s}' % (UPDATED.encode(), params)
