"""Requests that are pushed before their person comes. RFC 9126.

Whatever is wrong with one is told to the client at once. What it is given instead is good once, for its own
requests, and for as long as a browser needs to arrive.
"""

from __future__ import annotations

import secrets
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.http.json_answer import json_answer
from ostiary.authserver.interaction.context import InteractionContext
from ostiary.authserver.interaction.request_validation import validate_authorization, validate_request
from ostiary.authserver.requests.client_request import ClientRequest
from ostiary.authserver.tokens.binding import binding
from ostiary.identity.possession import Possession
from ostiary.oauth.errors import OAuthError
from ostiary.oauth.server.client import Client
from ostiary.oauth.server.errors import InvalidRequest, InvalidRequestUri
from ostiary.oauth.server.parameters import Parameters, read_parameters
from ostiary.storage.expiry import Expiry
from ostiary.storage.schema import pushed_requests
from ostiary.storage.store import digest
from ostiary.transport.inline_http import Answer

URN = "urn:ietf:params:oauth:request_uri:"
LIFETIME = 90
"""Seconds."""
_PROOFS = ("client_secret", "client_assertion", "client_assertion_type")
"""How the client proved itself, which is no part of what it asks."""

EXPIRY = Expiry(pushed_requests.c.expires_at)

_row = pushed_requests.c


class _Pushed(msgspec.Struct, frozen=True):
    """What is sealed."""

    parameters: bytes


async def push(request: ClientRequest, context: InteractionContext, possession: Possession) -> Answer:
    """`POST /oauth/par`. Raises OAuthError or StorageError."""
    try:
        parameters = await _read(request, context, possession)
    except OAuthError as error:
        context.audit.write(
            AuditEvent.SIGN_IN_REFUSED,
            client=request.client.client_id,
            error=error.error,
            reason=error.detail or error.description,
            address=request.form.peer,
        )
        raise
    reference = await _keep(context, request.client, parameters, request.now)
    return json_answer({"request_uri": URN + reference, "expires_in": LIFETIME}, status=201)


async def _read(request: ClientRequest, context: InteractionContext, possession: Possession) -> Parameters:
    if "request_uri" in request.parameters:
        raise InvalidRequest("a request_uri cannot be pushed")
    parameters = request.parameters.with_(client_id=request.client.client_id, **dict.fromkeys(_PROOFS))
    if request.form.dpop is not None:
        parameters = await _bound(request, parameters, possession)
    validate_authorization(validate_request(request.client, parameters, was_pushed=True), context)
    return parameters


async def _bound(request: ClientRequest, parameters: Parameters, possession: Possession) -> Parameters:
    """The code is for whoever proved a key here (RFC 9449 section 10.1)."""
    proven = await binding(request.form, request.client, possession) or {}
    key = proven.get("jkt")
    if key is not None and parameters.get("dpop_jkt") not in {None, key}:
        raise InvalidRequest("dpop_jkt is another key than the one of the proof")
    return parameters if key is None else parameters.with_(dpop_jkt=key)


def is_pushed(parameters: Parameters) -> bool:
    """Whether an authorization request stands for one that was pushed."""
    return (parameters.get("request_uri") or "").startswith(URN)


async def resolve_request_uri(
    context: InteractionContext, parameters: Parameters, *, now: float
) -> Parameters:
    """What was pushed, once; nothing else of the request counts. Raises InvalidRequestUri."""
    key = digest(parameters.require("request_uri").removeprefix(URN))
    client_id = parameters.require("client_id")

    def take(connection: Connection) -> _Pushed | None:
        row = connection.execute(
            delete(pushed_requests)
            .where(_row.uri_hash == key, _row.client_id == client_id, _row.expires_at > now)
            .returning(pushed_requests)
        ).one_or_none()
        return (
            None if row is None else context.store.open(row.sealed, _Pushed, table=pushed_requests, row=row)
        )

    pushed = await context.store.transaction(take)
    if pushed is None:
        raise InvalidRequestUri("the request_uri is unknown, used, expired, or another client's")
    return read_parameters(pushed.parameters)


async def _keep(context: InteractionContext, client: Client, parameters: Parameters, now: float) -> str:
    reference = secrets.token_urlsafe(32)
    row: dict[str, Any] = {
        "uri_hash": digest(reference),
        "client_id": client.client_id,
        "expires_at": now + LIFETIME,
    }
    row["sealed"] = context.store.seal(_Pushed(parameters.encoded()), table=pushed_requests, row=row)
    await context.store.transaction(lambda connection: connection.execute(insert(pushed_requests), row))
    return reference
