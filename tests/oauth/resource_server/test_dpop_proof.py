"""A proof of possession as the server checks it: RFC 9449 section 4.3, its checks by number.

There is no 10: no nonce is asked for.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey, OKPKey, RSAKey

from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.client.dpop_proof import dpop_proof, token_hash
from ostiary.oauth.errors import InvalidDpopProof
from ostiary.oauth.resource_server.dpop_proof import ALGORITHMS, VerifiedProof, check_proof

NOW = 1_800_000_000.0
URL = "https://auth.example/oauth/token"
EC_KEY, OTHER_EC = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
RSA_KEY, ED_KEY = RSAKey.generate_key(2048), OKPKey.generate_key("Ed25519")
CLAIMS: dict[str, Any] = {"jti": "j-1", "htm": "POST", "htu": URL, "iat": int(NOW)}
MISMATCH = "the DPoP proof's signature does not match the jwk in its header"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def sign(key: Any, alg: str, data: bytes) -> bytes:
    private = key.private_key
    match private:
        case ec.EllipticCurvePrivateKey():
            r, s = utils.decode_dss_signature(private.sign(data, ec.ECDSA(SHA256())))
            return r.to_bytes(32) + s.to_bytes(32)
        case ed25519.Ed25519PrivateKey():
            return private.sign(data)
        case rsa.RSAPrivateKey():
            pss = padding.PSS(padding.MGF1(SHA256()), 32)
            return private.sign(data, pss if alg == "PS256" else padding.PKCS1v15(), SHA256())
    raise AssertionError(alg)


def proof(
    claims: dict[str, Any] | None = None, header: dict[str, Any] | None = None, *, key: Any = EC_KEY
) -> str:
    """Signed with the key, whatever its header and claims say; None takes a member away."""
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)} | (header or {})
    body = CLAIMS | (claims or {})
    parts = [{name: value for name, value in part.items() if value is not None} for part in (head, body)]
    signed = ".".join(b64(json.dumps(part).encode()) for part in parts)
    return f"{signed}.{b64(sign(key, str(head['alg']), signed.encode()))}"


def check(text: str, **options: Any) -> VerifiedProof:
    rules: dict[str, Any] = {"method": "POST", "url": canonical_url(URL), "now": NOW}
    return check_proof(text, **rules | options)


def refusal(text: str, **options: Any) -> str:
    with pytest.raises(InvalidDpopProof) as refused:
        check(text, **options)
    return refused.value.description


def test_what_our_own_client_makes_is_good() -> None:
    made = dpop_proof(
        EC_KEY, method="POST", url=canonical_url(URL), now=NOW, jti="j-1", access_token="at", nonce="n"
    )
    verified = check(made, access_token="at")
    assert verified == VerifiedProof(EC_KEY.thumbprint(), "j-1", NOW)


@pytest.mark.parametrize(
    ("alg", "key"),
    [
        ("ES256", EC_KEY),
        ("EdDSA", ED_KEY),
        ("Ed25519", ED_KEY),
        ("PS256", RSA_KEY),
        ("RS256", RSA_KEY),
    ],
)
def test_each_algorithm_that_is_announced_is_taken(alg: str, key: Any) -> None:
    assert check(proof(header={"alg": alg}, key=key)).jkt == key.thumbprint()
    assert alg in ALGORITHMS


def test_1_several_proofs_in_one_header_are_refused() -> None:
    assert refusal(f"{proof()}, {proof()}") == "the DPoP header is not one signed JWT"


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c.d.e", "é.b.c", "a" * 8189 + ".b.c", "a.b.c\n"])
def test_2_the_header_is_one_jwt(text: str) -> None:
    assert refusal(text) == "the DPoP header is not one signed JWT"


def test_2_the_jwt_is_well_formed() -> None:
    assert refusal("e30x.e30.e30") == "the DPoP proof is malformed: its header is not JSON in base64url"
    assert refusal(f"{b64(b'[]')}.e30.e30") == "the DPoP proof is malformed: its header is not a JSON object"


@pytest.mark.parametrize("claim", ["htm", "htu", "jti", "iat"])
@pytest.mark.parametrize("value", [None, "", ["x"], True])
def test_3_each_claim_must_be_there(claim: str, value: object) -> None:
    assert refusal(proof({claim: value})) == f"the DPoP proof lacks a proper {claim} claim"


@pytest.mark.parametrize("jti", ["x" * 257, "a\nb", "é"])
def test_3_a_jti_can_be_stored(jti: str) -> None:
    expected = "the DPoP proof's jti is not 256 printable ASCII characters at most"
    assert refusal(proof({"jti": jti})) == expected


@pytest.mark.parametrize("typ", [None, "JWT", "at+jwt", ["dpop+jwt"]])
def test_4_the_type_is_dpop_jwt(typ: object) -> None:
    assert refusal(proof(header={"typ": typ})) == "the DPoP proof's typ is not dpop+jwt"


@pytest.mark.parametrize("alg", [None, "none", "HS256", "ES384", "RS1", ["ES256"]])
def test_5_algorithm_confusion(alg: object) -> None:
    expected = "the DPoP proof's alg is none of ES256, EdDSA, Ed25519, PS256, RS256"
    assert refusal(proof(header={"alg": alg})) == expected


def test_5_a_key_of_another_kind_than_the_algorithm_is_refused() -> None:
    public = RSA_KEY.as_dict(private=False)
    assert refusal(proof(header={"jwk": public})) == "the DPoP proof's jwk is not a key for ES256"
    p384 = ECKey.generate_key("P-384").as_dict(private=False)
    assert refusal(proof(header={"jwk": p384})) == "the DPoP proof's jwk is not a key for ES256"
    public = EC_KEY.as_dict(private=False)
    confused = proof(header={"alg": "RS256", "jwk": public}, key=RSA_KEY)
    assert refusal(confused) == "the DPoP proof's jwk is not a key for RS256"
    secret = {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}
    assert refusal(proof(header={"jwk": secret})) == MISMATCH


def test_6_the_signature_is_of_the_key_in_the_header() -> None:
    assert refusal(proof(header={"jwk": OTHER_EC.as_dict(private=False)})) == MISMATCH
    head, body, signature = proof().split(".")
    other = proof({"jti": "j-2"}).split(".")[1]
    assert refusal(f"{head}.{other}.{signature}") == MISMATCH
    assert refusal(f"{head}.{body}.") == MISMATCH


def test_6_no_key_is_fetched_that_a_header_leads_to() -> None:
    elsewhere = {"jku": "http://169.254.169.254/", "x5u": "http://169.254.169.254/", "kid": "../../key"}
    assert check(proof(header=elsewhere)).jkt == EC_KEY.thumbprint()
    assert refusal(proof(header=elsewhere | {"jwk": None})) == "the DPoP proof has no jwk in its header"
    assert refusal(proof(header={"jwk": "x"})) == "the DPoP proof has no jwk in its header"


def test_6_a_header_that_demands_an_extension_is_refused() -> None:
    assert refusal(proof(header={"crit": ["x"], "x": 1})) == MISMATCH


def test_6_a_weak_or_a_giant_rsa_key_is_refused() -> None:
    expected = "the DPoP proof's jwk is not an RSA key of 2048 to 4096 bits"
    good = RSA_KEY.as_dict(private=False)
    short = b64(b"\x80" + b"\1" * 127)
    bad: list[dict[str, Any]] = [{"n": n} for n in (short, "A" * 683, "_" * 684, "!" * 342, 7)]
    for changes in [*bad, {"e": "A" * 7}, {"e": None}]:
        assert refusal(proof(header={"alg": "RS256", "jwk": good | changes}, key=RSA_KEY)) == expected


@pytest.mark.parametrize(
    ("alg", "key"), [("ES256", EC_KEY), ("RS256", RSA_KEY), ("EdDSA", ED_KEY)], ids=["EC", "RSA", "OKP"]
)
def test_7_a_private_key_is_refused_and_not_shown(alg: str, key: Any) -> None:
    private = key.as_dict(private=True)
    said = refusal(proof(header={"alg": alg, "jwk": private}, key=key))
    assert said == "the DPoP proof's jwk has a private part; make a new key, as this one is known now"
    assert private["d"] not in said


@pytest.mark.parametrize("method", ["GET", "post"])
def test_8_the_method_is_that_of_the_request(method: str) -> None:
    assert refusal(proof({"htm": method})) == "the DPoP proof is for another method"


@pytest.mark.parametrize("suffix", ["", "?a=b", "#c", "?a=b#c"])
def test_9_query_and_fragment_don_t_count(suffix: str) -> None:
    assert check(proof({"htu": URL + suffix}), url=canonical_url(f"{URL}?x=y")).jti == "j-1"


def test_9_one_url_in_two_spellings_is_one() -> None:
    assert check(proof({"htu": "HTTPS://AUTH.example:443/oauth/token"})).jti == "j-1"
    root = canonical_url("https://mcp.example")
    assert check(proof({"htu": "https://mcp.example/"}), url=root).jti == "j-1"


@pytest.mark.parametrize(
    "htu",
    [
        "https://auth.example/oauth/token/",
        "https://auth.example/oauth/Token",
        "https://auth.example:8443/oauth/token",
        "http://auth.example/oauth/token",
        "https://evil.example/oauth/token",
    ],
)
def test_9_a_proof_for_another_url_is_refused(htu: str) -> None:
    assert refusal(proof({"htu": htu})) == "the DPoP proof is for another URL"


@pytest.mark.parametrize("htu", ["/oauth/token", "https://evil.example\\@auth.example/oauth/token"])
def test_9_a_url_that_parsers_read_differently_is_refused(htu: str) -> None:
    assert refusal(proof({"htu": htu})).startswith("the DPoP proof's htu can't be read: it ")


def test_11_a_stale_or_a_future_proof_is_refused() -> None:
    assert check(proof(), now=NOW + 300).iat == NOW
    assert check(proof(), now=NOW - 30).iat == NOW
    assert refusal(proof(), now=NOW + 301) == "the DPoP proof's iat is 301 seconds behind our clock"
    assert refusal(proof(), now=NOW - 31) == "the DPoP proof's iat is 31 seconds ahead of our clock"
    assert refusal(proof(), now=NOW + 61, window=60) == "the DPoP proof's iat is 61 seconds behind our clock"


@pytest.mark.parametrize("iat", [float("nan"), float("inf"), -1, 1e300, str(int(NOW))])
def test_11_a_time_that_is_none_is_refused(iat: object) -> None:
    assert refusal(proof({"iat": iat})) == "the DPoP proof lacks a proper iat claim"


@pytest.mark.parametrize("ath", [None, "", token_hash("stolen"), ["x"], "\ud800"])
def test_12_the_proof_is_for_the_token_that_it_comes_with(ath: object) -> None:
    assert refusal(proof({"ath": ath}), access_token="at") == "the DPoP proof is for another access token"
    assert check(proof({"ath": token_hash("at")}), access_token="at").jti == "j-1"


def test_12_a_token_that_is_no_ascii_matches_no_proof() -> None:
    expected = "the DPoP proof is for another access token"
    assert refusal(proof({"ath": token_hash("at")}), access_token="é") == expected
