"""A request of a client that proved who it is: how most back-channel endpoints begin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec

from ostiary.oauth.server.client import Client
from ostiary.transport.inline_http import Answer

if TYPE_CHECKING:
    from ostiary.authserver.clients.authentication import ClientAuthenticator
    from ostiary.authserver.http.endpoint_door import Handler
    from ostiary.authserver.http.form_request import FormRequest
    from ostiary.authserver.rates import ClientRate
    from ostiary.oauth.server.parameters import Parameters


class ClientRequest(msgspec.Struct, frozen=True):
    """Who asks, what, and when."""

    form: FormRequest
    client: Client
    now: float

    @property
    def parameters(self) -> Parameters:
        """What the form says."""
        return self.form.parameters


ClientEndpoint = Callable[[ClientRequest], Awaitable[Answer]]
"""Raises OAuthError or StorageError."""


def for_clients(
    endpoint: ClientEndpoint,
    authenticator: ClientAuthenticator,
    limit: ClientRate,
    clock: Callable[[], float],
) -> Handler:
    """The endpoint, for clients that prove who they are and do not ask too often."""

    async def answer(form: FormRequest) -> Answer:
        now = clock()
        client = await authenticator.authenticate(form, limit=limit, now=now)
        return await endpoint(ClientRequest(form, client, now))

    return answer
