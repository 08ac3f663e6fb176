"""Rotation, reuse and the grace of a refresh token: RFC 6749 section 6, RFC 9700 section 4.14."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from joserfc.jwk import ECKey
from sqlalchemy import select
from tests.authserver.agreed import (
    APP,
    WEB,
    claims_of,
    events,
    give_code,
    proof,
    redemption,
    refresh,
    refusal,
    settings,
    sign_in,
)
from tests.authserver.conftest import RESOURCE, SECRET, Clock, Server, Start
from tests.authserver.person import world

from ostiary.authserver.sessions.stale_sessions import end_stale_sessions
from ostiary.oauth.confirmation import jwk_thumbprint
from ostiary.storage.schema import token_sessions

REUSED = "the refresh token was used before; all that belongs to it is revoked"
REVOKED = "the refresh token was revoked"
UNKNOWN = "the refresh token is unknown, or not this client's"
CHANGED = "what the refresh token is for has changed here: its person has to sign in again"
DAY = 24 * 3600.0


async def reason_of_end(server: Server) -> str | None:
    query = select(token_sessions.c.ended_because)
    found = await server.server.services.store.read(lambda connection: connection.execute(query).scalar_one())
    return None if found is None else str(found)


async def test_a_refresh_token_gives_new_tokens_of_the_same_session(start: Start, clock: Clock) -> None:
    async with start(settings()) as server:
        first = await sign_in(server)
        clock.advance(600)
        answered = await refresh(server, first["refresh_token"])
        second = answered.json()
        before = await claims_of(server, first["access_token"])
        after = await claims_of(server, second["access_token"])
    assert answered.headers["cache-control"] == "no-store"
    assert second["refresh_token"] != first["refresh_token"]
    assert {**before, "iat": 0, "exp": 0, "jti": ""} == {**after, "iat": 0, "exp": 0, "jti": ""}
    assert after["exp"] == before["exp"] + 600
    assert after["jti"] != before["jti"]
    assert second.keys() == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}


async def test_refresh_reuse_revokes_the_family(start: Start, clock: Clock) -> None:
    async with start(settings()) as server:
        stolen = (await sign_in(server))["refresh_token"]
        second = (await refresh(server, stolen)).json()["refresh_token"]
        third = (await refresh(server, second)).json()["refresh_token"]
        assert (await refresh(server, stolen)).json() == refusal(REUSED)
        assert (await refresh(server, third)).json() == refusal(REVOKED)
        (reused,) = events(server, "refresh_reused")
        (ended,) = events(server, "session_ended")
    assert reused["session"] == ended["session"]
    assert ended["reason"] == "refresh_reused"


async def test_a_lost_answer_is_given_again_for_a_few_seconds(start: Start, clock: Clock) -> None:
    async with start(settings()) as server:
        token = (await sign_in(server))["refresh_token"]
        lost = (await refresh(server, token)).json()
        clock.advance(9)
        again = (await refresh(server, token)).json()
        assert again["refresh_token"] == lost["refresh_token"]
        assert [event.get("grace") for event in events(server, "token_refreshed")] == [None, True]
        assert (await refresh(server, again["refresh_token"])).status_code == 200


async def test_the_grace_is_over_after_ten_seconds(start: Start, clock: Clock) -> None:
    async with start(settings()) as server:
        token = (await sign_in(server))["refresh_token"]
        await refresh(server, token)
        clock.advance(10)
        assert (await refresh(server, token)).json() == refusal(REUSED)


async def test_the_grace_ends_when_the_successor_is_used(start: Start) -> None:
    async with start(settings()) as server:
        token = (await sign_in(server))["refresh_token"]
        successor = (await refresh(server, token)).json()["refresh_token"]
        await refresh(server, successor)
        assert (await refresh(server, token)).json() == refusal(REUSED)


async def test_a_restart_between_commit_and_answer_loses_no_refresh_token(start: Start) -> None:
    """The answer was never sent; the client asks the next process with what it has."""
    async with start(settings()) as server:
        token = (await sign_in(server))["refresh_token"]
        never_arrived = (await refresh(server, token)).json()["refresh_token"]
    async with start(settings()) as server:
        assert (await refresh(server, token)).json()["refresh_token"] == never_arrived


async def test_another_client_cannot_use_a_refresh_token(start: Start) -> None:
    async with start(settings(clients=[APP, APP | {"client_id": "other"}])) as server:
        token = (await sign_in(server))["refresh_token"]
        refused = await refresh(server, token, client_id="other")
        assert refused.json() == refusal(UNKNOWN)
        assert (await refresh(server, token)).status_code == 200


async def test_a_token_that_nobody_gave_is_refused(start: Start) -> None:
    async with start(settings()) as server:
        assert (await refresh(server, "not-a-token-of-ours")).json() == refusal(UNKNOWN)


async def test_a_wider_scope_is_refused_and_spends_nothing(start: Start) -> None:
    async with start(settings()) as server:
        token = (await sign_in(server))["refresh_token"]
        refused = await refresh(server, token, scope="mcp admin")
        assert refused.json() == refusal("the scope admin was not granted", "invalid_scope")
        assert (await refresh(server, token)).status_code == 200


async def test_a_narrower_scope_narrows_one_access_token_alone(start: Start) -> None:
    async with start(settings()) as server:
        first = await sign_in(server, scopes=("mcp", "admin"))
        narrow = (await refresh(server, first["refresh_token"], scope="mcp")).json()
        assert narrow["scope"] == "mcp"
        assert (await refresh(server, narrow["refresh_token"])).json()["scope"] == "mcp admin"


async def test_another_resource_is_refused_and_spends_nothing(start: Start) -> None:
    async with start(settings()) as server:
        token = (await sign_in(server))["refresh_token"]
        refused = await refresh(server, token, resource="https://mcp.example.com/mcp-evil")
        assert refused.json() == refusal("the resource is not the one that was authorized", "invalid_target")
        assert (await refresh(server, token, resource=RESOURCE)).status_code == 200


async def test_a_scope_that_the_resource_has_no_more_is_not_given_again(start: Start) -> None:
    async with start(settings()) as server:
        token = (await sign_in(server, scopes=("mcp", "admin")))["refresh_token"]
    values = settings()
    values["resources"][0] |= {"scopes": ["mcp"], "default_scopes": None}
    async with start(values) as server:
        assert (await refresh(server, token)).json()["scope"] == "mcp"


async def test_an_unused_session_ends_with_its_refresh_token(start: Start, clock: Clock) -> None:
    async with start(settings()) as server:
        token = (await sign_in(server))["refresh_token"]
        clock.advance(30 * DAY)
        assert (await refresh(server, token)).json() == refusal("the refresh token has expired")


async def test_a_session_that_is_used_ends_at_its_longest_life(start: Start, clock: Clock) -> None:
    async with start(settings()) as server:
        tokens = await sign_in(server)
        for _ in range(3):
            clock.advance(29 * DAY)
            tokens = (await refresh(server, tokens["refresh_token"])).json()
        clock.advance(3 * DAY - 60)
        last = (await refresh(server, tokens["refresh_token"])).json()
        assert last["expires_in"] == 60
        clock.advance(60)
        ended = await refresh(server, last["refresh_token"])
    assert ended.json() == refusal("the refresh token has expired")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"owner": "default/other"}, "owner_changed"),
        ({"resource": "https://mcp.example.com/moved"}, "resource_removed"),
        ({"idps": ["elsewhere"]}, "identity_changed"),
    ],
)
async def test_remapped_resource_ends_sessions(start: Start, change: dict[str, Any], reason: str) -> None:
    """A session never changes its owner, and what was agreed to is not stretched: it ends."""
    async with start(settings()) as server:
        token = (await sign_in(server))["refresh_token"]
    values = settings()
    values["upstream_idps"].append(
        {"name": "elsewhere", "issuer": "https://elsewhere.example.com", "client_id": "o"}
    )
    values["resources"][0] |= change
    async with start(values) as server:
        refused = await refresh(server, token)
        assert await reason_of_end(server) == reason
    assert refused.status_code == 400
    assert refused.json() in (refusal(CHANGED), refusal(REVOKED))  # the server looks at all when it starts
    async with start(settings()) as server:  # the old configuration does not bring it back
        assert (await refresh(server, token)).json() == refusal(REVOKED)


async def test_a_resource_that_was_taken_from_a_client_is_refreshed_no_more(start: Start) -> None:
    other = "https://zoo.example.com/mcp"
    values = settings()
    values["resources"].append(values["resources"][0] | {"resource": other})
    async with start(values) as server:
        token = (await sign_in(server))["refresh_token"]
    async with start(values | {"clients": [APP | {"resources": [other]}, WEB]}) as server:
        refused = await refresh(server, token)
        assert await reason_of_end(server) == "resource_removed"
    assert refused.json() == refusal(CHANGED)


async def test_a_client_that_was_removed_has_no_sessions(start: Start) -> None:
    async with start(settings()) as server:
        token = (await sign_in(server))["refresh_token"]
    async with start(settings(clients=[WEB])) as server:
        refused = await refresh(server, token)
        services = server.server.services
        await end_stale_sessions(services.session_ender, services.resources, {"web"}, now=0.0)
        assert await reason_of_end(server) == "client_removed"
    assert refused.json()["error"] == "invalid_client"
    async with start(settings()) as server:
        assert (await refresh(server, token)).json() == refusal(REVOKED)


async def test_the_refresh_token_of_a_public_client_is_bound_to_its_key(start: Start, clock: Clock) -> None:
    """RFC 9449 section 5."""
    key, other = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
    async with start(settings()) as server:
        now = clock()
        redeemed = await server.token(
            redemption(await give_code(server)), headers=proof(server, key, now=now)
        )
        tokens = redeemed.json()
        without = await refresh(server, tokens["refresh_token"])
        with_another = await refresh(server, tokens["refresh_token"], headers=proof(server, other, now=now))
        with_it = await refresh(server, tokens["refresh_token"], headers=proof(server, key, now=now))
        claims = await claims_of(server, with_it.json()["access_token"])
    bound = refusal("the refresh token is bound to a key that the request does not prove")
    assert tokens["token_type"] == "DPoP"
    assert without.json() == with_another.json() == bound
    assert with_it.json()["token_type"] == "DPoP"
    assert claims["cnf"] == {"jkt": jwk_thumbprint(key.as_dict(private=False))}


async def test_a_confidential_client_may_change_its_key(start: Start, clock: Clock) -> None:
    """Its refresh token is bound to the client, which proves itself."""
    redirect_uri = "https://web.example.com/callback"
    async with start(settings()) as server:
        code = await give_code(server, client_id="web", redirect_uri=redirect_uri)
        tokens = (
            await server.token(
                redemption(code, client_id=None, redirect_uri=redirect_uri),
                auth=("web", SECRET),
                headers=proof(server, ECKey.generate_key("P-256"), now=clock()),
            )
        ).json()
        renewed = await server.token(
            {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]},
            auth=("web", SECRET),
            headers=proof(server, ECKey.generate_key("P-256"), now=clock()),
        )
    assert renewed.json()["token_type"] == "DPoP"


async def test_a_person_who_left_has_no_session_any_more(start: Start, clock: Clock) -> None:
    async with world(start, clock) as here:
        tokens = await (await here.person()).tokens()
        here.corp.revoke_everything()
        refused = await refresh(here.server, tokens["refresh_token"])
        again = await refresh(here.server, tokens["refresh_token"])
        (gone,) = events(here.server, "person_gone")
        (ended,) = events(here.server, "session_ended")
    assert refused.json() == refusal(
        "the identity provider does not vouch for the person any more: they have to sign in again"
    )
    assert again.json() == refusal(REVOKED)
    assert gone["session"] == ended["session"]


async def test_a_provider_that_is_down_is_503_and_our_refresh_token_is_unspent(
    start: Start, clock: Clock
) -> None:
    async with world(start, clock) as here:
        tokens = await (await here.person()).tokens()
        here.corp.raw = lambda: web.Response(status=503, headers={"retry-after": "7"})
        down = await refresh(here.server, tokens["refresh_token"])
        assert (down.status_code, down.headers["retry-after"]) == (503, "7")
        assert down.json() == refusal(
            "the identity provider cannot be asked now; nothing was spent", "temporarily_unavailable"
        )
        here.corp.raw = None
        assert (await refresh(here.server, tokens["refresh_token"])).status_code == 200


async def test_a_provider_is_asked_before_anything_is_spent_and_not_for_what_is_refused(
    start: Start, clock: Clock
) -> None:
    async with world(start, clock) as here:
        token = (await (await here.person()).tokens())["refresh_token"]
        await refresh(here.server, token, scope="mcp admin")
        await refresh(here.server, token, client_id="web")
        await refresh(here.server, "no-" + token)
        assert here.corp.renewed == []
        await refresh(here.server, token)
        await refresh(here.server, token)  # within the grace
        assert len(here.corp.renewed) == 1


async def test_a_token_that_is_refreshed_twice_at_once_has_one_successor(start: Start) -> None:
    async with start(settings()) as server:
        token = (await sign_in(server))["refresh_token"]
        answers = await asyncio.gather(*(refresh(server, token) for _ in range(5)))
    successors = {answered.json()["refresh_token"] for answered in answers}
    assert len(successors) == 1


async def test_a_refresh_token_is_not_a_code_and_a_code_is_not_a_refresh_token(start: Start) -> None:
    async with start(settings()) as server:
        code = await give_code(server)
        assert (await refresh(server, code)).json() == refusal(UNKNOWN)
        token = (await server.token(redemption(code))).json()["refresh_token"]
        assert (await server.token(redemption(token))).json() == refusal(
            "the code is unknown, or not this client's"
        )
