"""Dynamic client registration, RFC 7591."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ostiary.oauth.client.client_registration import (
    RegisteredClient,
    RegistrationRefused,
    read_registration,
    registration_request,
    takes_metadata_documents,
)

REDIRECT = "http://127.0.0.1:8000/callback"
ASKED = registration_request(REDIRECT, {})


def read(answer: object, status: int = 201) -> RegisteredClient:
    return read_registration(status, json.dumps(answer).encode(), asked=ASKED)


def test_we_are_a_native_application_that_refreshes_its_tokens() -> None:
    assert ASKED == {
        "client_name": "Ostiary",
        "application_type": "native",
        "redirect_uris": [REDIRECT],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    }


@pytest.mark.parametrize(
    ("offered", "asked"),
    [
        (["client_secret_basic", "none"], "none"),
        (["client_secret_post", "client_secret_basic"], "client_secret_basic"),
        (["client_secret_post"], "client_secret_post"),
    ],
)
def test_a_secret_is_asked_for_only_where_it_must_be(offered: list[str], asked: str) -> None:
    request = registration_request(REDIRECT, {"token_endpoint_auth_methods_supported": offered})
    assert request["token_endpoint_auth_method"] == asked


@pytest.mark.parametrize(
    ("offered", "asked"),
    [
        (["none", "client_secret_post", "client_secret_basic"], "client_secret_basic"),
        (["none", "client_secret_post"], "client_secret_post"),
        (["none"], "none"),
    ],
)
def test_a_server_asks_for_a_secret_where_it_can(offered: list[str], asked: str) -> None:
    metadata = {"token_endpoint_auth_methods_supported": offered}
    request = registration_request("https://auth.example.com/cb", metadata, application_type="web")
    assert (request["application_type"], request["token_endpoint_auth_method"]) == ("web", asked)


def test_a_server_that_says_nothing_and_gives_no_secret_made_us_public() -> None:
    asked = registration_request(REDIRECT, {"token_endpoint_auth_methods_supported": ["client_secret_basic"]})
    assert read_registration(201, b'{"client_id": "c"}', asked=asked) == RegisteredClient("c")


def test_a_server_that_wants_a_key_is_refused() -> None:
    with pytest.raises(RegistrationRefused) as refused:
        registration_request(REDIRECT, {"token_endpoint_auth_methods_supported": ["private_key_jwt"]})
    assert str(refused.value) == "it authenticates clients only by private_key_jwt, which needs a key"


def test_the_server_s_choice_counts() -> None:
    answer = {"client_id": "c", "client_secret": "s", "token_endpoint_auth_method": "client_secret_post"}
    assert read(answer | {"client_secret_expires_at": 5}) == RegisteredClient(
        "c", "s", "client_secret_post", 5.0
    )
    assert read(answer | {"token_endpoint_auth_method": None}).auth_method == "none"
    assert read(answer | {"client_secret_expires_at": 0}).secret_expires_at is None


def test_a_secret_for_a_public_client_is_not_kept() -> None:
    assert read({"client_id": "c", "client_secret": "s"}) == RegisteredClient("c")


def test_a_secret_is_not_seen() -> None:
    assert "hunter2" not in repr(RegisteredClient("c", "hunter2", "client_secret_basic"))


@pytest.mark.parametrize(
    ("answer", "status", "why"),
    [
        ({"error": "invalid_redirect_uri", "error_description": "no"}, 400, "invalid_redirect_uri: no"),
        ({}, 403, "it answered 403"),
        ({}, 201, "its answer has no proper client_id"),
        ({"client_id": 5}, 201, "its answer has no proper client_id"),
        ({"client_id": "\ud800"}, 201, "its answer has no proper client_id"),
        ({"client_id": "c\n"}, 201, "its answer has no proper client_id"),
        ({"error": "a\x1b[31mb", "error_description": "x" * 400}, 400, f"a [31mb: {'x' * 300}"),
        ([], 201, "it answered 201 without a JSON object"),
        (
            {"client_id": "c", "token_endpoint_auth_method": "private_key_jwt"},
            201,
            "it wants us to authenticate by 'private_key_jwt', which needs a key",
        ),
        (
            {
                "client_id": "c",
                "client_secret": "s\n",
                "token_endpoint_auth_method": "client_secret_basic",
            },
            201,
            "it wants us to authenticate by client_secret_basic, and gave no client_secret",
        ),
        (
            {"client_id": "c", "token_endpoint_auth_method": "client_secret_basic"},
            201,
            "it wants us to authenticate by client_secret_basic, and gave no client_secret",
        ),
    ],
)
def test_a_registration_that_we_cannot_use_is_refused(answer: Any, status: int, why: str) -> None:
    with pytest.raises(RegistrationRefused) as refused:
        read(answer, status)
    assert str(refused.value) == why


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100_000, b'{"client_id": "\xff"}'])
def test_an_answer_that_is_no_json_is_a_refusal(body: bytes) -> None:
    with pytest.raises(RegistrationRefused, match="it answered 201 without a JSON object"):
        read_registration(201, body, asked=registration_request(REDIRECT, {}))


@pytest.mark.parametrize(
    ("said", "ends"),
    [(None, None), (0, None), ("0", None), ("5", 5.0), (1e400, None), (-1, None), ("", None)],
)
def test_when_a_secret_ends(said: object, ends: float | None) -> None:
    assert read({"client_id": "c", "client_secret_expires_at": said}).secret_expires_at == ends


def test_metadata_documents_are_used_where_they_are_taken() -> None:
    assert takes_metadata_documents({"client_id_metadata_document_supported": True})
    assert not takes_metadata_documents({"client_id_metadata_document_supported": "yes"})
