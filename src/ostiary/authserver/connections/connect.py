"""`/connect/{idp}`: one more account, for one resource. A program may send a person here.

A link alone begins nothing: it shows who is signed in, what would be connected and for whom, and asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.config.resources import ResourceSettings
from ostiary.authserver.connections.account import connected_account
from ostiary.authserver.connections.browser_session import BrowserSession, find_browser_session, read_own_form
from ostiary.authserver.connections.ending import SIGN_OUT
from ostiary.authserver.connections.sign_in import PAGE, send_to_idp
from ostiary.authserver.http.page_door import PageRefused
from ostiary.authserver.idps.idp import UpstreamIdp
from ostiary.authserver.interaction.browser_redirect import see_other
from ostiary.authserver.interaction.browser_request import BrowserRequest
from ostiary.authserver.interaction.context import InteractionContext
from ostiary.authserver.interaction.upstream_login import ConnectLogin, PageLogin
from ostiary.authserver.pages import ConfirmConnection, page_response
from ostiary.oauth.canonical_url import UrlRefused
from ostiary.oauth.server.endpoint_url import endpoint_path
from ostiary.oauth.server.parameters import read_parameters


@dataclass(frozen=True, slots=True)
class ConnectTarget:
    """An account at a provider, for an owner."""

    idp: UpstreamIdp
    entry: ResourceSettings
    resource: str
    """As configured, or as the program named it."""


async def ask(http_request: Request, context: InteractionContext) -> Response:
    """`GET /connect/{idp}?resource=`. Raises PageRefused, OAuthError, StorageError."""
    request = BrowserRequest.of(http_request, context)
    named = read_parameters(http_request.scope["query_string"]).get("resource")
    target = _target(context, http_request.path_params["idp"], named)
    if target is None:
        return see_other(endpoint_path(context.issuer, PAGE))
    person = await find_browser_session(http_request, context, now=request.now)
    if person is None or person.idp != target.entry.identity:
        return await send_to_idp(request, _identity(context, target), PageLogin(_address(context, target)))
    return page_response(await _page(context, person, target))


async def begin(http_request: Request, context: InteractionContext) -> Response:
    """`POST /connect/{idp}`: the person wants it. Raises PageRefused, OAuthError, StorageError."""
    request = BrowserRequest.again(http_request, context)
    path = connect_path(http_request.path_params["idp"])
    person, form = await read_own_form(http_request, context, path, now=request.now)
    target = _target(context, http_request.path_params["idp"], form.require("resource"))
    if target is None or person.idp != target.entry.identity:
        raise _nothing_here()
    login = ConnectLogin(person.user_id, target.entry.owner_identity, target.resource)
    return await send_to_idp(request, target.idp, login)


def connect_path(idp: str) -> str:
    """Where the login of a provider begins, below the issuer."""
    return f"/connect/{idp}"


async def _page(
    context: InteractionContext, person: BrowserSession, target: ConnectTarget
) -> ConfirmConnection:
    def find(connection: Connection) -> str:
        found = connected_account(
            connection, context.store, person.user_id, target.entry.owner_identity, target.idp.name
        )
        return "" if found is None else found.label or found.account

    return ConfirmConnection(
        idp=target.idp.display_name,
        resource=target.resource,
        owner=target.entry.owner,
        scopes=asked_scopes(context, target.idp.name),
        signed_in_as=person.name,
        form=person.form(context, connect_path(target.idp.name), resource=target.resource),
        sign_out=person.form(context, SIGN_OUT),
        connected=await context.store.read(find),
    )


def asked_scopes(context: InteractionContext, idp: str) -> list[str]:
    """What a provider is asked for."""
    return next((list(entry.scopes) for entry in context.idp_entries if entry.name == idp), [])


def _target(context: InteractionContext, idp_name: str, resource: str | None) -> ConnectTarget | None:
    """None when several owners could be meant. Raises PageRefused for what is not configured."""
    idp = context.idps.get(idp_name)
    if idp is None:
        raise _nothing_here()
    if resource is not None:
        entry = _entry(context, resource)
        if entry is None or idp_name not in entry.uses:
            raise _nothing_here()
        return ConnectTarget(idp, entry, resource)
    entries = [entry for entry in context.resources.entries if idp_name in entry.uses]
    if not entries:
        raise _nothing_here()
    return ConnectTarget(idp, entries[0], entries[0].resource) if len(entries) == 1 else None


def _entry(context: InteractionContext, resource: str) -> ResourceSettings | None:
    """Of a resource, or of an entry named as configured."""
    for entry in context.resources.entries:
        if entry.resource == resource:
            return entry
    try:
        target = context.resources.find(resource)
    except UrlRefused:
        return None
    return None if target is None else target.settings


def _identity(context: InteractionContext, target: ConnectTarget) -> UpstreamIdp:
    idp = context.idps.get(target.entry.identity)
    if idp is None:
        raise _nothing_here()
    return idp


def _address(context: InteractionContext, target: ConnectTarget) -> str:
    path = endpoint_path(context.issuer, connect_path(target.idp.name))
    return f"{path}?{urlencode({'resource': target.resource})}"


def _nothing_here() -> PageRefused:
    return PageRefused(
        "There is nothing to connect here",
        "This server does not connect such an account for this resource.",
        "Go back to the program that you came from, or ask whoever runs this server.",
        status=404,
    )
