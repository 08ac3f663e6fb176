"""A set of keys that a stranger wrote: many, and slow ones."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey, RSAKey

from ostiary.identity.jwt_verifier import read_jwt, verify
from ostiary.identity.key_set import MOST_KEYS, MOST_TRIED, read_key_set
from ostiary.oauth.errors import InvalidToken

CLAIMS = {"iss": "https://evil.example", "sub": "evil"}


def ec_keys(number: int, **parameters: Any) -> list[dict[str, Any]]:
    kept = ("kty", "crv", "x", "y")
    keys = [ECKey.generate_key("P-521", private=False).as_dict() for _ in range(number)]
    return [{name: key[name] for name in kept} | parameters for key in keys]


def token(**header: Any) -> str:
    signer = ECKey.generate_key("P-521")
    return jwt.encode({"alg": "ES512", **header}, CLAIMS, signer, algorithms=["ES512"])


def base64url(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


@pytest.mark.parametrize("kid", [None, "one"])
def test_a_token_that_fits_hundreds_of_slow_keys_is_tried_on_few(
    monkeypatch: pytest.MonkeyPatch, kid: str | None
) -> None:
    """By one statement without a key id, a client that registered itself would stop all others for 0.2 s."""
    named = {} if kid is None else {"kid": kid}
    keys = read_key_set({"keys": ec_keys(40, **named)})
    tried = []
    good = jws.deserialize_compact

    def counted(*given: Any, **options: Any) -> Any:
        tried.append(given)
        return good(*given, **options)

    monkeypatch.setattr(jws, "deserialize_compact", counted)
    with pytest.raises(InvalidToken):
        verify(read_jwt(token(**named)), keys)
    assert len(tried) == MOST_TRIED


def test_of_a_set_of_hundreds_of_keys_few_are_read() -> None:
    assert len(read_key_set({"keys": ec_keys(1) * 500}).keys) == MOST_KEYS


@pytest.mark.parametrize(
    ("modulus", "exponent", "is_taken"),
    [
        pytest.param(2048, 65537, True, id="usual"),
        pytest.param(4096, 3, True, id="old"),
        pytest.param(8192, 65537, True, id="long"),
        pytest.param(3072, (1 << 3000) + 1, False, id="exponent as long as the modulus"),
        pytest.param(2048, (1 << 33) + 1, False, id="exponent a little too long"),
        pytest.param(16384, 65537, False, id="modulus too long"),
    ],
)
def test_an_rsa_key_that_takes_long_to_verify_with_is_passed_over(
    modulus: int, exponent: int, is_taken: bool
) -> None:
    key = {"kty": "RSA", "n": base64url((1 << modulus) - 1), "e": base64url(exponent)}
    assert len(read_key_set({"keys": [key]}).keys) == is_taken


def test_an_honest_key_behind_others_of_its_kind_is_found() -> None:
    signer = RSAKey.generate_key(2048, {"kid": "now"})
    others = [RSAKey.generate_key(2048, {"kid": f"then-{number}"}, private=False) for number in range(3)]
    keys = read_key_set({"keys": [key.as_dict(private=False) for key in (*others, signer)]})
    for header in ({"kid": "now"}, {}):
        signed = jwt.encode({"alg": "RS256", **header}, CLAIMS, signer, algorithms=["RS256"])
        assert verify(read_jwt(signed), keys) == CLAIMS


@pytest.mark.parametrize(
    "beside",
    [
        {"x5c": "abc"},
        {"x5u": ""},
        {"x5t#S256": 5},
        {"x5t": []},
        {"oth": 1},
        {"d": None},
        {"use": None, "key_ops": None, "alg": None, "kid": None},
        {"iat": "now"},
        {"keyUse": "sig", "ext": "yes"},
    ],
    ids=str,
)
def test_what_nobody_reads_spoils_no_key(beside: dict[str, Any]) -> None:
    signer = ECKey.generate_key("P-256")
    keys = read_key_set({"keys": [signer.as_dict(private=False) | beside]})
    signed = jwt.encode({"alg": "ES256"}, CLAIMS, signer, algorithms=["ES256"])
    assert verify(read_jwt(signed), keys) == CLAIMS
