"""`POST /internal/token-exchange`: a caller's access token for the token of their account upstream. RFC 8693.

In this order, so that a stranger's request makes no provider hear anything: the token, the certificate, the
owner, the provider; and only then the grant, which may be renewed at the provider.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.http.form_request import FormRequest
from ostiary.authserver.http.json_answer import json_answer
from ostiary.authserver.idps.idp import GrantDead, IdpError, IdpUnavailable
from ostiary.authserver.internal.account import Accounts, ConnectedAccount
from ostiary.authserver.internal.requests_under_way import RequestsUnderWay
from ostiary.authserver.internal.workload_request import Workloads
from ostiary.authserver.rates import RateLimit
from ostiary.authserver.tokens.access_token_verifier import AccessTokenVerifier
from ostiary.authserver.upstream_account import UpstreamTokens
from ostiary.authserver.upstream_grants.renewal import Renewals
from ostiary.oauth.client.token_exchange import TOKEN_TYPES
from ostiary.oauth.errors import InvalidToken, OAuthError
from ostiary.oauth.jwt_parts import jwt_parts
from ostiary.oauth.server.errors import InvalidRequest, InvalidScope, Unavailable
from ostiary.oauth.server.scope import write_scope
from ostiary.oauth.server.upstream_exchange import (
    ReauthenticationRequired,
    UpstreamExchangeRequest,
    read_upstream_exchange,
)
from ostiary.rates import read_rate
from ostiary.storage.store import digest
from ostiary.telemetry.audit import Audit
from ostiary.transport.inline_http import Answer

UNTOLD_LIFE = 900
"""Seconds for which a token is given whose provider does not say when it ends: then it is asked for again."""

MOST_UNDER_WAY = 256
"""Exchanges of one owner at once: those of its replicas while a provider is slow."""
REJECTIONS = read_rate("30/m")
"""How often an account's token may be called refused: each time its provider is asked for another."""


@dataclass(slots=True)
class _Said:
    """What is known of a request so far, as the audit names it."""

    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UpstreamTokenExchange:
    """The endpoint. connect_url: where people connect an account, below the issuer."""

    verifier: AccessTokenVerifier
    workloads: Workloads
    accounts: Accounts
    renewals: Renewals
    connect_url: Callable[[str], str]
    audit: Audit
    clock: Callable[[], float]
    _under_way: RequestsUnderWay = field(default_factory=lambda: RequestsUnderWay(MOST_UNDER_WAY))
    _rejections: RateLimit = field(default_factory=lambda: RateLimit(REJECTIONS))

    async def __call__(self, form: FormRequest) -> Answer:
        """Raises OAuthError or StorageError."""
        said = _Said({"address": form.peer})
        try:
            answer = await self._exchanged(form, said)
        except OAuthError as error:
            self.audit.write(
                AuditEvent.UPSTREAM_TOKEN_REFUSED,
                error=error.error,
                reason=error.detail or error.description,
                **said.fields,
            )
            raise
        self.audit.write(AuditEvent.UPSTREAM_TOKEN_GIVEN, **said.fields)
        return json_answer(answer)

    async def _exchanged(self, form: FormRequest, said: _Said) -> Mapping[str, Any]:
        now = self.clock()
        wanted = read_upstream_exchange(form.parameters)
        claims = await self._claims(wanted.subject_token, now)
        said.fields |= _of_token(claims)
        workload = self.workloads.recognise(form)
        said.fields |= {"workload": workload.owner, "server": wanted.server, "idp": wanted.idp}
        with self._under_way.one_more(workload.owner):
            account = await self.accounts.find(workload.owner, claims, wanted, now=now)
            said.fields |= {"owner": account.owner, "idp": account.idp}
            tokens = await self._tokens(account, wanted, claims["aud"], now)
        return _answer(wanted, tokens, now)

    async def _claims(self, token: str, now: float) -> Mapping[str, Any]:
        """RFC 8693 section 2.2.2: a subject token that is no good is an invalid request."""
        try:
            claims = await self.verifier.read(token, now=now)
        except InvalidToken as refused:
            raise InvalidRequest(
                f"the subject_token is refused: {refused.description}", detail=refused.reason
            ) from None
        texts = [claims.get(name) for name in ("sub", "client_id", "aud", "jti")]
        if not all(isinstance(text, str) for text in [*texts, claims.get("tsid", "")]):
            raise InvalidRequest(
                "the subject_token is refused: it is none that an authorization server issues"
            )
        return claims

    async def _tokens(
        self, account: ConnectedAccount, wanted: UpstreamExchangeRequest, resource: str, now: float
    ) -> UpstreamTokens:
        url = f"{self.connect_url(quote(account.idp))}?{urlencode({'resource': resource})}"
        if account.grant_id is None:
            raise ReauthenticationRequired(
                f"the account at identity provider {account.idp} is not connected",
                idp=account.idp,
                connect_url=url,
            )
        rejected = _stored(wanted.rejected_token_hash)
        if rejected is not None and await self.renewals.has(account.grant_id, rejected):
            self._rejections.take(account.idp, account.grant_id, now=now)
        try:
            return await self.renewals.fresh_tokens(
                account.grant_id, now=now, kind=wanted.kind, rejected=rejected
            )
        except GrantDead as dead:
            raise ReauthenticationRequired(
                f"the account at identity provider {account.idp} has to be connected again",
                idp=account.idp,
                connect_url=url,
                detail=str(dead),
            ) from None
        except IdpUnavailable as away:
            raise Unavailable(
                f"identity provider {account.idp} is out of reach",
                retry_after=away.retry_after,
                detail=str(away),
            ) from None
        except IdpError as odd:
            raise Unavailable(
                f"identity provider {account.idp} gave no token that can be used", detail=str(odd)
            ) from None


def _answer(wanted: UpstreamExchangeRequest, tokens: UpstreamTokens, now: float) -> Mapping[str, Any]:
    """RFC 8693 section 2.2.1. There is always an `expires_in`, and never a refresh token."""
    if missing := [scope for scope in wanted.scopes if tokens.scopes and scope not in tokens.scopes]:
        raise InvalidScope(f"the account was connected without the scope {missing[0]}")
    if wanted.kind == "id":
        token, ends, kind = tokens.id_token or "", jwt_parts(tokens.id_token or "").moment("exp"), "N_A"
    else:
        token, ends, kind = tokens.access_token, tokens.expires_at, "Bearer"
    answer = {
        "access_token": token,
        "issued_token_type": TOKEN_TYPES[f"{wanted.kind}_token"],
        "token_type": kind,
        "expires_in": UNTOLD_LIFE if ends is None else max(0, int(ends - now)),
    }
    return answer | ({"scope": write_scope(tokens.scopes)} if tokens.scopes else {})


def _of_token(claims: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "subject": claims["sub"],
        "client": claims["client_id"],
        "resource": claims["aud"],
        "session": digest(claims["tsid"]) if "tsid" in claims else None,
        "act": claims.get("act"),
    }


def _stored(rejected: str | None) -> str | None:
    """A token's hash as the store's digests are written."""
    if rejected is None:
        return None
    try:
        return base64.urlsafe_b64decode(rejected + "=").hex()
    except binascii.Error:
        raise InvalidRequest("rejected_token_hash is not base64url") from None
