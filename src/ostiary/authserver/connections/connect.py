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
from ostiary.authserver.connections.browser_session import SignedIn, posted, signed_in
from ostiary.authserver.connections.ending import SIGN_OUT
from ostiary.authserver.connections.sign_in import PAGE, leave
from ostiary.authserver.http.page_door import PageRefused
from ostiary.authserver.idps.idp import UpstreamIdp
from ostiary.authserver.interaction.browser_request import Visit
from ostiary.authserver.interaction.redirect import see_other
from ostiary.authserver.interaction.upstream_login import ConnectLeg, PageSignIn
from ostiary.authserver.pages import ConnectAccount, page_response
from ostiary.authserver.services import Parts
from ostiary.oauth.canonical_url import UrlRefused
from ostiary.oauth.server.endpoint_url import endpoint_path
from ostiary.oauth.server.parameters import read_parameters


@dataclass(frozen=True, slots=True)
class Wanted:
    """An account at a provider, for an owner."""

    idp: UpstreamIdp
    entry: ResourceSettings
    resource: str
    """As configured, or as the program named it."""


async def ask(request: Request, parts: Parts) -> Response:
    """`GET /connect/{idp}?resource=`. Raises PageRefused, OAuthError, StorageError."""
    visit = Visit.of(request, parts)
    named = read_parameters(request.scope["query_string"]).get("resource")
    wanted = _wanted(parts, request.path_params["idp"], named)
    if wanted is None:
        return see_other(endpoint_path(parts.issuer, PAGE))
    person = await signed_in(request, parts, now=visit.now)
    if person is None or person.idp != wanted.entry.identity:
        return await leave(visit, _identity(parts, wanted), PageSignIn(_address(parts, wanted)))
    return page_response(await _page(parts, person, wanted))


async def begin(request: Request, parts: Parts) -> Response:
    """`POST /connect/{idp}`: the person wants it. Raises PageRefused, OAuthError, StorageError."""
    visit = Visit.again(request, parts)
    path = connect_path(request.path_params["idp"])
    person, form = await posted(request, parts, path, now=visit.now)
    wanted = _wanted(parts, request.path_params["idp"], form.require("resource"))
    if wanted is None or person.idp != wanted.entry.identity:
        raise _nothing_here()
    leg = ConnectLeg(person.user_id, wanted.entry.owner, wanted.resource)
    return await leave(visit, wanted.idp, leg)


def connect_path(idp: str) -> str:
    """Where the leg of a provider begins, below the issuer."""
    return f"/connect/{idp}"


async def _page(parts: Parts, person: SignedIn, wanted: Wanted) -> ConnectAccount:
    def find(connection: Connection) -> str:
        found = connected_account(
            connection, parts.store, person.user_id, wanted.entry.owner, wanted.idp.name
        )
        return "" if found is None else found.label or found.account

    return ConnectAccount(
        idp=wanted.idp.display_name,
        resource=wanted.resource,
        owner=wanted.entry.owner,
        scopes=asked_scopes(parts, wanted.idp.name),
        signed_in_as=person.name,
        form=person.form(parts, connect_path(wanted.idp.name), resource=wanted.resource),
        sign_out=person.form(parts, SIGN_OUT),
        connected=await parts.store.read(find),
    )


def asked_scopes(parts: Parts, idp: str) -> list[str]:
    """What a provider is asked for."""
    return next((list(entry.scopes) for entry in parts.settings.upstream_idps if entry.name == idp), [])


def _wanted(parts: Parts, idp_name: str, resource: str | None) -> Wanted | None:
    """None when several owners could be meant. Raises PageRefused for what is not configured."""
    idp = parts.idps.get(idp_name)
    if idp is None:
        raise _nothing_here()
    if resource is not None:
        entry = _entry(parts, resource)
        if entry is None or idp_name not in entry.uses:
            raise _nothing_here()
        return Wanted(idp, entry, resource)
    entries = [entry for entry in parts.resources.entries if idp_name in entry.uses]
    if not entries:
        raise _nothing_here()
    return Wanted(idp, entries[0], entries[0].resource) if len(entries) == 1 else None


def _entry(parts: Parts, resource: str) -> ResourceSettings | None:
    """Of a resource, or of an entry named as configured."""
    for entry in parts.resources.entries:
        if entry.resource == resource:
            return entry
    try:
        target = parts.resources.find(resource)
    except UrlRefused:
        return None
    return None if target is None else target.settings


def _identity(parts: Parts, wanted: Wanted) -> UpstreamIdp:
    idp = parts.idps.get(wanted.entry.identity)
    if idp is None:
        raise _nothing_here()
    return idp


def _address(parts: Parts, wanted: Wanted) -> str:
    path = endpoint_path(parts.issuer, connect_path(wanted.idp.name))
    return f"{path}?{urlencode({'resource': wanted.resource})}"


def _nothing_here() -> PageRefused:
    return PageRefused(
        "There is nothing to connect here",
        "This server does not connect such an account for this resource.",
        "Go back to the program that you came from, or ask whoever runs this server.",
        status=404,
    )
