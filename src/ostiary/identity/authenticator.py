"""A bearer token in, a principal out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ostiary.identity.google_id_token import ISSUERS as GOOGLE_ISSUERS
from ostiary.identity.google_id_token import require_allowed, require_id_token
from ostiary.identity.inbound_settings import (
    GoogleIdTokenInbound,
    InboundSettings,
    IntrospectionInbound,
    OidcInbound,
)
from ostiary.identity.jwt_verifier import UnverifiedJwt, read_jwt, verify
from ostiary.identity.key_sets import KeyLocation, KeySets
from ostiary.identity.known_callers import MOST, KnownCallers
from ostiary.identity.principal import Principal
from ostiary.oauth.errors import (
    InsufficientScope,
    InvalidToken,
    OAuthError,
    TemporarilyUnavailable,
    TokenRefused,
)
from ostiary.oauth.jwt_claims import check_claims, client_of, scopes_of
from ostiary.oauth.refusal import Refusal
from ostiary.oauth.resource_server.access_token import require_access_token
from ostiary.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ostiary.identity.introspection import Introspection

REMEMBERED = 60.0
"""Seconds for which a verdict is good without checking again; never beyond the token's own expiry."""


class Authenticator:
    """Decides for one endpoint. `audiences` holds for the inbound entries that name none themselves."""

    def __init__(
        self,
        inbound: Sequence[InboundSettings],
        *,
        audiences: tuple[str, ...],
        key_sets: KeySets,
        introspection: Callable[[IntrospectionInbound], Introspection] | None = None,
        clock: Callable[[], float] = time.time,
        most_tokens: int = MOST,
    ) -> None:
        """introspection: who asks for an entry of that kind; needed where there is one.

        most_tokens: of how many a verdict is remembered.
        """
        self._rules = [
            _rule(entry, audiences) for entry in inbound if not isinstance(entry, IntrospectionInbound)
        ]
        self._introspected = [
            _IntrospectionRule(entry, audiences, introspection(entry))
            for entry in inbound
            if isinstance(entry, IntrospectionInbound) and introspection is not None
        ]
        self._key_sets = key_sets
        self._clock = clock
        self._known = KnownCallers(most_tokens)
        self._generation = key_sets.generation

    def cached_principal(self, token: str) -> Principal | None:
        """Who this is, when the token was verified a moment ago and its issuer's keys are still the same."""
        if self._generation != self._key_sets.generation:
            return None
        return self._known.find(token, self._clock())

    async def authenticate(self, token: str) -> Principal:
        """Who this is. Raises InvalidToken, InsufficientScope, AccessDenied, or TemporarilyUnavailable."""
        principal = self.cached_principal(token)
        if principal is None:
            principal, until = await self._admit(token)
            self._remember(token, principal, until)
        return principal

    async def _admit(self, token: str) -> tuple[Principal, float]:
        """Who it is, and until when that counts."""
        if self._introspected and self._is_for_its_issuer(token):
            return await self._ask(token)
        return await self._verify(read_jwt(token)), self._clock() + REMEMBERED

    def _is_for_its_issuer(self, token: str) -> bool:
        """Whether only whoever issued it can tell what it is worth: no JWT, or of none whose keys we know."""
        if not self._rules:
            return True
        try:
            jwt = read_jwt(token)
        except InvalidToken as error:
            return error.reason is Refusal.OPAQUE_TOKEN
        return not any(jwt.issuer in rule.issuers for rule in self._rules)

    async def _ask(self, token: str) -> tuple[Principal, float]:
        """By the first issuer that knows it, and whose entry accepts it."""
        refused: OAuthError | None = None
        for rule in self._introspected:
            try:
                return await rule.admit_opaque(token, now=self._clock)
            except TokenRefused as error:
                refused = refused or error
            except TemporarilyUnavailable as error:
                refused = error
        assert refused is not None  # noqa: S101 - for the type checker: there is a rule, and none accepted
        raise refused

    async def _verify(self, jwt: UnverifiedJwt) -> Principal:
        """By the first rule for the token's issuer that accepts it; else what the first of them said."""
        refused: TokenRefused | None = None
        for rule in self._rules_for(jwt):
            claims = verify(jwt, await self._key_sets.get(rule.location, kid=jwt.kid))
            try:
                return rule.admit(claims, jwt.typ, token=Secret(jwt.token), now=self._clock())
            except TokenRefused as error:
                refused = refused or error
        assert refused is not None  # noqa: S101 - for the type checker: there is a rule, and none accepted
        raise refused

    def _rules_for(self, jwt: UnverifiedJwt) -> Iterable[_Rule]:
        rules = [rule for rule in self._rules if jwt.issuer in rule.issuers]
        if not rules:
            raise InvalidToken(
                "the token is from an issuer that is not accepted here",
                reason=Refusal.WRONG_ISSUER,
                detail=f"issuer {(jwt.issuer or '(none)')[:200]!r} is not configured",
            )
        return rules

    def _remember(self, token: str, principal: Principal, until: float) -> None:
        if self._generation != self._key_sets.generation:
            self._known.forget()
            self._generation = self._key_sets.generation
        self._known.remember(token, principal, min(until, principal.expires_at), self._clock())


