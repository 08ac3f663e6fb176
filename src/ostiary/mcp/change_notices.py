"""How one who listens is told that something changed (MCP 2026-07-28, `subscriptions/listen`).

A notice says that a list, or a resource, is another now, and to which subscription it belongs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

import msgspec

from ostiary.mcp.eras import SERVER_INFO_KEY
from ostiary.mcp.raw_object import read_members, read_string
from ostiary.mcp.server_message import SUBSCRIPTION_KEY, ServerMessage

UPDATED = "notifications/resources/updated"
NOTICES: Mapping[str, str] = {
    "toolsListChanged": "notifications/tools/list_changed",
    "promptsListChanged": "notifications/prompts/list_changed",
    "resourcesListChanged": "notifications/resources/list_changed",
}
"""What somebody listens for → how it is told."""
LISTS: Mapping[str, tuple[str, ...]] = {
    "toolsListChanged": ("tools/list",),
    "promptsListChanged": ("prompts/list",),
    "resourcesListChanged": ("resources/list", "resources/templates/list"),
}
"""What somebody listens for → the lists in which it is seen."""
MOST_PARTS = 64
"""Of a URI that is a part of another: how deep it may be."""
_BOUNDARY = re.compile("[/?#]")
_SWITCHES = {notice: switch for switch, notice in NOTICES.items()}


@dataclass(frozen=True, slots=True)
class Change:
    """That a list changed, by what is listened for; or that a resource was updated, by its URI."""

    switch: str = ""
    uri: str | None = None

    def notice(self, subscription: bytes) -> bytes:
        """As a subscription with this raw id is told."""
        method = NOTICES[self.switch] if self.uri is None else UPDATED
        uri = b"" if self.uri is None else b'"uri":%s,' % msgspec.json.encode(self.uri)
        return b'{"jsonrpc":"2.0","method":"%s","params":{%s"_meta":{"%s":%s}}}' % (
            method.encode(), uri, SUBSCRIPTION_KEY.encode(), subscription,
        )  # fmt: skip


def read_change(message: ServerMessage) -> Change | None:
    """What a server's notification tells; None for one that is no notice. Raises InvalidRequest."""
    method = read_string(message.method, "method")
    if method in _SWITCHES:
        return Change(_SWITCHES[method])
    if method == UPDATED:
        return Change(uri=read_string(read_members(message.params or b"{}").get("uri"), "uri"))
    return None


def whole_and_parts(uri: str) -> frozenset[str]:
    """By which URIs somebody may have subscribed who is told of this one: itself, or what it is a part of."""
    ends = [match.end() for match in islice(_BOUNDARY.finditer(uri), MOST_PARTS)]
    return frozenset([uri, *(uri[:end] for end in ends), *(uri[: end - 1] for end in ends)])


def no_more(subscription: bytes, server_info: dict[str, str]) -> bytes:
    """The result of a subscription that has ended in good order."""
    return b'{"resultType":"complete","_meta":{"%s":%s,"%s":%s}}' % (
        SUBSCRIPTION_KEY.encode(), subscription, SERVER_INFO_KEY.encode(), msgspec.json.encode(server_info),
    )  # fmt: skip
