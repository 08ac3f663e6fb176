"""Does the request come from the client that it names? RFC 6749 section 2.3."""

from __future__ import annotations

import hmac

from ostiary.authserver.clients.configured import secret_digest
from ostiary.authserver.clients.registry import ClientRegistry
from ostiary.authserver.http.form_request import FormRequest
from ostiary.oauth.client import Client
from ostiary.oauth.presented_client import PresentedName, PresentedSecret, read_presented
from ostiary.oauth.server_errors import InvalidClient

_NOBODYS = bytes(32)


class ClientAuthenticator:
    """Authenticates the clients of one registry."""

    def __init__(self, registry: ClientRegistry) -> None:
        self._registry = registry

    async def authenticate(self, form: FormRequest, *, now: float) -> Client:
        """The client. Raises InvalidRequest, InvalidClient, StorageError.

        Unknown and unproven get the same answer after the same work.
        """
        presented = read_presented(form.authorization, form.parameters)
        match presented:
            case PresentedSecret():
                client = await self._registry.find(presented.client_id)
                expected = _NOBODYS if client is None else client.secret_digest or _NOBODYS
                good = hmac.compare_digest(expected, secret_digest(presented.secret))
                if client is None or not good or client.auth_method != presented.method:
                    raise InvalidClient("the client is unknown or did not prove who it is")
                return client
            case PresentedName():
                client = await self._registry.find(presented.client_id)
                if client is None or client.auth_method != "none":
                    raise InvalidClient("the client is unknown or did not prove who it is")
                return client
        raise InvalidClient("the client is unknown or did not prove who it is")
