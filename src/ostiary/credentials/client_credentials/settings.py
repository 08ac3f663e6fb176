"""A token for ourselves: the client credentials grant (RFC 6749 section 4.4).

The token endpoint is `token_url`, or what `issuer` says of itself, or what the server says of itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, StringConstraints

from ostiary.credentials.issuer.client_settings import ClientId, ResourceUri, Scope
from ostiary.credentials.issuer.settings import IssuerSettings
from ostiary.settings import Switch

RESERVED = frozenset(
    {
        "audience",
        "client_assertion",
        "client_assertion_type",
        "client_id",
        "client_secret",
        "grant_type",
        "resource",
        "scope",
    }
)
"""Parameters that have settings of their own."""


def _not_reserved(parameters: Mapping[str, str]) -> Mapping[str, str]:
    if taken := sorted(RESERVED.intersection(parameters)):
        raise ValueError(f"{', '.join(taken)}: set by settings of their own, not by parameters")
    return parameters


Parameters = Annotated[Mapping[str, str], AfterValidator(_not_reserved)]


class ClientCredentialsSettings(IssuerSettings):
    """Which issuer gives us tokens, as which client, and for what."""

    type: Literal["client_credentials"] = "client_credentials"
    """The kind of credential."""
    client_id: ClientId
    """The client's name at the issuer."""
    scopes: tuple[Scope, ...] | None = None
    """What the token is to be good for. Default: what the server asks for, or says that it knows."""
    resource: ResourceUri | Literal[False] | None = None
    """The server that the token is for, as the issuer knows it (RFC 8707); false names none.
    Default: what the server calls itself, else its URL."""
    audience: Annotated[str, StringConstraints(min_length=1)] | None = None
    """A further name of whom the token is for, where the issuer has such a parameter."""
    parameters: Parameters = {}
    """Further parameters of the token request, by name."""
    dpop: Switch | None = None
    """Whether tokens are bound to a key that each request proves (RFC 9449).
    Default: when the server or the issuer asks for it."""
