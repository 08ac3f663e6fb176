"""Does who sends a bound token hold its key? RFC 9449 section 7, RFC 8705 section 3, RFC 7800.

A token with `cnf` was given to whoever has a key. Sent as a bearer token it is refused, for then anybody who
found it could send it; with a proof of the key it comes in, each proof once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

from ostiary.oauth.confirmation import CNF, JKT, certificate_thumbprint, is_confirmed
from ostiary.oauth.errors import InvalidDpopProof, InvalidToken
from ostiary.oauth.jwt_claims import LEEWAY
from ostiary.oauth.refusal import Refusal
from ostiary.oauth.resource_server.dpop_proof import check_proof

if TYPE_CHECKING:
    from ostiary.oauth.canonical_url import CanonicalUrl

WINDOW = 300.0
"""Seconds that a proof may be old: what clocks of people's machines differ by."""
MOST_REMEMBERED = 200_000
"""Proofs remembered at once. When there are more within the window, further ones are refused."""


class ReplayStore(Protocol):
    """Where proofs are remembered until they would be refused anyway."""

    def take(self, name: str, *, until: float, now: float) -> Awaitable[bool]:
        """Whether nobody took it before. Times: seconds since the epoch. It may be awaited inline."""


class RememberedReplays:
    """In this process: a replica of it does not know them."""

    def __init__(self) -> None:
        self._taken: dict[bytes, float] = {}

    async def take(self, name: str, *, until: float, now: float) -> bool:
        """Raises InvalidDpopProof when there are too many."""
        key = sha256(name.encode("utf-8", "surrogatepass")).digest()[:16]
        if self._taken.get(key, now) > now:
            return False
        if len(self._taken) >= MOST_REMEMBERED:
            self._taken = {known: end for known, end in self._taken.items() if end > now}
        if len(self._taken) >= MOST_REMEMBERED:
            raise InvalidDpopProof("too many proofs at once; try again")
        self._taken[key] = until
        return True


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

    async def prove(self, sender: Sender, *, access_token: str | None = None) -> str:
        """The thumbprint of the key that the sender proves to hold. Raises InvalidDpopProof.

        access_token: the one that the proof comes with, None at a token endpoint.
        """
        if sender.dpop is None:
            raise InvalidDpopProof("a bound token needs exactly one DPoP header")
        now = self._clock()
        proof = check_proof(
            sender.dpop,
            method=sender.method,
            url=sender.url,
            now=now,
            window=WINDOW,
            access_token=access_token,
        )
        name, until = f"dpop {proof.jkt} {proof.jti}", proof.iat + WINDOW + LEEWAY
        if not await self._replays.take(name, until=until, now=now):
            raise InvalidDpopProof("the DPoP proof was used before; make a new one for each request")
        return proof.jkt

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
        jkt = await self.prove(sender, access_token=token) if by_key else None
        x5t = None if sender.certificate is None else certificate_thumbprint(sender.certificate)
        if not is_confirmed(claims, jkt=jkt, x5t=x5t):
            raise _not_proven("the token is bound to something else than what was proven")


def _not_proven(description: str) -> InvalidToken:
    return InvalidToken(description, reason=Refusal.NOT_PROVEN, detail=description)
