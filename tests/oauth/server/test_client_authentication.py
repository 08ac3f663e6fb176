"""What a client presents to prove who it is, RFC 6749 section 2.3 and RFC 7521 section 4.2."""

from __future__ import annotations

import base64
import json
from urllib.parse import urlencode

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from ostiary.oauth.client.client_assertion import client_assertion
from ostiary.oauth.client.client_authentication import JWT_BEARER, client_secret_basic
from ostiary.oauth.server.client_authentication import (
    Presented,
    PresentedAssertion,
    PresentedClientId,
    PresentedSecret,
    read_presented,
    subject_of_assertion,
)
from ostiary.oauth.server.errors import InvalidClient, InvalidRequest, OAuthError
from ostiary.oauth.server.parameters import Parameters, read_parameters

KEY = ECKey.generate_key("P-256")
ASSERTION = client_assertion("c", audience="https://as.example", key=KEY, key_id=None, now=0, jti="1")
WORKLOAD = jwt.encode(
    {"alg": "ES256"},
    {"iss": "https://kubernetes.default.svc", "sub": "system:serviceaccount:ci:runner"},
    KEY,
)


def form(**said: str) -> Parameters:
    return read_parameters(urlencode(said).encode())


def asserted(assertion: str, **said: str) -> Parameters:
    return form(client_assertion=assertion, client_assertion_type=JWT_BEARER, **said)


def basic(pair: bytes) -> str:
    return f"Basic {base64.b64encode(pair).decode()}"


def refusal(kind: type[OAuthError], authorization: str | None, parameters: Parameters) -> str:
    with pytest.raises(kind) as refused:
        read_presented(authorization, parameters)
    return refused.value.description


@pytest.mark.parametrize(
    ("authorization", "parameters", "presented"),
    [
        (basic(b"c:s"), form(), PresentedSecret("c", "s", "client_secret_basic")),
        (basic(b"c:s"), form(client_id="c"), PresentedSecret("c", "s", "client_secret_basic")),
        (basic(b"c:s").replace("Basic", "bAsIc"), form(), PresentedSecret("c", "s", "client_secret_basic")),
        (basic(b"c:s:t"), form(), PresentedSecret("c", "s:t", "client_secret_basic")),
        (basic(b"a%3Ab:%2B+%C3%A4"), form(), PresentedSecret("a:b", "+ ä", "client_secret_basic")),
        (basic(b"c:"), form(), PresentedClientId("c")),
        (None, form(client_id="c", client_secret="s"), PresentedSecret("c", "s", "client_secret_post")),
        (None, form(client_id="c", client_secret=""), PresentedClientId("c")),
        (None, form(client_id="c"), PresentedClientId("c")),
        (None, asserted(ASSERTION), PresentedAssertion("c", ASSERTION)),
        (None, asserted(ASSERTION, client_id="c"), PresentedAssertion("c", ASSERTION)),
        (None, asserted(WORKLOAD, client_id="ci"), PresentedAssertion("ci", WORKLOAD)),
        (None, asserted(WORKLOAD), PresentedAssertion(None, WORKLOAD)),
        (None, asserted("no JWT", client_id="c"), PresentedAssertion("c", "no JWT")),
    ],
)
def test_a_client_presents_itself_in_one_way(
    authorization: str | None, parameters: Parameters, presented: Presented
) -> None:
    assert read_presented(authorization, parameters) == presented


@pytest.mark.parametrize("secret", ["plain", "a:b", "a+b c%20", "ä€", "="])
def test_our_own_clients_are_read(secret: str) -> None:
    client_id = "https://client.example/client.json"
    header = client_secret_basic(client_id, secret).headers["authorization"]
    assert read_presented(header, form()) == PresentedSecret(client_id, secret, "client_secret_basic")


def test_a_secret_is_not_seen() -> None:
    assert "hunter2" not in repr(read_presented(basic(b"c:hunter2"), form()))
    assert ASSERTION not in repr(read_presented(None, asserted(ASSERTION)))


