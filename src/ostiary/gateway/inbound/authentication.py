"""Whose call is this? A verified principal, or a challenge that says how to get in (RFC 6750, RFC 9728)."""

from __future__ import annotations

from typing import NoReturn

from ostiary.gateway import record
from ostiary.gateway.errors import Forbidden, GatewayError, TryLater, Unauthorized
from ostiary.identity.authenticator import Authenticator
from ostiary.identity.possession import Possession, Sender
from ostiary.identity.principal import Principal
from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.oauth.challenge import bearer_challenge, dpop_challenge
from ostiary.oauth.confirmation import CNF
from ostiary.oauth.errors import InsufficientScope, OAuthError, TemporarilyUnavailable, TokenRefused
from ostiary.oauth.refusal import Refusal
from ostiary.oauth.resource_server.dpop_proof import ALGORITHMS
from ostiary.transport.inline_http import Request

BEARER, DPOP = b"bearer", b"dpop"


class InboundAuth:
    """Checks the callers of one endpoint."""

    def __init__(
        self,
        authenticator: Authenticator,
        *,
        possession: Possession,
        resource: CanonicalUrl,
        metadata_url: str,
        scopes: tuple[str, ...],
    ) -> None:
        """resource: this endpoint; metadata_url, scopes: for the challenge."""
        self._authenticator = authenticator
        self._possession = possession
        self._resource = resource
        self._metadata_url = metadata_url
        self._scopes = scopes

    def cached_principal(self, request: Request) -> Principal | None:
        """The caller, when their token was verified a moment ago; else `admit` says."""
        header = request.headers.get(b"authorization", b"")
        if not header.startswith(b"Bearer "):
            return None
        principal = self._authenticator.cached_principal(header[7:].decode("latin-1"))
        return None if principal is None or CNF in principal.claims else principal

    async def admit(self, request: Request) -> Principal:
        """The caller. Raises Unauthorized, Forbidden or TryLater."""
        scheme, token = _presented(request)
        if not token:
            self._refuse_without_token()
        try:
            principal = await self._authenticator.authenticate(token)
            await self._possession.require(
                principal.claims, token, self._sender(request), by_key=scheme == DPOP
            )
        except OAuthError as error:
            self._refuse(error, scheme)
        return principal

    def _sender(self, request: Request) -> Sender:
        proof = None if b"dpop" in request.repeated else request.headers.get(b"dpop")
        dpop = None if proof is None else proof.decode("latin-1")
        return Sender("POST", self._resource, dpop, request.certificate)

    def _refuse_without_token(self) -> NoReturn:
        record.refused(Refusal.NO_TOKEN, str(self._resource))
        raise self._challenged(
            Unauthorized(f"{self._resource} wants a bearer token, and none was sent"),
            Refusal.NO_TOKEN,
            bearer_challenge(resource_metadata=self._metadata_url, scopes=self._scopes),
        )

    def _refuse(self, error: OAuthError, scheme: bytes) -> NoReturn:
        if isinstance(error, TemporarilyUnavailable):
            record.refused(error.reason, str(self._resource), error.detail)
            later = TryLater(error.description)
            later.headers = b"retry-after: %d\r\n" % error.retry_after
            later.reason = error.reason.value
            raise later from None
        reason = error.reason if isinstance(error, TokenRefused) else Refusal.NOT_PROVEN
        record.refused(reason, str(self._resource), error.detail)
        refusal = Forbidden(error.description) if error.status == 403 else Unauthorized(error.description)
        raise self._challenged(refusal, reason, self._challenge(error, reason, scheme)) from None

    def _challenge(self, error: OAuthError, reason: Refusal, scheme: bytes) -> str:
        if scheme == DPOP or reason is Refusal.NOT_PROVEN:
            return dpop_challenge(algorithms=ALGORITHMS, error=error.error, description=error.description)
        return bearer_challenge(
            resource_metadata=self._metadata_url,
            scopes=error.scopes if isinstance(error, InsufficientScope) else self._scopes,
            error=error.error,
            description=error.description,
        )

    def _challenged(self, error: GatewayError, reason: Refusal, challenge: str) -> GatewayError:
        error.reason = reason.value
        error.headers = b"www-authenticate: %s\r\n" % challenge.encode("latin-1")
        return error


def _presented(request: Request) -> tuple[bytes, str]:
    """The scheme in lower case, and the token; an empty one for a scheme that is none of ours."""
    scheme, _, token = request.headers.get(b"authorization", b"").partition(b" ")
    scheme = scheme.lower()
    return scheme, token.strip().decode("latin-1") if scheme in {BEARER, DPOP} else ""
