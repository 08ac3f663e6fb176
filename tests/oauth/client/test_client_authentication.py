"""How a client proves who it is, RFC 6749 section 2.3 and RFC 7523 section 2.2."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from joserfc import jwt
from joserfc.jwk import ECKey

from ostiary.oauth.client.client_assertion import KeyUnusable, algorithm_of, client_assertion, signing_key
from ostiary.oauth.client.client_authentication import (
    ClientAuthentication,
    SigningAlgorithm,
    client_name,
    client_secret_basic,
    client_secret_post,
)

PrivateKey = (
    ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
)


def pem(key: PrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


P256 = pem(ec.generate_private_key(ec.SECP256R1()))
P384 = pem(ec.generate_private_key(ec.SECP384R1()))
RSA = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
ED25519 = pem(ed25519.Ed25519PrivateKey.generate())
ED448 = pem(ed448.Ed448PrivateKey.generate())


def test_the_header_is_that_of_the_rfc() -> None:
    assert client_secret_basic("s6BhdRkqt3", "gX1fBat3bV").headers == {
        "authorization": "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"
    }


def test_what_needs_encoding_is_encoded_before_the_colon_joins_it() -> None:
    value = client_secret_basic("a:b", "c d&é").headers["authorization"].removeprefix("Basic ")
    assert base64.b64decode(value) == b"a%3Ab:c+d%26%C3%A9"


def test_a_form_has_name_and_secret_or_the_name_alone() -> None:
    assert client_secret_post("a", "b") == ClientAuthentication({"client_id": "a", "client_secret": "b"})
    assert client_name("a") == ClientAuthentication({"client_id": "a"})


def test_a_proof_does_not_show_itself() -> None:
    assert "tiger" not in repr((client_secret_post("a", "tiger"), client_secret_basic("a", "tiger")))


@pytest.mark.parametrize(("text", "algorithm"), [(P256, "ES256"), (RSA, "RS256"), (ED25519, "EdDSA")])
def test_a_key_signs_with_its_algorithm(text: str, algorithm: SigningAlgorithm) -> None:
    key = signing_key(text, algorithm)
    assert algorithm_of(key) == algorithm
    assertion = client_assertion("me", audience="https://idp", key=key, key_id=None, now=1000.9, jti="1")
    if isinstance(key, ECKey):
        claims = jwt.decode(assertion, key, algorithms=["ES256"]).claims
        assert claims == {
            "iss": "me",
            "sub": "me",
            "aud": "https://idp",
            "jti": "1",
            "iat": 1000,
            "exp": 1060,
        }


@pytest.mark.parametrize(("text", "algorithm"), [(P256, "ES256"), (RSA, "RS256"), (ED25519, "EdDSA")])
@pytest.mark.parametrize("line_break", ["\\n", "\\r\\n", "\r\n"])
def test_a_key_s_line_breaks_may_be_escaped_as_in_an_environment_variable(
    text: str, algorithm: SigningAlgorithm, line_break: str
) -> None:
    key = signing_key(text.strip().replace("\n", line_break), algorithm)
    assert key.thumbprint() == signing_key(text, algorithm).thumbprint()


@pytest.mark.parametrize(
    ("text", "algorithm", "why"),
    [
        ("", "ES256", "it is not a P-256 key in PEM, as ES256 needs"),
        ("tiger", "EdDSA", "it is not an Ed25519 key in PEM, as EdDSA needs"),
        (RSA, "ES256", "it is not a P-256 key in PEM, as ES256 needs"),
        (P384, "ES256", "it is not the private part of a P-256 key, as ES256 needs"),
        (ED448, "EdDSA", "it is not the private part of an Ed25519 key, as EdDSA needs"),
    ],
)
def test_a_key_for_something_else_is_refused_and_not_shown(
    text: str, algorithm: SigningAlgorithm, why: str
) -> None:
    with pytest.raises(KeyUnusable) as refused:
        signing_key(text, algorithm)
    assert str(refused.value) == why


def test_the_public_part_alone_is_refused() -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    text = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(KeyUnusable, match="it is not the private part of a P-256 key, as ES256 needs"):
        signing_key(text.decode(), "ES256")
