"""Which signatures are made and taken, RFC 7515."""

from __future__ import annotations

import pytest
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from ostiary.oauth.signature_rules import LONGEST_HEADER, SignatureRules

KEYS: dict[str, ECKey | OKPKey] = {
    "ES256": ECKey.generate_key("P-256"),
    "EdDSA": OKPKey.generate_key("Ed25519"),
}


@pytest.mark.parametrize("algorithm", KEYS)
def test_its_algorithm_is_made_and_taken_without_a_warning(algorithm: str) -> None:
    rules, key = SignatureRules(algorithm), KEYS[algorithm]
    signed = jws.serialize_compact({"alg": algorithm, "x5c": ["a" * 8000]}, b"x", key, registry=rules)
    assert jws.deserialize_compact(signed, key, registry=rules).payload == b"x"


@pytest.mark.parametrize(("algorithm", "other"), [("ES256", "EdDSA"), ("EdDSA", "ES256")])
def test_algorithm_confusion(algorithm: str, other: str) -> None:
    signed = jws.serialize_compact({"alg": other}, b"x", KEYS[other], registry=SignatureRules(other))
    with pytest.raises(JoseError):
        jws.deserialize_compact(signed, KEYS[other], registry=SignatureRules(algorithm))


def test_a_header_without_end_is_refused() -> None:
    rules, key = SignatureRules("ES256"), KEYS["ES256"]
    signed = jws.serialize_compact({"alg": "ES256", "x5c": ["a" * LONGEST_HEADER]}, b"x", key, registry=rules)
    with pytest.raises(JoseError):
        jws.deserialize_compact(signed, key, registry=rules)
