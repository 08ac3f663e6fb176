"""Clients as pages show them."""

from __future__ import annotations

from ostiary.authserver.interaction.authorization_request import host_of, name_of
from ostiary.authserver.interaction.consent import KNOWN_BY
from ostiary.authserver.interaction.context import InteractionContext
from ostiary.authserver.pages import Client
from ostiary.oauth.errors import OAuthError
from ostiary.oauth.server.client import ClientKind
from ostiary.oauth.server.client_document import document_url


async def client_view(context: InteractionContext, client_id: str) -> Client:
    """A client by its id; that alone when it is gone, or its document out of reach. Raises StorageError."""
    try:
        client = await context.clients.find(client_id, stale_ok=True)
    except OAuthError:
        client = None
    by_document = document_url(client_id) is not None
    host = host_of(client_id) if by_document else ""
    if client is not None:
        return Client(name_of(client), KNOWN_BY[client.kind], host)
    return Client(
        host or client_id, KNOWN_BY[ClientKind.DOCUMENT if by_document else ClientKind.DYNAMIC], host
    )
