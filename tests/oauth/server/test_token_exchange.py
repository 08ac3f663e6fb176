"""What a client asks for when it exchanges a token, RFC 8693 section 2.1."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from ostiary.oauth.client.token_exchange import TOKEN_TYPES, TypedToken, exchange_form
from ostiary.oauth.errors import OAuthError
from ostiary.oauth.server.parameters import read_parameters
from ostiary.oauth.server.token_exchange import ExchangeRequest, read_exchange

ACCESS, JWT = TOKEN_TYPES["access_token"], TOKEN_TYPES["jwt"]
EITHER = f"{ACCESS} or {JWT}"
GOOD = {"subject_token": "s.s.s", "subject_token_type": ACCESS}


def read(changes: dict[str, str | list[str] | None]) -> ExchangeRequest:
    form = {name: value for name, value in (GOOD | changes).items() if value is not None}
    return read_exchange(read_parameters(urlencode(form, doseq=True).encode()))


def refusal(changes: dict[str, str | list[str] | None]) -> str:
    with pytest.raises(OAuthError) as refused:
        read(changes)
    assert refused.value.error == "invalid_request"
    return refused.value.description


def test_a_subject_alone_asks_for_an_access_token() -> None:
    assert read({}) == ExchangeRequest(TypedToken("s.s.s", ACCESS), None, ACCESS, (), (), ())


def test_what_our_own_client_sends_is_read() -> None:
    form = exchange_form(
        TypedToken("s.s.s", JWT),
        actor=TypedToken("a.a.a", JWT),
        audience="https://mcp.example",
        resource="https://mcp.example/mcp",
        scopes=["b", "a"],
        requested_token_type=JWT,
    )
    assert read_exchange(read_parameters(urlencode(form).encode())) == ExchangeRequest(
        TypedToken("s.s.s", JWT),
        TypedToken("a.a.a", JWT),
        JWT,
        ("https://mcp.example",),
        ("https://mcp.example/mcp",),
        ("b", "a"),
    )


def test_several_targets_are_read_for_others_to_refuse() -> None:
    assert read({"resource": ["https://a", "https://b"]}).resources == ("https://a", "https://b")


@pytest.mark.parametrize("name", ["subject_token", "subject_token_type"])
def test_a_subject_needs_its_token_and_its_type(name: str) -> None:
    assert refusal({name: None}) == f"the parameter {name} is missing"


def test_an_actor_needs_its_token_and_its_type() -> None:
    assert refusal({"actor_token": "a"}) == "the parameter actor_token_type is missing"
    assert refusal({"actor_token_type": JWT}) == "actor_token_type is there without an actor_token"


@pytest.mark.parametrize("kind", ["id_token", "refresh_token", "saml2", "id-jag"])
def test_no_other_kind_of_token_is_exchanged(kind: str) -> None:
    other = TOKEN_TYPES[kind]
    assert refusal({"subject_token_type": other}) == f"subject_token_type must be {EITHER}"
    assert refusal({"actor_token": "a", "actor_token_type": other}) == f"actor_token_type must be {EITHER}"
    assert refusal({"requested_token_type": other}) == f"requested_token_type must be {EITHER}"


def test_a_token_has_a_size() -> None:
    assert refusal({"subject_token": "s" * 16385}) == "the subject_token has more than 16384 characters"
    assert refusal({"actor_token": "s" * 16385, "actor_token_type": JWT}) == (
        "the actor_token has more than 16384 characters"
    )


def test_no_token_shows() -> None:
    assert "s.s.s" not in repr(read({}))
