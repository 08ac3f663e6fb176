"""An issuer of signed JWTs, such as a cluster or a company's IdP, and its own reading of them."""

from __future__ import annotations

from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from ostiary.identity.principal import Principal
from ostiary.secrets import Secret


class Signer:
    """Signs with a key of its own; `read` is what a peer that trusts it does."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self._key = ECKey.generate_key("P-256")

    def sign(self, now: float, *, lifetime: float = 3600, typ: str = "JWT", **claims: Any) -> str:
        whole = {"iss": self.issuer, "iat": int(now), "exp": int(now + lifetime), **claims}
        return jwt.encode({"alg": "ES256", "typ": typ}, whole, self._key, default_type=None)

    def read(self, token: str) -> dict[str, Any]:
        """Raises JoseError for a token of somebody else's."""
        return dict(jwt.decode(token, self._key, algorithms=["ES256"]).claims)

    def principal(self, now: float, subject: str = "ada", **claims: Any) -> Principal:
        """Who comes with a token of this issuer, verified at the door."""
        token = self.sign(now, sub=subject, **claims)
        return Principal(self.issuer, subject, None, frozenset(), self.read(token), now + 3600, Secret(token))
