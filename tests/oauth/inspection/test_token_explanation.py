"""What a token says of itself, and what is odd about it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from ostiary.oauth.inspection.humanize import relative, span_in_words
from ostiary.oauth.inspection.token_explanation import explain
from ostiary.oauth.inspection.token_kind import TokenKind

NOW = 1_800_000_000.0
GOOD = {"iss": "https://auth.example.com", "aud": "https://mcp.example.com/mcp", "iat": NOW, "exp": NOW + 300}


def jwt(claims: dict[str, Any], **header: Any) -> str:
    parts = ({"alg": "ES256", "kid": "k", **header}, claims)
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
        + ".c2ln"
    )


def odd(claims: dict[str, Any], **header: Any) -> list[str]:
    return list(explain(jwt(GOOD | claims, **header), now=NOW).oddities)


@pytest.mark.parametrize(
    ("claims", "header", "kind"),
    [
        ({"iss": "https://accounts.google.com"}, {}, TokenKind.GOOGLE_ID_TOKEN),
        ({"iss": "https://cloud.google.com/iap"}, {}, TokenKind.IAP_ASSERTION),
        ({}, {"typ": "at+jwt"}, TokenKind.ACCESS_TOKEN),
        ({}, {"typ": "application/at+jwt"}, TokenKind.ACCESS_TOKEN),
        ({}, {"typ": "oauth-id-jag+jwt"}, TokenKind.ID_JAG),
        ({}, {"typ": "dpop+jwt"}, TokenKind.DPOP_PROOF),
        ({"sub": "system:serviceaccount:default:gateway"}, {}, TokenKind.KUBERNETES),
        ({"sub": "spiffe://ostiary.local/ns/default"}, {}, TokenKind.SPIFFE),
        ({"scope": "animals.read"}, {}, TokenKind.JWT_ACCESS_TOKEN),
        ({"nonce": "n"}, {}, TokenKind.ID_TOKEN),
        ({"typ": "ID", "scope": "openid", "nonce": "n"}, {}, TokenKind.ID_TOKEN),
        ({"typ": "Bearer", "scope": "openid", "nonce": "n"}, {}, TokenKind.JWT_ACCESS_TOKEN),
        ({"scope": "openid"}, {"typ": "id+jwt"}, TokenKind.ID_TOKEN),
        ({"scope": "openid"}, {"typ": "client-authentication+jwt"}, TokenKind.CLIENT_ASSERTION),
        ({"typ": "Refresh", "scope": "openid"}, {}, TokenKind.JWT),
        ({"iss": "client", "sub": "client"}, {}, TokenKind.CLIENT_ASSERTION),
        ({}, {}, TokenKind.JWT),
    ],
)
def test_the_kind_is_told_by_header_and_claims(
    claims: dict[str, Any], header: dict[str, Any], kind: TokenKind
) -> None:
    assert explain(jwt(GOOD | claims, **header), now=NOW).kind is kind


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        ("ya29.c.b0AXv0zTN", TokenKind.GOOGLE_ACCESS_TOKEN),
        ("ya29.a.b", TokenKind.GOOGLE_ACCESS_TOKEN),
        ("ghp_0123456789abcdef", TokenKind.GITHUB),
        ("eyJhbGciOiJkaXIifQ..aXY.Y2lwaGVy.dGFn", TokenKind.JWE),
        ("open-sesame", TokenKind.OPAQUE),
        ("a.b.c", TokenKind.OPAQUE),
    ],
)
def test_what_is_no_jwt_is_told_by_its_looks(token: str, kind: TokenKind) -> None:
    explanation = explain(token, now=NOW)
    assert (explanation.kind, explanation.jwt, explanation.oddities) == (kind, None, ())


def test_a_broken_jwt_is_told() -> None:
    assert explain("eyJhbGci.e30.c", now=NOW).oddities == (
        "It begins like a JWT, but its header is not JSON in base64url.",
    )


def test_a_good_token_has_nothing_odd() -> None:
    assert odd({}) == []


@pytest.mark.parametrize(
    ("claims", "header", "oddity"),
    [
        ({}, {"alg": "none"},
         "It is not signed (alg none): anybody could have written it, and no server should take it."),
        ({}, {"alg": "HS256"},
         "It is signed with a shared secret (HS256): whoever can verify it could have made it."),
        ({"iss": 1}, {}, "It does not say who issued it (iss)."),
        ({"aud": None}, {},
         "It names no audience (aud): any server that trusts its issuer could take it, and pass it on."),
        ({"aud": "https://zoo-1.a.run.app/mcp"}, {},
         "Its audience https://zoo-1.a.run.app/mcp has a path: Cloud Run wants https://zoo-1.a.run.app."),
        ({"iss": "accounts.google.com", "aud": "1-x.apps.googleusercontent.com"}, {},
         ("It is a person's: its audience is no server, but the OAuth client they signed in with, "
         "1-x.apps.googleusercontent.com.")),
        ({"exp": None}, {}, "It has no expiry (exp): it would be good for ever."),
        ({"exp": NOW - 7200}, {}, "It expired 2 hours ago."),
        ({"nbf": NOW + 120}, {}, "It is not valid yet: its time begins in 2 minutes (nbf)."),
        ({"iat": NOW + 120}, {},
         "It is from the future: issued in 2 minutes (iat). One of the clocks is wrong."),
        ({"exp": NOW + 30 * 86400}, {}, "It lives 30 days: whoever finds it has long use of it."),
    ],
)  # fmt: skip
def test_an_oddity_is_told_in_one_sentence(
    claims: dict[str, Any], header: dict[str, Any], oddity: str
) -> None:
    assert odd(claims, **header) == [oddity]


def test_a_missing_key_id_and_a_removed_signature_are_told() -> None:
    token = jwt(GOOD).rpartition(".")[0] + ".SIGNATURE_REMOVED_BY_GOOGLE"
    assert explain(token, now=NOW).oddities == (
        "Its signature was removed by Cloud Run: no other service will take it.",
    )
    unnamed = base64.urlsafe_b64encode(b'{"alg": "RS256"}').rstrip(b"=").decode()
    assert explain(f"{unnamed}.{jwt(GOOD).split('.')[1]}.c2ln", now=NOW).oddities == (
        "It does not say which key signed it (kid): a verifier has to try them all.",
    )


@pytest.mark.parametrize("value", [True, "soon", -1, 1e300, float("nan"), [1]])
def test_a_time_that_is_none_is_no_time(value: Any) -> None:
    assert "It has no expiry (exp): it would be good for ever." in odd({"exp": value})


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"), (1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (3540, "59 minutes"),
        (3600, "1 hour"), (5400, "90 minutes"), (7199.6, "2 hours"), (86400, "1 day"), (-172800, "2 days"),
    ],
)  # fmt: skip
def test_a_span_is_said_in_its_largest_unit(seconds: float, words: str) -> None:
    assert span_in_words(seconds) == words


def test_a_moment_is_said_as_seen_from_now() -> None:
    assert [relative(NOW + offset, NOW) for offset in (0.5, 3600, -60)] == [
        "now",
        "in 1 hour",
        "1 minute ago",
    ]
