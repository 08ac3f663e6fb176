"""Several credentials on one request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiohttp import web
from pydantic import TypeAdapter, ValidationError
from tests.credentials.token_server import TokenServer

from ostiary.cloudrun.emulator import Emulator, EmulatorSettings
from ostiary.credentials import (
    Bearer,
    Chain,
    ClientCredentials,
    Credential,
    CredentialError,
    GoogleIdToken,
    Header,
    NoCredential,
)
from ostiary.credentials.adapters.httpx2 import CredentialAuth
from ostiary.credentials.headers.headers import OutgoingRequest, ServerRefusal
from ostiary.credentials.runtime import Runtime
from ostiary.gateway.config import ServerSettings
from ostiary.oauth.canonical_url import canonical_url
from ostiary.secrets import Secret

CREDENTIAL: TypeAdapter[Any] = TypeAdapter(Credential)
SERVER = canonical_url("https://mcp.example.com/mcp")
REQUEST = OutgoingRequest("POST", SERVER)
KEY = {"type": "header", "name": "X-Api-Key", "value": {"env": "KEY"}}


def test_a_list_of_credentials_is_read_as_a_chain() -> None:
    server = ServerSettings.model_validate(
        {"url": str(SERVER), "credential": [KEY, {"type": "bearer", "token": {"env": "TOKEN"}}]}
    )
    assert server.credential == Chain(
        (Header(name="X-Api-Key", value=Secret.from_env("KEY")), Bearer(token=Secret.from_env("TOKEN")))
    )
    assert server.credential.type == "header + bearer"


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ([], "at least 1 item"),
        ([KEY, KEY], "header and header both set the header x-api-key: leave out all but one"),
        (
            [{"type": "google_id_token"}, {"type": "client_credentials", "client_id": "a"}],
            "both set the header authorization: set header: x-serverless-authorization for google_id_token",
        ),
        (
            [
                {"type": "bearer", "token": {"env": "T"}},
                {"type": "aws_sigv4", "region": "r", "role": "arn:aws:iam::123456789012:role/r"},
            ],
            "bearer and aws_sigv4 both set the header authorization: leave out all but one",
        ),
        ([{"type": "magic"}], "'magic' found using 'type' does not match any of the expected tags"),
        ([[KEY]], "Input should be a valid dictionary"),
    ],
)
def test_a_list_that_could_not_be_sent_is_refused(written: object, why: str) -> None:
    with pytest.raises(ValidationError) as refused:
        CREDENTIAL.validate_python(written)
    assert why in str(refused.value)


async def test_the_headers_are_the_same_object_while_each_part_is(runtime: Runtime, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one")
    chain = Chain(
        (NoCredential(), Header(name="X-Api-Key", value=Secret("k")), Bearer(token=Secret.from_file(file)))
    )
    headers = chain.attach(SERVER, runtime=runtime)
    assert headers.ready(REQUEST) is None
    sent = await headers.get(REQUEST)
    assert sent == (("X-Api-Key", "k"), ("authorization", "Bearer one"))
    assert headers.ready(REQUEST) is sent
    assert not headers.refused(REQUEST, sent, ServerRefusal(401))
    file.write_text("two")
    assert headers.refused(REQUEST, sent, ServerRefusal(401))
    assert headers.ready(REQUEST) == (("X-Api-Key", "k"), ("authorization", "Bearer two"))


async def test_a_part_that_cannot_be_had_is_named(runtime: Runtime, tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    chain = Chain((Header(name="X-Api-Key", value=Secret("k")), Bearer(token=Secret.from_file(absent))))
    with pytest.raises(CredentialError) as refused:
        await chain.attach(SERVER, runtime=runtime).get(REQUEST)
    assert str(refused.value) == (
        f"credential bearer for https://mcp.example.com: file {absent} cannot be read: "
        "No such file or directory; set it to the value that the server gave you"
    )


@pytest.fixture
async def behind(issuer: TokenServer) -> AsyncIterator[str]:
    """A server with OAuth of its own: it takes the issuer's newest token, and revokes the first."""

    async def answer(request: web.Request) -> web.Response:
        if request.headers.get("authorization") != "Bearer token-2":
            return web.Response(status=401, headers={"www-authenticate": 'Bearer error="invalid_token"'})
        return web.Response(text=request.headers["x-serverless-authorization"].rpartition(".")[2])

    app = web.Application()
    app.router.add_post("/mcp", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield "http://{}:{}".format(*runner.addresses[0][:2])
    await runner.cleanup()


async def test_cloud_run_and_the_oauth_behind_it_are_satisfied_by_one_request(
    issuer: TokenServer, behind: str, runtime: Runtime, tmp_path: Path
) -> None:
    settings = {
        "listen": "127.0.0.1:0",
        "service_accounts": {"caller": {"key_file": tmp_path / "caller.json"}},
        "services": {
            "zoo": {
                "listen": "127.0.0.1:0",
                "url": behind,
                "invokers": ["serviceAccount:caller@demo-project.iam.gserviceaccount.com"],
            }
        },
    }
    async with Emulator(EmulatorSettings.model_validate(settings)) as emulator:
        url = f"{emulator.service_url('zoo')}/mcp"
        credentials = [
            GoogleIdToken(key_file=tmp_path / "caller.json", header="x-serverless-authorization"),
            ClientCredentials(client_id="ostiary", token_url=issuer.token_url),
        ]
        auth = CredentialAuth(Chain(credentials), server_url=url, runtime=runtime)
        async with httpx2.AsyncClient(auth=auth, trust_env=False) as http:
            answer = await http.post(url)
    assert (answer.status_code, answer.text) == (200, "SIGNATURE_REMOVED_BY_GOOGLE")
    assert issuer.issued == 2
