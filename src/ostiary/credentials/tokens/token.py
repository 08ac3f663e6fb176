"""A token and how long it is good for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from ostiary.credentials.tokens.dpop_key import DpopKey
    from ostiary.secrets import Secret


@dataclass(frozen=True, slots=True)
class Token:
    """What an issuer gave us."""

    value: Secret
    expires_at: float | None = None
    """Seconds since the epoch; None when the issuer did not say."""
    dpop_key: DpopKey | None = None
    """The key that it is bound to, and that each request proves (RFC 9449); None for a bearer token."""
    scopes: tuple[str, ...] = ()
    """What it was asked with."""


class TokenSource(Protocol):
    """The object that can fetch a token for a credential."""

    @property
    def credential(self) -> str:
        """The credential's type, for errors."""

    @property
    def endpoint(self) -> str:
        """What its tokens are for, for errors."""

    async def fetch(self) -> Token:
        """Ask the issuer. Bounded in time; raises CredentialError."""


@runtime_checkable
class Replacing(Protocol):
    """A token source whose issuer would give the same token again, unless it is told which was refused."""

    async def replace(self, refused: Token) -> Token:
        """Ask for another one. Bounded in time; raises CredentialError."""
