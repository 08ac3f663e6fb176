"""Sessions as people and operators see them."""

from __future__ import annotations

from tests.authserver.agreed import ALICE, APP, claims_of, settings, sign_in
from tests.authserver.conftest import RESOURCE, Clock, Server, Start

from ostiary.authserver.sessions.ending import EndReason, end_all_of_client, end_all_of_user
from ostiary.authserver.sessions.listing import ListedSession, all_sessions, sessions_of_user
from ostiary.authserver.upstream_account import Identity
from ostiary.storage.store import digest

BOB = Identity(ALICE.issuer, "4711", name="Bob")
OTHER = APP | {"client_id": "other"}


async def listed(server: Server, clock: Clock, **which: str) -> list[ListedSession]:
    return await server.server.services.store.read(
        lambda connection: all_sessions(connection, now=clock(), **which)
    )


async def test_a_session_is_shown_without_anything_that_opens_it(start: Start, clock: Clock) -> None:
    async with start(settings()) as server:
        claims = await claims_of(server, (await sign_in(server))["access_token"])
        (one,) = await listed(server, clock)
    assert one == ListedSession(
        session=digest(claims["tsid"]),
        user_id=claims["sub"],
        client_id="app",
        owner="default/gateway",
        resource=RESOURCE,
        scopes=("mcp",),
        created_at=1_800_000_000.0,
        used_at=1_800_000_000.0,
        expires_at=1_802_592_000.0,
    )


async def test_those_that_live_are_listed_the_latest_first(start: Start, clock: Clock) -> None:
    async with start(settings(clients=[APP, OTHER])) as server:
        services = server.server.services
        await sign_in(server)
        clock.advance(1)
        await sign_in(server, identity=BOB, accounts=())
        clock.advance(1)
        ended = digest((await claims_of(server, (await sign_in(server))["access_token"]))["tsid"])
        assert await services.session_ender.end_session(ended, reason=EndReason.ENDED_BY_PERSON, now=clock())
        assert not await services.session_ender.end_session(
            ended, reason=EndReason.ENDED_BY_PERSON, now=clock()
        )
        bobs, alices = await listed(server, clock)
        theirs = await services.store.read(
            lambda connection: sessions_of_user(connection, bobs.user_id, now=clock())
        )
        assert theirs == [bobs]
        assert await listed(server, clock, client_id="other") == []
        assert await listed(server, clock, resource=RESOURCE) == [bobs, alices]


async def test_all_of_a_client_and_all_of_a_person_end_together(start: Start, clock: Clock) -> None:
    async with start(settings(clients=[APP, OTHER])) as server:
        store = server.server.services.store
        for person in (ALICE, BOB):
            await sign_in(server, identity=person, accounts=())
            await sign_in(server, identity=person, accounts=())
        user_id = (await listed(server, clock))[0].user_id

        ended = await store.transaction(
            lambda connection: end_all_of_user(
                connection, user_id, reason=EndReason.ENDED_BY_OPERATOR, now=clock()
            )
        )
        assert {one.reason for one in ended} == {EndReason.ENDED_BY_OPERATOR}
        assert len(ended) == len(await listed(server, clock)) == 2
        of_client = await store.transaction(
            lambda connection: end_all_of_client(
                connection, "app", reason=EndReason.CLIENT_REMOVED, now=clock()
            )
        )
        assert len(of_client) == 2
        assert await listed(server, clock) == []
