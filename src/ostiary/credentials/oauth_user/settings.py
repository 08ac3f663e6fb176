"""One person's own token: authorization code with PKCE, by their browser. RFC 6749 4.1, RFC 7636, RFC 8252.

The person signs in once, by `ostiary login URL`; from then on the token is renewed without them for as long
as the issuer lets it be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from ostiary.credentials.issuer.addressee import AddressedClient
from ostiary.credentials.issuer.client_settings import ResourceUri, Scope
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.client.authorization_request import refuse_reserved
from ostiary.oauth.client.redirect_uri import LoopbackRedirect, loopback_redirect


def _a_document(text: str) -> str:
    url = canonical_url(text)
    if url.scheme != "https" or not url.path:
        raise ValueError("a client_id_metadata_document is at an https URL with a path")
    return text


def _on_this_machine(text: str) -> str:
    loopback_redirect(text)
    return text


class OAuthUserSettings(AddressedClient):
    """Which client asks the person, and for what."""

    type: Literal["oauth_user"] = "oauth_user"
    """The kind of credential."""
    client_id_metadata_document: Annotated[str, AfterValidator(_a_document)] | None = None
    """URL of a document that describes the client, for servers that take such a URL as client_id."""
    redirect_uri: Annotated[str, AfterValidator(_on_this_machine)] = "http://127.0.0.1/callback"
    """Where the browser comes back to, as the client is registered; without a port, any that is free."""
    scopes: tuple[Scope, ...] = ()
    """What to ask for, beside what the server demands.
    Default: all that its metadata lists, if it demands nothing."""
    resource: ResourceUri | Literal[False] | None = None
    """What the token is for (RFC 8707); false says nothing, for issuers that refuse to hear it, as Google and
    Entra ID do. Default: what the server calls itself, else its URL."""
    authorization_params: Annotated[Mapping[str, str], AfterValidator(refuse_reserved)] = {}
    """Further parameters of the authorization request, such as `access_type: offline`."""
    code_challenge_methods_supported: tuple[Literal["S256"], ...] = ()
    """What the issuer's metadata leaves out: [S256] where it checks PKCE and does not say so, as Entra ID
    does. Without either, nobody is sent there."""

    @model_validator(mode="after")
    def _one_client(self) -> Self:
        if self.client_id is not None and self.client_id_metadata_document is not None:
            raise ValueError("client_id and client_id_metadata_document exclude each other")
        return self

    @property
    def redirect(self) -> LoopbackRedirect:
        """redirect_uri, taken apart."""
        return loopback_redirect(self.redirect_uri)
