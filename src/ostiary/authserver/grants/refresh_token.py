"""Rotate a refresh token, or end its session. RFC 6749 section 6, RFC 9700 section 4.14.

A request that is refused spends nothing: another client's or key's, for more scopes or another resource.
While the identity provider is down the token stays unspent, too. When the answer gets lost, or we die before
it is out, the token gives the same successor once more within the grace (`oauth/server/refresh_rotation.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.config.settings import TokenSettings
from ostiary.authserver.requests.grant_request import GrantRequest
from ostiary.authserver.resources import Resources, Target
from ostiary.authserver.sessions import refresh_tokens
from ostiary.authserver.sessions.ending import EndReason, SessionEnder, SessionMustEnd
from ostiary.authserver.sessions.refresh_tokens import StoredRefreshToken
from ostiary.authserver.sessions.renewal import renew
from ostiary.authserver.sessions.revalidation import Revalidator
from ostiary.authserver.sessions.session import Session
from ostiary.authserver.sessions.stale_sessions import stale_reason
from ostiary.authserver.token_response import AccessTokenResponse
from ostiary.authserver.tokens.session_tokens import SessionTokenIssuer, SessionTokens
from ostiary.inline_coroutines import hopping
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.confirmation import CNF, JKT, X5T, is_confirmed
from ostiary.oauth.server.errors import InvalidGrant
from ostiary.oauth.server.refresh_rotation import Ended, Reuse, SameSuccessor, decide
from ostiary.oauth.server.resource import same_resource
from ostiary.oauth.server.scope import narrowed, read_scope
from ostiary.storage.store import Store
from ostiary.telemetry.audit import Audit


@dataclass(frozen=True, slots=True)
class _Renewed:
    session: Session
    target: Target
    scopes: tuple[str, ...]
    refresh_token: str = field(repr=False)
    in_grace: bool = False


class _AskFirst(Exception):
    """The identity provider has to be asked before anything is spent."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """Rotates refresh tokens. common_scopes: those that are of no resource."""

    store: Store
    resources: Resources
    life: TokenSettings
    common_scopes: frozenset[str]
    revalidator: Revalidator
    ender: SessionEnder
    tokens: SessionTokenIssuer
    audit: Audit

    async def __call__(self, request: GrantRequest) -> AccessTokenResponse:
        """New tokens of a session, and the refresh token's successor."""
        self.tokens.access_tokens.require_key()
        renewed = await self._renewed(request.parameters.require("refresh_token"), request)
        self.audit.write(
            AuditEvent.TOKEN_REFRESHED,
            **renewed.session.audit_fields,
            grace=renewed.in_grace or None,
            address=request.form.peer,
        )
        wanted = SessionTokens(
            renewed.session,
            request.client,
            renewed.target,
            renewed.scopes,
            request.confirmation,
            renewed.refresh_token,
        )
        return self.tokens.issue(wanted, now=request.now)

    @hopping  # a session whose token came twice ends, also when who sent it goes away
    async def _renewed(self, token: str, request: GrantRequest) -> _Renewed:
        try:
            return await self._in_one_transaction(token, request)
        except _AskFirst as asked:
            await self.revalidator.revalidate(asked.session, address=request.form.peer, now=request.now)
            return await self._in_one_transaction(token, request, person_exists=True)

    async def _in_one_transaction(
        self, token: str, request: GrantRequest, *, person_exists: bool = False
    ) -> _Renewed:
        def renew(connection: Connection) -> _Renewed:
            return self._renew(connection, token, request, person_exists=person_exists)

        try:
            return await self.store.transaction(renew)
        except SessionMustEnd as must:
            raise await self.ender.end_and_refuse(
                must, client=request.client.client_id, address=request.form.peer, now=request.now
            ) from None

    def _renew(
        self, connection: Connection, token: str, request: GrantRequest, *, person_exists: bool
    ) -> _Renewed:
        presented = _theirs(refresh_tokens.find(connection, self.store, token), request)
        successor = self._earlier_successor(presented, request)
        target = self._target(presented.session, request)
        scopes = self._scopes(presented.session, target, request)
        if successor is not None:
            return _Renewed(presented.session, target, scopes, successor, in_grace=True)
        if not person_exists and self.revalidator.must_revalidate(presented.session, now=request.now):
            raise _AskFirst(presented.session)
        renewed = renew(connection, self.store, presented, self.life, now=request.now)
        if renewed is None:  # the same token came elsewhere at the same time, and is spent now
            return self._renew(connection, token, request, person_exists=person_exists)
        return _Renewed(renewed.session, target, scopes, renewed.refresh_token)

    def _earlier_successor(self, presented: StoredRefreshToken, request: GrantRequest) -> str | None:
        """The successor that it gave and whose answer got lost; None when it is to be spent now."""
        grace = self.life.refresh_grace.total_seconds()
        decision = decide(presented.state, now=request.now, grace=grace)
        if isinstance(decision, Ended):
            raise InvalidGrant(decision.reason)
        if isinstance(decision, Reuse):
            raise SessionMustEnd(
                presented.session.tsid_hash,
                EndReason.REFRESH_REUSED,
                "the refresh token was used before; all that belongs to it is revoked",
            )
        if isinstance(decision, SameSuccessor):
            return refresh_tokens.given_successor(self.store, presented)
        return None

    def _target(self, session: Session, request: GrantRequest) -> Target:
        """The session's resource, if the configuration still has it as it was, for this client."""
        target = self.resources.find(session.resource)
        reason = stale_reason(session, target)
        if target is None or reason is not None or not self.resources.may_have(request.client, target):
            raise SessionMustEnd(
                session.tsid_hash,
                reason or EndReason.RESOURCE_REMOVED,
                "what the refresh token is for has changed here: its person has to sign in again",
            )
        return target

    def _scopes(self, session: Session, target: Target, request: GrantRequest) -> tuple[str, ...]:
        """Those of the session, or fewer: what is asked for, and what the configuration still has."""
        same_resource(request.parameters.all("resource"), canonical_url(session.resource))
        there = target.ceiling(request.client, common=self.common_scopes)
        granted = [scope for scope in session.scopes if scope in there]
        return narrowed(read_scope(request.parameters.get("scope")), granted)


def _theirs(presented: StoredRefreshToken | None, request: GrantRequest) -> StoredRefreshToken:
    """Whether it is the client's own, and for a bound one, comes with the key."""
    if presented is None or presented.session.client_id != request.client.client_id:
        detail = "it is unknown" if presented is None else "it is another client's"
        raise InvalidGrant("the refresh token is unknown, or not this client's", detail=detail)
    bound, proven = presented.session.secret.confirmation, request.confirmation or {}
    claims = {} if bound is None else {CNF: bound}
    if not is_confirmed(claims, jkt=proven.get(JKT), x5t=proven.get(X5T)):
        raise InvalidGrant("the refresh token is bound to a key that the request does not prove")
    return presented
