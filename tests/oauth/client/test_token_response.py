"""Answers of a token endpoint, RFC 6749 sections 5.1 and 5.2."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import ostiary.oauth.client.token_response as token_response_module
from ostiary.oauth.client.token_response import (
    LONGEST_LIFE,
    TokenRequestRefused,
    TokenResponse,
    TokenResponseUnreadable,
    in_brief,
    read_token_response,
)

NO_ANSWERS = frozenset(
    {
        "oauth/client/token_exchange.py",
        "oauth/server/token_exchange.py",
        "oauth/server/upstream_exchange.py",
    }
)
"""Where these words name types of tokens, not members of an answer (RFC 8693 section 3)."""
GOOD = {"access_token": "abc", "token_type": "bearer"}


def read(answer: object, status: int = 200, wanted_type: str = "Bearer") -> TokenResponse:
    return read_token_response(
        status, "application/json", json.dumps(answer).encode(), wanted_type=wanted_type
    )


def test_everything_that_an_issuer_may_say_is_read() -> None:
    further = {"scope": "a b", "refresh_token": "r", "id_token": "i.d.t", "issued_token_type": "urn:x"}
    assert read(GOOD | further | {"expires_in": "60", "unknown": 1}) == TokenResponse(
        "abc", 60.0, ("a", "b"), "r", is_rotated=True, issued_token_type="urn:x", id_token="i.d.t"
    )


def test_tokens_do_not_show() -> None:
    response = read(GOOD | {"access_token": "tiger", "refresh_token": "tiger", "id_token": "tiger"})
    assert "tiger" not in repr(response)


def test_a_type_is_the_same_in_any_case_and_only_the_wanted_one_is_taken() -> None:
    assert read(GOOD | {"token_type": " N_A "}, wanted_type="n_a").access_token == "abc"
    with pytest.raises(TokenResponseUnreadable, match="has token_type 'bearer', where DPoP was asked for"):
        read(GOOD, wanted_type="DPoP")


def test_a_refusal_with_status_200_is_one_all_the_same() -> None:
    with pytest.raises(TokenRequestRefused) as refused:
        read({"error": "bad_verification_code", "error_description": "It\r\nis over."})
    assert (refused.value.error, refused.value.description) == ("bad_verification_code", "It is over.")


def test_what_an_issuer_says_is_cut_short() -> None:
    assert in_brief("invalid_grant", "x" * 1000) == f"invalid_grant ({'x' * 300})"
    assert in_brief("invalid_grant", None) == "invalid_grant"


@pytest.mark.parametrize("status", [200, 201, 202, 203, 299])
def test_any_success_will_do(status: int) -> None:
    assert read(GOOD, status).access_token == "abc"


def test_tokens_beside_another_status_are_none() -> None:
    with pytest.raises(TokenResponseUnreadable, match="it answered 400 without an error code"):
        read(GOOD, 400)


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        (60, 60.0),
        (60.5, 60.5),
        ("60", 60.0),
        (" 3599.5 ", 3599.5),
        (2147483647, LONGEST_LIFE),
        ("9" * 400, LONGEST_LIFE),
        (1e300, LONGEST_LIFE),
        (float("inf"), LONGEST_LIFE),
    ],
    ids=str,
)
def test_a_lifetime_is_taken_as_it_was_meant(expires_in: object, seconds: float) -> None:
    assert read(GOOD | {"expires_in": expires_in}).expires_in == seconds


@pytest.mark.parametrize(
    "expires_in",
    [None, 0, "0", -1, "-1", float("nan"), True, "1e3", "٣", "soon", "", {}, [60]],
    ids=str,
)
def test_a_lifetime_that_is_none_counts_as_not_told(expires_in: object) -> None:
    assert read(GOOD | {"expires_in": expires_in}).expires_in is None


def test_who_does_not_say_a_type_means_the_one_that_was_asked_for() -> None:
    assert read({"access_token": "abc"}).access_token == "abc"
    assert read({"access_token": "abc", "token_type": None}, wanted_type="N_A").access_token == "abc"


@pytest.mark.parametrize("said", [None, "Bearer", 7])
def test_a_token_is_taken_for_bound_only_when_its_issuer_says_so(said: object) -> None:
    with pytest.raises(TokenResponseUnreadable, match=r"where DPoP was asked for"):
        read(GOOD | {"token_type": said}, wanted_type="DPoP")


@pytest.mark.parametrize("said", ["mac", "", 7, ["Bearer"]])
def test_a_type_that_nobody_asked_for_is_refused(said: object) -> None:
    with pytest.raises(TokenResponseUnreadable, match="where Bearer was asked for"):
        read(GOOD | {"token_type": said})


def test_members_of_another_type_than_theirs_are_ignored() -> None:
    odd = {"scope": 7, "id_token": {"a": 1}, "issued_token_type": [], "error_description": 1, "error": None}
    assert read(GOOD | odd) == TokenResponse("abc")


def test_scopes_may_be_a_list_or_text_and_are_named_once() -> None:
    assert read(GOOD | {"scope": ["b", "a", 7, " b ", "\ud800", "\u00a0"]}).scopes == ("b", "a")
    assert read(GOOD | {"scope": "b a b"}).scopes == ("b", "a")
    assert read(GOOD | {"scope": ""}).scopes == ()


def test_a_mark_of_the_order_of_bytes_before_it_does_no_harm() -> None:
    body = b"\xef\xbb\xbf" + json.dumps(GOOD).encode()
    assert read_token_response(200, "application/json", body).access_token == "abc"


def test_a_refusal_is_heard_however_its_description_is_encoded() -> None:
    body = b'{"error": "invalid_grant", "error_description": "refus\xe9"}'
    with pytest.raises(TokenRequestRefused) as refused:
        read_token_response(400, "application/json", body)
    assert (refused.value.error, refused.value.description) == ("invalid_grant", "refus")


@pytest.mark.parametrize(
    "body",
    [
        b'{"access_token": "abc", "access_token": "abd", "token_type": "Bearer"}',
        b'{"access_token": "abc", "token_type": "Bearer", "scope": "a", "scope": "b"}',
        b'{"access_token": "abc", "\\u0061ccess_token": "abd", "token_type": "Bearer"}',
        b'{"access_token": "abc", "token_type": "Bearer", "team": {"id": 1, "id": 2}}',
    ],
)
def test_an_answer_with_a_name_twice_is_refused(body: bytes) -> None:
    """One reader would take the first, another the last."""
    with pytest.raises(TokenResponseUnreadable, match="it answered 200 with JSON that has a name twice"):
        read_token_response(200, "application/json", body)


@pytest.mark.parametrize(
    ("odd", "rotated", "kept"),
    [
        ({"access_token": "a\nb", "refresh_token": "r2"}, True, "r2"),
        ({"access_token": None, "refresh_token": "r 2"}, True, "r 2"),
        ({"token_type": "mac", "refresh_token": "r2"}, True, "r2"),
        ({"access_token": 7, "refresh_token": 8}, True, "8"),
        ({"access_token": 7, "refresh_token": ["r2"]}, True, None),
        ({"access_token": 7, "refresh_token": "r\n2"}, True, None),
        ({"access_token": 7}, False, None),
        ({"access_token": 7, "refresh_token": None}, False, None),
        ({"access_token": 7, "refresh_token": ""}, False, None),
        ({"access_token": 7, "refresh_token": False}, False, None),
        ({"access_token": 7, "refresh_token": True}, False, None),
        ({"access_token": 7, "refresh_token": []}, False, None),
    ],
)
def test_an_answer_of_no_use_says_what_became_of_the_refresh_token(
    odd: dict[str, object], rotated: bool, kept: str | None
) -> None:
    with pytest.raises(TokenResponseUnreadable) as unusable:
        read(GOOD | odd)
    assert (unusable.value.is_rotated, unusable.value.refresh_token) == (rotated, kept)


@pytest.mark.parametrize(
    ("twice", "kept"),
    [("", "r2"), (', "refresh_token": "r3"', None)],
    ids=["another name", "the refresh token"],
)
def test_what_stands_once_in_an_answer_with_a_name_twice(twice: str, kept: str | None) -> None:
    body = '{"access_token": "a", "access_token": "b", "refresh_token": "r2"' + twice + "}"
    with pytest.raises(TokenResponseUnreadable) as unusable:
        read_token_response(200, "application/json", body.encode())
    assert (unusable.value.is_rotated, unusable.value.refresh_token) == (True, kept)


def test_a_good_access_token_beside_a_refresh_token_of_no_use_is_taken() -> None:
    assert read(GOOD | {"refresh_token": ["r"]}) == TokenResponse("abc", is_rotated=True)


@pytest.mark.parametrize("nothing", [None, "", False, True, 0, [], {}])
def test_no_new_refresh_token_costs_nobody_the_old_one(nothing: object) -> None:
    """PHP says false for what there is not."""
    assert read(GOOD | {"refresh_token": nothing}) == TokenResponse("abc")


def test_a_token_is_taken_without_the_blanks_around_it() -> None:
    assert read(GOOD | {"access_token": " abc\n"}).access_token == "abc"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b'\n {"access_token": "abc", "refresh_token": "r2"}'),
        ("text/html; charset=utf-8", b'{"access_token": "abc", "refresh_token": "r2"}'),
        ("", b'{"access_token": "abc", "refresh_token": "r2"}'),
        ("text/plain", b"access_token=abc&refresh_token=r2"),
        ("text/html; charset=utf-8", b"access_token=abc&refresh_token=r2\r\n"),
        ("application/json", b"access_token=abc&refresh_token=r2"),
        ("application/x-www-form-urlencoded", b"access_token=abc&refresh_token=r2&"),
        ("application/x-www-form-urlencoded", b"\xef\xbb\xbfaccess_token=abc&scope=&refresh_token=r2\n"),
    ],
)
def test_an_answer_is_what_it_looks_like_whatever_its_content_type(kind: str, body: bytes) -> None:
    assert read_token_response(200, kind, body) == TokenResponse("abc", refresh_token="r2", is_rotated=True)


@pytest.mark.parametrize("body", [b"", b"OK", b"<html a=b>", b"service unavailable, id=7"])
def test_what_looks_like_neither_is_no_answer(body: bytes) -> None:
    with pytest.raises(TokenResponseUnreadable, match="it answered 200 with 'text/html', not with JSON"):
        read_token_response(200, "text/html", body)


def test_what_is_named_with_our_own_token_is_not_repeated() -> None:
    body = json.dumps(GOOD | {"issued_token_type": "urn:tiger/in-the-night"}).encode()
    answer = read_token_response(200, "application/json", body, sent=["tiger/in-the-night"])
    assert answer.issued_token_type == "urn:***"


def test_one_module_reads_token_answers() -> None:
    """Google's own flows are google-auth's; what we answer ourselves is written, not read."""
    member = r"""["'](access_token|expires_in|refresh_token|token_type)["']"""
    reads = re.compile(rf"\.(get|pop)\({member}|\[{member}\](?!\s*\+?=)")
    source = Path(token_response_module.__file__).parents[2]
    readers = {path for path in source.rglob("*.py") if reads.search(path.read_text("utf-8"))}
    assert {str(path.relative_to(source)) for path in readers} - NO_ANSWERS == {
        "oauth/client/token_response.py"
    }
