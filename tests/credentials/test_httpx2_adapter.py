"""CredentialAuth on an httpx2 client, against a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiohttp import web

from ostiary.credentials import Bearer, CredentialError, Header, NoCredential
from ostiary.credentials.adapters.httpx2 import CredentialAuth
from ostiary.secrets import Secret


class Server:
    """Accepts one token, notes what it was sent, and redirects when asked to."""

    def __init__(self) -> None:
        self.url = ""
        self.accepted = "Bearer one"
        self.seen: list[tuple[str | None, str]] = []
        self.api_keys: list[str | None] = []

    async def answer(self, request: web.Request) -> web.Response:
        authorization = request.headers.get("authorization")
        self.seen.append((authorization, await request.text()))
        self.api_keys.append(request.headers.get("x-api-key"))
        if target := request.query.get("to"):
            return web.Response(status=307, headers={"location": target})
        return web.Response(status=200 if authorization == self.accepted else 401)


@pytest.fixture
async def servers() -> AsyncIterator[tuple[Server, Server]]:
    pair, runners = (Server(), Server()), []
    for server in pair:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", server.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = "http://{}:{}".format(*runner.addresses[0][:2])
        runners.append(runner)
    yield pair
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("one")
    return path


def client(server: Server, token_file: Path, **options: Any) -> httpx2.AsyncClient:
    auth = CredentialAuth(Bearer(token=Secret.from_file(token_file)), server_url=f"{server.url}/mcp")
    return httpx2.AsyncClient(auth=auth, **options)


async def test_every_request_to_the_server_has_the_credential(
    servers: tuple[Server, Server], token_file: Path
) -> None:
    async with client(servers[0], token_file) as http:
        assert (await http.post(f"{servers[0].url}/mcp", content="a")).status_code == 200
        assert (await http.get(f"{servers[0].url}/other")).status_code == 200
    assert servers[0].seen == [("Bearer one", "a"), ("Bearer one", "")]


async def test_a_refused_token_is_replaced_and_the_request_sent_once_more(
    servers: tuple[Server, Server], token_file: Path
) -> None:
    async with client(servers[0], token_file) as http:
        await http.post(servers[0].url, content="first")
        servers[0].accepted = "Bearer two"
        token_file.write_text("two")  # noqa: ASYNC240 - a file of three letters
        assert (await http.post(servers[0].url, content="again")).status_code == 200
    assert servers[0].seen == [("Bearer one", "first"), ("Bearer one", "again"), ("Bearer two", "again")]


async def test_a_second_refusal_is_the_answer(servers: tuple[Server, Server], token_file: Path) -> None:
    servers[0].accepted = "nothing"
    async with client(servers[0], token_file) as http:
        assert (await http.get(servers[0].url)).status_code == 401
        token_file.write_text("two")  # noqa: ASYNC240 - a file of three letters
        assert (await http.get(servers[0].url)).status_code == 401
    assert [authorization for authorization, _ in servers[0].seen] == [
        "Bearer one",
        "Bearer one",
        "Bearer two",
    ]


async def test_a_redirect_to_another_server_takes_no_credential_along(
    servers: tuple[Server, Server], token_file: Path
) -> None:
    async with client(servers[0], token_file, follow_redirects=True) as http:
        await http.get(servers[0].url, params={"to": f"{servers[1].url}/thief"})
    assert servers[0].seen == [("Bearer one", "")]
    assert servers[1].seen == [(None, "")]


async def test_a_redirect_to_another_server_takes_no_api_key_along(servers: tuple[Server, Server]) -> None:
    auth = CredentialAuth(Header(name="X-Api-Key", value=Secret("key")), server_url=servers[0].url)
    async with httpx2.AsyncClient(auth=auth, follow_redirects=True) as http:
        await http.get(servers[0].url, params={"to": f"{servers[1].url}/thief"})
    assert [server.api_keys for server in servers] == [["key"], [None]]


async def test_a_request_to_another_server_is_left_as_it_is(
    servers: tuple[Server, Server], token_file: Path
) -> None:
    async with client(servers[0], token_file) as http:
        await http.get(servers[1].url, headers={"authorization": "Bearer its own"})
    assert servers[1].seen == [("Bearer its own", "")]


async def test_no_credential_sends_nothing(servers: tuple[Server, Server]) -> None:
    auth = CredentialAuth(NoCredential(), server_url=servers[0].url)
    async with httpx2.AsyncClient(auth=auth) as http:
        assert (await http.get(servers[0].url)).status_code == 401
    assert servers[0].seen == [(None, "")]


async def test_a_credential_that_cannot_be_had_ends_the_request(
    servers: tuple[Server, Server], token_file: Path
) -> None:
    token_file.unlink()  # noqa: ASYNC240 - a file of three letters
    async with client(servers[0], token_file) as http:
        with pytest.raises(CredentialError) as refused:
            await http.get(servers[0].url)
    assert str(refused.value) == (
        f"credential bearer for {servers[0].url}: file {token_file} cannot be read: "
        "No such file or directory; "
        "set it to the value that the server gave you"
    )
    assert servers[0].seen == []


def test_a_synchronous_client_is_told_rather_than_sent_without(token_file: Path) -> None:
    auth = CredentialAuth(Bearer(token=Secret.from_file(token_file)), server_url="http://127.0.0.1:1")
    with (
        httpx2.Client(auth=auth) as http,
        pytest.raises(
            TypeError, match=r"^CredentialAuth fetches tokens asynchronously: use httpx2.AsyncClient$"
        ),
    ):
        http.get("http://127.0.0.1:1")
