"""The tokens of a session: an access token, and an ID token where `openid` was granted.

RFC 9068, OpenID Connect Core section 3.1.3.3. They are signed after the commit: what is signed is true.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from ostiary.authserver.resources import Target
from ostiary.authserver.sessions.session import Session
from ostiary.authserver.token_response import AccessTokenResponse
from ostiary.authserver.tokens.access_tokens import AccessTokenFor, AccessTokenIssuer
from ostiary.event_log import event_log
from ostiary.oauth.server.access_token import fitting_claims
from ostiary.oauth.server.client import Client
from ostiary.oauth.server.id_token import id_token_claims
from ostiary.unseen import Unseen

OPENID = "openid"

log = event_log("ostiary.authserver")


class SessionTokens(Unseen, frozen=True):
    """What tokens are wanted of a session."""

    session: Session
    client: Client
    target: Target
    scopes: tuple[str, ...]
    """All of the session's, or fewer."""
    confirmation: Mapping[str, Any] | None
    refresh_token: str | None
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class SessionTokenIssuer:
    """Makes them."""

    access_tokens: AccessTokenIssuer

    def issue(self, wanted: SessionTokens, *, now: float) -> AccessTokenResponse:
        """Sign them. Raises Unavailable when there is no key, which `require_key` tells beforehand."""
        session = wanted.session
        response = self.access_tokens.issue(
            AccessTokenFor(
                subject=session.user_id,
                client=wanted.client,
                resource=session.resource,
                scopes=wanted.scopes,
                tsid=session.secret.tsid,
                claims=_claims(wanted),
                confirmation=wanted.confirmation,
                auth_time=session.secret.auth_time,
                ends_at=session.expires_at,
            ),
            now=now,
        )
        id_token = self._id_token(wanted, response, now) if OPENID in wanted.scopes else None
        return msgspec.structs.replace(response, refresh_token=wanted.refresh_token, id_token=id_token)

    def _id_token(self, wanted: SessionTokens, response: AccessTokenResponse, now: float) -> str:
        session, signer = wanted.session, self.access_tokens.signing.signer()
        claims = id_token_claims(
            issuer=self.access_tokens.issuer,
            subject=session.user_id,
            client_id=wanted.client.client_id,
            now=now,
            lifetime=self.access_tokens.lifetime.total_seconds(),
            nonce=wanted.nonce,
            auth_time=session.secret.auth_time,
            access_token=response.access_token,
            alg=signer.algorithm,
            scopes=wanted.scopes,
            person=session.person,
        )
        return signer.sign(claims, typ="JWT")


def _claims(wanted: SessionTokens) -> dict[str, Any]:
    names = wanted.target.settings.token_claims
    if not names:
        return {}
    fitting = fitting_claims(wanted.session.person, names)
    if fitting.left_out:
        log.warning("claims_left_out", resource=wanted.session.resource, claims=fitting.left_out)
    return fitting.claims
