"""Whom we ask for tokens, and as whom: a client's settings and where its issuer is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import StringConstraints

from ostiary.credentials.issuer.addressee import AddressedClient
from ostiary.credentials.issuer.discovery import FoundEndpoint, find_token_endpoint
from ostiary.credentials.issuer.token_endpoint import IssuerEndpoint
from ostiary.oauth.canonical_url import canonical_url
from ostiary.settings import Url

if TYPE_CHECKING:
    from ostiary.credentials.issuer.context import IssuerContext
    from ostiary.credentials.tokens.dpop_key import DpopKey
    from ostiary.oauth.canonical_url import CanonicalUrl

Named = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]+$")]
"""A name that goes into a form: an audience, a token type."""


class IssuerSettings(AddressedClient):
    """An OAuth client at one issuer."""

    token_url: Url | None = None
    """The issuer's token endpoint. Default: as the issuer's metadata says."""

    @property
    def is_addressed(self) -> bool:
        """Whether the configuration says who is asked for tokens."""
        return self.token_url is not None or super().is_addressed

    def service_or(self, server_url: CanonicalUrl) -> CanonicalUrl:
        """Where tokens are asked for, as far as the settings tell; else the server's own URL."""
        return self.token_url or (canonical_url(self.issuer) if self.issuer else server_url)

    async def find(self, server_url: CanonicalUrl, context: IssuerContext, credential: str) -> FoundEndpoint:
        """The token endpoint. Raises CredentialError."""
        await self.require_addressee(server_url, context, credential)
        return await find_token_endpoint(
            token_url=self.token_url,
            issuer=self.issuer,
            server_url=server_url,
            discoveries=context.discoveries,
            reach=self.reach,
            credential=credential,
            mutual_tls=self.certificates is not None,
        )

    def at(
        self,
        found: FoundEndpoint,
        server_url: CanonicalUrl,
        context: IssuerContext,
        credential: str,
        *,
        dpop: DpopKey | None = None,
    ) -> IssuerEndpoint:
        """What asks there, as this client. dpop: the key to bind tokens to, if any."""
        return IssuerEndpoint(
            url=found.url,
            issuer=found.issuer,
            client=self,
            context=context,
            credential=credential,
            endpoint=server_url.origin,
            reach=found.reach,
            methods_supported=found.methods_supported,
            dpop=dpop,
        )


def resource_of(
    configured: str | Literal[False] | None, found: FoundEndpoint, server_url: CanonicalUrl
) -> str | None:
    """Whom a token is for (RFC 8707): as configured, else as the server calls itself, else its URL.

    None when it is configured not to be said.
    """
    if configured is False:
        return None
    return configured or (str(server_url) if found.server is None else found.server.resource)
