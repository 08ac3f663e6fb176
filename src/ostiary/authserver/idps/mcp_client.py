"""Which client to be at an MCP server's authorization server, in the order of MCP's specification.

1  the one that the configuration names
2  the one that describes itself at our own URL, where the server takes such clients
3  one that the server registered before, or registers now

Many a server forgets whom it registered when it is restarted. It says so on a page that only the person sees,
who never comes back; so when nobody came back for a while, the next one comes as another client.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from ostiary.authserver.config.idps import McpIdp
from ostiary.authserver.idps.idp_client import IdpClient, OurMethod
from ostiary.authserver.idps.registrations import Registrations
from ostiary.credentials.issuer.discovery import FoundIssuer
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.client.client_registration import (
    RegisteredClient,
    RegistrationRefused,
    read_registration,
    registration_request,
    takes_metadata_documents,
)
from ostiary.secrets import Secret
from ostiary.transport.fetch import Fetcher

AWAY = 60.0
"""Seconds after which somebody who left, and is not back, may have been told that nobody knows us there."""
ANEW_EVERY = 3600.0
"""Seconds between registrations for that reason: most who stay away have only changed their mind."""


@dataclass(frozen=True, slots=True)
class McpClients:
    """Of one entry. document: our own URL; None when our issuer can't publish one."""

    entry: McpIdp
    registrations: Registrations
    document: str | None
    fetcher: Fetcher
    _left_at: dict[str, float] = field(default_factory=dict)
    """Client → when the first left with it, of those since the last came back."""
    _anew_at: dict[str, float] = field(default_factory=dict)
    """Issuer → when we last registered there for want of anybody who came back."""

    async def for_sign_in(self, found: FoundIssuer, *, redirect_uri: str, now: float) -> IdpClient:
        """The client for a new sign-in. Raises RegistrationRefused, FetchError, UrlRefused, StorageError."""
        if self.entry.client_id is not None:
            return self._configured()
        if self.document is not None and takes_metadata_documents(found.metadata):
            return IdpClient(self.document, None, "none")
        name, issuer = self.entry.name, found.issuer
        known = await self.registrations.current(name, issuer, redirect_uri=redirect_uri, now=now)
        if known is not None and self._seems_forgotten(known.client_id, issuer, now):
            await self.registrations.give_up(name, issuer, known.client_id, now=now)
            known = None
        if known is None:
            known = await self._registered(found, redirect_uri)
            await self.registrations.keep(name, issuer, known, redirect_uri=redirect_uri, now=now)
        self._left_at.setdefault(known.client_id, now)
        return _ours(known)

    def came_back(self, client_id: str) -> None:
        """Hear that somebody came back from a sign-in with this client: it is known there."""
        self._left_at.pop(client_id, None)

    def _seems_forgotten(self, client_id: str, issuer: str, now: float) -> bool:
        if not now - self._left_at.get(client_id, now) > AWAY:
            return False
        if now - self._anew_at.get(issuer, float("-inf")) < ANEW_EVERY:
            return False
        self._left_at.pop(client_id)
        self._anew_at[issuer] = now
        return True

    async def named(self, issuer: str, client_id: str) -> IdpClient | None:
        """The client that got some tokens; None when we are that client no more. Raises StorageError."""
        if client_id == self.entry.client_id:
            return self._configured() if self.entry.issuer in {None, issuer} else None
        if client_id == self.document:
            return IdpClient(client_id, None, "none")
        known = await self.registrations.find(self.entry.name, issuer, client_id)
        return None if known is None else _ours(known)

    def _configured(self) -> IdpClient:
        return IdpClient(str(self.entry.client_id), self.entry.client_secret)

    async def _registered(self, found: FoundIssuer, redirect_uri: str) -> RegisteredClient:
        at: Mapping[str, Any] = found.metadata
        if not isinstance(at.get("registration_endpoint"), str):
            raise RegistrationRefused(
                f"authorization server {found.issuer} registers no clients by itself: register one there by "
                "hand, and set client_id"
            )
        asked = registration_request(
            redirect_uri, at, application_type="web" if redirect_uri.startswith("https://") else "native"
        )
        answer = await self.fetcher.post(
            canonical_url(at["registration_endpoint"]),
            msgspec.json.encode(asked),
            headers={"content-type": "application/json"},
            reach=found.reach,
        )
        return read_registration(answer.status, answer.body, asked=asked)


def _ours(client: RegisteredClient) -> IdpClient:
    secret = None if client.client_secret is None else Secret(client.client_secret)
    return IdpClient(client.client_id, secret, cast("OurMethod", client.auth_method))
