"""Authorization requests, RFC 6749 4.1.1, RFC 7636 4.3, RFC 8707 2."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.client.authorization_request import (
    AuthorizationRequest,
    authorization_endpoint,
    scopes_to_ask,
)
from ostiary.oauth.client.server_metadata import MetadataRefused

REQUEST = AuthorizationRequest(
    "ostiary", "http://127.0.0.1:8000/callback", "s t", "challenge", "https://mcp.example.com/mcp", ("a", "b")
)


def test_a_request_carries_challenge_state_and_resource() -> None:
    url = REQUEST.url(canonical_url("https://auth.example.com/authorize"))
    assert parse_qs(urlsplit(url).query) == {
        "response_type": ["code"],
        "client_id": ["ostiary"],
        "redirect_uri": ["http://127.0.0.1:8000/callback"],
        "state": ["s t"],
        "code_challenge": ["challenge"],
        "code_challenge_method": ["S256"],
        "resource": ["https://mcp.example.com/mcp"],
        "scope": ["a b"],
    }


def test_a_query_of_the_endpoint_is_kept() -> None:
    url = REQUEST.url(canonical_url("https://auth.example.com/authorize?tenant=1"))
    assert url.startswith("https://auth.example.com/authorize?tenant=1&response_type=code&")


@pytest.mark.parametrize(
    ("challenged", "supported", "granted", "offered", "asked"),
    [
        ("a b", "x", "", "", "a b"),
        ("", "x y", "", "", "x y"),
        ("", "", "", "offline_access", ""),
        ("b", "x", "a", "", "a b"),
        ("a b", "", "b", "", "b a"),
        ("", "x", "a", "", "a"),
        ("a", "", "", "a offline_access", "a offline_access"),
    ],
)
def test_scopes_come_from_the_challenge_else_the_metadata_and_keep_what_was_granted(
    challenged: str, supported: str, granted: str, offered: str, asked: str
) -> None:
    assert scopes_to_ask(
        challenged=tuple(challenged.split()),
        supported=tuple(supported.split()),
        granted=tuple(granted.split()),
        offered_by_issuer=tuple(offered.split()),
    ) == tuple(asked.split())


def test_plain_http_is_for_this_machine_alone() -> None:
    here = {"authorization_endpoint": "http://127.0.0.1:9000/authorize"}
    there = {"authorization_endpoint": "http://auth.example.com/authorize"}
    assert str(authorization_endpoint(here)) == here["authorization_endpoint"]
    assert str(authorization_endpoint(there, insecure_allow_http=True)) == there["authorization_endpoint"]
    with pytest.raises(MetadataRefused) as refused:
        authorization_endpoint(there)
    assert str(refused.value) == "the issuer's authorization_endpoint is plain http on another machine"


@pytest.mark.parametrize("named", ["javascript:alert(1)", "file:///etc/passwd", None])
def test_only_a_web_page_is_opened(named: str | None) -> None:
    with pytest.raises(MetadataRefused):
        authorization_endpoint({"authorization_endpoint": named})
