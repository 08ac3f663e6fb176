"""Token answers as providers write them; the shapes are those of their documentation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ostiary.oauth.client.token_mapping import AS_THE_RFC_HAS_IT, TokenMapping
from ostiary.oauth.client.token_response import (
    TokenRequestRefused,
    TokenResponse,
    TokenResponseUnreadable,
    read_token_response,
)

GITHUB = TokenMapping(scope_separator=",")
SLACK_USER = TokenMapping(
    access_token="authed_user.access_token",
    refresh_token="authed_user.refresh_token",
    expires_in="authed_user.expires_in",
    scope="authed_user.scope",
    scope_separator=",",
    token_type_lenient=True,
)
FORM = "application/x-www-form-urlencoded; charset=utf-8"


def read(
    answer: object,
    mapping: TokenMapping = AS_THE_RFC_HAS_IT,
    *,
    status: int = 200,
    kind: str = "application/json",
) -> TokenResponse:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return read_token_response(status, kind, body, mapping=mapping)


def told(tokens: TokenResponse) -> tuple[Any, ...]:
    return (
        tokens.access_token,
        tokens.refresh_token,
        tokens.expires_in,
        tokens.scopes,
        tokens.id_token,
    )


def test_an_answer_of_the_rfc_needs_no_mapping() -> None:
    answer = {
        "access_token": "at",
        "token_type": "bearer",
        "expires_in": 3599,
        "refresh_token": "rt",
        "scope": "openid email openid",
        "id_token": "i.d.t",
    }
    assert told(read(answer)) == ("at", "rt", 3599.0, ("openid", "email"), "i.d.t")


def test_what_was_not_said_is_none() -> None:
    assert told(read({"access_token": "at", "token_type": "Bearer"})) == ("at", None, None, None, None)
    assert read({"access_token": "at", "token_type": "Bearer", "scope": ""}).scopes == ()


def test_github_answers_json_and_forms() -> None:
    as_json = {"access_token": "gho_x", "token_type": "bearer", "scope": "repo,gist"}
    as_form = b"access_token=gho_x&scope=repo%2Cgist&token_type=bearer"
    expected = ("gho_x", None, None, ("repo", "gist"), None)
    assert told(read(as_json, GITHUB)) == told(read(as_form, GITHUB, kind=FORM)) == expected


def test_github_app_tokens_expire_and_come_in_forms_too() -> None:
    form = b"access_token=ghu_x&expires_in=28800&refresh_token=ghr_x&scope=&token_type=bearer"
    for kind in (FORM, "application/json"):  # whatever is announced
        assert told(read(form, GITHUB, kind=kind)) == ("ghu_x", "ghr_x", 28800.0, None, None)


@pytest.mark.parametrize("kind", ["application/json", FORM])
def test_github_refuses_with_status_200(kind: str) -> None:
    body = {
        "application/json": b'{"error": "bad_verification_code", "error_description": "It expired."}',
        FORM: b"error=bad_verification_code&error_description=It+expired.",
    }[kind]
    with pytest.raises(TokenRequestRefused) as refused:
        read(body, GITHUB, kind=kind)
    said = (refused.value.error, refused.value.description, refused.value.status)
    assert said == ("bad_verification_code", "It expired.", 200)


def test_slack_has_a_person_s_token_inside() -> None:
    answer = {
        "ok": True,
        "access_token": "xoxb-bot",
        "token_type": "bot",
        "scope": "commands",
        "team": {"id": "T1"},
        "authed_user": {
            "id": "U1",
            "scope": "chat:write,users:read",
            "access_token": "xoxe.xoxp-1",
            "token_type": "user",
            "refresh_token": "xoxe-1",
            "expires_in": 43200,
        },
    }
    expected = ("xoxe.xoxp-1", "xoxe-1", 43200.0, ("chat:write", "users:read"), None)
    assert told(read(answer, SLACK_USER)) == expected


def test_slack_refuses_with_ok_false() -> None:
    with pytest.raises(TokenRequestRefused) as refused:
        read({"ok": False, "error": "invalid_code"}, SLACK_USER)
    assert refused.value.error == "invalid_code"
    with pytest.raises(TokenRequestRefused):
        read({"ok": False, "error": "invalid_code", "access_token": "at", "token_type": "Bearer"})
    with pytest.raises(TokenResponseUnreadable) as unreadable:
        read({"ok": False, "access_token": "at", "token_type": "Bearer"})
    assert unreadable.value.reason == "it answered 200 with ok false and no error code"


def test_atlassian_and_gitlab_answer_as_the_rfc_says() -> None:
    atlassian = {
        "access_token": "eyJ.a.b",
        "expires_in": 3600,
        "token_type": "Bearer",
        "refresh_token": "eyJ.r.t",
        "scope": "offline_access read:jira-work",
    }
    assert told(read(atlassian))[3] == ("offline_access", "read:jira-work")
    gitlab = {"access_token": "a", "token_type": "Bearer", "expires_in": 7200, "created_at": 1607635748}
    assert told(read(gitlab)) == ("a", None, 7200.0, None, None)


@pytest.mark.parametrize(
    ("body", "kind", "status", "reason"),
    [
        (b"<html>tiger</html>", "text/html", 200, "it answered 200 with 'text/html', not with JSON"),
        (b"tiger", "", 502, "it answered 502 with nothing, not with JSON"),
        (b'"tiger"', "application/json", 200, "it answered 200 with JSON that is not an object"),
        (b"[" * 100_000, "application/json", 200, "it answered 200 with 'application/json', not with JSON"),
        (b"tiger", FORM, 200, "it answered 200 with a form that can't be read"),
        (b"a=%ff", FORM, 200, "its answer has no access_token"),
        (b"&".join([b"a=b"] * 51), FORM, 200, "it answered 200 with a form that can't be read"),
        (b"a=tiger&a=b", FORM, 200, "it answered 200 with a form that has a name twice"),
        (b"{}", "application/json", 200, "its answer has no access_token"),
        (b"{}", "application/json", 400, "it answered 400 without an error code"),
        (b"x" * 1048577, "application/json", 200, "its answer has more than 1024 KiB"),
        (
            b"",
            "",
            302,
            "it answered 302: it redirects, which nobody may follow with secrets",
        ),
        (
            b'{"access_token": "a\\r\\nb", "token_type": "Bearer"}',
            "application/json",
            200,
            "its access_token has a line break or another character that no token may have",
        ),
        (
            b'{"access_token": {"tiger": 1}, "token_type": "Bearer"}',
            "application/json",
            200,
            "its access_token is not a string",
        ),
    ],
)
def test_a_token_endpoint_that_answers_something_else(
    body: bytes, kind: str, status: int, reason: str
) -> None:
    with pytest.raises(TokenResponseUnreadable) as refused:
        read(body, status=status, kind=kind)
    assert refused.value.reason == reason


def test_nothing_of_an_answer_shows() -> None:
    answer = {"access_token": "tiger", "token_type": "Bearer", "refresh_token": "tiger", "id_token": "tiger"}
    assert "tiger" not in repr(read(answer))
