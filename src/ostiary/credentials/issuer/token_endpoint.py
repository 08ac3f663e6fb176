"""Ask a token endpoint, as the client that the configuration names. RFC 6749 section 3.2."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from ostiary.credentials.error import CredentialMisconfigured, CredentialUnreachable
from ostiary.credentials.issuer.client_proof import ClientProof, ProofUnavailable
from ostiary.credentials.issuer.client_settings import NEEDED
from ostiary.credentials.tokens.token import Token
from ostiary.oauth.client.echoed_secrets import secrets_of
from ostiary.oauth.client.token_response import (
    NOT_WITH_SCOPES,
    TokenRequestRefused,
    TokenResponse,
    TokenResponseUnreadable,
    in_brief,
    read_token_response,
)
from ostiary.oauth.jwt_parts import NotAJwt, jwt_parts
from ostiary.secrets import Secret
from ostiary.transport.fetch import FetchError, NotTrusted
from ostiary.transport.retry_after import retry_after

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ostiary.credentials.error import CredentialError
    from ostiary.credentials.issuer.client_settings import ClientSettings
    from ostiary.credentials.issuer.context import IssuerContext
    from ostiary.credentials.tokens.dpop_key import DpopKey
    from ostiary.oauth.canonical_url import CanonicalUrl
    from ostiary.oauth.client.client_authentication import ClientAuthentication
    from ostiary.transport.fetch import FetchedDocument
    from ostiary.transport.reach import Reach

ASSUMED_LIFETIME = 300.0
"""Seconds for which a token is used whose issuer does not say how long it is good for."""

SETTINGS_TO_MEND = {
    "invalid_client": "see whether client_id, auth_method and {proof} are as the issuer knows them",
    "invalid_grant": "see whether what the token was asked with has ended or was meant for another client",
    "invalid_scope": "set scopes to what the issuer gives this client",
    "invalid_target": "set resource and audience to what the issuer knows",
    "unauthorized_client": "allow this client this kind of grant at the issuer",
    "unsupported_grant_type": "see whether token_url or issuer is the right one",
}
"""Errors that stay until somebody changes something, and what that is (RFC 6749 section 5.2, RFC 8707)."""
logger = logging.getLogger("ostiary.credentials")


class IssuerRefusedClient(CredentialMisconfigured):
    """The issuer does not know the client, or not by this proof (`invalid_client`)."""


class DpopWanted(CredentialUnreachable):
    """The issuer gives tokens only to clients that bind them to a key (RFC 9449 section 5)."""


class RefreshTokenReplaced(CredentialUnreachable):
    """The issuer's answer is of no use, and has taken the refresh token's place all the same."""

    def __init__(self, error: CredentialUnreachable, refresh_token: str | None) -> None:
        super().__init__(
            error.problem,
            credential=error.credential,
            endpoint=error.endpoint,
            fix=error.fix,
            retry_after=error.retry_after,
        )
        self.refresh_token = refresh_token
        """The new one; None when it can't be used either."""


