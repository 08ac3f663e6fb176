"""A platform says which workload is asking, and the operator which client that is. RFC 7523 section 2.2.

Such as a service account's projected token in Kubernetes, or Google's ID token of one. It is used until it
ends, as the platform gives no new one for each request.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ostiary.authserver.config.trusted_issuers import TrustedIssuer, TrustedUse
from ostiary.authserver.trusted_jwts.error_mapping import map_invalid_token
from ostiary.authserver.trusted_jwts.verification import TrustedJwt, verify_trusted_jwt
from ostiary.identity.key_sets import KeySets
from ostiary.oauth.confirmation import is_confirmed
from ostiary.oauth.jwt_claims import check_claims
from ostiary.oauth.server.client_assertion import TYPES
from ostiary.oauth.server.errors import InvalidClient
from ostiary.oauth.server.trusted_subject import matches_subject

NAME = "the workload's assertion"


class WorkloadAssertions:
    """Those of the trusted issuers. issuer: ours, which their assertions are for."""

    def __init__(self, trusted: Sequence[TrustedIssuer], key_sets: KeySets, issuer: str) -> None:
        self._trusted = trusted
        self._key_sets = key_sets
        self._issuer = issuer

    async def client_of(self, assertion: str, named: str | None, *, now: float) -> str:
        """The client that the workload is. named: which one it says it is, where it could be several.

        Raises InvalidClient, Unavailable.
        """
        with map_invalid_token(InvalidClient, NAME):
            trusted_jwt = await verify_trusted_jwt(
                assertion, self._trusted, TrustedUse.WORKLOAD, self._key_sets
            )
            audience = trusted_jwt.trusted.audience or self._issuer
            check_claims(
                trusted_jwt.claims, issuers={trusted_jwt.trusted.issuer}, audiences={audience}, now=now
            )
        _check_purpose(trusted_jwt, audience)
        return _choose(_clients_of(trusted_jwt), named, subject=str(trusted_jwt.claims["sub"]))


def _check_purpose(trusted_jwt: TrustedJwt, audience: str) -> None:
    typ = trusted_jwt.typ
    named = typ.lower().removeprefix("application/") if isinstance(typ, str) else typ
    if not isinstance(named, str | None) or named not in TYPES:
        raise InvalidClient(f"{NAME} is another kind of JWT", detail=f"typ {typ!r:.80}")
    if trusted_jwt.claims["aud"] not in (audience, [audience]):
        raise InvalidClient(f"{NAME} is for somebody else as well")
    if not is_confirmed(trusted_jwt.claims):
        raise InvalidClient(f"{NAME} is bound to a key, which nothing here proves")


def _clients_of(trusted_jwt: TrustedJwt) -> Collection[str]:
    """Whoever the subject itself leads to, else every pattern that fits."""
    subject, subjects = trusted_jwt.claims["sub"], trusted_jwt.trusted.subjects
    if subject in subjects:
        return {subjects[subject]}
    return {client_id for pattern, client_id in subjects.items() if matches_subject(pattern, subject)}


def _choose(clients: Collection[str], named: str | None, *, subject: str) -> str:
    if named is not None and named in clients:
        return named
    if named is None and len(clients) == 1:
        return next(iter(clients))
    if named is None and clients:
        raise InvalidClient(f"{NAME} fits several clients: say which one with client_id")
    detail = f"subject {subject[:200]!r} is not {'client ' + named[:200] if named else 'any client'}"
    raise InvalidClient(f"{NAME} is of no workload that is this client", detail=detail)
