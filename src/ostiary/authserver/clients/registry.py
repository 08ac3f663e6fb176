"""A client by its id, however it became known."""

from __future__ import annotations

from collections.abc import Iterable

from ostiary.authserver.clients.metadata_documents import DocumentClients
from ostiary.authserver.clients.stored_clients import StoredClients
from ostiary.oauth.server.client import Client
from ostiary.oauth.server.client_document import document_url


class ClientRegistry:
    """All clients. Those of the configuration, and of fresh documents, are found without waiting.

    documents: None where a client's id may not be the URL of its description.
    """

    def __init__(
        self, configured: Iterable[Client], *, stored: StoredClients, documents: DocumentClients | None
    ) -> None:
        self._configured = {client.client_id: client for client in configured}
        self._stored = stored
        self.documents = documents

    async def find(
        self, client_id: str, *, asked_from: str | None = None, stale_ok: bool = False
    ) -> Client | None:
        """The client, None for one that nobody knows.

        asked_from: the address of a stranger who names it, whose slow documents are not everybody's trouble.
        stale_ok: take a document that was had before and can't be had now, for who was let in before; a new
        authorization never does. Raises InvalidClient for a document that is not one, Unavailable or
        TooManyRequests when it can't be had now, StorageError.
        """
        configured = self._configured.get(client_id)
        if configured is not None:
            return configured
        url = document_url(client_id)
        if url is None:
            return await self._stored.find(client_id)
        if self.documents is None:
            return None
        return await self.documents.find(url, client_id, asked_from=asked_from, stale_ok=stale_ok)

    async def look_in_vain(self, client_id: str) -> None:
        """Read what finding another client takes: refusing one of the configuration is no quicker than
        refusing one that nobody knows. Raises StorageError."""
        if client_id in self._configured:
            await self._stored.find(client_id)
