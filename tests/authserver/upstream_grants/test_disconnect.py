"""A grant ends with its person's wish, or with the last session that uses it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert
from tests.authserver.conftest import RESOURCE, Clock
from tests.authserver.idps.little_idp import LittleIdp
from tests.authserver.upstream_grants.conftest import OWNER, USER, Replica, brought, connect, kept

from ostiary.authserver.authorization_grant import AuthorizationGrant
from ostiary.authserver.server.services import Services
from ostiary.authserver.sessions.creation import NewSession, create_session
from ostiary.authserver.sessions.ending import EndReason
from ostiary.authserver.sessions.session import find as find_session
from ostiary.authserver.upstream_grants import offline_access as away
from ostiary.authserver.upstream_grants.grant import UpstreamGrant, find, of_session
from ostiary.oauth.server.client import Client, ClientKind
from ostiary.storage.schema import session_grants, token_sessions

REVOKED = [
    {"token": "refresh-2", "token_type_hint": "refresh_token"},
    {"token": "access-2", "token_type_hint": "access_token"},
]


async def is_there(services: Services, grant_id: str) -> bool:
    return (
        await services.store.read(lambda connection: find(connection, services.store, grant_id)) is not None
    )


async def points_to(services: Services, grant_id: str, name: str, clock: Clock) -> None:
    """One more session that may use it."""

    def begin(connection: Connection) -> None:
        connection.execute(
            insert(token_sessions).values(
                tsid_hash=name,
                user_id=USER,
                client_id="app",
                owner=OWNER,
                resource=RESOURCE,
                scopes="",
                sealed=b"",
                created_at=clock(),
                used_at=clock(),
                revalidated_at=clock(),
                expires_at=clock() + 3600,
            )
        )
        connection.execute(insert(session_grants).values(tsid_hash=name, grant_id=grant_id))

    await services.store.transaction(begin)


async def test_a_person_disconnects_an_account(
    replica: Replica, idp: LittleIdp, clock: Clock, tmp_path: Path
) -> None:
    services = await replica()
    grant_id = await connect(services, idp)
    await points_to(services, grant_id, "one", clock)
    assert await services.disconnector.disconnect(grant_id)
    assert not await is_there(services, grant_id)
    assert idp.revoked == REVOKED
    store = services.store
    left = await store.read(lambda c: of_session(c, store, "one", user_id=USER, owner=OWNER))
    assert left == []
    assert not await services.disconnector.disconnect(grant_id)
    assert json.loads((tmp_path / "audit.jsonl").read_text().splitlines()[-1]) == {
        "time": "2027-01-15T08:00:00.000+00:00",
        "event": "account_disconnected",
        "subject": USER,
        "owner": OWNER,
        "idp": "corp",
        "account": "248289761001",
        "reason": "its person disconnected it",
    }


async def test_an_account_is_disconnected_although_its_provider_is_down(
    replica: Replica, idp: LittleIdp
) -> None:
    services = await replica()
    grant_id = await connect(services, idp)
    idp.metadata = {"revocation_endpoint": "http://127.0.0.1:1/revoke"}
    assert await services.disconnector.disconnect(grant_id)
    assert not await is_there(services, grant_id)


async def test_a_grant_that_a_session_points_to_is_not_released(
    replica: Replica, idp: LittleIdp, clock: Clock
) -> None:
    services = await replica()
    grant_id = await connect(services, idp)
    await points_to(services, grant_id, "one", clock)
    await services.disconnector.release([grant_id])
    assert (await is_there(services, grant_id), idp.revoked) == (True, [])
    clock.advance(3601)
    await services.disconnector.release([grant_id, "never-there"])
    assert (await is_there(services, grant_id), idp.revoked) == (False, REVOKED)
    await services.disconnector.release([])


async def test_a_grant_that_may_be_used_away_is_not_released(
    replica: Replica, idp: LittleIdp, clock: Clock
) -> None:
    services = await replica()
    grant_id, store = await connect(services, idp), services.store
    now = clock()

    def allow(connection: Connection) -> bool:
        return away.allow(
            connection, store, user_id=USER, grant_id=grant_id, client_id="agent", until=now + 3600, now=now
        )

    assert await services.store.transaction(allow)
    await services.disconnector.release([grant_id])
    assert await is_there(services, grant_id)
    clock.advance(3601)
    await services.disconnector.release([grant_id])
    assert not await is_there(services, grant_id)


def signed_in(connected: Any, clock: Clock) -> AuthorizationGrant:
    assert connected.identity is not None
    return AuthorizationGrant(
        client_id="app",
        identity=connected.identity,
        resource=RESOURCE,
        owner=OWNER,
        scopes=(),
        auth_time=int(clock()),
        accounts=(connected,),
    )


async def begun(services: Services, authorized: AuthorizationGrant, clock: Clock) -> str:
    """A session of somebody who signed in: the hash of its tsid."""
    client = Client("app", ClientKind.PREREGISTERED)
    target = services.resources.find(RESOURCE)
    assert target is not None
    new = NewSession(authorized, client, target, None)
    now, life = clock(), services.settings.tokens
    await services.store.transaction(
        lambda connection: create_session(connection, services.store, new, life, now=now)
    )
    return new.tsid_hash


async def usable(services: Services, tsid_hash: str) -> list[UpstreamGrant]:
    """What a session may use."""

    def look(connection: Connection) -> list[UpstreamGrant]:
        session = find_session(connection, services.store, tsid_hash)
        assert session is not None
        whose = {"user_id": session.user_id, "owner": session.owner}
        return of_session(connection, services.store, tsid_hash, **whose)

    return await services.store.read(look)


async def test_two_sessions_share_a_grant(replica: Replica, idp: LittleIdp, clock: Clock) -> None:
    """And no copy of its refresh token: it lives until the last of them ends, and then ends upstream."""
    services = await replica()
    one = await begun(services, signed_in(await brought(services, idp), clock), clock)
    other = await begun(services, signed_in(await brought(services, idp), clock), clock)
    shared = [await usable(services, session) for session in (one, other)]
    assert [[grant.id for grant in grants] for grants in shared] == [[shared[0][0].id]] * 2
    await services.session_ender.end_session(one, reason=EndReason.ENDED_BY_PERSON, now=clock())
    await services.background.finish()
    assert (await is_there(services, shared[0][0].id), idp.revoked) == (True, [])
    await services.session_ender.end_session(other, reason=EndReason.ENDED_BY_PERSON, now=clock())
    await services.background.finish()
    assert not await is_there(services, shared[0][0].id)
    assert [sent["token"] for sent in idp.revoked] == ["refresh-4", "access-4"]


async def test_a_session_that_begins_while_the_last_one_ends_keeps_its_grant_or_has_a_new_one(
    replica: Replica, idp: LittleIdp, clock: Clock
) -> None:
    one, other = await replica(), await replica()
    for _ in range(5):
        first = await begun(one, signed_in(await brought(one, idp), clock), clock)
        second, _ended = await asyncio.gather(
            begun(other, signed_in(await brought(other, idp), clock), clock),
            one.session_ender.end_session(first, reason=EndReason.ENDED_BY_PERSON, now=clock()),
        )
        await one.background.finish()
        assert len(await usable(other, second)) == 1
        await other.session_ender.end_session(second, reason=EndReason.ENDED_BY_PERSON, now=clock())
        await other.background.finish()


async def may(services: Services, grant_id: str, client_id: str, now: float) -> bool:
    store = services.store
    return await store.read(
        lambda connection: away.is_allowed(connection, store, grant_id=grant_id, client_id=client_id, now=now)
    )


@pytest.mark.parametrize("whose", [USER, "somebody-else"])
async def test_only_its_person_lets_a_grant_be_used_away(
    whose: str, replica: Replica, idp: LittleIdp, clock: Clock
) -> None:
    services = await replica()
    grant_id, now = await connect(services, idp), clock()

    def allow(connection: Connection) -> bool:
        return away.allow(
            connection, store, user_id=whose, grant_id=grant_id, client_id="agent", until=now + 60, now=now
        )

    mine = whose == USER
    store = services.store
    assert await store.transaction(allow) is mine
    for client, at, outcome in (("agent", now, mine), ("another", now, False), ("agent", now + 60, False)):
        assert await may(services, grant_id, client, at) is outcome


async def test_a_permission_is_renewed_listed_and_taken_back(
    replica: Replica, idp: LittleIdp, clock: Clock
) -> None:
    services = await replica()
    grant_id, now = await connect(services, idp), clock()
    await kept(services, await brought(services, idp))

    def work(connection: Connection) -> list[away.OfflineAccessPermission]:
        for until in (now + 60, now + 120):
            leave = {"user_id": USER, "grant_id": grant_id, "client_id": "agent"}
            away.allow(connection, store, **leave, until=until, now=now)
        return away.of_user(connection, store, USER, now=now)

    store = services.store
    assert await store.transaction(work) == [away.OfflineAccessPermission(grant_id, "agent", now, now + 120)]

    def forbid(connection: Connection, user_id: str) -> bool:
        return away.forbid(connection, user_id=user_id, grant_id=grant_id, client_id="agent")

    assert not await store.transaction(lambda connection: forbid(connection, "somebody-else"))
    assert await store.transaction(lambda connection: forbid(connection, USER))
    assert not await store.transaction(lambda connection: forbid(connection, USER))
    assert await store.read(lambda connection: away.of_user(connection, store, USER, now=now)) == []
