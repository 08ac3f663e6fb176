"""Prove to a token endpoint who we are, with secrets read where they are at each request.

So a rotated secret or key needs no restart.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostiary.oauth.client import client_authentication as methods
from ostiary.secrets import Secret, SecretUnavailable

if TYPE_CHECKING:
    from ostiary.credentials.issuer.client_settings import ClientSettings
    from ostiary.oauth.client.client_assertion import SigningKey


class ProofUnavailable(Exception):
    """The client's secret or key is not there, or not usable. The message names its place."""

    def __init__(self, problem: str, *, fix: str) -> None:
        super().__init__(problem)
        self.fix = fix


@dataclass(frozen=True, slots=True)
class ClientProof:
    """One client at one token endpoint.

    issuer, endpoint: whom assertions may be for; methods_supported: as the issuer's metadata lists them;
    clock: seconds since the epoch.
    """

    client: ClientSettings
    issuer: str
    endpoint: str
    methods_supported: Sequence[str]
    clock: Callable[[], float]

    def make(self) -> methods.ClientAuthentication:
        """What goes into one request. Reads files, and may sign. Raises ProofUnavailable."""
        client = self.client
        if client.client_id is None:
            return methods.ClientAuthentication()
        match self._method():
            case "client_secret_basic":
                return methods.client_secret_basic(client.client_id, _reveal(client.client_secret))
            case "client_secret_post":
                return methods.client_secret_post(client.client_id, _reveal(client.client_secret))
            case "private_key_jwt":
                return methods.private_key_jwt(client.client_id, self._assertion(client.client_id))
        return methods.client_name(client.client_id)

    def _method(self) -> methods.AuthMethod:
        """Basic, unless it was nobody's choice and the issuer takes only the form."""
        method, supported = self.client.method, self.methods_supported
        if self.client.auth_method is None and method == "client_secret_basic" and method not in supported:
            return "client_secret_post" if "client_secret_post" in supported else method
        return method

    def _assertion(self, client_id: str) -> str:
        from ostiary.oauth.client.client_assertion import client_assertion  # noqa: PLC0415 - JOSE

        client = self.client
        return client_assertion(
            client_id,
            audience=self.issuer if client.assertion_audience == "issuer" else self.endpoint,
            key=self._key(),
            key_id=client.key_id,
            now=self.clock(),
            jti=secrets.token_urlsafe(16),
        )

    def _key(self) -> SigningKey:
        from ostiary.oauth.client.client_assertion import KeyUnusable, signing_key  # noqa: PLC0415 - JOSE

        private_key = self.client.private_key
        text = _reveal(private_key)
        try:
            return signing_key(text, self.client.algorithm)
        except KeyUnusable as unusable:
            place = "private_key" if private_key is None else private_key.place
            fix = "set private_key and algorithm to what belongs together"
            raise ProofUnavailable(f"{place} cannot sign: {unusable}", fix=fix) from None


def _reveal(secret: Secret | None) -> str:
    assert secret is not None  # noqa: S101 - for the type checker: the settings demand it for the method
    try:
        return secret.reveal()
    except SecretUnavailable as error:
        raise ProofUnavailable(str(error), fix="put there what the issuer knows this client by") from None
