"""What CredentialAuth does in every HTTP library, against real servers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.adapters.conftest import Server
from tests.adapters.senders import SENDERS, Open
from tests.credentials.token_server import TokenServer

from ostiary.credentials import Bearer, ClientCredentials, CredentialError, Header, NoCredential
from ostiary.secrets import Secret

Servers = tuple[Server, Server]


@pytest.fixture(params=SENDERS)
def connect(request: pytest.FixtureRequest) -> Open:
    return SENDERS[request.param]


@pytest.fixture
def bearer(token_file: Path) -> Bearer:
    return Bearer(token=Secret.from_file(token_file))


async def test_every_request_to_the_server_has_the_credential(
    connect: Open, servers: Servers, bearer: Bearer
) -> None:
    async with connect(bearer, f"{servers[0].url}/mcp") as send:
        assert await send("POST", f"{servers[0].url}/mcp", content="a") == 200
        assert await send("GET", f"{servers[0].url}/other?b=%20") == 200
    assert servers[0].seen == [("Bearer one", "a"), ("Bearer one", "")]


async def test_a_refused_token_is_replaced_and_the_request_sent_once_more(
    connect: Open, servers: Servers, bearer: Bearer, token_file: Path
) -> None:
    async with connect(bearer, servers[0].url) as send:
        await send("POST", servers[0].url, content="first")
        servers[0].accepted = "Bearer two"
        token_file.write_text("two")
        assert await send("POST", servers[0].url, content="again") == 200
    assert servers[0].seen == [("Bearer one", "first"), ("Bearer one", "again"), ("Bearer two", "again")]


async def test_a_second_refusal_is_the_answer(
    connect: Open, servers: Servers, bearer: Bearer, token_file: Path
) -> None:
    servers[0].accepted = "nothing"
    async with connect(bearer, servers[0].url) as send:
        assert await send("GET", servers[0].url) == 401
        token_file.write_text("two")
        assert await send("GET", servers[0].url) == 401
    assert [authorization for authorization, _ in servers[0].seen] == [
        "Bearer one",
        "Bearer one",
        "Bearer two",
    ]


async def test_tokens_that_had_worked_are_replaced_at_once_however_often_they_are_revoked(
    connect: Open, servers: Servers
) -> None:
    async with TokenServer().running() as issuer:
        credential = ClientCredentials(client_id="ostiary", token_url=issuer.token_url)
        async with connect(credential, servers[0].url) as send:
            for number in range(1, 6):
                servers[0].accepted = f"Bearer token-{number}"
                assert await send("POST", servers[0].url) == 200
        assert issuer.issued == 5


async def test_a_server_that_takes_no_token_makes_nobody_hammer_the_issuer(
    connect: Open, servers: Servers
) -> None:
    servers[0].accepted = "nothing"
    async with TokenServer().running() as issuer:
        credential = ClientCredentials(client_id="ostiary", token_url=issuer.token_url)
        async with connect(credential, servers[0].url) as send:
            assert {await send("POST", servers[0].url) for _ in range(10)} == {401}
        assert issuer.issued < 10


async def test_a_redirect_to_another_server_takes_no_credential_along(
    connect: Open, servers: Servers, bearer: Bearer
) -> None:
    servers[1].accepted = "Bearer one"
    async with connect(bearer, servers[0].url) as send:
        assert await send("GET", f"{servers[0].url}/?to={servers[1].url}/thief") == 401
        assert await send("GET", servers[0].url) == 200
    assert servers[0].seen == [("Bearer one", ""), ("Bearer one", "")]
    assert servers[1].seen == [(None, "")]


async def test_a_redirect_to_another_server_takes_no_api_key_along(connect: Open, servers: Servers) -> None:
    servers[1].accepted = None
    async with connect(Header(name="X-Api-Key", value=Secret("key")), servers[0].url) as send:
        assert await send("GET", f"{servers[0].url}/?to={servers[1].url}/thief") == 200
    assert [server.api_keys for server in servers] == [["key"], [None]]


async def test_a_redirect_within_the_server_arrives_with_the_credential(
    connect: Open, servers: Servers, bearer: Bearer
) -> None:
    async with connect(bearer, servers[0].url) as send:
        assert await send("POST", f"{servers[0].url}/mcp?to=/mcp/", content="body") == 200
    assert servers[0].seen[0] == servers[0].seen[-1] == ("Bearer one", "body")
    assert ("Bearer one", "body") in servers[0].seen[1:]


async def test_a_request_to_another_server_is_left_as_it_is(
    connect: Open, servers: Servers, bearer: Bearer
) -> None:
    async with connect(bearer, servers[0].url) as send:
        await send("GET", servers[1].url, {"x-api-key": "its own"})
    assert servers[1].seen == [(None, "")]
    assert servers[1].api_keys == ["its own"]


async def test_no_credential_sends_nothing(connect: Open, servers: Servers) -> None:
    async with connect(NoCredential(), servers[0].url) as send:
        assert await send("GET", servers[0].url) == 401
    assert servers[0].seen == [(None, "")]


async def test_a_credential_that_cannot_be_had_ends_the_request(
    connect: Open, servers: Servers, bearer: Bearer, token_file: Path
) -> None:
    token_file.unlink()
    async with connect(bearer, servers[0].url) as send:
        with pytest.raises(CredentialError) as refused:
            await send("GET", servers[0].url)
    assert str(refused.value) == (
        f"credential bearer for {servers[0].url}: file {token_file} cannot be read: "
        "No such file or directory; "
        "set it to the value that the server gave you"
    )
    assert servers[0].seen == []


async def test_many_requests_at_once_all_have_the_credential(
    connect: Open, servers: Servers, bearer: Bearer
) -> None:
    async with connect(bearer, servers[0].url) as send:
        assert await asyncio.gather(*(send("GET", servers[0].url) for _ in range(20))) == [200] * 20
