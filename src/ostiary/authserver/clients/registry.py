"""A client by its id, however it became known."""

from __future__ import annotations

from collections.abc import Iterable

from ostiary.oauth.client import Client


class ClientRegistry:
    """All clients. Those of the configuration are found without waiting."""

    def __init__(self, configured: Iterable[Client]) -> None:
        self._configured = {client.client_id: client for client in configured}

    async def find(self, client_id: str) -> Client | None:
        """The client, None for one that nobody knows.

        Raises StorageError, and Unavailable when its document can't be had now.
        """
        return self._configured.get(client_id)
