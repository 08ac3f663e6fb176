"""AnsweringClient: MCP hears why, and its session lives on."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import mcp
import pytest
from mcp.client.streamable_http import streamable_http_client
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from tests.adapters.conftest import Server
from tests.adapters.zoo_on_cloud_run import Counted

from ostiary.credentials import Bearer
from ostiary.credentials.adapters.answering_client import AnsweringClient
from ostiary.credentials.adapters.httpx2 import CredentialAuth
from ostiary.credentials.error import CredentialError, CredentialUnreachable
from ostiary.credentials.headers.token_headers import TokenHeaders
from ostiary.credentials.runtime import Runtime
from ostiary.credentials.tokens.token import Token
from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.secrets import Secret
from ostiary.settings import Listen, Settings
from ostiary.transport.serving import address_of, bind, serving
from ostiary.zoo.server import zoo_server

CALL = ("get_animals_by_species", {"species": "penguin"})


def client(url: str, token_file: Path, told: list[str]) -> AnsweringClient:
    def tell(failure: CredentialError) -> None:
        told.append(str(failure))

    auth = CredentialAuth(Bearer(token=Secret.from_file(token_file)), server_url=url)
    return AnsweringClient(auth, tell=tell)


async def test_a_request_whose_server_refuses_is_answered_with_what_to_do(
    servers: tuple[Server, Server], token_file: Path
) -> None:
    servers[0].accepted = "nothing"
    told: list[str] = []
    why = (
        f"credential bearer for {servers[0].url}/mcp: the server refused it with 401, fetched anew where "
        "that may help; see whether its audience is what the server expects, and whether its identity may "
        "call it"
    )
    async with client(servers[0].url, token_file, told) as http:
        answered = await http.post(
            f"{servers[0].url}/mcp", json={"jsonrpc": "2.0", "id": 7, "method": "ping"}
        )
        notified = await http.post(
            f"{servers[0].url}/mcp", json={"jsonrpc": "2.0", "method": "notifications/x"}
        )
    assert answered.json() == {"jsonrpc": "2.0", "id": 7, "error": {"code": -32603, "message": why}}
    assert notified.status_code == 401
    assert told == [why, why]


@pytest.mark.parametrize(
    ("headers", "size", "why"),
    [
        ({}, 17, "its answer is longer than 16777216 bytes"),
        ({"content-encoding": "gzip"}, 0, "its answer is compressed (gzip) although we asked for it plain"),
    ],
    ids=["too long", "compressed"],
)
async def test_an_answer_that_is_not_read_ends_no_session(
    token_file: Path, headers: dict[str, str], size: int, why: str
) -> None:
    inner = zoo_server().streamable_http_app(json_response=True, host="127.0.0.1")
    hostile = Response(b" " * size * 1024 * 1024, media_type="application/json", headers=headers)
    faulty = False

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (hostile if faulty else inner)(scope, receive, send)

    sock = bind(Listen("127.0.0.1", 0))
    url = f"http://{address_of(sock)}/mcp"
    async with (
        serving(app, sock),
        client(url, token_file, []) as http,
        mcp.Client(streamable_http_client(url, http_client=http), mode="legacy") as session,
    ):
        faulty = True
        with pytest.raises(mcp.MCPError) as failed:
            await session.call_tool(*CALL)
        faulty = False
        assert not (await session.call_tool(*CALL)).is_error
    assert failed.value.error.message == f"{url}: {why}"


class OffAndOn(Settings):
    """A credential that cannot always be had."""

    type: Literal["off_and_on"] = "off_and_on"

    def attach(self, server_url: CanonicalUrl, *, runtime: Runtime) -> TokenHeaders:
        return TokenHeaders(issuer, key=self.type, cache=runtime.tokens)


class Issuer:
    """Its tokens are good for an hour of the clock; it can be down."""

    credential = "off_and_on"
    endpoint = "the zoo"
    down = False
    now = 1_800_000_000.0

    async def fetch(self) -> Token:
        if self.down:
            raise CredentialUnreachable("it is down", credential="off_and_on", endpoint="the zoo", fix="wait")
        return Token(Secret("token"), self.now + 3600)


issuer = Issuer()


async def test_a_session_outlives_a_credential_that_cannot_be_had_for_a_while() -> None:
    zoo = Counted(zoo_server().streamable_http_app(json_response=True, host="127.0.0.1"))
    sock = bind(Listen("127.0.0.1", 0))
    url = f"http://{address_of(sock)}/mcp"
    runtime = Runtime(clock=lambda: issuer.now)
    auth = CredentialAuth(OffAndOn(), server_url=url, runtime=runtime)  # type: ignore[arg-type]  # this test's
    async with (
        serving(zoo, sock),
        AnsweringClient(auth) as http,
        mcp.Client(streamable_http_client(url, http_client=http), mode="legacy") as session,
    ):
        issuer.down = True
        issuer.now += 7200
        with pytest.raises(mcp.MCPError) as failed:
            await session.call_tool(*CALL)
        issuer.down = False
        issuer.now += 60
        assert not (await session.call_tool(*CALL)).is_error
    assert failed.value.error.message == "credential off_and_on for the zoo: it is down; wait"
    assert zoo.methods["initialize"] == 1