class IssuerEndpoint:
    """One endpoint, for one credential.

    issuer: whom assertions are for, the endpoint itself when unknown; credential, endpoint: for errors, the
    credential's type and what its tokens are for; reach: for an endpoint that a stranger named, default the
    client's; methods_supported: of the issuer's metadata; dpop: the key to bind tokens to, if any.
    """

    def __init__(  # noqa: PLR0913 - each is one fact about the request
        self,
        *,
        url: CanonicalUrl,
        issuer: str | None,
        client: ClientSettings,
        context: IssuerContext,
        credential: str,
        endpoint: str,
        reach: Reach | None = None,
        methods_supported: Sequence[str] = (),
        dpop: DpopKey | None = None,
    ) -> None:
        self.url = url
        self._client = client
        self._proof = ClientProof(client, issuer or str(url), str(url), methods_supported, context.clock)
        self._context = context
        self._credential = credential
        self._endpoint = endpoint
        self._reach = reach or client.reach
        self._dpop = dpop

    async def request(
        self, form: Mapping[str, str], *, wanted_type: str | None = None, known_scopes: Sequence[str] = ()
    ) -> TokenResponse:
        """The issuer's answer to this form. Raises CredentialMisconfigured or CredentialUnreachable.

        wanted_type: the `token_type` to insist on; default Bearer, or DPoP with a key.
        known_scopes: those that the issuer has granted before (RFC 6749 section 6). Entra ID wants to have
        them named again; an endpoint that refuses to hear them is asked once more without.
        """
        wanted_type = wanted_type or ("Bearer" if self._dpop is None else "DPoP")
        named = {"scope": " ".join(known_scopes)} if known_scopes else {}
        document, sent = await self._post({**form, **named})
        try:
            return read_token_response(
                document.status,
                document.headers.get("content-type", ""),
                document.body,
                wanted_type=wanted_type,
                sent=sent,
            )
        except TokenRequestRefused as refused:
            if not named or refused.error not in NOT_WITH_SCOPES:
                raise self._refused(refused, document) from None
        except TokenResponseUnreadable as unreadable:
            fix = "see whether token_url or issuer is right, and what answers there"
            error = self._unreachable(unreadable.reason, fix, document)
            if unreadable.is_rotated:
                error = RefreshTokenReplaced(error, unreadable.refresh_token)
            raise error from None
        return await self.request(form, wanted_type=wanted_type)

    async def _post(self, form: Mapping[str, str]) -> tuple[FetchedDocument, tuple[str, ...]]:
        """The answer, and the secrets that were sent for it."""
        document, sent = await self._post_once(form)
        nonce = document.headers.get("dpop-nonce")
        if self._dpop is not None and nonce is not None:
            self._dpop.take_nonce(str(self.url), nonce)
            if _wants_nonce(document):
                return await self._post_once(form)
        return document, sent

    async def _post_once(self, form: Mapping[str, str]) -> tuple[FetchedDocument, tuple[str, ...]]:
        who = await self._authenticate()
        headers, sent = dict(who.headers), {**form, **who.form}
        if self._dpop is not None:
            headers["dpop"] = self._dpop.proof("POST", self.url, nonce_of=str(self.url))
        try:
            document = await self._context.fetcher.post_form(
                self.url,
                sent,
                headers=headers,
                reach=self._reach,
                client_certificate=self._client.certificates,
            )
        except NotTrusted as error:
            raise self._unreachable(error.reason, error.fix) from None
        except FetchError as error:
            fix = "see whether token_url or issuer is right and this machine reaches it"
            raise self._unreachable(error.reason, fix) from None
        return document, secrets_of(sent, headers)

    async def _authenticate(self) -> ClientAuthentication:
        """In a thread: it reads files, and signs."""
        try:
            return await asyncio.to_thread(self._proof.make)
        except ProofUnavailable as error:
            raise self._misconfigured(str(error), error.fix) from None

    def _refused(self, refused: TokenRequestRefused, document: FetchedDocument) -> CredentialError:
        problem = f"it refused with {in_brief(refused.error, refused.description)}"
        if refused.error in SETTINGS_TO_MEND and refused.status < 500:
            proof = " and ".join(NEEDED[self._client.method]) or "its registration"
            return self._misconfigured(
                f"token endpoint {self.url}: {problem}",
                SETTINGS_TO_MEND[refused.error].format(proof=proof),
                IssuerRefusedClient if refused.error == "invalid_client" else CredentialMisconfigured,
            )
        if self._dpop is None and refused.error in {"use_dpop_nonce", "invalid_dpop_proof"}:
            return self._unreachable(
                problem, "leave dpop to the issuer, or set it to true", document, DpopWanted
            )
        return self._unreachable(problem, "see what its issuer says about that", document)

    def _misconfigured(
        self, problem: str, fix: str, kind: type[CredentialMisconfigured] = CredentialMisconfigured
    ) -> CredentialMisconfigured:
        return kind(problem, credential=self._credential, endpoint=self._endpoint, fix=fix)

    def _unreachable(
        self,
        problem: str,
        fix: str,
        document: FetchedDocument | None = None,
        kind: type[CredentialUnreachable] = CredentialUnreachable,
    ) -> CredentialUnreachable:
        header = None if document is None else document.headers.get("retry-after")
        return kind(
            f"token endpoint {self.url}: {problem}",
            credential=self._credential,
            endpoint=self._endpoint,
            fix=fix,
            retry_after=retry_after(header, now=self._context.clock()),
        )


def token_of(
    response: TokenResponse, *, now: float, dpop_key: DpopKey | None = None, scopes: Iterable[str] = ()
) -> Token:
    """The token to send, and its end: as told, else the JWT's `exp`, else five minutes from now."""
    if response.expires_in is not None:
        expires_at = now + response.expires_in
    else:
        told = expiry_of_jwt(response.access_token)
        if told is None:
            logger.info("a token has neither expires_in nor exp: it is used for %.0f s", ASSUMED_LIFETIME)
        expires_at = now + ASSUMED_LIFETIME if told is None else told
    return Token(Secret(response.access_token), expires_at, dpop_key, tuple(scopes))


def expiry_of_jwt(token: str) -> float | None:
    """The `exp` claim of a token that is a JWT, unverified: it is ours, and whoever takes it verifies it."""
    try:
        return jwt_parts(token).moment("exp")
    except NotAJwt:
        return None


def _wants_nonce(document: FetchedDocument) -> bool:
    try:
        read_token_response(document.status, "", document.body, wanted_type="DPoP")
    except TokenRequestRefused as refused:
        return refused.error == "use_dpop_nonce"
    except TokenResponseUnreadable:
        return False
    return False


def _proof_of(client: ClientSettings) -> list[str]:
    return [
        name for name in ("client_secret", "private_key", "certificate") if getattr(client, name) is not None
    ]
