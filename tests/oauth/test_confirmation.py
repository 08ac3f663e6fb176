"""What binds a token to a key, RFC 7638, RFC 7800, RFC 8705, RFC 9449."""

from __future__ import annotations

import datetime as dt
import hashlib
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from ostiary.oauth.confirmation import certificate_thumbprint, confirmation, is_confirmed, jwk_thumbprint

RFC_7638 = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWK"
    "RXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMic"
    "AtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3"
    "XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}


def test_a_thumbprint_is_that_of_the_rfc_s_example() -> None:
    assert jwk_thumbprint(RFC_7638) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize(
    "key",
    [ECKey.generate_key("P-256"), OKPKey.generate_key("Ed25519"), RSAKey.generate_key(2048)],
    ids=["EC", "OKP", "RSA"],
)
def test_a_name_or_a_private_part_changes_no_thumbprint(key: Key) -> None:
    public = key.as_dict(private=False)
    assert jwk_thumbprint(public) == jwk_thumbprint(key.as_dict(private=True) | {"kid": "x"})
    assert jwk_thumbprint(public) == key.thumbprint()


@pytest.mark.parametrize(
    "jwk",
    [
        {},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "EC", "crv": "P-256", "x": "a"},
        {"kty": "EC", "crv": "P-256", "x": "a", "y": 1},
        {"kty": ["EC"]},
    ],
)
def test_what_is_no_public_key_has_no_thumbprint(jwk: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^it is not a public key in the form of a JWK$"):
        jwk_thumbprint(jwk)


def test_a_certificate_s_thumbprint_is_that_of_its_der() -> None:
    name = x509.Name([])
    key = ec.generate_private_key(ec.SECP256R1())
    day = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, day, day + dt.timedelta(1))
    certificate = builder.sign(key, hashes.SHA256())
    der = certificate.public_bytes(Encoding.DER)
    expected = urlsafe_b64encode(certificate.fingerprint(hashes.SHA256())).decode().rstrip("=")
    assert certificate_thumbprint(der) == expected
    assert len(certificate_thumbprint(der)) == len(hashlib.sha256().digest()) * 4 // 3 + 1


def test_a_token_says_what_it_is_bound_to() -> None:
    assert confirmation() is None
    assert confirmation(jkt="a") == {"jkt": "a"}
    assert confirmation("a", "b") == {"jkt": "a", "x5t#S256": "b"}


@pytest.mark.parametrize(
    ("claim", "proven", "good"),
    [
        (None, {}, False),
        (None, {"jkt": "a"}, False),
        ([], {"jkt": "a"}, False),
        (True, {"jkt": "a"}, False),
        ({"kid": "a"}, {"jkt": "a"}, False),
        ({"jkt": "a"}, {"jkt": "a"}, True),
        ({"jkt": "a"}, {"jkt": "b"}, False),
        ({"jkt": "a"}, {}, False),
        ({"jkt": "a"}, {"x5t": "a"}, False),
        ({"x5t#S256": "a"}, {"x5t": "a"}, True),
        ({"jkt": "a", "x5t#S256": "b"}, {"jkt": "a"}, False),
        ({"jkt": "a", "x5t#S256": "b"}, {"jkt": "a", "x5t": "b"}, True),
        ({"jkt": "a", "jwe": "x"}, {"jkt": "a"}, False),
        ({}, {"jkt": "a"}, False),
        ({"jkt": None}, {}, False),
        ({"jkt": 7}, {"jkt": "a"}, False),
        ({"jkt": "\ud800"}, {"jkt": "a"}, False),
        ("a", {"jkt": "a"}, False),
    ],
)
def test_a_bound_token_is_good_only_for_who_proves_every_key_of_it(
    claim: object, proven: dict[str, str], good: bool
) -> None:
    assert is_confirmed({"cnf": claim}, **proven) is good


def test_a_token_without_the_claim_is_bound_to_nothing() -> None:
    assert is_confirmed({}) is is_confirmed({}, jkt="a") is True
