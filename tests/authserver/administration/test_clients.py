"""Clients that the operator registers, lists and removes by command."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import insert, select
from tests.authserver.clients.conftest import REDIRECT
from tests.authserver.clients.signing import new_key, public
from tests.authserver.conftest import Clock, Start, basic_settings

from ostiary.authserver.administration.clients import ClientRefused, add_client, list_clients, remove_client
from ostiary.authserver.clients.configured_clients import configured_client
from ostiary.authserver.config import ClientSettings
from ostiary.oauth.server.client import ClientKind
from ostiary.storage.schema import clients, token_sessions, users

MACHINE = {
    "client_id": "robot",
    "client_name": "The robot",
    "grant_types": ["client_credentials"],
    "scopes": ["mcp"],
    "resources": ["https://mcp.example.com/mcp"],
    "token_endpoint_auth_method": "client_secret_basic",
}
FORM = {"grant_type": "client_credentials"}


async def test_a_client_is_registered_while_the_server_runs(start: Start, clock: Clock) -> None:
    async with start() as server:
        store = server.server.services.store
        added = await add_client(store, MACHINE, now=clock())
        assert added.secret is not None
        answered = await server.token(FORM, auth=(added.client_id, added.secret.reveal()))
        rows = str(await store.read(lambda c: c.execute(select(clients)).all()))
        client = await server.server.services.clients.find("robot")
    assert answered.json()["scope"] == "mcp"
    assert added.secret.reveal() not in rows
    assert added.secret.reveal() not in repr(added)
    assert client is not None
    assert client.is_preregistered
    assert client.allowed_resources == frozenset({"https://mcp.example.com/mcp"})


@pytest.mark.parametrize(
    "metadata",
    [
        {"redirect_uris": [REDIRECT], "application_type": "native", "dpop_bound_access_tokens": True},
        {"grant_types": ["client_credentials", "jwt_bearer"], "jwks": public(new_key())},
        {
            "grant_types": ["token_exchange"],
            "token_endpoint_auth_method": "tls_client_auth",
            "tls_client_auth_san_uri": "spiffe://example.com/robot",
            "tls_client_certificate_bound_access_tokens": True,
        },
        {
            "grant_types": ["token_exchange"],
            "token_endpoint_auth_method": "tls_client_auth",
            "tls_client_auth_subject_dn": "CN=robot,O=Example",
        },
    ],
)
async def test_a_client_is_found_as_it_was_registered(
    start: Start, clock: Clock, metadata: dict[str, Any]
) -> None:
    async with start() as server:
        added = await add_client(server.server.services.store, metadata, now=clock())
        found = await server.server.services.clients.find(added.client_id)
    assert added.secret is None
    in_the_file = {"client_id": added.client_id, **metadata}
    assert found == configured_client(ClientSettings.model_validate(in_the_file), [])


async def test_a_name_is_given_once(start: Start, clock: Clock) -> None:
    async with start() as server:
        await add_client(server.server.services.store, MACHINE, now=clock())
        with pytest.raises(ClientRefused) as refused:
            await add_client(server.server.services.store, MACHINE, now=clock())
    assert str(refused.value) == "there is a client robot already: remove it, or choose another name"


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        (
            {"client_id": "https://client.example/client.json", "redirect_uris": [REDIRECT]},
            "a client_id that is an https URL is a client that describes itself there",
        ),
        (
            {"grant_types": ["client_credentials"], "token_endpoint_auth_method": "private_key_jwt"},
            "private_key_jwt needs jwks or jwks_uri; a workload's client stands in ostiary.yaml",
        ),
    ],
)
async def test_what_only_a_file_can_have_is_refused(
    start: Start, clock: Clock, metadata: dict[str, Any], reason: str
) -> None:
    async with start() as server:
        with pytest.raises(ClientRefused) as refused:
            await add_client(server.server.services.store, metadata, now=clock())
    assert str(refused.value) == reason


async def test_a_typing_error_is_refused(start: Start, clock: Clock) -> None:
    async with start() as server:
        with pytest.raises(ValidationError):
            await add_client(server.server.services.store, MACHINE | {"redirect_uri": REDIRECT}, now=clock())


async def test_the_list_has_who_registered_and_no_secret(start: Start, clock: Clock) -> None:
    settings = basic_settings(registration={"dynamic": True, "dynamic_lifetime": "10d"})
    async with start(settings) as server:
        await add_client(server.server.services.store, MACHINE, now=clock())
        clock.advance(60)
        await server.http.post(f"{server.issuer}/oauth/register", json={"redirect_uris": [REDIRECT]})
        listed = await list_clients(server.server.services.store, now=clock())
        clock.advance(10 * 86400)
        later = await list_clients(server.server.services.store, now=clock())
    assert [(one.client.kind, one.expires_at) for one in listed] == [
        (ClientKind.DYNAMIC, 1_800_000_060 + 10 * 86400),
        (ClientKind.PREREGISTERED, None),
    ]
    assert "digest" not in repr(listed)
    assert [one.client.client_id for one in later] == ["robot"]


async def test_a_removed_client_and_its_sessions_end(start: Start, clock: Clock) -> None:
    async with start() as server:
        store = server.server.services.store
        await add_client(store, MACHINE, now=clock())
        user = {"id": "u", "issuer": "i", "subject": "s", "sealed": b"", "created_at": 0, "seen_at": 0}
        session = {
            "tsid_hash": "h",
            "user_id": "u",
            "client_id": "robot",
            "owner": "default/gateway",
            "resource": "https://mcp.example.com/mcp",
            "scopes": "mcp",
            "sealed": b"",
            "created_at": clock(),
            "used_at": clock(),
            "revalidated_at": clock(),
            "expires_at": clock() + 60,
        }
        await store.transaction(lambda c: c.execute(insert(users).values(user)) and None)
        await store.transaction(lambda c: c.execute(insert(token_sessions).values(session)) and None)
        ended = await remove_client(store, "robot", now=clock())
        again = await remove_client(store, "robot", now=clock())
        found = await server.server.services.clients.find("robot")
    assert ended is not None
    assert [(one.tsid_hash, str(one.reason)) for one in ended] == [("h", "client_removed")]
    assert again is None
    assert found is None
