"""Clients that the operator registered: the entries of `clients:`, in the names of RFC 7591."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Self

from pydantic import StringConstraints, model_validator

from ostiary.authserver.config.trusted_issuers import TrustedIssuer
from ostiary.identity.inbound_settings import ScopeToken
from ostiary.oauth.client.client_authentication import AuthMethod
from ostiary.oauth.server.client import (
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    DEVICE_CODE,
    JWT_BEARER,
    REFRESH_TOKEN,
    TOKEN_EXCHANGE,
    ApplicationType,
)
from ostiary.oauth.server.errors import InvalidRedirectUri
from ostiary.oauth.server.redirect_uri import check_registrable, inferred_type
from ostiary.settings import Fault, SecretField, Switch, Url
from ostiary.transport.reach import NetworkEdge

SHORT_NAMES = {"device_code": DEVICE_CODE, "jwt_bearer": JWT_BEARER, "token_exchange": TOKEN_EXCHANGE}
GRANTS = frozenset(
    {AUTHORIZATION_CODE, REFRESH_TOKEN, CLIENT_CREDENTIALS, DEVICE_CODE, JWT_BEARER, TOKEN_EXCHANGE}
)
SECRET_METHODS = ("client_secret_basic", "client_secret_post")


class ClientSettings(NetworkEdge):
    """One pre-registered client."""

    client_id: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]+$", max_length=200)]
    """Its name for machines."""
    client_name: Annotated[str, StringConstraints(max_length=200)] | None = None
    """Its name for people."""
    client_secret: SecretField | None = None
    """Its secret: long and random, for what is guessed is guessed quickly."""
    token_endpoint_auth_method: AuthMethod | None = None
    """How it proves itself: client_secret_basic, client_secret_post, private_key_jwt, tls_client_auth, none.
    Default: client_secret_basic with a secret, private_key_jwt with keys, else none. A workload that the
    `subjects` of a trusted issuer lead to needs no keys with private_key_jwt."""
    grant_types: list[str] = [AUTHORIZATION_CODE, REFRESH_TOKEN]
    """What it may do: authorization_code, refresh_token, client_credentials, device_code, jwt_bearer,
    token_exchange."""
    redirect_uris: list[str] = []
    """Where codes may go, letter for letter; at a loopback address the port is free."""
    scopes: list[ScopeToken] | None = None
    """What it may have at most. Default: whatever the resource has."""
    resources: list[Url] | None = None
    """What it may have tokens for. Default: every resource."""
    jwks: dict[str, Any] | None = None
    """Its public keys, for private_key_jwt."""
    jwks_uri: Url | None = None
    """Where its public keys are: what `ca_file` and `private_network` are for."""
    tls_client_auth_subject_dn: str | None = None
    """The subject of its certificate (RFC 4514), for tls_client_auth."""
    tls_client_auth_san_dns: str | None = None
    """A DNS name that its certificate has, instead."""
    tls_client_auth_san_uri: str | None = None
    """A URI that its certificate has, instead: such as a SPIFFE ID."""
    tls_client_auth_san_ip: str | None = None
    """An IP address that its certificate has, instead."""
    tls_client_auth_san_email: str | None = None
    """An e-mail address that its certificate has, instead."""
    application_type: ApplicationType | None = None
    """web or native: http on a person's machine and schemes of an application's own are for native alone.
    Default: what its redirect_uris are."""
    dpop_bound_access_tokens: Switch = False
    """Whether all its tokens are bound to a key of its own (RFC 9449)."""
    tls_client_certificate_bound_access_tokens: Switch = False
    """Whether all its tokens are bound to its certificate (RFC 8705)."""
    require_pushed_authorization_requests: Switch = False
    """Whether it has to push its requests (RFC 9126)."""

    @property
    def method(self) -> AuthMethod:
        """How it proves who it is."""
        if self.token_endpoint_auth_method is not None:
            return self.token_endpoint_auth_method
        if self.client_secret is not None:
            return "client_secret_basic"
        return "private_key_jwt" if self.jwks is not None or self.jwks_uri is not None else "none"

    @property
    def application(self) -> ApplicationType:
        """What kind of program it is."""
        return self.application_type or inferred_type(self.redirect_uris)

    @property
    def grants(self) -> frozenset[str]:
        """Its grants by their whole names."""
        return frozenset(SHORT_NAMES.get(name, name) for name in self.grant_types)

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        if unknown := self.grants - GRANTS:
            known = ", ".join(["authorization_code", "refresh_token", "client_credentials", *SHORT_NAMES])
            raise ValueError(f"grant {min(unknown)!r} does not exist; choose from {known}")
        if AUTHORIZATION_CODE in self.grants and not self.redirect_uris:
            raise ValueError("redirect_uris is missing: there is nowhere to send a code")
        self._may_be_sent_there()
        self._proves_itself()
        return self

    def _may_be_sent_there(self) -> None:
        """By the same rule as for strangers, but for schemes and queries that the operator knows better."""
        for uri in self.redirect_uris:
            try:
                check_registrable(uri, self.application, is_vouched_for=True)
            except InvalidRedirectUri as refused:
                raise ValueError(f"{uri}: {refused.description}") from None

    def _proves_itself(self) -> None:
        method = self.method
        if (method in SECRET_METHODS) != (self.client_secret is not None):
            raise ValueError(f"{method} and client_secret do not go together")
        if self.jwks is not None and self.jwks_uri is not None:
            raise ValueError("jwks and jwks_uri exclude each other")
        if self.jwks is not None:
            _check_keys(self.jwks)
        if self.jwks_uri is not None and self.jwks_uri.scheme == "http" and not self.jwks_uri.is_loopback:
            raise ValueError(
                "jwks_uri is plain http to another machine, so anybody between could swap the keys"
            )
        if method == "tls_client_auth":
            self._has_one_name()
        if method == "none" and self.grants & {CLIENT_CREDENTIALS, JWT_BEARER, TOKEN_EXCHANGE}:
            raise ValueError("a client that proves nothing may not have tokens without a person")

    def _has_one_name(self) -> None:
        if sum(name is not None for name in self._names) != 1:
            raise ValueError(
                "tls_client_auth needs exactly one of tls_client_auth_subject_dn, _san_dns, _san_uri, "
                "_san_ip, _san_email"
            )
        if self.tls_client_auth_subject_dn is not None:
            from ostiary.authserver.config.certificate_names import read_subject  # noqa: PLC0415 - X.509

            try:
                read_subject(self.tls_client_auth_subject_dn)
            except ValueError:
                raise ValueError(
                    "tls_client_auth_subject_dn is not a name of RFC 4514, such as CN=ci,O=Example"
                ) from None
        if self.tls_client_auth_san_ip is not None:
            ipaddress.ip_address(self.tls_client_auth_san_ip)

    @property
    def _names(self) -> tuple[str | None, ...]:
        return (
            self.tls_client_auth_subject_dn,
            self.tls_client_auth_san_dns,
            self.tls_client_auth_san_uri,
            self.tls_client_auth_san_ip,
            self.tls_client_auth_san_email,
        )


def faults_of_clients(
    clients: Sequence[ClientSettings], *, issuers: Sequence[TrustedIssuer], has_mtls: bool
) -> Iterator[Fault]:
    """Whatever keeps one from proving itself in the way that it should."""
    workloads = {client_id for issuer in issuers for client_id in issuer.subjects.values()}
    known = {client.client_id for client in clients}
    for index, issuer in enumerate(issuers):
        for client_id in sorted(set(issuer.subjects.values()) - known):
            yield (
                ("trusted_issuers", index, "subjects"),
                f"subjects of trusted_issuers lead to client {client_id}, which clients has not",
            )
    for index, client in enumerate(clients):
        is_workload = client.client_id in workloads
        here = ("clients", index)
        if is_workload and client.method == "none":
            yield (
                here,
                (
                    f"client {client.client_id} is a workload's: "
                    "give it token_endpoint_auth_method: private_key_jwt"
                ),
            )
        keyless = client.jwks is None and client.jwks_uri is None and not is_workload
        if client.method == "private_key_jwt" and keyless:
            yield (
                here,
                f"client {client.client_id} needs jwks, jwks_uri, or a trusted issuer with subjects for it",
            )
        wants_mtls = client.method == "tls_client_auth" or client.tls_client_certificate_bound_access_tokens
        if wants_mtls and not has_mtls:
            yield here, f"client {client.client_id} has a certificate, and nothing asks for it: set mtls"


def _check_keys(jwks: dict[str, Any]) -> None:
    from ostiary.identity.key_set import read_key_set  # noqa: PLC0415 - a check without keys needs no JOSE

    if not read_key_set(jwks).keys:
        raise ValueError("jwks has no key that a signature can be verified with")
    if any(isinstance(key, dict) and key.get("d") is not None for key in jwks["keys"]):
        raise ValueError("jwks has a private key: write the public ones here")
