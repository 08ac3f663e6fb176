"""An entry that was pointed at another issuer, toolhive.md row 19."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from tests.authserver.conftest import Clock, Start, basic_settings
from tests.authserver.idps.conftest import signed_in
from tests.authserver.idps.little_idp import CLIENT_ID, CLIENT_SECRET, LittleIdp, little_idp

from ostiary.authserver.idps.idp import IdpRepointed
from ostiary.authserver.sessions.users import find_or_create_user
from ostiary.storage.schema import idp_issuers


def corp(issuer: str, **more: Any) -> dict[str, Any]:
    entry = {"name": "corp", "issuer": issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    return basic_settings(upstream_idps=[entry | more])


async def test_repointed_idp_inherits_no_users(start: Start, idp: LittleIdp, clock: Clock) -> None:
    """The same subject at another issuer is another person, and it is asked whether that was meant."""
    async with little_idp(clock) as other:

        async def user(settings: dict[str, Any], at: LittleIdp) -> str:
            async with start(settings) as server:
                services = server.server.services
                connected = await signed_in(services.idps["corp"], at, clock)
                identity = connected.identity
                assert identity is not None
                return await services.store.transaction(
                    lambda connection: find_or_create_user(connection, services.store, identity, now=clock())
                )

        before = await user(corp(idp.url), idp)
        with pytest.raises(IdpRepointed) as repointed:
            async with start(corp(other.url)):
                pass
        assert str(repointed.value) == (
            f"identity provider corp was {idp.url} and is {other.url} now: if that is meant, say "
            f"previous_issuer: {idp.url} in its entry; its people will be other people here"
        )
        after = await user(corp(other.url, previous_issuer=idp.url), other)
        assert before != after
        assert await user(corp(other.url), other) == after


async def test_a_confirmation_of_another_change_confirms_nothing(start: Start) -> None:
    async with start(corp("https://one.example.com")):
        pass
    with pytest.raises(IdpRepointed):
        async with start(corp("https://three.example.com", previous_issuer="https://two.example.com")):
            pass
    async with start(corp("https://one.example.com", previous_issuer="https://zero.example.com")):
        pass


async def test_an_oauth2_provider_is_known_by_its_token_endpoint(start: Start) -> None:
    hub = {
        "name": "hub",
        "type": "oauth2",
        "authorization_endpoint": "https://hub.example.com/authorize",
        "token_endpoint": "https://hub.example.com/token",
        "client_id": "ostiary",
    }
    settings = corp("https://one.example.com")
    settings["upstream_idps"].append(hub)
    async with start(settings) as server:
        query = select(idp_issuers.c.name, idp_issuers.c.issuer).order_by(idp_issuers.c.name)
        rows = await server.server.services.store.read(lambda connection: connection.execute(query).all())
    assert [tuple(row) for row in rows] == [
        ("corp", "https://one.example.com"),
        ("hub", "https://hub.example.com/token"),
    ]
    settings["upstream_idps"][1] = hub | {"token_endpoint": "https://evil.example.com/token"}
    with pytest.raises(IdpRepointed):
        async with start(settings):
            pass
