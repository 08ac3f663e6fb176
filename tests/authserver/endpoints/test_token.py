"""The token endpoint, whatever the grant: RFC 6749 section 3.2, OAuth 2.1 sections 2.4.1 and 3.2."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest
from tests.authserver.agreed import events, refusal
from tests.authserver.conftest import RESOURCE, SECRET, Clock, Server, Start, basic_settings

from ostiary.authserver.server import authserver

FORM = {"grant_type": "client_credentials"}
CI = ("ci", SECRET)
ENCODED = {"content-type": "application/x-www-form-urlencoded"}
OTHER = "https://zoo.example.com/mcp"


async def typed(server: Server, request: bytes) -> bytes:
    """What is answered to bytes that no library would send; a body that is promised and does not come."""
    host, _, port = server.issuer.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    with contextlib.closing(writer):
        writer.write(request)
        return await reader.read()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
async def test_a_token_is_asked_for_by_post(start: Start, method: str) -> None:
    async with start() as server:
        refused = await server.http.request(method, f"{server.issuer}/oauth/token", params=FORM)
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "multipart/form-data; boundary=a"]
)
async def test_wrong_content_type(start: Start, content_type: str) -> None:
    async with start() as server:
        headers = {"content-type": content_type}
        refused = await server.http.post(f"{server.issuer}/oauth/token", content=b"{}", headers=headers)
    assert refused.status_code == 400
    assert refused.json() == refusal("the body must be application/x-www-form-urlencoded", "invalid_request")


async def test_oversize_body(start: Start) -> None:
    async with start() as server:
        refused = await server.token(FORM | {"scope": "a" * 1024 * 1024}, auth=CI)
        assert refused.status_code == 413
        assert (await server.token(FORM, auth=CI)).status_code == 200


async def test_slow_body(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = replace(authserver.LIMITS, body_timeout=0.2)
    monkeypatch.setattr(authserver, "LIMITS", limits)
    async with start() as server:
        head = b"POST /oauth/token HTTP/1.1\r\nhost: %s\r\ncontent-length: 10\r\n\r\ngrant" % (
            server.issuer.removeprefix("http://").encode()
        )
        assert (await typed(server, head)).startswith(b"HTTP/1.1 408 ")


async def test_duplicate_parameters(start: Start) -> None:
    async with start() as server:
        for twice in ("grant_type=client_credentials", "scope=mcp", "scope=admin"):
            refused = await server.http.post(
                f"{server.issuer}/oauth/token",
                content=f"grant_type=client_credentials&scope=mcp&{twice}",
                headers=ENCODED,
                auth=CI,
            )
            name = twice.partition("=")[0]
            assert refused.json() == refusal(f"the parameter {name} stands more than once", "invalid_request")


async def test_parameters_that_nobody_knows_are_ignored_and_empty_ones_are_none(start: Start) -> None:
    async with start() as server:
        answered = await server.token(FORM | {"audience": "evil", "scope": "", "resource": ""}, auth=CI)
    assert answered.status_code == 200
    assert answered.json()["scope"] == "mcp admin"


async def test_a_client_cannot_prove_itself_in_the_address(start: Start) -> None:
    """A secret in an address would stand in histories and logs."""
    async with start() as server:
        address = f"{server.issuer}/oauth/token?client_id=ci&client_secret={SECRET}"
        refused = await server.http.post(address, data=FORM)
    assert refused.status_code == 401
    assert refused.json()["error"] == "invalid_client"


async def test_a_grant_that_does_not_exist(start: Start) -> None:
    async with start() as server:
        refused = await server.token(
            {"grant_type": "password", "username": "alice", "password": "a"}, auth=CI
        )
    assert refused.json() == refusal("this server has no grant 'password'", "unsupported_grant_type")


async def test_what_is_quoted_has_no_character_that_an_answer_may_not_have(start: Start) -> None:
    async with start() as server:
        refused = await server.token({"grant_type": 'a"b\\c\u00fc' + "d" * 1000}, auth=CI)
    assert refused.json() == refusal(f"this server has no grant 'a b c {'d' * 94}'", "unsupported_grant_type")


async def test_a_client_has_the_grants_scopes_and_resources_that_it_was_given(start: Start) -> None:
    settings = basic_settings()
    settings["resources"].append(settings["resources"][0] | {"resource": OTHER})
    settings["clients"][0] |= {"scopes": ["mcp"], "resources": [RESOURCE]}
    async with start(settings) as server:
        answers = [
            (await server.token(form, auth=CI)).json()
            for form in (
                {"grant_type": "refresh_token", "refresh_token": "a"},
                FORM | {"scope": "admin"},
                FORM | {"resource": OTHER},
            )
        ]
        given = (await server.token(FORM, auth=CI)).json()
    assert answers == [
        refusal("this client may not use the grant refresh_token", "unauthorized_client"),
        refusal("the scope admin is unknown here, or not for this client", "invalid_scope"),
        refusal(f"the resource {OTHER} is unknown here, or not for this client", "invalid_target"),
    ]
    assert given["scope"] == "mcp"


async def test_a_secret_is_not_guessed(start: Start, clock: Clock) -> None:
    """One address has 60 tries a minute for one client; beyond them a right secret is not heard either."""
    async with start() as server:
        for _ in range(60):
            assert (await server.token(FORM, auth=("ci", "wrong"))).status_code == 401
        slowed = await server.token(FORM, auth=CI)
        assert (slowed.status_code, slowed.headers["retry-after"]) == (429, "2")
        assert slowed.json() == refusal(
            "too many requests; try again in 2 seconds", "temporarily_unavailable"
        )
        (told,) = events(server, "rate_limited")
        assert (told["endpoint"], told["address"]) == ("/oauth/token", "127.0.0.1")
        clock.advance(2)
        assert (await server.token(FORM, auth=CI)).status_code == 200


async def test_a_name_that_no_client_has_is_slowed_alike(start: Start) -> None:
    async with start() as server:
        statuses = [(await server.token(FORM, auth=("nobody", "wrong"))).status_code for _ in range(61)]
    assert statuses == [401] * 60 + [429]


async def test_right_secrets_are_not_counted_as_guesses(start: Start) -> None:
    async with start() as server:
        statuses = {(await server.token(FORM, auth=CI)).status_code for _ in range(70)}
    assert statuses == {200}


async def test_who_asks_too_often_is_told_when_to_come_back(start: Start, clock: Clock) -> None:
    async with start(basic_settings(limits={"token": "2/m"})) as server:
        statuses = [(await server.token(FORM, auth=CI)).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        assert [told["endpoint"] for told in events(server, "rate_limited")] == ["/oauth/token"]
        clock.advance(31)
        assert (await server.token(FORM, auth=CI)).status_code == 200


async def test_a_clock_that_is_moved_back_lets_nobody_ask_more(start: Start, clock: Clock) -> None:
    async with start(basic_settings(limits={"token": "1/m"})) as server:
        assert (await server.token(FORM, auth=CI)).status_code == 200
        clock.advance(-3600)
        assert (await server.token(FORM, auth=CI)).status_code == 429


async def test_scripts_of_any_site_may_ask_for_tokens(start: Start) -> None:
    """They bring no cookie of ours; the pages, which know browsers, let no other site read them."""
    async with start() as server:
        asked = await server.http.options(
            f"{server.issuer}/oauth/token",
            headers={"origin": "https://app.example", "access-control-request-method": "POST"},
        )
        answered = await server.token(FORM, auth=CI, headers={"origin": "https://app.example"})
    for response in (asked, answered):
        assert response.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in response.headers


async def test_a_slash_too_many_sends_no_secret_anywhere(start: Start) -> None:
    form = {"grant_type": "client_credentials", "client_id": "ci", "client_secret": SECRET}
    async with start() as server:
        for path in (
            "/oauth/token/",
            "/oauth/register/",
            "/connections/",
            "/.well-known/openid-configuration/",
        ):
            answer = await server.post(path, form, headers={"x-forwarded-proto": "https"})
            assert (answer.status_code, answer.headers.get("location")) == (404, None)
