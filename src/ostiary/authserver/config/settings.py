"""The whole `authserver:` part."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    model_validator,
)

from ostiary.authserver.config.clients import ClientSettings, faults_of_clients
from ostiary.authserver.config.idps import IdpSettings, McpIdp, OAuth2Idp, OidcIdp
from ostiary.authserver.config.internal import INTERNAL_LISTEN, InternalSettings
from ostiary.authserver.config.resources import ResourceSettings, Use
from ostiary.authserver.config.trusted_issuers import TrustedIssuer, TrustedUse, check_together
from ostiary.certificates.settings import CertificateSettings, TlsSettings
from ostiary.identity.inbound_settings import Issuer, ScopeToken
from ostiary.oauth.canonical_url import canonical_url
from ostiary.rates import Rate
from ostiary.settings import (
    ConfiguredPath,
    Duration,
    Fault,
    Listen,
    ListenAddress,
    NetworkField,
    RateField,
    Settings,
    Switch,
    Url,
    refuse,
)
from ostiary.transport.forwarded import NO_PROXY_IS_NAMED


def _can_be_ours(issuer: str) -> str:
    url = canonical_url(issuer)
    if url.query is not None or issuer.endswith("/"):
        raise ValueError("an issuer has no query, and no slash at its end (RFC 8414 section 2)")
    if url.scheme == "http" and not url.is_loopback:
        raise ValueError("an issuer is https, or http on this machine (RFC 8414 section 2)")
    return issuer


LISTEN, MTLS_LISTEN = "authserver.listen", "authserver.mtls.listen"
"""The settings that say where there are listeners."""


class MtlsSettings(Settings):
    """The token endpoint for clients with certificates: apart, so that no browser is asked for one."""

    listen: ListenAddress = Listen("127.0.0.1", 9444)
    """Where it listens."""
    url: Url | None = None
    """Its address as clients see it, told in `mtls_endpoint_aliases`. Default: https and where it listens."""
    certificates: CertificateSettings
    """Our certificate there, and whose clients are let in."""

    @property
    def origin(self) -> str:
        """The address, as clients see it, below which a certificate is asked for."""
        return f"https://{self.listen}" if self.url is None else str(self.url)


class RegistrationSettings(Settings):
    """How strangers' clients become known."""

    client_id_metadata_documents: Switch = True
    """A client's id may be the https URL of a document that describes it."""
    documents_private_network: Switch = False
    """Those documents may be on a private network, or on this machine."""
    documents_ca_file: ConfiguredPath | None = None
    """PEM file of the authorities trusted for those documents. Default: the system's."""
    documents_by_proxy: Switch = False
    """Those documents may be fetched by the proxy that `proxy` says, which then has to keep strangers away
    from private addresses. Default: without one, since only so we see which address is connected to."""
    dynamic: Switch = False
    """Clients may register themselves (RFC 7591)."""
    dynamic_lifetime: Duration = timedelta(days=90)
    """How long a registration stays without being used."""
    dynamic_most: Annotated[int, Field(gt=0)] = 10_000
    """How many there may be. Those that nobody ever let in make room for others, the oldest first; where a
    tenth of all came from one address, for those of that address."""
    scopes: list[ScopeToken] | None = None
    """The most that such clients may have of any resource, whatever they ask for. Default: of each resource
    its `default_scopes`. Where a resource has several scopes, one of the two has to be written."""

    @property
    def lets_strangers_in(self) -> bool:
        """Whether there may be clients that nobody vouches for."""
        return self.dynamic or self.client_id_metadata_documents


class TokenSettings(Settings):
    """How long what we issue lives."""

    access: Duration = timedelta(minutes=15)
    """Access tokens. Short, because a JWT cannot be called back."""
    refresh: Duration = timedelta(days=30)
    """Refresh tokens, and with them a session that is not used."""
    session: Duration = timedelta(days=90)
    """A session, however much it is used: then its person signs in again."""
    code: Duration = timedelta(seconds=60)
    """Authorization codes."""
    refresh_grace: Annotated[Duration, Field(le=timedelta(seconds=60))] = timedelta(seconds=10)
    """How long a refresh token whose answer was lost gives the same answer again. 60 s at most."""
    sign_in: Duration = timedelta(minutes=10)
    """How long a person may take to sign in and agree."""
    device: Duration = timedelta(minutes=10)
    """Device codes."""


