"""Whose account is wanted, for which MCP server, and who is asked for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, StringConstraints, WithJsonSchema

from ostiary.certificates.settings import CertificateSettings, WorkloadId
from ostiary.credentials.issuer.client_settings import Scope
from ostiary.credentials.subject import PersonsSubject
from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.settings import Settings, Switch, Url, read_duration

EXCHANGE_PATH = "/internal/token-exchange"
"""Where an authorization server of ours exchanges tokens, by default."""


def exchange_url(url: CanonicalUrl) -> CanonicalUrl:
    """The address of an exchange; that of a server alone leads to its usual path. Raises ValueError."""
    if url.scheme != "https":
        raise ValueError(f"{url} is not https: the authorization server knows us by our certificate")
    return url if url.path else replace(url, path=EXCHANGE_PATH)


LONGEST_BOUND = timedelta(seconds=60)
"""For which a token is served without news of its session."""

Name = Annotated[str, StringConstraints(pattern=r"^[!-~]+$", max_length=255)]


def _read_revocations(value: object) -> timedelta | Literal["feed"]:
    if value == "feed":
        return "feed"
    try:
        bound = read_duration(value)
    except ValueError:
        bound = timedelta(0)
    if not timedelta(0) < bound <= LONGEST_BOUND:
        raise ValueError("write feed, or a duration of up to 60s")
    return bound


Revocations = Annotated[
    timedelta | Literal["feed"],
    BeforeValidator(_read_revocations),
    WithJsonSchema({"type": "string", "description": "feed, or a duration of up to 60s"}),
]


class UpstreamTokenSettings(Settings):
    """The caller's own token at an identity provider, which the authorization server keeps."""

    type: Literal["upstream_token"] = "upstream_token"
    """The kind of credential."""
    provider: Name | None = None
    """The identity provider, by its name at the authorization server. Default: the only one whose tokens the
    server may have."""
    server: Name | None = None
    """The MCP server, as the authorization server's `resources[].servers` names it. Default: in a gateway the
    server's name there; elsewhere none, for a resource that is a server itself."""
    token_url: Annotated[Url, AfterValidator(exchange_url)] | None = None
    """Where the authorization server exchanges tokens; without a path it is /internal/token-exchange.
    Default: that of `authserver.internal` in the same file."""
    certificates: CertificateSettings | None = None
    """Our certificate there, which says whose workload we are. Default: `gateway.certificates`."""
    authserver_spiffe_id: WorkloadId | None = None
    """The authorization server's SPIFFE ID, where its certificate is for no host name; believed of the
    authorities of its trust domain alone. Default: its certificate has to be for the host of token_url."""
    private_network: Switch = False
    """The authorization server may be on a private network."""
    requested_token: Literal["access_token", "id_token"] = "access_token"  # noqa: S105 - a kind's name
    """Which of the account's tokens the server wants."""
    scopes: tuple[Scope, ...] = ()
    """Scopes without which the token would be of no use. Default: whatever the account was connected with."""
    subject: PersonsSubject = "inbound"
    """Whose account: the caller's (inbound), by the token that it came with, or that of whom a credential's
    token speaks of, such as `{type: oauth_user, resource: https://mcp.example.com/mcp}`."""
    revocations: Revocations = "feed"
    """How we hear of a session that ended: the authorization server tells it as it happens (feed), and is
    asked again when it was not heard for 60 seconds; or it is only asked again, after at most so long."""

    def asked_at(self, token_url: CanonicalUrl) -> Self:
        """The same, asked for there unless it says where: at an address of the operator's own."""
        if self.token_url is not None:
            return self
        return self.model_copy(update={"token_url": token_url, "private_network": True})

    def completed(self, **defaults: object) -> Self:
        """The same, with what it leaves to where it stands."""
        left = {name: value for name, value in defaults.items() if getattr(self, name) is None}
        return self.model_copy(update=left)
