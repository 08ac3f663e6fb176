"""An assertion as a grant. RFC 7523 section 2.1, RFC 7521 section 4.1.

What kind of JWT it is decides what is done with it (RFC 8725 section 3.11):

    oauth-id-jag+jwt   a company's IdP vouches for its user   draft-ietf-oauth-identity-assertion-authz-grant

Whoever has one of another kind hears so, and not that something about it is invalid.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from ostiary.authserver.config.trusted_issuers import TrustedUse
from ostiary.authserver.requests.grant_request import GrantRequest
from ostiary.authserver.token_response import AccessTokenResponse
from ostiary.authserver.tokens.access_tokens import AccessTokenIssuer
from ostiary.authserver.trusted_jwts.error_mapping import map_invalid_token
from ostiary.authserver.trusted_jwts.verification import TrustedIssuers, TrustedJwt
from ostiary.identity.jwt_verifier import read_jwt
from ostiary.inline_coroutines import hopping
from ostiary.oauth.server.errors import InvalidGrant
from ostiary.oauth.server.id_jag import TYPE as ID_JAG

KINDS: Mapping[str, TrustedUse] = {ID_JAG: TrustedUse.ID_JAG}
"""What an issuer has to be trusted for, by the `typ` of its assertion."""
Redeem = Callable[[TrustedJwt, GrantRequest], Awaitable[AccessTokenResponse]]


@dataclass(frozen=True, slots=True)
class JwtBearer:
    """Redeems assertions. redeem: by what their issuers are trusted for."""

    issuers: TrustedIssuers
    access_tokens: AccessTokenIssuer
    redeem: Mapping[TrustedUse, Redeem]

    async def __call__(self, request: GrantRequest) -> AccessTokenResponse:
        """What the assertion is worth. There is no refresh token: whoever vouches is asked again."""
        assertion = request.parameters.require("assertion")
        self.access_tokens.require_key()
        return await self._redeemed(assertion, request)

    @hopping  # a session that begins is told, also when its client goes away
    async def _redeemed(self, assertion: str, request: GrantRequest) -> AccessTokenResponse:
        with map_invalid_token(InvalidGrant, "the assertion"):
            use = _use(read_jwt(assertion).typ)
            trusted_jwt = await self.issuers.verify(assertion, use)
        return await self.redeem[use](trusted_jwt, request)


def _use(typ: object) -> TrustedUse:
    named = typ.lower().removeprefix("application/") if isinstance(typ, str) else None
    use = None if named is None else KINDS.get(named)
    if use is None:
        said = "has no typ" if typ is None else f"has typ {typ!r:.80}"
        raise InvalidGrant(f"the assertion {said}; taken here are: {', '.join(KINDS)}")
    return use
