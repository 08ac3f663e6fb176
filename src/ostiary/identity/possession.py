"""Does who sends a bound token hold its key? RFC 9449 section 7, RFC 8705 section 3, RFC 7800.

A token with `cnf` was given to whoever has a key. Sent as a bearer token it is refused, for then anybody who
found it could send it; with a proof of the key it comes in, each proof once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ostiary.oauth.confirmation import CNF, JKT, certificate_thumbprint, is_confirmed
from ostiary.oauth.errors import InvalidDpopProof, InvalidToken
from ostiary.oauth.jwt_claims import LEEWAY
from ostiary.oauth.refusal import Refusal
from ostiary.oauth.resource_server.dpop_proof import VerifiedProof, check_proof

if TYPE_CHECKING:
    from ostiary.oauth.canonical_url import CanonicalUrl

WINDOW = 300.0
"""Seconds that a proof may be old: what clocks of people's machines differ by."""


class ReplayStore(Protocol):
    """Where proofs are remembered until they would be refused anyway."""

    def take(self, proof: VerifiedProof, *, until: float, now: float) -> Awaitable[bool]:
        """Whether nobody took it before. Times: seconds since the epoch. It may be awaited inline.

        Raises InvalidDpopProof when it cannot be remembered.
        """


@dataclass(frozen=True, slots=True)
class Sender:
    """What a request shows of whoever sends it."""

    method: str
    url: CanonicalUrl
    """As clients see it."""
    dpop: str | None = field(default=None, repr=False)
    """Its one DPoP header."""
    certificate: bytes | None = field(default=None, repr=False)
    """In DER, where TLS asked for one and checked it."""


class Possession:
    """Of keys and certificates. clock: seconds since the epoch."""

    def __init__(self, replays: ReplayStore, clock: Callable[[], float]) -> None:
        self._replays = replays
        self._clock = clock

    async def prove(self, sender: Sender) -> str:
        """The thumbprint of the key that the sender of a request for tokens proves to hold.

        Raises InvalidDpopProof.
        """
        proof = self._checked(sender, access_token=None)
        await self._spend(proof)
        return proof.jkt

    def _checked(self, sender: Sender, *, access_token: str | None) -> VerifiedProof:
        """access_token: the one that the proof comes with."""
        if sender.dpop is None:
            raise InvalidDpopProof("a bound token needs exactly one DPoP header")
        return check_proof(
            sender.dpop,
            method=sender.method,
            url=sender.url,
            now=self._clock(),
            window=WINDOW,
            access_token=access_token,
        )

    async def _spend(self, proof: VerifiedProof) -> None:
        until = proof.iat + WINDOW + LEEWAY
        if not await self._replays.take(proof, until=until, now=self._clock()):
            raise InvalidDpopProof("the DPoP proof was used before; make a new one for each request")

    async def require(self, claims: Mapping[str, Any], token: str, sender: Sender, *, by_key: bool) -> None:
        """Raise InvalidToken or InvalidDpopProof unless the token may come like this.

        claims: of the token, verified; by_key: whether it came as `Authorization: DPoP`.
        """
        if CNF not in claims and not by_key:
            return
        cnf = claims.get(CNF)
        is_bound_to_key = isinstance(cnf, Mapping) and JKT in cnf
        if is_bound_to_key and not by_key:
            raise _not_proven("the token is bound to a key: send it as `DPoP`, with a proof of the key")
        if by_key and not is_bound_to_key:
            raise _not_proven("the token is bound to no key: send it as `Bearer`")
        proof = self._checked(sender, access_token=token) if by_key else None
        x5t = None if sender.certificate is None else certificate_thumbprint(sender.certificate)
        if not is_confirmed(claims, jkt=None if proof is None else proof.jkt, x5t=x5t):
            raise _not_proven("the token is bound to something else than what was proven")
        if proof is not None:  # only now: keys are free for everybody, tokens for them are not
            await self._spend(proof)


def _not_proven(description: str) -> InvalidToken:
    return InvalidToken(description, reason=Refusal.NOT_PROVEN, detail=description)
