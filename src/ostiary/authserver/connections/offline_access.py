"""A program may use an account while its person is away, until a day that they choose.

Such programs are those that have access already, and those that the operator lets in without a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.config.resources import ResourceSettings
from ostiary.authserver.connections.browser_session import read_own_form
from ostiary.authserver.connections.context import ConnectionsContext
from ostiary.authserver.connections.ending import not_there
from ostiary.authserver.connections.flash import Flash, back_with_flash
from ostiary.authserver.connections.inventory import Inventory, find_inventory
from ostiary.authserver.upstream_grants.grant import GrantState, UpstreamGrant, find
from ostiary.authserver.upstream_grants.offline_access import allow, forbid
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.server.client import CLIENT_CREDENTIALS, JWT_BEARER, TOKEN_EXCHANGE
from ostiary.oauth.server.errors import InvalidRequest

ALLOW = "/connections/away"
REVOKE = "/connections/away/revoke"
DAYS = {"1": 1, "7": 7, "30": 30}
WITHOUT_A_PERSON = frozenset({CLIENT_CREDENTIALS, JWT_BEARER, TOKEN_EXCHANGE})


async def allow_offline_access(http_request: Request, context: ConnectionsContext) -> Response:
    """`POST /connections/away`. Raises PageRefused, OAuthError, StorageError."""
    now = context.clock()
    person, form = await read_own_form(http_request, context, ALLOW, now=now)
    grant_id, client_id = form.require("account"), form.require("client")
    days = DAYS.get(form.require("days"))
    if days is None:
        raise InvalidRequest("the permission lasts 1, 7 or 30 days")
    until = now + days * 86400

    def work(connection: Connection) -> UpstreamGrant:
        grant = _own(connection, context, person.user_id, grant_id)
        inventory = find_inventory(connection, context.store, person.user_id, now=now).of(grant.owner)
        if client_id not in who_may_be_allowed(context, grant, inventory):
            raise not_there()
        allow(
            connection,
            context.store,
            user_id=person.user_id,
            grant_id=grant_id,
            client_id=client_id,
            until=until,
            now=now,
        )
        return grant

    grant = await context.store.transaction(work)
    last_day = datetime.fromtimestamp(until, UTC).isoformat(timespec="seconds")
    _write(http_request, context, AuditEvent.AWAY_ALLOWED, grant, client_id, until=last_day)
    return back_with_flash(person, context, Flash.ALLOWED)


async def revoke_offline_access(http_request: Request, context: ConnectionsContext) -> Response:
    """`POST /connections/away/revoke`. Raises PageRefused, OAuthError, StorageError."""
    person, form = await read_own_form(http_request, context, REVOKE, now=context.clock())
    grant_id, client_id = form.require("account"), form.require("client")

    def work(connection: Connection) -> UpstreamGrant:
        grant = _own(connection, context, person.user_id, grant_id)
        if not forbid(connection, user_id=person.user_id, grant_id=grant_id, client_id=client_id):
            raise not_there()
        return grant

    grant = await context.store.transaction(work)
    _write(http_request, context, AuditEvent.AWAY_REVOKED, grant, client_id)
    return back_with_flash(person, context, Flash.REVOKED)


def who_may_be_allowed(
    context: ConnectionsContext, grant: UpstreamGrant, inventory: Inventory
) -> Sequence[str]:
    """Client ids, for an account that works. holdings: of its owner."""
    if grant.state is GrantState.NEEDS_RECONNECT:
        return []
    entries = [entry for entry in context.resources.entries if entry.owner_identity == grant.owner]
    present = [running.session.client_id for running in inventory.sessions]
    return list(dict.fromkeys([*present, *_unattended(context, entries)]))


def _unattended(context: ConnectionsContext, entries: Sequence[ResourceSettings]) -> list[str]:
    """Programs of the operator's that get tokens for one of these resources without a person."""
    return [
        client.client_id
        for client in context.configured_clients
        if client.grants & WITHOUT_A_PERSON
        and (
            client.resources is None
            or any(
                entry.pattern.covers(canonical_url(str(resource)))
                for entry in entries
                for resource in client.resources
            )
        )
    ]


def _own(connection: Connection, context: ConnectionsContext, user_id: str, grant_id: str) -> UpstreamGrant:
    grant = find(connection, context.store, grant_id)
    if grant is None or grant.user_id != user_id:
        raise not_there()
    return grant


def _write(
    http_request: Request,
    context: ConnectionsContext,
    event: AuditEvent,
    grant: UpstreamGrant,
    client_id: str,
    **particulars: str,
) -> None:
    context.audit.write(
        event,
        subject=grant.user_id,
        client=client_id,
        owner=grant.owner,
        idp=grant.idp,
        account=grant.account,
        address=http_request.client.host if http_request.client else None,
        **particulars,
    )
