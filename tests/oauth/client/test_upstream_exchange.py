"""What RFC 8693 has no word for: refused tokens, accounts to be connected, sessions that ended."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

import pytest

from ostiary.oauth.client.token_exchange import GRANT_TYPE, TOKEN_TYPES
from ostiary.oauth.client.upstream_exchange import (
    AnswerUnreadable,
    Connection,
    Revocations,
    read_connection,
    read_revocations,
    session_hash,
    session_of,
    speaks_for_a_person,
    token_hash,
)
from ostiary.oauth.server.parameters import read_parameters
from ostiary.oauth.server.upstream_exchange import read_upstream_exchange
from ostiary.storage.store import digest

HASH = "a" * 64
CONNECT = "https://auth.example.com/connect/github?resource=https%3A%2F%2Fmcp.example.com%2Fmcp"


def test_a_session_is_named_as_the_authorization_server_names_it() -> None:
    assert session_hash("tsid-1") == digest("tsid-1")


def test_a_refused_token_is_named_as_the_authorization_server_reads_it() -> None:
    form = {
        "grant_type": GRANT_TYPE,
        "subject_token": "a.b.c",
        "subject_token_type": TOKEN_TYPES["access_token"],
        "rejected_token_hash": token_hash("gho_secret"),
    }
    read = read_upstream_exchange(read_parameters(urlencode(form).encode()))
    assert read.rejected_token_hash == token_hash("gho_secret")


@pytest.mark.parametrize(
    ("claims", "session", "person"),
    [
        ({"tsid": "one"}, "one", True),
        ({"tsid": "one", "act": {"sub": "program"}}, "one", True),
        ({"act": {"sub": "program"}}, None, True),
        ({"act": MappingProxyType({"sub": "program"})}, None, True),
        ({}, None, False),
        ({"tsid": ""}, None, False),
        ({"tsid": 7}, None, False),
        ({"tsid": None, "act": None}, None, False),
        ({"act": "program"}, None, False),
    ],
)
def test_whose_account_a_token_speaks_of(claims: dict[str, Any], session: str | None, person: bool) -> None:
    assert (session_of(claims), speaks_for_a_person(claims)) == (session, person)


def test_where_an_account_is_connected_is_read() -> None:
    body = {"error": "reauthentication_required", "idp": "github", "connect_url": CONNECT}
    assert read_connection(json.dumps(body).encode()) == Connection("github", CONNECT)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({}, "it wants an account to be connected, and does not say where"),
        ({"idp": "github"}, "it wants an account to be connected, and does not say where"),
        ({"idp": 1, "connect_url": CONNECT}, "it wants an account to be connected, and does not say where"),
        ([], "it wants an account to be connected, and does not say where"),
        (
            {"idp": "git\nhub", "connect_url": CONNECT},
            "it wants an account to be connected at an identity provider without a name",
        ),
        (
            {"idp": "github", "connect_url": "javascript:alert(1)"},
            (
                "where an account is to be connected is no URL: it is not an absolute http or https URL "
                "with a plain "
                "host name"
            ),
        ),
        (
            {"idp": "github", "connect_url": "https://auth.example.com@evil.example/"},
            "where an account is to be connected is no URL: it has a user name or password in it",
        ),
        (
            {"idp": "github", "connect_url": "http://auth.example.com/connect/github"},
            "where an account is to be connected is plain http on another machine",
        ),
    ],
)
def test_where_nobody_should_go_is_not_read(body: object, why: str) -> None:
    with pytest.raises(AnswerUnreadable) as refused:
        read_connection(json.dumps(body).encode())
    assert str(refused.value) == why


def test_what_ended_is_read_and_what_nobody_knows_is_ignored() -> None:
    body = {"reset": False, "ended": [HASH], "next": "1800000000.5", "more": {}}
    assert read_revocations(json.dumps(body).encode()) == Revocations(
        "1800000000.5", reset=False, ended=(HASH,)
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"next": 5}',
        b'{"next": ""}',
        b'{"next": "1&after=2"}',
        b'{"next": "1\\r\\n"}',
        b'{"next": "1", "reset": "no"}',
        b'{"next": "1", "ended": [1]}',
        b'{"next": "1", "ended": ["session-1"]}',
        b'{"next": "1", "ended": ["%s"]}' % (b"A" * 64),
        b"[" * 100_000,
    ],
)
def test_what_is_no_list_of_ends_is_not_read(body: bytes) -> None:
    with pytest.raises(AnswerUnreadable):
        read_revocations(body)
