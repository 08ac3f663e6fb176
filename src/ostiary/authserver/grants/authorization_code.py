"""Code and verifier → tokens. RFC 6749 section 4.1.3, RFC 7636 section 4.6.

One transaction: the code is consumed, the person, their accounts, the session and its refresh token are
written, or nothing is. A redemption that is refused spends nothing. A second good one is a replay, even when
both come at once: it gets nothing, and what the first got ends (RFC 6749 sections 4.1.2 and 10.5), for of two
who have code and verifier, one is a thief, and nobody can tell which.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from ostiary.authserver import authorization_codes
from ostiary.authserver.authorization_codes import StoredCode
from ostiary.authserver.authorization_grant import AuthorizationGrant
from ostiary.authserver.requests.grant_request import GrantRequest
from ostiary.authserver.resources import Resources, Target
from ostiary.authserver.sessions.creation import NewSession, SessionCreated, SessionCreator
from ostiary.authserver.sessions.ending import EndReason, SessionEnder, SessionMustEnd
from ostiary.authserver.token_response import AccessTokenResponse
from ostiary.authserver.tokens.session_tokens import SessionTokenIssuer, SessionTokens
from ostiary.inline_coroutines import hopping
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.confirmation import JKT
from ostiary.oauth.server.errors import InvalidGrant
from ostiary.oauth.server.pkce import check_verifier
from ostiary.oauth.server.resource import same_resource
from ostiary.storage.store import Store
from ostiary.unseen import Unseen


class _Redeemed(Unseen, frozen=True):
    grant: AuthorizationGrant
    target: Target
    created: SessionCreated


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """Redeems codes."""

    store: Store
    resources: Resources
    sessions: SessionCreator
    ender: SessionEnder
    tokens: SessionTokenIssuer

    async def __call__(self, request: GrantRequest) -> AccessTokenResponse:
        """The first tokens of a session."""
        self.tokens.access_tokens.require_key()
        redeemed = await self._redeemed(request.parameters.require("code"), request)
        session = redeemed.created.session
        self.sessions.announce(redeemed.created, address=request.form.peer)
        wanted = SessionTokens(
            session,
            request.client,
            redeemed.target,
            session.scopes,
            request.confirmation,
            redeemed.created.refresh_token,
            redeemed.grant.nonce,
        )
        return self.tokens.issue(wanted, now=request.now)

    @hopping  # a session whose code came twice ends, also when who sent it goes away
    async def _redeemed(self, code: str, request: GrantRequest) -> _Redeemed:
        try:
            return await self.store.transaction(lambda connection: self._redeem(connection, code, request))
        except SessionMustEnd as must:
            raise await self.ender.end_and_refuse(
                must, client=request.client.client_id, address=request.form.peer, now=request.now
            ) from None

    def _redeem(self, connection: Connection, code: str, request: GrantRequest) -> _Redeemed:
        stored = authorization_codes.find_code(connection, self.store, code)
        if stored is None:
            raise InvalidGrant("the code is unknown, or not this client's", detail="the code is unknown")
        grant = stored.grant
        _check(request, grant)
        if stored.is_redeemed:
            raise _replay(stored)
        if request.now >= stored.expires_at:
            raise InvalidGrant("the code has expired")
        target = self._target(grant)
        new = NewSession(grant, request.client, target, request.confirmation)
        if not authorization_codes.consume(
            connection, self.store, stored, tsid_hash=new.tsid_hash, now=request.now
        ):
            raise _replay(authorization_codes.find_code(connection, self.store, code))
        return _Redeemed(grant, target, self.sessions.create(connection, new, now=request.now))

    def _target(self, grant: AuthorizationGrant) -> Target:
        """The resource, if it is still what the person was asked about."""
        target = self.resources.find(grant.resource)
        if target is None or target.settings.owner_identity != grant.owner:
            raise InvalidGrant(
                "the code is for a resource that is not here any more, or has another owner now"
            )
        return target


def _check(request: GrantRequest, grant: AuthorizationGrant) -> None:
    """Whether it is they who asked for the code, and for this. Raises InvalidGrant, InvalidTarget."""
    if grant.client_id != request.client.client_id:
        raise InvalidGrant("the code is unknown, or not this client's", detail="the code is another client's")
    redirect_uri = request.parameters.get("redirect_uri")
    if redirect_uri is not None and redirect_uri != grant.redirect_uri:
        raise InvalidGrant("redirect_uri is not the one of the authorization request")
    if grant.code_challenge is None:
        raise InvalidGrant("the code was given without a code_challenge")
    check_verifier(request.parameters.get("code_verifier"), challenge=grant.code_challenge)
    same_resource(request.parameters.all("resource"), canonical_url(grant.resource))
    if grant.dpop_jkt is not None and (request.confirmation or {}).get(JKT) != grant.dpop_jkt:
        raise InvalidGrant("the code is bound to a key that the request does not prove (dpop_jkt)")


def _replay(stored: StoredCode | None) -> SessionMustEnd:
    tsid_hash = None if stored is None else stored.tsid_hash
    return SessionMustEnd(tsid_hash, EndReason.CODE_REUSED, "the code was used; what it gave is revoked")
