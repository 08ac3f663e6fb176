"""What the browser carries back, RFC 6749 section 4.1.2 and RFC 9207."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from ostiary.oauth.client.authorization_response import AuthorizationRefused, read_code
from ostiary.oauth.errors import InvalidRequest
from ostiary.oauth.issuer_identification import ADVERTISED, WrongIssuer
from ostiary.oauth.server.authorization_response import code_answer, error_answer
from ostiary.oauth.server.errors import RequestDenied, ServerError

ISSUER = "https://auth.example.com"
REDIRECT = "https://client.example/callback"


def test_a_code_comes_with_its_state_and_its_issuer() -> None:
    assert code_answer(REDIRECT, code="c/1", state="s t", issuer=ISSUER) == (
        "https://client.example/callback?code=c%2F1&state=s%20t&iss=https%3A%2F%2Fauth.example.com"
    )


def test_a_request_without_state_is_answered_without() -> None:
    assert code_answer(REDIRECT, code="c", state=None, issuer=ISSUER) == (
        "https://client.example/callback?code=c&iss=https%3A%2F%2Fauth.example.com"
    )


@pytest.mark.parametrize(
    ("redirect_uri", "answer"),
    [
        ("https://client.example/cb?a=b", "https://client.example/cb?a=b&code=c"),
        ("https://client.example/cb?", "https://client.example/cb?code=c"),
        ("https://client.example/cb?a=b&", "https://client.example/cb?a=b&code=c"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1?code=c"),
        ("com.example.app:/cb", "com.example.app:/cb?code=c"),
        ("cursor://a.b/cb", "cursor://a.b/cb?code=c"),
    ],
)
def test_the_query_of_a_redirect_uri_is_kept(redirect_uri: str, answer: str) -> None:
    assert code_answer(redirect_uri, code="c", state=None, issuer=ISSUER) == (
        f"{answer}&iss=https%3A%2F%2Fauth.example.com"
    )


def test_an_error_says_what_and_why_and_from_whom() -> None:
    assert error_answer(REDIRECT, RequestDenied("the person said no"), state="s", issuer=ISSUER) == (
        "https://client.example/callback?error=access_denied&error_description=the%20person%20said%20no"
        "&state=s&iss=https%3A%2F%2Fauth.example.com"
    )


def test_the_log_s_detail_stays_here() -> None:
    error = ServerError("the identity provider failed", detail="secret-host:5432 refused")
    assert "secret" not in error_answer(REDIRECT, error, state=None, issuer=ISSUER)


@pytest.mark.parametrize("state", ["a\r\nSet-Cookie: b=c", "a&code=evil&iss=evil", "#x", "%0d%0a", "ä\u2028"])
def test_header_injection_through_state(state: str) -> None:
    for answer in (
        code_answer(REDIRECT, code="c", state=state, issuer=ISSUER),
        error_answer(REDIRECT, InvalidRequest("no"), state=state, issuer=ISSUER),
    ):
        assert answer.isascii()
        assert answer.isprintable()
        assert not set(answer) & set(' "<>\\#')
        assert answer.count("&iss=") == 1
    query = urlsplit(code_answer(REDIRECT, code="c", state=state, issuer=ISSUER)).query
    assert read_code(query, state=state, issuer=ISSUER, metadata={ADVERTISED: True}) == "c"


def test_a_description_has_only_what_the_rfc_allows() -> None:
    answer = error_answer(
        REDIRECT, InvalidRequest('a "quoted\\ \r\nümlaut' + "x" * 600), state=None, issuer="i"
    )
    description = answer.partition("error_description=")[2].partition("&")[0]
    assert description == "a%20%20quoted%20%20%20mlaut" + "x" * 483


def test_our_own_client_reads_what_we_answer() -> None:
    metadata = {ADVERTISED: True}
    good = urlsplit(code_answer(REDIRECT, code="c", state="s", issuer=ISSUER)).query
    assert read_code(good, state="s", issuer=ISSUER, metadata=metadata) == "c"
    with pytest.raises(WrongIssuer):
        read_code(good, state="s", issuer="https://other.example", metadata=metadata)
    refused = urlsplit(error_answer(REDIRECT, RequestDenied("no"), state="s", issuer=ISSUER)).query
    with pytest.raises(AuthorizationRefused) as said:
        read_code(refused, state="s", issuer=ISSUER, metadata=metadata)
    assert str(said.value) == "access_denied: no"
