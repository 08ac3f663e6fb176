"""The forms of RFC 8693 and RFC 7523, and what their answers may be."""

from __future__ import annotations

import pytest

from ostiary.oauth.client.jwt_bearer import jwt_bearer_form
from ostiary.oauth.client.token_exchange import (
    TOKEN_TYPES,
    TypedToken,
    exchange_form,
    is_as_asked,
    token_type_of,
    token_type_uri,
)
from ostiary.oauth.jwt_parts import is_jwt

ACCESS, JWT, ID_TOKEN = (TOKEN_TYPES[name] for name in ("access_token", "jwt", "id_token"))


def test_what_is_not_wanted_is_not_said() -> None:
    subject = TypedToken("t", JWT)
    assert set(exchange_form(subject)) == {"grant_type", "subject_token", "subject_token_type"}
    assert set(jwt_bearer_form("t")) == {"grant_type", "assertion"}


@pytest.mark.parametrize(
    ("issued", "requested", "as_asked"),
    [
        (None, None, True),
        (None, ID_TOKEN, True),
        (ACCESS, None, True),
        (JWT, ACCESS, True),
        (ID_TOKEN, ID_TOKEN, True),
        (ID_TOKEN, None, False),
        (ACCESS, ID_TOKEN, False),
        (TOKEN_TYPES["refresh_token"], ACCESS, False),
    ],
)
def test_what_was_issued_must_be_what_was_asked_for(
    issued: str | None, requested: str | None, as_asked: bool
) -> None:
    assert is_as_asked(issued, requested) is as_asked


def test_only_access_tokens_have_a_token_type() -> None:
    assert [token_type_of(one) for one in (None, ACCESS, JWT, ID_TOKEN)] == [
        "Bearer",
        "Bearer",
        "Bearer",
        "N_A",
    ]


def test_types_are_named_shortly_or_by_uri() -> None:
    assert token_type_uri("saml2") == "urn:ietf:params:oauth:token-type:saml2"
    assert token_type_uri("urn:x:y") == "urn:x:y"


def test_a_token_does_not_show() -> None:
    assert repr(TypedToken("hunter2", JWT)) == f"TypedToken(type='{JWT}')"


@pytest.mark.parametrize(
    ("text", "looks_like_one"),
    [("a.b.c", True), ("a.b.", True), ("a.b", False), ("a.b.c\n", False), ("a.b.c.d", False), ("", False)],
)
def test_a_jwt_is_known_by_its_shape(text: str, looks_like_one: bool) -> None:
    assert is_jwt(text) is looks_like_one
