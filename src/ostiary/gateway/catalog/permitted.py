"""What a caller sees of the servers and of their lists: what policies let them use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ostiary.gateway.policy.access import Access, Action, Kind, hints_of, use_of
from ostiary.gateway.upstreams.server import Server
from ostiary.identity.principal import Principal
from ostiary.inline_coroutines import next_turn
from ostiary.mcp.merging import OwnItem, OwnList

if TYPE_CHECKING:
    from ostiary.gateway.policy.authorizer import Authorizer

DECIDED_AT_ONCE = 25
"""How many items are decided about before others are served."""


def visible(
    servers: Sequence[Server], authorizer: Authorizer | None, principal: Principal | None
) -> Sequence[Server]:
    """The servers of which this caller may use anything."""
    if authorizer is None:
        return servers
    return [server for server in servers if is_visible(server.name, authorizer, principal)]


def is_visible(server: str, authorizer: Authorizer, principal: Principal | None) -> bool:
    """Whether this caller may use anything of a server."""
    return authorizer.shows(principal, Access(Action.LIST, Kind.SERVER, server))


async def permitted(
    own: OwnList, kind: str, authorizer: Authorizer | None, principal: Principal | None
) -> OwnList:
    """What this caller sees of a list, which is then nobody else's. kind: the member that holds the items."""
    if authorizer is None:
        return own
    items: dict[str, OwnItem] = {}
    for number, (here, item) in enumerate(own.items.items(), start=1):
        access = use_of(kind, own.server, item.own)
        if authorizer.reads_hints(access):
            access = access._replace(hints=hints_of(item.text))
        if authorizer.shows(principal, access):
            items[here] = item
        if number % DECIDED_AT_ONCE == 0:
            await next_turn()
    shows = _shows(own.server, kind, authorizer, principal)
    return OwnList(
        own.server,
        items,
        hidden=list(filter(shows, own.hidden)),
        changed=list(filter(shows, own.changed)),
        ttl_ms=own.ttl_ms,
        is_public=False,
        size=sum(len(item.text) + 1 for item in items.values()),
    )


def _shows(
    server: str, kind: str, authorizer: Authorizer, principal: Principal | None
) -> Callable[[str], bool]:
    return lambda name: authorizer.shows(principal, use_of(kind, server, name))
