"""A compact JWS of ours reads like anybody else's, RFC 7515."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc import jws
from joserfc.jwk import KeySet

from ostiary.authserver.signing.jws import JwsSigner, fixed_size
from ostiary.authserver.signing.signing_key import SealedKey, SigningKey, new_key
from ostiary.oauth.server.signing_schedule import KeyTimes


def made(algorithm: str) -> SigningKey:
    kid, sealed = new_key(algorithm)
    return SigningKey(KeyTimes(0.0, 0.0, kid=kid), 1, algorithm, sealed)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # and the name that everybody knows
@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "EdDSA"])
def test_others_read_it(algorithm: str) -> None:
    key = made(algorithm)
    token = key.signer.sign({"sub": "ålice", "n": 9007199254740993}, typ="at+jwt")
    keys = KeySet.import_key_set({"keys": [key.public_jwk]})
    read = jws.deserialize_compact(token, keys, algorithms=[algorithm])
    assert read.headers() == {"alg": algorithm, "typ": "at+jwt", "kid": key.kid}
    assert read.payload == '{"sub":"ålice","n":9007199254740993}'.encode()


@pytest.mark.parametrize("r", [1, 0x7F, 0x80, 1 << 247, 1 << 248, (1 << 255) - 1, 1 << 255, (1 << 256) - 1])
@pytest.mark.parametrize("s", [1, 0x80, 1 << 240, (1 << 255) - 1, 1 << 255])
def test_a_signature_is_as_long_whatever_its_numbers_are(r: int, s: int) -> None:
    assert fixed_size(encode_dss_signature(r, s)) == r.to_bytes(32, "big") + s.to_bytes(32, "big")


def test_each_use_has_its_own_type() -> None:
    key = made("ES256")
    kinds = [key.signer.sign({}, typ=typ).partition(".")[0] for typ in ("at+jwt", "JWT", "at+jwt")]
    assert kinds[0] == kinds[2] != kinds[1]


def test_the_published_half_has_nothing_private() -> None:
    for algorithm, members in (("ES256", {"crv", "x", "y"}), ("RS256", {"n", "e"}), ("EdDSA", {"crv", "x"})):
        assert set(made(algorithm).public_jwk) == {"kty", "kid", "alg", "use"} | members


def test_a_key_never_shows_itself() -> None:
    kid, sealed = new_key("ES256")
    assert "PRIVATE" not in repr(sealed) + str(sealed) + repr(SigningKey(KeyTimes(0, 0), 1, "ES256", sealed))
    assert isinstance(SealedKey(sealed.pem), SealedKey)
    assert "PRIVATE" not in repr(JwsSigner.__dict__) + kid