class RateSettings(Settings):
    """How often one client at one address may ask; and one address, for all who prove no client there."""

    authorize: RateField = Rate(60, 60.0, "60/m")
    """Authorization requests, pushed ones and device requests among them."""
    token: RateField = Rate(600, 60.0, "600/m")
    """Token, introspection and revocation requests; userinfo requests as many again."""
    registration: Annotated[RateField, Field(alias="register")] = Rate(10, 60.0, "10/m")
    """Registrations; by address alone."""


class SigningSettings(Settings):
    """What tokens are signed with."""

    algorithm: Literal["ES256", "RS256", "EdDSA"] = "ES256"
    """How. A change makes a new key, and keeps the old ones until their tokens have ended."""
    rotate_every: Duration = timedelta(days=30)
    """How long a key signs."""
    publish_ahead: Annotated[Duration, Field(ge=timedelta(minutes=6))] = timedelta(minutes=15)
    """How long a key is published before it signs: 6 minutes at least, for others keep the key set for 5."""


class AuthServerSettings(Settings):
    """The authorization server: signs people in, and gives clients tokens for exactly one resource."""

    listen: ListenAddress = Listen("127.0.0.1", 9000)
    """Where it listens."""
    issuer: Annotated[Issuer, AfterValidator(_can_be_ours)]
    """Its name and its address as clients see it, without a slash at its end."""
    insecure_public: Switch = False
    """Listen beyond this machine although the issuer is not https, which means no TLS."""
    tls: TlsSettings | None = None
    """Our certificate, to speak https ourselves: TLS 1.2 and above. Default: TLS ends in front of us."""
    trusted_proxies: list[NetworkField] = []
    """Networks of the proxies in front, such as 10.0.0.0/8, whose X-Forwarded-For says who asks: limits and
    audit go by it. Default: none, and whoever is at the other end of the connection asks."""
    proxy_protocol: Switch = False
    """Connections of those proxies begin with a header of the PROXY protocol, version 1 or 2, which says who
    asks; without it they are refused."""
    mtls: MtlsSettings | None = None
    """The token endpoint for clients with certificates (RFC 8705). Default: there is none."""
    internal: InternalSettings | None = None
    """Upstream tokens for workloads, over mutual TLS (RFC 8693). Default: nobody gets any."""
    upstream_idps: list[IdpSettings] = []
    """Where people sign in, and where they have accounts."""
    resources: Annotated[list[ResourceSettings], Field(min_length=1)]
    """What tokens are for (RFC 8707)."""
    registration: RegistrationSettings = RegistrationSettings()
    """How strangers' clients become known."""
    clients: list[ClientSettings] = []
    """Clients that are known beforehand."""
    trusted_issuers: list[TrustedIssuer] = []
    """Whose assertions are taken, and for what."""
    tokens: TokenSettings = TokenSettings()
    """How long what we issue lives."""
    limits: RateSettings = RateSettings()
    """How often one client at one address may ask."""
    signing: SigningSettings = SigningSettings()
    """What tokens are signed with."""
    scopes: list[ScopeToken] = ["openid", "profile", "email", "offline_access"]
    """Scopes that are not of a resource."""

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        refuse(self._faults())
        return self

    def _faults(self) -> Iterator[Fault]:
        yield from self._names_that_stand_twice()
        yield from self._faults_of_issuers()
        yield from faults_of_clients(
            self.clients, issuers=self.trusted_issuers, has_mtls=self.mtls is not None
        )
        idps = {idp.name: idp for idp in self.upstream_idps}
        for index, resource in enumerate(self.resources):
            here = ("resources", index, "idps")
            for name, use in resource.uses.items():
                if name in idps:
                    yield from ((here, fault) for fault in _faults_of_use(idps[name], use))
                else:
                    known = ", ".join(sorted(idps)) or "none"
                    yield here, f"resource {resource.resource} names idp {name}; upstream_idps has {known}"
        if self.registration.lets_strangers_in:
            yield from self._lacks_a_ceiling()
        if self.proxy_protocol and not self.trusted_proxies:
            yield ("proxy_protocol",), NO_PROXY_IS_NAMED
        is_plain = self.issuer.startswith("http://")
        if self.tls is not None and is_plain:
            yield ("issuer",), f"the listener speaks TLS, and clients are told {self.issuer}: say https"
        elif not self.listen.is_loopback and not self.insecure_public and is_plain:
            yield (
                ("listen",),
                (
                    f"{self.listen} can be reached from other machines and the issuer is plain http: "
                    "use an https issuer, with TLS in front or a certificate in tls, or say "
                    "insecure_public: true"
                ),
            )

    def _faults_of_issuers(self) -> Iterator[Fault]:
        try:
            check_together(
                self.trusted_issuers,
                client_ids={client.client_id for client in self.clients},
                subject_claims={
                    idp.issuer: idp.subject_claim for idp in self.upstream_idps if isinstance(idp, OidcIdp)
                },
            )
        except ValueError as refused:
            yield ("trusted_issuers",), str(refused)

    @property
    def listens(self) -> dict[str, Listen]:
        """Where it listens, by the names of its listeners."""
        apart = {} if self.mtls is None else {MTLS_LISTEN: self.mtls.listen}
        inside = {} if self.internal is None else {INTERNAL_LISTEN: self.internal.listen}
        return {LISTEN: self.listen, **apart, **inside}

    @property
    def scopes_for_strangers(self) -> list[str]:
        """All that a client may ask for that nobody vouches for, of one resource or another."""
        named = self.registration.scopes
        of_resources = (scope for one in self.resources for scope in one.for_strangers(named))
        return list(dict.fromkeys([*of_resources, *self.scopes]))

    def _lacks_a_ceiling(self) -> Iterator[Fault]:
        """What somebody agreed to who did not read is bounded by what the operator wrote."""
        named = self.registration.scopes
        if named is not None:
            known = {scope for one in self.resources for scope in one.scopes}
            if unknown := set(named) - known:
                yield (
                    ("registration", "scopes"),
                    f"registration.scopes has {', '.join(sorted(unknown))}, which no resource has in scopes",
                )
            return
        vouched = any(TrustedUse.ID_JAG in issuer.use for issuer in self.trusted_issuers)
        for index, one in enumerate(self.resources):
            if len(one.scopes) > 1 and one.default_scopes is None and (one.idps or vouched):
                yield (
                    ("resources", index, "scopes"),
                    (
                        f"resource {one.resource} has several scopes, and clients that nobody vouches for "
                        "could have them all: write its default_scopes, which bounds them, or "
                        "registration.scopes"
                    ),
                )

    def _names_that_stand_twice(self) -> Iterator[Fault]:
        for what, part, names in (
            ("identity provider", "upstream_idps", [idp.name for idp in self.upstream_idps]),
            ("client", "clients", [client.client_id for client in self.clients]),
            ("resource", "resources", [str(resource.pattern) for resource in self.resources]),
        ):
            for index, name in enumerate(names):
                if name in names[:index]:
                    yield (part, index), f"{what} {name} stands twice"


def _faults_of_use(idp: IdpSettings, use: Use) -> Iterator[str]:
    if isinstance(idp, McpIdp) and use is not Use.ON_DEMAND:
        yield f"idp {idp.name} is an MCP server: it can only be used on_demand"
    if use is Use.IDENTITY and isinstance(idp, OAuth2Idp) and idp.userinfo is None:
        yield f"idp {idp.name} cannot be the identity without userinfo"
