"""Does who sends a bound token hold its key? RFC 9449 section 7, RFC 7800.

A token with `cnf` was given to whoever has a key. Sent as a bearer token it is refused, for then anybody who
found it could send it; with a proof of the key it comes in, each proof once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ostiary.oauth.confirmation import CNF, is_confirmed
from ostiary.oauth.errors import InvalidDpopProof, InvalidToken
from ostiary.oauth.refusal import Refusal
from ostiary.oauth.resource_server.dpop_proof import check_proof

if TYPE_CHECKING:
    from ostiary.identity.principal import Principal
    from ostiary.oauth.canonical_url import CanonicalUrl
    from ostiary.transport.direct import Request

WINDOW = 60.0
"""Seconds that a proof may be old: clients make one for each request."""
MOST_REMEMBERED = 100_000
"""Proofs remembered at once. When there are more within the window, further ones are refused."""


class Possession:
    """For one endpoint. Proofs are remembered in this process: a replica of it does not know them."""

    def __init__(self, url: CanonicalUrl, clock: Callable[[], float]) -> None:
        self._url = url
        self._clock = clock
        self._seen: dict[tuple[str, str], float] = {}

    def require(self, principal: Principal, request: Request, *, proven_by_key: bool) -> None:
        """Raise InvalidToken or InvalidDpopProof unless the token may come like this.

        proven_by_key: whether it came as `Authorization: DPoP`.
        """
        is_bound = CNF in principal.claims
        if not proven_by_key:
            if is_bound:
                raise _not_proven("the token is bound to a key: send it as `DPoP`, with a proof of the key")
            return
        if not is_bound:
            raise _not_proven("the token is bound to no key: send it as `Bearer`")
        if not is_confirmed(principal.claims, jkt=self._key_proven(principal, request)):
            raise _not_proven("the token is bound to something else than the key that was proven")

    def _key_proven(self, principal: Principal, request: Request) -> str:
        proof = request.headers.get(b"dpop")
        if proof is None or b"dpop" in request.repeated:
            raise InvalidDpopProof("a bound token needs exactly one DPoP header")
        now = self._clock()
        verified = check_proof(
            proof.decode("latin-1"),
            method="POST",
            url=self._url,
            now=now,
            window=WINDOW,
            access_token=principal.token.reveal(),
        )
        self._take_once((verified.jkt, verified.jti), now)
        return verified.jkt

    def _take_once(self, proof: tuple[str, str], now: float) -> None:
        if self._seen.get(proof, now) > now:
            raise InvalidDpopProof("the DPoP proof was used before: make one for each request")
        if len(self._seen) >= MOST_REMEMBERED:
            self._seen = {known: until for known, until in self._seen.items() if until > now}
        if len(self._seen) >= MOST_REMEMBERED:
            raise InvalidDpopProof("too many proofs at once; try again")
        self._seen[proof] = now + 2 * WINDOW  # it may be dated ahead of our clock


def _not_proven(description: str) -> InvalidToken:
    return InvalidToken(description, reason=Refusal.NOT_PROVEN, detail=description)
