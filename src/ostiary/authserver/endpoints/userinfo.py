"""Who signed in, told to a client that was granted `openid`. OpenID Connect Core section 5.3.

The token that opens it is for a resource, as all of ours are: here it is taken for its `openid` scope,
whatever its audience, since this endpoint is its issuer's own. Claims are those of the session, by the scopes
of the token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ostiary.authserver.http.form_request import FormRequest
from ostiary.authserver.http.json_answer import PRIVATE, json_answer
from ostiary.authserver.rates import ClientRate, CountedRequest
from ostiary.authserver.sessions.session import Session, find
from ostiary.authserver.tokens.access_token_verifier import AccessTokenVerifier
from ostiary.identity.possession import Possession
from ostiary.oauth.challenge import bearer_challenge
from ostiary.oauth.errors import InsufficientScope, InvalidToken, OAuthError, TokenRefused
from ostiary.oauth.jwt_claims import scopes_of
from ostiary.oauth.jwt_parts import unverified_claims
from ostiary.oauth.refusal import Refusal
from ostiary.oauth.resource_server.dpop_proof import ALGORITHMS
from ostiary.oauth.server.errors import InvalidDpopProof
from ostiary.oauth.server.id_token import scope_claims
from ostiary.storage.store import Store, digest
from ostiary.transport.inline_http import Answer

OPENID = "openid"
BEARER = "Bearer"
DPOP = "DPoP"
"""The two schemes of the Authorization header (RFC 6750 section 2.1, RFC 9449 section 7.1)."""


@dataclass(frozen=True, slots=True)
class _Presented:
    scheme: str
    token: str = field(repr=False)


class UserinfoEndpoint:
    """`/oauth/userinfo`, by one of its methods: `GET` or `POST`."""

    def __init__(
        self,
        method: str,
        store: Store,
        verifier: AccessTokenVerifier,
        possession: Possession,
        limit: ClientRate,
        clock: Callable[[], float],
    ) -> None:
        self._method = method
        self._store = store
        self._verifier = verifier
        self._possession = possession
        self._limit = limit
        self._clock = clock

    async def __call__(self, form: FormRequest) -> Answer:
        """Whatever is wrong with the token is an answer with a challenge.

        Raises StorageError, TooManyRequests.
        """
        presented, now = _presented(form), self._clock()
        counted = self._limit.ask(_client_of(presented), form.peer, now=now)
        if presented is None:
            return Answer(401, b"", PRIVATE + _header(_challenge(BEARER)) + _header(_challenge(DPOP)))
        try:
            return json_answer(await self._person(presented, form, counted, now=now))
        except (TokenRefused, InvalidDpopProof) as refused:
            return _refused(refused, presented.scheme)

    async def _person(
        self, presented: _Presented, form: FormRequest, counted: CountedRequest, *, now: float
    ) -> Mapping[str, Any]:
        claims = await self._verifier.read(presented.token, now=now)
        counted.is_of(str(claims.get("client_id")), now=now)
        await self._possession.require(
            claims, presented.token, form.sender(self._method), by_key=presented.scheme == DPOP
        )
        scopes = scopes_of(claims)
        if OPENID not in scopes:
            raise InsufficientScope(f"the token lacks the scope {OPENID}", scopes=(OPENID,))
        session = await self._session(str(claims.get("tsid")))
        if session is None or not session.lives(now):
            raise InvalidToken("the token was revoked", reason=Refusal.NOT_ALLOWED)
        return {"sub": session.user_id} | scope_claims(session.person, scopes)

    async def _session(self, tsid: str) -> Session | None:
        store = self._store
        return await store.read(lambda connection: find(connection, store, digest(tsid)))


def _presented(form: FormRequest) -> _Presented | None:
    """The token; None without one, or with a scheme that is none of ours."""
    scheme, _, token = (form.authorization or "").partition(" ")
    known = {BEARER.lower(): BEARER, DPOP.lower(): DPOP}.get(scheme.lower())
    return None if known is None else _Presented(known, token.strip())


def _client_of(presented: _Presented | None) -> str | None:
    """The client that it was given to, as the token says: nobody has proven it yet."""
    named = None if presented is None else unverified_claims(presented.token).get("client_id")
    return named if isinstance(named, str) and named.isascii() else None


def _refused(refused: OAuthError, scheme: str) -> Answer:
    scopes = refused.scopes if isinstance(refused, InsufficientScope) else ()
    challenge = _challenge(scheme, error=refused.error, description=refused.description, scopes=scopes)
    body = {"error": refused.error, "error_description": refused.description}
    status = 401 if isinstance(refused, InvalidDpopProof) else refused.status
    return json_answer(body, status=status, headers=_header(challenge))


def _challenge(
    scheme: str, *, error: str | None = None, description: str | None = None, scopes: tuple[str, ...] = ()
) -> str:
    """RFC 6750 section 3; RFC 9449 section 7.1 has the same for its scheme, with the algorithms."""
    bearer = bearer_challenge(error=error, description=description, scopes=scopes)
    if scheme == BEARER:
        return bearer
    parameters = [f'algs="{" ".join(ALGORITHMS)}"', bearer.removeprefix(BEARER).strip()]
    return f"{DPOP} {', '.join(filter(None, parameters))}"


def _header(challenge: str) -> bytes:
    return f"www-authenticate: {challenge}\r\n".encode("ascii")
