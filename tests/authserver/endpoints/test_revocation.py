"""A client gives a token back, RFC 7009."""

from __future__ import annotations

import pytest
from tests.authserver.agreed import APP, WEB, events, refresh, refusal, settings, sign_in
from tests.authserver.conftest import SECRET, Clock, Server, Start
from tests.authserver.person import world

REVOKED = refusal("the refresh token was revoked")
CI = {"client_id": "ci", "client_secret": SECRET, "grant_types": ["client_credentials"]}


async def revoke(server: Server, token: str, client: str = "app") -> None:
    answered = await server.post("/oauth/revoke", {"token": token, "client_id": client})
    assert (answered.status_code, answered.content) == (200, b"")


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
async def test_either_token_ends_the_whole_session(start: Start, kind: str) -> None:
    async with start(settings()) as server:
        tokens = await sign_in(server)
        await revoke(server, tokens[kind])
        assert (await refresh(server, tokens["refresh_token"])).json() == REVOKED
        (revoked,) = events(server, "token_revoked")
        (ended,) = events(server, "session_ended")
    assert (revoked["client"], ended["reason"]) == ("app", "revoked")


async def test_a_spent_refresh_token_ends_the_session_too(start: Start) -> None:
    async with start(settings()) as server:
        first = await sign_in(server)
        second = (await refresh(server, first["refresh_token"])).json()
        await revoke(server, first["refresh_token"])
        assert (await refresh(server, second["refresh_token"])).json() == REVOKED


async def test_the_hint_is_only_a_hint(start: Start) -> None:
    async with start(settings()) as server:
        tokens = await sign_in(server)
        form = {"token": tokens["refresh_token"], "token_type_hint": "access_token", "client_id": "app"}
        assert (await server.post("/oauth/revoke", form)).status_code == 200
        assert (await refresh(server, tokens["refresh_token"])).json() == REVOKED


async def test_the_answer_tells_nothing_of_tokens_that_are_not_the_clients(
    start: Start, clock: Clock
) -> None:
    async with start(settings(clients=[APP, APP | {"client_id": "other"}])) as server:
        tokens = await sign_in(server, scopes=("mcp", "openid"))
        for token in (tokens["refresh_token"], tokens["access_token"]):
            await revoke(server, token, client="other")
        head, claims, signature = tokens["access_token"].split(".")
        for token in ("unknown", "a.b.c", f"{head}.{claims}.{signature[::-1]}", tokens["id_token"]):
            await revoke(server, token)
        assert events(server, "session_ended") == []
        assert (await refresh(server, tokens["refresh_token"])).status_code == 200


async def test_an_expired_access_token_revokes_nothing(start: Start, clock: Clock) -> None:
    async with start(settings()) as server:
        tokens = await sign_in(server)
        clock.advance(900)
        await revoke(server, tokens["access_token"])
        assert (await refresh(server, tokens["refresh_token"])).status_code == 200


async def test_a_client_has_to_be_known_and_a_confidential_one_to_prove_itself(start: Start) -> None:
    async with start(settings()) as server:
        tokens = await sign_in(server)
        for form in ({"client_id": "nobody"}, {"client_id": "web"}, {}):
            refused = await server.post("/oauth/revoke", form | {"token": tokens["refresh_token"]})
            assert refused.status_code == 401
            assert refused.json()["error"] == "invalid_client"
        missing = await server.post("/oauth/revoke", {"client_id": "app"})
    assert missing.json() == refusal("the parameter token is missing", "invalid_request")


async def test_a_token_without_a_session_is_revoked_by_its_name(start: Start) -> None:
    async with start(settings(clients=[CI, WEB])) as server:
        auth = ("ci", SECRET)
        token = (await server.token({"grant_type": "client_credentials"}, auth=auth)).json()["access_token"]
        active = []
        for _ in range(2):
            told = await server.post("/oauth/introspect", {"token": token}, auth=auth)
            active.append(told.json()["active"])
            await server.post("/oauth/revoke", {"token": token}, auth=auth)
        assert len(events(server, "token_revoked")) == 1
    assert active == [True, False]


async def test_the_account_at_the_provider_ends_with_the_last_session(start: Start, clock: Clock) -> None:
    """A person who ends a client's access leaves no live token behind."""
    async with world(start, clock) as here:
        person = await here.person()
        one, other = await person.tokens(), await person.tokens()
        await revoke(here.server, one["refresh_token"])
        await here.server.server.services.background.finish()
        assert here.corp.revoked == []
        await revoke(here.server, other["refresh_token"])
        await here.server.server.services.background.finish()
        assert [form["token_type_hint"] for form in here.corp.revoked] == ["refresh_token", "access_token"]
        (disconnected,) = events(here.server, "account_disconnected")
    assert disconnected["idp"] == "corp"
