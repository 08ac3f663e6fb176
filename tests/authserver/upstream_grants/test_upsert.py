"""One grant for each (user, provider, account, our client, owner), however often somebody signs in."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from tests.authserver.conftest import Clock
from tests.authserver.idps.little_idp import LittleIdp
from tests.authserver.upstream_grants.conftest import (
    OWNER,
    USER,
    Replica,
    brought,
    connect,
    grant,
    kept,
    new_user,
)

from ostiary.authserver.upstream_account import UpstreamAccount, UpstreamTokens
from ostiary.authserver.upstream_grants.grant import GrantState, of_owner, of_user
from ostiary.authserver.upstream_grants.transitions import mark_dead

CONNECTED = UpstreamAccount("corp", "https://corp", "alice", "ostiary", UpstreamTokens("a1", "r1"), "Alice")


def again(connected: UpstreamAccount = CONNECTED, **tokens: object) -> UpstreamAccount:
    """A second sign-in that brings these tokens."""
    return msgspec.structs.replace(connected, tokens=msgspec.convert(tokens, UpstreamTokens))


async def test_a_second_sign_in_that_brings_no_refresh_token_keeps_the_first(
    replica: Replica, clock: Clock
) -> None:
    services = await replica()
    await new_user(services)
    first = await kept(services, CONNECTED)
    clock.advance(60)
    second = await kept(services, again(access_token="a2", scopes=["read"], expires_at=clock() + 300))
    assert first == second
    found = await grant(services, first)
    assert found.tokens == UpstreamTokens("a2", "r1", None, clock() + 300, ("read",))
    assert (found.scopes, found.expires_at, found.version, found.label) == (
        ("read",),
        clock() + 300,
        1,
        "Alice",
    )


async def test_a_second_sign_in_that_brings_one_replaces_it(replica: Replica) -> None:
    services = await replica()
    await new_user(services)
    first = await kept(services, CONNECTED)
    await kept(services, again(access_token="a2", refresh_token="r2"))
    found = await grant(services, first)
    assert (found.tokens.refresh_token, found.version) == ("r2", 2)


async def test_a_refresh_token_that_is_known_to_be_dead_is_not_kept(replica: Replica) -> None:
    services = await replica()
    await new_user(services)
    grant_id = await kept(services, CONNECTED)
    seen = await grant(services, grant_id)
    await services.store.transaction(lambda connection: mark_dead(connection, seen))
    await kept(services, again(access_token="a2"))
    found = await grant(services, grant_id)
    assert (found.state, found.tokens) == (GrantState.ACTIVE, UpstreamTokens("a2"))


async def test_grants_differ_by_account_client_and_owner(replica: Replica) -> None:
    services = await replica()
    await new_user(services)
    await new_user(services, "somebody-else")
    ids = {
        await kept(services, CONNECTED),
        await kept(services, msgspec.structs.replace(CONNECTED, account="alice-at-work")),
        await kept(services, msgspec.structs.replace(CONNECTED, client_id="ostiary-2")),
        await kept(services, CONNECTED, owner="team/gateway"),
        await kept(services, CONNECTED, user_id="somebody-else"),
    }
    assert len(ids) == 5
    store = services.store
    mine = await store.read(lambda connection: of_user(connection, store, USER))
    owned = await store.read(lambda connection: of_owner(connection, store, user_id=USER, owner=OWNER))
    assert (len(mine), len(owned)) == (4, 3)


async def test_replicas_that_keep_the_same_account_at_once_make_one_grant(replica: Replica) -> None:
    one, other = await replica(), await replica()
    await new_user(one)
    ids = await asyncio.gather(*(kept(services, CONNECTED) for services in (one, other) for _ in range(10)))
    assert len(set(ids)) == 1


async def test_a_sign_in_during_a_renewal_costs_no_refresh_token(
    replica: Replica, idp: LittleIdp, clock: Clock
) -> None:
    """What the provider rotated meanwhile is what counts: the sign-in brought none."""
    services = await replica()
    grant_id = await connect(services, idp)
    clock.advance(301)
    idp.pauses = 0.2
    renewing = asyncio.create_task(services.renewals.fresh_tokens(grant_id, now=clock()))
    await idp.asked_to_renew.wait()
    found = await grant(services, grant_id)
    await kept(
        services,
        UpstreamAccount(
            "corp",
            found.issuer,
            found.account,
            found.client_id,
            UpstreamTokens("by-sign-in", expires_at=clock() + 300),
        ),
    )
    await renewing
    after = await grant(services, grant_id)
    assert after.tokens.refresh_token == idp.families[0].current
    assert after.state is GrantState.ACTIVE


async def test_a_refresh_token_that_a_sign_in_brought_is_not_overwritten_by_a_renewal_of_the_old(
    replica: Replica, idp: LittleIdp, clock: Clock
) -> None:
    services = await replica()
    grant_id = await connect(services, idp)
    new = await brought(services, idp)
    clock.advance(301)
    idp.pauses = 0.2
    renewing = asyncio.create_task(services.renewals.fresh_tokens(grant_id, now=clock()))
    await idp.asked_to_renew.wait()
    assert await kept(services, new) == grant_id
    await renewing
    assert (await grant(services, grant_id)).tokens == new.tokens


async def test_nothing_of_a_grant_is_in_the_clear(replica: Replica, request: pytest.FixtureRequest) -> None:
    services = await replica()
    await new_user(services)
    secret = "correct-horse-battery-staple-4712"
    grant_id = await kept(services, again(access_token=secret, refresh_token=secret, id_token=secret))
    found = await grant(services, grant_id)
    assert secret not in repr(found)
    if "sqlite" in request.node.name:
        folder = request.getfixturevalue("tmp_path")
        for file in folder.glob("ostiary.db*"):
            assert secret.encode() not in file.read_bytes()
