"""Whose call is this? A verified principal, or a challenge that says how to get in (RFC 6750, RFC 9728)."""

from __future__ import annotations

from typing import NoReturn

from ostiary.gateway import record
from ostiary.gateway.errors import Forbidden, GatewayError, TryLater, Unauthorized
from ostiary.identity.authenticator import Authenticator
from ostiary.identity.principal import Principal
from ostiary.oauth.challenge import bearer_challenge
from ostiary.oauth.errors import InsufficientScope, OAuthError, TemporarilyUnavailable, TokenRefused
from ostiary.oauth.refusal import Refusal
from ostiary.transport.direct import Request
from ostiary.transport.stepping import in_task


class Guard:
    """Checks the callers of one endpoint."""

    def __init__(
        self,
        authenticator: Authenticator,
        *,
        resource: str,
        metadata_url: str,
        scopes: tuple[str, ...],
    ) -> None:
        """resource, metadata_url, scopes: for the challenge."""
        self._authenticator = authenticator
        self._resource = resource
        self._metadata_url = metadata_url
        self._scopes = scopes

    def known(self, request: Request) -> Principal | None:
        """The caller, when their token was verified a moment ago; else `admit` says."""
        header = request.headers.get(b"authorization", b"")
        if not header.startswith(b"Bearer "):
            return None
        return self._authenticator.known(header[7:].decode("latin-1"))

    async def admit(self, request: Request) -> Principal:
        """The caller. Raises Unauthorized, Forbidden or TryLater."""
        token = _bearer_token(request)
        if not token:
            self._refuse_without_token()
        try:
            return await in_task(self._authenticator.authenticate(token))
        except OAuthError as error:
            self._refuse(error)

    def _refuse_without_token(self) -> NoReturn:
        record.refused(Refusal.NO_TOKEN, self._resource)
        raise self._challenged(
            Unauthorized(f"{self._resource} wants a bearer token, and none was sent"),
            bearer_challenge(resource_metadata=self._metadata_url, scopes=self._scopes),
        )

    def _refuse(self, error: OAuthError) -> NoReturn:
        if isinstance(error, TemporarilyUnavailable):
            record.refused(error.reason, self._resource, error.detail)
            later = TryLater(error.description)
            later.headers = b"retry-after: %d\r\n" % error.retry_after
            raise later from None
        reason = error.reason if isinstance(error, TokenRefused) else Refusal.MALFORMED
        record.refused(reason, self._resource, error.detail)
        refusal = Forbidden(error.description) if error.status == 403 else Unauthorized(error.description)
        scopes = error.scopes if isinstance(error, InsufficientScope) else self._scopes
        raise self._challenged(
            refusal,
            bearer_challenge(
                resource_metadata=self._metadata_url,
                scopes=scopes,
                error=error.error,
                description=error.description,
            ),
        ) from None

    def _challenged(self, error: GatewayError, challenge: str) -> GatewayError:
        error.headers = b"www-authenticate: %s\r\n" % challenge.encode("latin-1")
        return error


def _bearer_token(request: Request) -> str:
    scheme, _, token = request.headers.get(b"authorization", b"").partition(b" ")
    return token.strip().decode("latin-1") if scheme.lower() == b"bearer" else ""
