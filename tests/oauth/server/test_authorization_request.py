"""What a client asks a person for, RFC 6749 section 4.1.1."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.client.authorization_request import AuthorizationRequest
from ostiary.oauth.client.pkce import s256
from ostiary.oauth.errors import InvalidRequest, OAuthError
from ostiary.oauth.server.authorization_request import RequestedAuthorization, read_authorization, read_state
from ostiary.oauth.server.errors import (
    InvalidScope,
    RequestNotSupported,
    RequestUriNotSupported,
    UnsupportedResponseType,
)
from ostiary.oauth.server.parameters import Parameters, read_parameters

CHALLENGE = s256("a" * 43)
LEAST = {
    "response_type": "code",
    "client_id": "c",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


def asked(**more: str) -> Parameters:
    return read_parameters(urlencode(LEAST | more).encode())


def test_the_least_that_a_client_may_ask() -> None:
    assert read_authorization(asked()) == RequestedAuthorization("c", None, None, (), CHALLENGE)


def test_the_most_that_a_client_may_ask() -> None:
    request = asked(
        redirect_uri="https://client.example/cb",
        state="s t/&%",
        scope="mcp openid",
        nonce="n",
        prompt="login consent",
        max_age="0",
        login_hint="zoë@example.com",
        ui_locales="de-CH en !x",
        dpop_jkt="A" * 43,
        response_mode="query",
        display="page",
    ).with_(resource="https://mcp.example.com/mcp")
    assert read_authorization(request) == RequestedAuthorization(
        "c",
        "https://client.example/cb",
        "s t/&%",
        ("mcp", "openid"),
        CHALLENGE,
        ("https://mcp.example.com/mcp",),
        "n",
        frozenset({"login", "consent"}),
        0,
        "zoë@example.com",
        ("de-CH", "en"),
        "A" * 43,
    )


def test_our_own_client_is_understood() -> None:
    sent = AuthorizationRequest(
        "c", "http://127.0.0.1:1/cb", "s", CHALLENGE, "https://mcp.example.com", ("mcp",)
    )
    query = canonical_url(sent.url(canonical_url("https://as.example/authorize"))).query or ""
    assert read_authorization(read_parameters(query.encode())) == RequestedAuthorization(
        "c", "http://127.0.0.1:1/cb", "s", ("mcp",), CHALLENGE, ("https://mcp.example.com",)
    )


def test_repeated_resources_are_kept_for_the_rule_that_judges_them() -> None:
    request = read_parameters(urlencode(LEAST).encode() + b"&resource=a&resource=b")
    assert read_authorization(request).resources == ("a", "b")


def test_a_person_s_hint_is_not_seen() -> None:
    assert "alice" not in repr(read_authorization(asked(login_hint="alice@example.com")))


NO_RESPONSE_TYPE = "response_type is not code, the only one that is answered here"
PROMPT = "prompt has another value than consent, login, none, select_account"
NO_MODE = "response_mode is not query, the only way that is answered here"
NO_THUMBPRINT = "dpop_jkt is not a SHA-256 thumbprint in base64url: 43 characters, no padding"
NO_HINT = "login_hint has more than 320 characters, or one that cannot be shown"


@pytest.mark.parametrize(
    ("more", "error", "why"),
    [
        ({"response_type": ""}, InvalidRequest, "the parameter response_type is missing"),
        ({"response_type": "token"}, UnsupportedResponseType, NO_RESPONSE_TYPE),
        ({"response_type": "code id_token"}, UnsupportedResponseType, NO_RESPONSE_TYPE),
        ({"response_type": "Code"}, UnsupportedResponseType, NO_RESPONSE_TYPE),
        ({"client_id": ""}, InvalidRequest, "the parameter client_id is missing"),
        (
            {"request": "eyJ"},
            RequestNotSupported,
            "request objects are not read here: send the parameters themselves",
        ),
        (
            {"request_uri": "https://client.example/request"},
            RequestUriNotSupported,
            "request objects are not fetched: push the request to this server first",
        ),
        ({"response_mode": "fragment"}, InvalidRequest, NO_MODE),
        ({"response_mode": "form_post"}, InvalidRequest, NO_MODE),
        ({"code_challenge": ""}, InvalidRequest, "code_challenge is missing: PKCE with S256 is needed here"),
        (
            {"code_challenge_method": "plain"},
            InvalidRequest,
            "code_challenge_method is not S256, the only one that is taken here",
        ),
        ({"scope": 'a"'}, InvalidScope, "a scope has a character that RFC 6749 section 3.3 does not allow"),
        ({"prompt": "create"}, InvalidRequest, PROMPT),
        ({"prompt": "NONE"}, InvalidRequest, PROMPT),
        (
            {"prompt": "none login"},
            InvalidRequest,
            "prompt has none and another value: they exclude each other",
        ),
        ({"max_age": "-1"}, InvalidRequest, "max_age is not a number of seconds"),
        ({"max_age": "1.5"}, InvalidRequest, "max_age is not a number of seconds"),
        ({"max_age": "٣"}, InvalidRequest, "max_age is not a number of seconds"),
        ({"max_age": "9" * 11}, InvalidRequest, "max_age is not a number of seconds"),
        ({"nonce": "n" * 513}, InvalidRequest, "nonce has more than 512 characters"),
        ({"nonce": "n\t"}, InvalidRequest, "nonce has a character that is not printable ASCII"),
        ({"login_hint": "a" * 321}, InvalidRequest, NO_HINT),
        ({"login_hint": "a\r\nb"}, InvalidRequest, NO_HINT),
        ({"login_hint": "a\u202eb"}, InvalidRequest, NO_HINT),
        ({"dpop_jkt": "A" * 42}, InvalidRequest, NO_THUMBPRINT),
        ({"dpop_jkt": "A" * 42 + "="}, InvalidRequest, NO_THUMBPRINT),
    ],
)
def test_what_a_client_may_not_ask(more: dict[str, str], error: type[OAuthError], why: str) -> None:
    with pytest.raises(OAuthError) as refused:
        read_authorization(asked(**more))
    assert type(refused.value) is error
    assert refused.value.description == why


def test_the_longest_of_everything_is_taken() -> None:
    request = asked(state="s" * 4096, nonce="n" * 512, login_hint="h" * 320, max_age="9" * 10)
    assert read_authorization(request).max_age == 9_999_999_999


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("s" * 4097, "state has more than 4096 characters"),
        ("a\r\nSet-Cookie: b=c", "state has a character that is not printable ASCII"),
        ("ä", "state has a character that is not printable ASCII"),
        ("a\x7f", "state has a character that is not printable ASCII"),
    ],
)
def test_oversize_state_and_header_injection_through_state(state: str, why: str) -> None:
    for read in (read_state, read_authorization):
        with pytest.raises(InvalidRequest) as refused:
            read(asked(state=state))
        assert refused.value.description == why


def test_state_is_read_alone_for_an_answer_to_a_request_that_makes_no_sense() -> None:
    assert read_state(asked(state="s", response_type="token")) == "s"
    assert read_state(asked()) is None
