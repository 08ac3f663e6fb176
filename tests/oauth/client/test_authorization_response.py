"""The answer to an authorization request, RFC 6749 4.1.2."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from ostiary.oauth.client.authorization_response import (
    AuthorizationRefused,
    NotOurs,
    answer_of,
    belongs_to,
    read_code,
)
from ostiary.oauth.errors import InvalidRequest
from ostiary.oauth.issuer_identification import WrongIssuer

ISSUER = "https://auth.example.com"


def read(**parameters: str) -> str:
    return read_code(urlencode(parameters), state="mine", issuer=ISSUER, metadata={})


def test_the_code_is_read() -> None:
    assert read(code="abc", state="mine", iss=ISSUER) == "abc"


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("code=abc", "the answer does not carry our state"),
        ("code=abc&state=theirs", "the answer does not carry our state"),
        ("code=abc&state=mine&state=mine", "the answer does not carry our state"),
        ("code=abc&code=def&state=mine", "the answer has a parameter twice"),
        ("state=mine", "the answer has neither a code nor an error"),
        ("code=&state=mine", "the answer has neither a code nor an error"),
    ],
)
def test_what_is_no_answer_to_our_question_is_refused(query: str, why: str) -> None:
    with pytest.raises(NotOurs) as refused:
        read_code(query, state="mine", issuer=ISSUER, metadata={})
    assert str(refused.value) == why


def test_a_refusal_is_told_in_the_server_s_words() -> None:
    with pytest.raises(AuthorizationRefused) as refused:
        read(error="access_denied", error_description="You said no", state="mine")
    assert str(refused.value) == "access_denied: You said no"


def test_a_refusal_of_somebody_else_is_not_even_quoted() -> None:
    with pytest.raises(WrongIssuer) as refused:
        read(error="access_denied", error_description="call 0900-EVIL", state="mine", iss="https://evil")
    assert "EVIL" not in str(refused.value)


def test_an_answer_belongs_to_the_question_with_its_state() -> None:
    assert belongs_to("code=a&state=mine", state="mine")
    assert not belongs_to("code=a&state=%C3%A9", state="mine")


def test_an_empty_error_is_none() -> None:
    """Some send all parameters always."""
    query = "code=abc&error=&error_description=&state=mine"
    assert read_code(query, state="mine", issuer=ISSUER, metadata={}) == "abc"
    assert answer_of(query.encode()) == {"code": "abc", "state": "mine"}


def test_a_refusal_is_heard_however_its_description_is_encoded() -> None:
    with pytest.raises(AuthorizationRefused) as refused:
        read_code(
            "error=access_denied&error_description=refus%E9&state=mine",
            state="mine",
            issuer=ISSUER,
            metadata={},
        )
    assert refused.value.error == "access_denied"


def test_what_nobody_reads_costs_nobody_the_code() -> None:
    query = "code=abc&state=mine&scope=a&scope=b&hd=%zz&name=%E9%00&session_state=1"
    assert answer_of(query.encode()) == {"code": "abc", "state": "mine"}


@pytest.mark.parametrize("name", ["code", "state", "iss", "error", "error_description"])
def test_what_is_read_stands_once(name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"the parameter {name} stands more than once"):
        answer_of(f"{name}=a&{name}=".encode())


def test_an_answer_has_an_end() -> None:
    with pytest.raises(InvalidRequest, match="more than 100 parameters"):
        answer_of(b"&".join([b"a=b"] * 101))


def test_a_refusal_is_shown_in_one_line_and_cut() -> None:
    with pytest.raises(AuthorizationRefused) as refused:
        read(error="access\x1b[31m_denied", error_description="refusé\n" + "x" * 400, state="mine")
    assert str(refused.value) == f"access [31m_denied: refusé {'x' * 293}"
