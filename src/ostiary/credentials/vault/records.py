"""What a person's sign-ins leave behind: tokens and registrations, kept for the next command.

Grant               what one authorization server gave for one server
RegisteredClient    who we are at one authorization server (oauth.client.client_registration)
UserRecords         both, in a vault; keyed by issuer, so that nothing goes to another
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, TypeVar

import msgspec

from ostiary.oauth.client.client_registration import RegisteredClient

if TYPE_CHECKING:
    from ostiary.credentials.vault.vault import TokenVault

_Record = TypeVar("_Record")


@dataclass(frozen=True, slots=True)
class Grant:
    """What an authorization server gave a person's client for one resource."""

    issuer: str
    resource: str | None
    """As the server's metadata writes it; None where it was not said."""
    client_id: str
    token_endpoint: str
    access_token: str = field(repr=False)
    expires_at: float | None = None
    """Seconds since the epoch."""
    refresh_token: str | None = field(default=None, repr=False)
    scopes: tuple[str, ...] = ()
    """What was granted; what was asked for, when the issuer did not say."""
    revocation_endpoint: str | None = None
    person: str | None = None
    """Who signed in, as an unverified token says: to be shown, never to be relied on."""
    dpop_key: str | None = field(default=None, repr=False)
    """The private key (JWK) that the tokens are bound to (RFC 9449)."""


@dataclass(frozen=True, slots=True)
class KeptClient:
    """A registration, and the port of its redirect URI, which many servers compare whole."""

    client: RegisteredClient
    port: int


class UserRecords:
    """Grants and registrations in a vault."""

    def __init__(self, vault: TokenVault) -> None:
        self.vault = vault

    async def issuer(self, server_url: str) -> str | None:
        """Who vouched for the person at this server last."""
        record = await self.vault.get(f"server {server_url}")
        return None if record is None else record.decode()

    async def grant(self, issuer: str, server_url: str) -> Grant | None:
        """What this issuer gave for this server."""
        return _read(await self.vault.get(_grant_key(issuer, server_url)), Grant)

    async def keep_grant(self, server_url: str, grant: Grant) -> None:
        """Keep what an issuer gave; it is this server's issuer from now on."""
        await self.vault.put(_grant_key(grant.issuer, server_url), msgspec.json.encode(asdict(grant)))
        await self.vault.put(f"server {server_url}", grant.issuer.encode())

    async def forget_grant(self, issuer: str, server_url: str) -> None:
        """Forget what an issuer gave for a server."""
        await self.vault.delete(_grant_key(issuer, server_url))
        await self.vault.delete(f"server {server_url}")

    async def client(self, issuer: str) -> KeptClient | None:
        """Who we are at this issuer, when it registered us."""
        return _read(await self.vault.get(f"client {issuer}"), KeptClient)

    async def keep_client(self, issuer: str, kept: KeptClient) -> None:
        """Remember a registration."""
        await self.vault.put(f"client {issuer}", msgspec.json.encode(asdict(kept)))

    async def forget_client(self, issuer: str) -> None:
        """The issuer does not know us any more."""
        await self.vault.delete(f"client {issuer}")


def _grant_key(issuer: str, server_url: str) -> str:
    return f"grant {issuer} {server_url}"


def _read(record: bytes | None, kind: type[_Record]) -> _Record | None:
    """A record of an older or newer version counts for nothing: the person signs in again."""
    if record is None:
        return None
    try:
        return msgspec.json.decode(record, type=kind)
    except msgspec.ValidationError:
        return None
