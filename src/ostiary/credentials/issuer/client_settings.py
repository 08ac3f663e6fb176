"""Who we are at a token endpoint: the words that all OAuth credentials share."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, StringConstraints, model_validator

from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.client.client_authentication import AuthMethod, SigningAlgorithm
from ostiary.secrets import Secret, SecretUnavailable
from ostiary.settings import ConfiguredPath, KeyField, SecretField
from ostiary.transport.reach import EdgeSettings


def _an_issuer(issuer: str) -> str:
    canonical_url(issuer)
    return issuer  # issuers are compared letter for letter


Issuer = Annotated[str, AfterValidator(_an_issuer)]
Scope = Annotated[str, StringConstraints(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$")]
ResourceUri = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:[\x21\x22\x24-\x7e]+$")]
ClientId = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]+$")]

NEEDED: dict[AuthMethod, tuple[str, ...]] = {
    "client_secret_basic": ("client_secret",),
    "client_secret_post": ("client_secret",),
    "private_key_jwt": ("private_key",),
    "tls_client_auth": ("certificate", "certificate_key"),
    "none": (),
}
"""Which settings each method is made of."""


class ClientSettings(EdgeSettings):
    """An OAuth client, and how it reaches its issuer."""

    client_id: ClientId | None = None
    """The client's name at the issuer."""
    client_secret: SecretField | None = None
    """Its secret, for client_secret_basic and client_secret_post."""
    auth_method: AuthMethod | None = None
    """How the client proves who it is. Default: by the settings below, private_key_jwt, tls_client_auth,
    client_secret_basic (client_secret_post where the issuer lists only that), or none."""
    private_key: KeyField | None = None
    """A private key in PEM, for private_key_jwt."""
    algorithm: SigningAlgorithm = "ES256"
    """What private_key signs with."""
    key_id: Annotated[str, StringConstraints(min_length=1)] | None = None
    """The `kid` under which the issuer knows private_key."""
    assertion_audience: Literal["issuer", "endpoint"] = "issuer"
    """Whom the statement signed with private_key is for: the issuer, as it names itself (token_url, where
    only that is known), or the token endpoint's URL, as some issuers want it; then issuer or token_url has
    to be set."""
    certificate: ConfiguredPath | None = None
    """The client's certificate (PEM), for tls_client_auth."""
    certificate_key: ConfiguredPath | None = None
    """The certificate's private key (PEM)."""

    @model_validator(mode="after")
    def _method_and_settings_agree(self) -> Self:
        method = self.method
        missing = [name for name in NEEDED[method] if getattr(self, name) is None]
        if missing:
            raise ValueError(f"auth_method {method} needs {' and '.join(missing)}")
        if method != "none" and self.client_id is None:
            raise ValueError(f"auth_method {method} needs client_id")
        proofs = {name for names in NEEDED.values() for name in names} - set(NEEDED[method])
        if unused := sorted(name for name in proofs if getattr(self, name) is not None):
            raise ValueError(f"auth_method {method} does not use {' and '.join(unused)}")
        return self

    @property
    def method(self) -> AuthMethod:
        """The method, chosen or told by what is configured."""
        if self.auth_method is not None:
            return self.auth_method
        if self.private_key is not None:
            return "private_key_jwt"
        if self.certificate is not None:
            return "tls_client_auth"
        return "none" if self.client_secret is None else "client_secret_basic"

    @property
    def certificates(self) -> tuple[Path, Path] | None:
        """The certificate to show, and its key."""
        if self.certificate is None or self.certificate_key is None:
            return None
        return self.certificate, self.certificate_key

    def version(self) -> Hashable:
        """Another value when one of the secrets has been changed where it is kept. Never raises."""
        secrets = (self.client_secret, self.private_key)
        return (*map(_digest, secrets), *map(_changed_at, (self.certificate, self.certificate_key)))


def _digest(secret: Secret | None) -> bytes | None:
    try:
        return None if secret is None else hashlib.sha256(secret.reveal().encode()).digest()
    except SecretUnavailable:
        return None


def _changed_at(file: Path | None) -> int | None:
    try:
        return None if file is None else file.stat().st_mtime_ns
    except OSError:
        return None
