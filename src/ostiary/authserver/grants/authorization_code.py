"""Code and verifier → tokens. RFC 6749 section 4.1.3, RFC 7636 section 4.6.

One transaction: the code is consumed, the person, their accounts, the session and its refresh token are
written, or nothing is. A redemption that is refused spends nothing. A second good one is a replay, even when
both come at once: it gets nothing, and what the first got ends (RFC 6749 sections 4.1.2 and 10.5), for of two
who have code and verifier, one is a thief, and nobody can tell which.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from ostiary.authserver import codes
from ostiary.authserver.authorization_grant import Authorized
from ostiary.authserver.codes import StoredCode
from ostiary.authserver.requests.grant_request import GrantRequest
from ostiary.authserver.resources import Target
from ostiary.authserver.services import Parts
from ostiary.authserver.sessions.creation import Beginning, Started, after_start, start
from ostiary.authserver.sessions.ending import EndReason, SessionMustEnd, end_and_refuse
from ostiary.authserver.token_response import Issued
from ostiary.authserver.tokens.session_tokens import SessionTokens, issue_session_tokens
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.confirmation import JKT
from ostiary.oauth.server.errors import InvalidGrant
from ostiary.oauth.server.pkce import check_verifier
from ostiary.oauth.server.resource import same_resource
from ostiary.transport.stepping import in_task


@dataclass(frozen=True, slots=True)
class _Redeemed:
    authorized: Authorized
    target: Target
    started: Started


async def authorization_code(request: GrantRequest, parts: Parts) -> Issued:
    """The first tokens of a session."""
    parts.signing.signer()  # without a key nothing is spent
    redeemed = await in_task(_redeemed(request.parameters.require("code"), request, parts))
    session = redeemed.started.session
    after_start(parts, redeemed.started, address=request.form.peer)
    wanted = SessionTokens(
        session,
        request.client,
        redeemed.target,
        session.scopes,
        request.confirmation,
        redeemed.started.refresh_token,
        redeemed.authorized.nonce,
    )
    return issue_session_tokens(wanted, parts, now=request.now)


async def _redeemed(code: str, request: GrantRequest, parts: Parts) -> _Redeemed:
    try:
        return await parts.store.transaction(lambda connection: _redeem(connection, code, request, parts))
    except SessionMustEnd as must:
        raise await end_and_refuse(
            must, parts, client=request.client.client_id, address=request.form.peer, now=request.now
        ) from None


def _redeem(connection: Connection, code: str, request: GrantRequest, parts: Parts) -> _Redeemed:
    stored = codes.find_code(connection, parts.store, code)
    if stored is None:
        raise InvalidGrant("the code is unknown, or not this client's", detail="the code is unknown")
    authorized = stored.authorized
    _check(request, authorized)
    if stored.is_redeemed:
        raise _replay(stored)
    if request.now >= stored.expires_at:
        raise InvalidGrant("the code has expired")
    target = _target(authorized, parts)
    new = Beginning(authorized, request.client, target, request.confirmation)
    if not codes.consume(connection, parts.store, stored, tsid_hash=new.tsid_hash, now=request.now):
        raise _replay(codes.find_code(connection, parts.store, code))
    started = start(connection, parts.store, new, parts.settings.tokens, now=request.now)
    return _Redeemed(authorized, target, started)


def _check(request: GrantRequest, authorized: Authorized) -> None:
    """Whether it is they who asked for the code, and for this. Raises InvalidGrant, InvalidTarget."""
    if authorized.client_id != request.client.client_id:
        raise InvalidGrant("the code is unknown, or not this client's", detail="the code is another client's")
    redirect_uri = request.parameters.get("redirect_uri")
    if redirect_uri is not None and redirect_uri != authorized.redirect_uri:
        raise InvalidGrant("redirect_uri is not the one of the authorization request")
    if authorized.code_challenge is None:
        raise InvalidGrant("the code was given without a code_challenge")
    check_verifier(request.parameters.get("code_verifier"), challenge=authorized.code_challenge)
    same_resource(request.parameters.all("resource"), canonical_url(authorized.resource))
    if authorized.dpop_jkt is not None and (request.confirmation or {}).get(JKT) != authorized.dpop_jkt:
        raise InvalidGrant("the code is bound to a key that the request does not prove (dpop_jkt)")


def _target(authorized: Authorized, parts: Parts) -> Target:
    """The resource, if it is still what the person was asked about."""
    target = parts.resources.find(authorized.resource)
    if target is None or target.settings.owner != authorized.owner:
        raise InvalidGrant("the code is for a resource that is not here any more, or has another owner now")
    return target


def _replay(stored: StoredCode | None) -> SessionMustEnd:
    tsid_hash = None if stored is None else stored.tsid_hash
    return SessionMustEnd(tsid_hash, EndReason.CODE_REUSED, "the code was used; what it gave is revoked")
