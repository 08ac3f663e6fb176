"""The workloads' own port: mutual TLS, two routes, and none of the public ones.

A connection is used for a bounded time, and its certificate is looked at in each request: so nobody goes on
with one that ended, that was denied, or whose authority is trusted no more. Whatever headers say of
certificates is not read.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

from ostiary.authserver.config.internal import INTERNAL_LISTEN, InternalSettings
from ostiary.authserver.http.endpoint_door import Handler, door
from ostiary.authserver.http.form_request import read_form_request, read_query_request
from ostiary.authserver.http.nothing_else import nothing_else
from ostiary.oauth.canonical_url import canonical_url
from ostiary.telemetry.audit import Audit
from ostiary.transport.inline_http import Answer, Door, Request, StreamedAnswer
from ostiary.transport.limits import Limits
from ostiary.transport.listeners import Listener

TOKEN_EXCHANGE_PATH = "/internal/token-exchange"  # noqa: S105 - a path
REVOCATIONS_PATH = "/internal/revocations"


@dataclass(frozen=True, slots=True)
class InternalEndpoints:
    """What answers there."""

    token_exchange: Handler
    revocations: Handler


def internal_listener(
    settings: InternalSettings,
    endpoints: InternalEndpoints,
    audit: Audit,
    limits: Limits,
    *,
    tls: ssl.SSLContext,
) -> Listener:
    """tls: what lets nobody in without a certificate."""
    age = settings.connection_age.total_seconds()
    exchange = door(
        endpoints.token_exchange,
        url=settings.origin + TOKEN_EXCHANGE_PATH,
        read=read_form_request,
        audit=audit,
    )
    revocations = door(
        endpoints.revocations, url=settings.origin + REVOCATIONS_PATH, read=read_query_request, audit=audit
    )
    return Listener(
        name=INTERNAL_LISTEN,
        app=nothing_else,
        doors={
            b"POST": {TOKEN_EXCHANGE_PATH.encode(): _until(exchange, age)},
            b"GET": {REVOCATIONS_PATH.encode(): _until(revocations, age)},
        },
        authorities=(canonical_url(settings.origin).authority,),
        limits=limits,
        tls=tls,
    )


def _until(door: Door, age: float) -> Door:
    """The last answer on a connection that is older closes it."""

    async def answer(request: Request) -> Answer | StreamedAnswer:
        if asyncio.get_running_loop().time() - request.connected_at >= age:
            request.keep_alive = False
        return await door(request)

    return answer
