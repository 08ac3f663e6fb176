"""Clients that the operator registered: the entries of `clients:`, in the names of RFC 7591."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import StringConstraints, model_validator

from ostiary.identity.inbound import ScopeToken
from ostiary.oauth.client import (
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    DEVICE_CODE,
    JWT_BEARER,
    REFRESH_TOKEN,
    TOKEN_EXCHANGE,
    ApplicationType,
)
from ostiary.oauth.client_authentication import AuthMethod
from ostiary.settings import SecretField, Settings, Url

SHORT_NAMES = {"device_code": DEVICE_CODE, "jwt_bearer": JWT_BEARER, "token_exchange": TOKEN_EXCHANGE}
GRANTS = frozenset(
    {AUTHORIZATION_CODE, REFRESH_TOKEN, CLIENT_CREDENTIALS, DEVICE_CODE, JWT_BEARER, TOKEN_EXCHANGE}
)
_SECRET_METHODS = ("client_secret_basic", "client_secret_post")


class ClientSettings(Settings):
    """One pre-registered client."""

    client_id: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]+$", max_length=200)]
    """Its name for machines."""
    client_name: Annotated[str, StringConstraints(max_length=200)] | None = None
    """Its name for people."""
    client_secret: SecretField | None = None
    """Its secret: long and random, for what is guessed is guessed quickly."""
    token_endpoint_auth_method: AuthMethod | None = None
    """How it proves itself: client_secret_basic, client_secret_post, private_key_jwt, tls_client_auth, none.
    Default: client_secret_basic with a secret, private_key_jwt with keys, else none."""
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
    """Where its public keys are."""
    tls_client_auth_subject_dn: str | None = None
    """The subject of its certificate (RFC 4514), for tls_client_auth."""
    tls_client_auth_san_dns: str | None = None
    """A DNS name that its certificate has, instead."""
    tls_client_auth_san_uri: str | None = None
    """A URI that its certificate has, instead: such as a SPIFFE ID."""
    application_type: ApplicationType = ApplicationType.WEB
    """web or native."""
    dpop_bound_access_tokens: bool = False
    """Whether all its tokens are bound to a key of its own (RFC 9449)."""
    tls_client_certificate_bound_access_tokens: bool = False
    """Whether all its tokens are bound to its certificate (RFC 8705)."""
    require_pushed_authorization_requests: bool = False
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
        self._proves_itself()
        return self

    def _proves_itself(self) -> None:
        method = self.method
        if (method in _SECRET_METHODS) != (self.client_secret is not None):
            raise ValueError(f"{method} and client_secret do not go together")
        if method == "private_key_jwt" and (self.jwks is None) == (self.jwks_uri is None):
            raise ValueError("private_key_jwt needs either jwks or jwks_uri")
        names = (self.tls_client_auth_subject_dn, self.tls_client_auth_san_dns, self.tls_client_auth_san_uri)
        if method == "tls_client_auth" and sum(name is not None for name in names) != 1:
            raise ValueError(
                "tls_client_auth needs exactly one of tls_client_auth_subject_dn, _san_dns, _san_uri"
            )
        if method == "none" and self.grants & {CLIENT_CREDENTIALS, JWT_BEARER, TOKEN_EXCHANGE}:
            raise ValueError("a client that proves nothing may not have tokens without a person")
