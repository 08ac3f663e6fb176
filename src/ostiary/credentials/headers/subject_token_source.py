"""A token that is shown to an issuer, to get another one for it."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from ostiary.credentials.error import CredentialMisconfigured
from ostiary.oauth.client.token_exchange import TypedToken

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ostiary.credentials.headers.headers import CredentialHeaders, OutgoingRequest
    from ostiary.identity.principal import Principal


class SubjectTokenSource(Protocol):
    """A token to present, as it is now."""

    async def token(self) -> TypedToken:
        """Fetched when needed. Raises CredentialError."""

    def version(self) -> Hashable:
        """Another value when another token would be presented, as far as that is known without asking."""


@dataclass(frozen=True, slots=True)
class CallersToken:
    """The token that the caller came with."""

    principal: Principal
    type: str

    async def token(self) -> TypedToken:
        """At hand."""
        return TypedToken(self.principal.token.reveal(), self.type)

    def version(self) -> Hashable:
        """The caller's next token may be taken where this one was not."""
        return sha256(self.principal.token.reveal().encode()).digest()


@dataclass(frozen=True, slots=True)
class CredentialsToken:
    """The token that another credential would send with this request."""

    headers: CredentialHeaders
    request: OutgoingRequest
    type: str
    role: str
    """What it is presented as: subject or actor."""
    of: str
    """Its credential's type."""

    async def token(self) -> TypedToken:
        """Fetched when needed. Raises CredentialError."""
        headers = self.headers.ready(self.request)
        if headers is None:
            headers = await self.headers.get(self.request)
        for _, value in headers:
            scheme, _, token = value.partition(" ")
            if scheme == "Bearer":
                return TypedToken(token, self.type)
        raise CredentialMisconfigured(
            f"as {self.role} it gives no bearer token that could be presented",
            credential=self.of,
            endpoint=self.request.url.origin,
            fix=f"set {self.role} to another credential",
        )

    def version(self) -> Hashable:
        """Its credential sees to that."""
        return None
