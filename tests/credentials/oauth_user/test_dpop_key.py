"""A DPoP key that is kept with the tokens that are bound to it, RFC 9449."""

from __future__ import annotations

from tests.clock import Clock

from ostiary.credentials.oauth_user.dpop_key import KeptDpopKey
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.jwt_parts import jwt_parts

URL = canonical_url("https://mcp.example.com/mcp")


def test_a_kept_key_makes_proofs_of_the_same_key(clock: Clock) -> None:
    key = KeptDpopKey(clock)
    again = KeptDpopKey(clock, key.kept())
    proofs = [jwt_parts(one.proof("POST", URL, nonce_of="x")) for one in (key, again)]
    assert proofs[0].header["jwk"] == proofs[1].header["jwk"]
    assert proofs[0].claims["jti"] != proofs[1].claims["jti"]
    assert "d" not in proofs[0].header["jwk"]