@pytest.mark.parametrize(
    ("authorization", "parameters"),
    [
        (basic(b"c:s"), form(client_id="c", client_secret="s")),
        (basic(b"c:s"), asserted(ASSERTION)),
        (basic(b"c:"), form(client_secret="s")),
        (None, asserted(ASSERTION, client_secret="s")),
    ],
)
def test_secret_in_both_places(authorization: str | None, parameters: Parameters) -> None:
    assert refusal(InvalidRequest, authorization, parameters) == (
        "the client authenticates in more than one way: choose one"
    )


def test_a_client_has_one_name() -> None:
    assert refusal(InvalidRequest, basic(b"c:s"), form(client_id="d")) == (
        "client_id is another one than in the Authorization header"
    )
    assert refusal(InvalidClient, None, asserted(ASSERTION, client_id="d")) == (
        "client_id is another one than in the client_assertion"
    )


@pytest.mark.parametrize("parameters", [form(), form(client_secret="s"), form(grant_type="refresh_token")])
def test_a_request_from_nobody_is_refused(parameters: Parameters) -> None:
    assert refusal(InvalidClient, None, parameters) == "the request does not say which client it is from"


@pytest.mark.parametrize(
    ("authorization", "why"),
    [
        ("", "the Authorization header of a client is Basic"),
        ("Bearer abc", "the Authorization header of a client is Basic"),
        ("DPoP abc", "the Authorization header of a client is Basic"),
        ("Basic", "the Authorization header has no colon between name and secret"),
        ("Basic !!!", "the Authorization header is not in base64"),
        ("Basic YzpzYQ", "the Authorization header is not in base64"),
        ("Basic Yzpz, Basic Yzpz", "the Authorization header is not in base64"),
        ("Basic YzpzÄ", "the Authorization header is not in base64"),
        (basic(b"c"), "the Authorization header has no colon between name and secret"),
        (basic(b"c:%zz"), "the Authorization header has a percent sign that encodes nothing"),
        (basic(b"c:\xff"), "the Authorization header is not in UTF-8"),
        (basic(b"c%ff:s"), "the Authorization header is not in UTF-8"),
        (basic(b":s"), "client_id is empty, too long, or has a character that none has"),
        (basic(b"c%00:s"), "client_id is empty, too long, or has a character that none has"),
        (basic(b"c%0A:s"), "client_id is empty, too long, or has a character that none has"),
    ],
)
def test_a_header_that_cannot_be_read_is_refused(authorization: str, why: str) -> None:
    assert refusal(InvalidClient, authorization, form()) == why


@pytest.mark.parametrize("client_id", ["c\n", "ä", "c" * 2001])
def test_a_name_that_no_client_has_is_refused(client_id: str) -> None:
    assert refusal(InvalidClient, None, form(client_id=client_id)) == (
        "client_id is empty, too long, or has a character that none has"
    )


@pytest.mark.parametrize("name", ["c\n", "\ud800", "c\0", "c" * 2001])
def test_an_assertion_of_a_name_that_no_client_has_is_refused(name: str) -> None:
    """It is not even looked for: no store takes half a character."""
    header, claims = ({"alg": "ES256"}, {"iss": name, "sub": name})
    parts = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims)
    )
    assert refusal(InvalidClient, None, asserted(f"{'.'.join(parts)}.AAAA")) == (
        "client_id is empty, too long, or has a character that none has"
    )


def test_an_assertion_comes_with_its_type() -> None:
    together = "client_assertion and client_assertion_type come together"
    assert refusal(InvalidRequest, None, form(client_id="c", client_assertion=ASSERTION)) == together
    assert refusal(InvalidRequest, None, form(client_id="c", client_assertion_type=JWT_BEARER)) == together
    saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"
    assert refusal(InvalidClient, None, form(client_assertion="x", client_assertion_type=saml)) == (
        "client_assertion_type is not urn:ietf:params:oauth:client-assertion-type:jwt-bearer, "
        "the only one taken here"
    )


def test_only_a_statement_about_oneself_names_a_client() -> None:
    assert subject_of_assertion(ASSERTION) == "c"
    assert subject_of_assertion(WORKLOAD) is None
    assert subject_of_assertion("a.b.c") is None
    assert subject_of_assertion(jwt.encode({"alg": "ES256"}, {"iss": 5, "sub": 5}, KEY)) is None
