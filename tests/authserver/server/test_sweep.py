"""What has had its time is deleted, in pieces, and nothing else."""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select
from tests.authserver.agreed import events, give_code, refresh, refusal, settings, sign_in
from tests.authserver.conftest import Clock, Server, Start
from tests.authserver.person import world

from ostiary.authserver.server import sweep as sweeping
from ostiary.authserver.server.sweep import sweep
from ostiary.authserver.sessions.expired_sessions import KEPT_ENDED
from ostiary.storage.expiry import BATCH
from ostiary.storage.schema import (
    codes,
    metadata,
    refresh_tokens,
    session_grants,
    token_sessions,
    upstream_grants,
    used_once,
)

DAY = 24 * 3600.0


async def rows(server: Server) -> dict[str, int]:
    """Of each table that has some."""

    def count(connection: Connection) -> dict[str, int]:
        tables = metadata.tables.values()
        found = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in tables
        }
        return {name: number for name, number in found.items() if number}

    return await server.server.services.store.read(count)


async def test_what_lives_stays(start: Start, clock: Clock) -> None:
    async with start(settings()) as server:
        tokens = await sign_in(server)
        await give_code(server)
        before = await rows(server)
        await sweep(server.server.services, now=clock())
        assert await rows(server) == before
        assert (await refresh(server, tokens["refresh_token"])).status_code == 200


async def test_a_code_that_nobody_redeemed_goes_with_the_tokens_in_it(start: Start, clock: Clock) -> None:
    async with start(settings()) as server:
        await give_code(server)
        clock.advance(60)
        await sweep(server.server.services, now=clock())
        assert codes.name not in await rows(server)


async def test_a_redeemed_code_stays_as_long_as_its_replay_ends_something(start: Start, clock: Clock) -> None:
    async with start(settings()) as server:
        await sign_in(server)
        clock.advance(DAY - 1)
        await sweep(server.server.services, now=clock())
        assert (await rows(server))["codes"] == 1
        clock.advance(1)
        await sweep(server.server.services, now=clock())
        assert "codes" not in await rows(server)


async def test_a_session_that_expired_ends_and_is_forgotten_later(start: Start, clock: Clock) -> None:
    async with start(settings()) as server:
        services = server.server.services
        token = (await sign_in(server))["refresh_token"]
        clock.advance(30 * DAY)
        await sweep(services, now=clock())
        await services.background.finish()
        (ended,) = events(server, "session_ended")
        assert ended["reason"] == "expired"
        assert [event["idp"] for event in events(server, "account_disconnected")] == ["corp"]
        assert {token_sessions.name} <= (await rows(server)).keys()
        clock.advance(KEPT_ENDED)
        await sweep(services, now=clock())
        left = await rows(server)
        assert left.keys() == {"users", "signing_keys", "encryption_keys", "idp_issuers"}
        refused = await refresh(server, token)
    assert refused.json() == refusal("the refresh token is unknown, or not this client's")


async def test_grants_that_we_died_before_letting_go_are_let_go_with_the_last_trace(
    start: Start, clock: Clock
) -> None:
    async with world(start, clock) as here:
        await (await here.person()).tokens()
        services = here.server.server.services
        await services.store.transaction(  # as if nothing had followed the commit
            lambda connection: connection.execute(
                token_sessions.update().values(ended_at=clock(), ended_because="revoked")
            )
        )
        clock.advance(KEPT_ENDED)
        await sweep(services, now=clock())
        left = await rows(here.server)
        assert here.corp.revoked != []
    for table in (token_sessions, session_grants, refresh_tokens, upstream_grants):
        assert table.name not in left


async def test_many_rows_go_in_pieces(start: Start, clock: Clock) -> None:
    async with start(settings()) as server:
        services = server.server.services
        many = [{"value_hash": f"{number:064}", "expires_at": clock()} for number in range(2 * BATCH + 1)]
        await services.store.transaction(lambda connection: connection.execute(insert(used_once), many))
        deleted = await services.store.transaction(
            lambda connection: sweeping._delete_ended(connection, clock())
        )
        assert deleted == BATCH
        await sweep(services, now=clock())
        assert "used_once" not in await rows(server)


async def test_every_table_with_an_end_is_swept_or_ends_otherwise() -> None:
    """A table that is added later is not forgotten here."""
    swept = {expiry.table.name for expiry in sweeping.EXPIRIES} | {"token_sessions"}
    by_others = {"shared_tokens", "upstream_grants"}
    have_an_end = {
        table.name
        for table in metadata.tables.values()
        if {"expires_at", "until", "kept_until"} & set(table.columns.keys())
    }
    assert have_an_end == swept | by_others
