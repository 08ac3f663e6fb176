"""Clients that nobody vouches for have a ceiling, whatever a person agrees to: `registration.scopes`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import select
from tests.authserver.conftest import RESOURCE, Clock, Server, Start, basic_settings
from tests.authserver.person import World, world, world_settings

from ostiary.authserver import AuthServerSettings
from ostiary.authserver.server.discovery import discovery_document
from ostiary.storage.schema import clients

BEYOND = "The scope admin is unknown here, or not for this client"
HIGH = {
    "resource": RESOURCE,
    "owner": "default/gateway",
    "scopes": ["mcp", "write", "admin"],
    "idps": ["corp"],
}


def resource(**more: Any) -> list[dict[str, Any]]:
    return [HIGH | more]


BY_DEFAULT: dict[str, Any] = {"resources": resource(default_scopes=["mcp"])}
BY_REGISTRATION: dict[str, Any] = {
    "resources": resource(),
    "registration": {"dynamic": True, "scopes": ["mcp", "write"]},
}


async def granted(here: World, asked: str | None, **metadata: Any) -> str:
    """What a stranger gets that somebody agrees to."""
    client_id = await here.stranger(**metadata)
    tokens = await (await here.person()).tokens(client_id=client_id, scope=asked)
    return str(tokens["scope"])


@pytest.mark.parametrize(
    ("settings", "most"), [(BY_DEFAULT, "mcp"), (BY_REGISTRATION, "mcp write")], ids=["default", "named"]
)
async def test_a_stranger_that_asks_for_nothing_gets_no_admin(
    start: Start, clock: Clock, settings: dict[str, Any], most: str
) -> None:
    async with world(start, clock, **settings) as here:
        assert await granted(here, None) == most


async def test_a_stranger_that_asks_for_admin_gets_nothing(start: Start, clock: Clock) -> None:
    async with world(start, clock, **BY_REGISTRATION) as here:
        client_id = await here.stranger(scope="mcp admin")
        seen = await (await here.person()).authorize(client_id=client_id, scope="mcp admin")
        assert here.corp.departures == []
    assert BEYOND in seen.text


async def test_what_a_stranger_registered_is_no_trap(start: Start, clock: Clock) -> None:
    """It has registered when our metadata tells it of `offline_access`, and a challenge of `write`."""
    async with world(start, clock, **BY_REGISTRATION) as here:
        assert await granted(here, "mcp offline_access", scope="mcp") == "mcp offline_access"
        assert await granted(here, "mcp write", scope="mcp") == "mcp write"
        assert await granted(here, None, scope="mcp root") == "mcp"


async def test_the_scopes_of_a_stranger_s_session_shrink_with_the_ceiling(start: Start, clock: Clock) -> None:
    async with world(start, clock, **BY_REGISTRATION) as here:
        client_id = await here.stranger(grant_types=["authorization_code", "refresh_token"])
        tokens = await (await here.person()).tokens(client_id=client_id, scope="mcp write")
        assert tokens["scope"] == "mcp write"
        registration = {"dynamic": True, "scopes": ["mcp"]}
        lowered = world_settings(here.corp, here.hub) | {
            "resources": resource(),
            "registration": registration,
        }
        async with start(lowered) as server:
            form = {"grant_type": "refresh_token", "client_id": client_id}
            renewed = await server.token(form | {"refresh_token": tokens["refresh_token"]})
    assert renewed.json()["scope"] == "mcp"


async def test_the_operator_s_own_clients_have_what_the_resource_has(start: Start, clock: Clock) -> None:
    async with world(start, clock, **BY_REGISTRATION) as here:
        assert (await (await here.person()).tokens(scope="mcp admin"))["scope"] == "mcp admin"


async def kept(server: Server) -> list[str]:
    return await server.server.services.store.read(
        lambda connection: list(connection.execute(select(clients.c.metadata)).scalars())
    )


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("mcp root <admin>", "mcp"),
        ("write mcp offline_access admin", "mcp offline_access write"),
        ("root", None),
    ],
)
async def test_an_unknown_scope_of_a_registration_is_neither_kept_nor_told(
    start: Start, named: str, told: str | None
) -> None:
    registration = {"dynamic": True, "scopes": ["mcp", "write"]}
    async with start(basic_settings(resources=resource(), registration=registration)) as server:
        said = {"redirect_uris": ["http://127.0.0.1/cb"], "scope": named}
        answered = await server.http.post(f"{server.issuer}/oauth/register", json=said)
        (row,) = await kept(server)
    assert answered.status_code == 201
    assert answered.json().get("scope") == told
    for word in ("root", "admin"):
        assert word not in answered.text
        assert word not in row


async def test_what_the_metadata_offers_a_stranger_may_ask_for(start: Start, clock: Clock) -> None:
    async with world(start, clock, **BY_REGISTRATION) as here:
        offered = discovery_document(here.server.server.settings)["scopes_supported"]
        assert offered == ["mcp", "write", "openid", "profile", "email", "offline_access"]
        assert await granted(here, " ".join(offered)) == " ".join(offered)


async def test_the_consent_page_has_words_for_each_scope(start: Start, clock: Clock) -> None:
    described = resource(default_scopes=["mcp", "admin"], scope_descriptions={"mcp": "Use the tools"})
    async with world(start, clock, resources=described) as here:
        client_id = await here.stranger()
        page = await (await here.person()).authorize(client_id=client_id, scope="mcp admin email")
        listed = [item.text for item in page.html.all("li") if any(item.all("code"))][:3]
    assert listed == [
        "Use the tools mcp",
        "Do what the server calls “admin” admin",
        "See your e-mail address email",
    ]


# what the file has to say


def read(**more: Any) -> AuthServerSettings:
    return AuthServerSettings.model_validate(
        {"issuer": "http://127.0.0.1:9000"} | basic_settings(**more),
        context={"insecure_inline_secrets": True},
    )


def refusal(**more: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        read(**more)
    (fault,) = refused.value.errors()
    return str(fault["msg"]).removeprefix("Value error, ")


@pytest.mark.parametrize(
    "registration",
    [{}, {"dynamic": True}, {"dynamic": True, "client_id_metadata_documents": False}],
    ids=["documents", "both", "dynamic"],
)
def test_where_strangers_are_let_in_several_scopes_need_a_ceiling(registration: dict[str, Any]) -> None:
    assert refusal(resources=resource(), registration=registration) == (
        f"resource {RESOURCE} has several scopes, and clients that nobody vouches for could have them all: "
        "write its default_scopes, which bounds them, or registration.scopes"
    )


def test_a_ceiling_of_no_resource_is_a_fault() -> None:
    assert refusal(resources=resource(), registration={"scopes": ["mcp", "root"]}) == (
        "registration.scopes has root, which no resource has in scopes"
    )


@pytest.mark.parametrize(
    "more",
    [
        {"resources": resource(scopes=["mcp"])},
        {"resources": resource(default_scopes=[])},
        {"resources": resource(), "registration": {"scopes": []}},
        {"resources": resource(), "registration": {"client_id_metadata_documents": False}},
        {"resources": resource(idps=[])},
    ],
    ids=["one scope", "default", "named", "no strangers", "programs alone"],
)
def test_a_ceiling_is_not_asked_for_where_it_changes_nothing(more: dict[str, Any]) -> None:
    read(**more)
