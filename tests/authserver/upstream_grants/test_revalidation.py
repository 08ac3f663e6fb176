"""Whether the person still exists is asked when a session goes on, OpenID Connect Core section 12."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.authserver.conftest import RESOURCE, Clock
from tests.authserver.idps.little_idp import LittleIdp
from tests.authserver.upstream_grants.conftest import OWNER, Replica, brought, grant

from ostiary.authserver.authorization_grant import AuthorizationGrant
from ostiary.authserver.server.services import Services
from ostiary.authserver.sessions.creation import NewSession, create_session
from ostiary.authserver.sessions.session import Session
from ostiary.authserver.sessions.session import find as find_session
from ostiary.authserver.upstream_grants.grant import GrantState
from ostiary.oauth.server.client import Client, ClientKind
from ostiary.oauth.server.errors import InvalidGrant, Unavailable

DOWN = "the identity provider cannot be asked now; nothing was spent"
OF_NO_USE = (
    "the identity provider gave no answer that says whether the person still exists; "
    "this refresh token is as good as before"
)
GONE = "the identity provider does not vouch for the person any more: they have to sign in again"


async def signed_in(services: Services, idp: LittleIdp) -> Session:
    """The session of somebody who signed in."""
    connected, now = await brought(services, idp), services.clock()
    target = services.resources.find(RESOURCE)
    assert connected.identity is not None
    assert target is not None
    authorized = AuthorizationGrant("app", connected.identity, RESOURCE, OWNER, (), int(now), (connected,))
    new = NewSession(authorized, Client("app", ClientKind.PREREGISTERED), target, None)
    life = services.settings.tokens
    await services.store.transaction(
        lambda connection: create_session(connection, services.store, new, life, now=now)
    )
    return await session(services, new.tsid_hash)


async def session(services: Services, tsid_hash: str) -> Session:
    found = await services.store.read(lambda connection: find_session(connection, services.store, tsid_hash))
    assert found is not None
    return found


async def ask(services: Services, of: Session) -> None:
    await services.revalidator.revalidate(of, address="127.0.0.1", now=services.clock())


async def test_on_refresh_each_time(replica: Replica, idp: LittleIdp, clock: Clock) -> None:
    services = await replica()
    signed = await signed_in(services, idp)
    for asked in range(1, 4):
        clock.advance(1)
        await ask(services, signed)
        assert len(idp.renewed) == asked
    assert (await session(services, signed.tsid_hash)).revalidated_at == clock()


async def test_no_oftener_than_a_duration(replica: Replica, idp: LittleIdp, clock: Clock) -> None:
    services = await replica(revalidate="1h")
    signed = await signed_in(services, idp)
    clock.advance(3599)
    await ask(services, signed)
    assert idp.renewed == []
    clock.advance(1)
    await ask(services, signed)
    await ask(services, await session(services, signed.tsid_hash))
    assert len(idp.renewed) == 1


@pytest.mark.parametrize("settings", [{"revalidate": "never"}, {}], ids=["never", "no refresh token"])
async def test_not_at_all(settings: dict[str, Any], replica: Replica, idp: LittleIdp, clock: Clock) -> None:
    idp.answer = {} if settings else {"refresh_token": None}
    services = await replica(**settings)
    signed = await signed_in(services, idp)
    clock.advance(90 * 24 * 3600)
    await ask(services, signed)
    assert idp.renewed == []


async def test_a_person_who_left_ends_the_session(
    replica: Replica, idp: LittleIdp, clock: Clock, tmp_path: Path
) -> None:
    services = await replica()
    signed = await signed_in(services, idp)
    idp.revoke_everything()
    with pytest.raises(InvalidGrant) as refused:
        await ask(services, signed)
    assert refused.value.description == GONE
    assert (await session(services, signed.tsid_hash)).ended_at == clock()
    await services.background.finish()
    told = [json.loads(line)["event"] for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [event for event in told if event != "key_made"] == [
        "account_needs_reconnect",
        "person_gone",
        "session_ended",
        "account_disconnected",
    ]


@pytest.mark.parametrize(("status", "after", "wait"), [(503, "17", 17), (500, None, 5), (200, None, 10)])
async def test_a_provider_that_cannot_say_spends_nothing(
    status: int, after: str | None, wait: int, replica: Replica, idp: LittleIdp, clock: Clock
) -> None:
    services = await replica()
    signed = await signed_in(services, idp)
    headers = {} if after is None else {"retry-after": after}
    idp.raw = lambda: web.Response(status=status, headers=headers, text="<html>")
    with pytest.raises(Unavailable) as refused:
        await ask(services, signed)
    assert refused.value.description == (DOWN if status == 503 else OF_NO_USE)
    assert refused.value.retry_after == wait
    assert (await session(services, signed.tsid_hash)).lives(clock())
    idp.raw = None
    await ask(services, signed)
    assert (await grant(services, str(signed.secret.grant_id))).state is GrantState.ACTIVE


async def test_whoever_gets_a_refresh_token_still_exists(
    replica: Replica, idp: LittleIdp, clock: Clock
) -> None:
    """The rest of the answer is of no use; the refresh token in it took the place of the spent one."""
    services = await replica()
    signed = await signed_in(services, idp)
    idp.answer = {"token_type": "mac"}
    for _ in range(2):
        clock.advance(1)
        await ask(services, signed)
    assert (await session(services, signed.tsid_hash)).revalidated_at == clock()
    assert (len(idp.renewed), idp.reuses) == (2, 0)


async def test_without_a_refresh_token_userinfo_is_asked(
    replica: Replica, idp: LittleIdp, clock: Clock
) -> None:
    """GitHub's way: an access token that does not end, and no refresh token."""
    idp.answer = {"refresh_token": None, "expires_in": None, "id_token": None}
    services = await replica(
        type="oauth2",
        authorization_endpoint=f"{idp.url}/authorize",
        token_endpoint=f"{idp.url}/token",
        userinfo={"url": f"{idp.url}/userinfo"},
        issuer=idp.url,
    )
    signed = await signed_in(services, idp)
    clock.advance(1)
    await ask(services, signed)
    assert idp.paths.count("/userinfo") == 2
    assert (await session(services, signed.tsid_hash)).revalidated_at == clock()
    idp.refuses_access_tokens = True
    with pytest.raises(InvalidGrant) as refused:
        await ask(services, signed)
    assert refused.value.description == GONE
    assert (await session(services, signed.tsid_hash)).ended_at == clock()


async def test_replicas_that_ask_at_once_ask_once(replica: Replica, idp: LittleIdp, clock: Clock) -> None:

    one, other = await replica(), await replica()
    signed = await signed_in(one, idp)
    idp.pauses = 0.2
    await asyncio.gather(*(ask(services, signed) for services in (one, other, one, other)))
    assert (len(idp.renewed), idp.reuses) == (1, 0)