class _Rule:
    """One inbound entry, made ready."""

    issuers: tuple[str, ...]
    location: KeyLocation

    def __init__(self, audience: str | None, audiences: tuple[str, ...]) -> None:
        self._audiences = audiences if audience is None else (audience,)

    def admit(self, claims: Mapping[str, Any], typ: object, *, token: Secret, now: float) -> Principal:
        """The principal whom verified claims name. typ: of the header. Raises TokenRefused."""
        check_claims(claims, issuers=self.issuers, audiences=self._audiences, now=now)
        self.require_kind(claims, typ)
        self.require(claims)
        return Principal(
            issuer=self.issuers[0],
            subject=claims["sub"],
            client_id=client_of(claims),
            scopes=scopes_of(claims),
            claims=MappingProxyType(claims if isinstance(claims, dict) else dict(claims)),
            expires_at=float(claims["exp"]),
            token=token,
        )

    def require_kind(self, claims: Mapping[str, Any], typ: object) -> None:
        """Of all that its issuer signs, what opens this door (RFC 8725 section 3.11). Raises TokenRefused."""
        raise NotImplementedError

    def require(self, claims: Mapping[str, Any]) -> None:
        """What this kind of entry demands besides. Raises TokenRefused."""
        raise NotImplementedError


class _OidcRule(_Rule):
    def __init__(self, entry: OidcInbound, audiences: tuple[str, ...]) -> None:
        super().__init__(entry.audience, audiences)
        self.issuers = (entry.issuer,)
        self.location = KeyLocation(entry.issuer, entry.jwks_url, entry.reach)
        self._required_scopes = tuple(entry.required_scopes)
        self._type = entry.access_token_type

    def require_kind(self, claims: Mapping[str, Any], typ: object) -> None:
        require_access_token(claims, typ, required_typ=self._type)

    def require(self, claims: Mapping[str, Any]) -> None:
        _require_scopes(claims, self._required_scopes)


class _IntrospectionRule(_Rule):
    """Its issuer is asked, and what that says is held against the entry as a JWT's claims are."""

    def __init__(
        self, entry: IntrospectionInbound, audiences: tuple[str, ...], introspection: Introspection
    ) -> None:
        super().__init__(entry.audience, audiences)
        self.issuers = (entry.name,)
        self._introspection = introspection
        self._required_scopes = entry.required_scopes
        self._is_named = entry.issuer is not None

    async def admit_opaque(self, token: str, *, now: Callable[[], float]) -> tuple[Principal, float]:
        """The principal, and until when that counts. Raises TokenRefused or TemporarilyUnavailable."""
        found = await self._introspection.ask(token)
        claims = {name: value for name, value in found.claims.items() if value is not None}
        if not self._is_named or "iss" not in claims:
            claims["iss"] = self.issuers[0]
        if "sub" not in claims and "client_id" in claims:
            claims["sub"] = claims["client_id"]
        claims.setdefault("exp", found.until)
        return self.admit(claims, None, token=Secret(token), now=now()), found.until

    def require_kind(self, claims: Mapping[str, Any], typ: object) -> None:
        """Its issuer was asked about an access token."""

    def require(self, claims: Mapping[str, Any]) -> None:
        _require_scopes(claims, self._required_scopes)


class _GoogleRule(_Rule):
    def __init__(self, entry: GoogleIdTokenInbound, audiences: tuple[str, ...]) -> None:
        super().__init__(entry.audience, audiences)
        self.issuers = GOOGLE_ISSUERS
        self.location = KeyLocation(GOOGLE_ISSUERS[0], entry.jwks_url, entry.reach)
        self._allow = entry.allow

    def require_kind(self, claims: Mapping[str, Any], typ: object) -> None:
        require_id_token(claims, typ)

    def require(self, claims: Mapping[str, Any]) -> None:
        require_allowed(claims, self._allow)


def _require_scopes(claims: Mapping[str, Any], required: tuple[str, ...]) -> None:
    missing = [scope for scope in required if scope not in scopes_of(claims)]
    if missing:
        raise InsufficientScope(
            f"the token lacks the scope {' '.join(missing)}",
            scopes=required,
            detail=f"subject {claims['sub']!r} has {' '.join(sorted(scopes_of(claims))) or 'no scope'}",
        )


def _rule(entry: OidcInbound | GoogleIdTokenInbound, audiences: tuple[str, ...]) -> _Rule:
    match entry:
        case OidcInbound():
            return _OidcRule(entry, audiences)
        case GoogleIdTokenInbound():
            return _GoogleRule(entry, audiences)
