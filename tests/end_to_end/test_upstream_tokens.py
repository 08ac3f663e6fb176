"""One file, one `ostiary up`: alice signs in, and the server behind the gateway gets her own token."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from asyncio import create_subprocess_exec, timeout
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from aiohttp import web
from tests.conftest import BROWSING, OSTIARY
from tests.loopback import TRUSTING_NOBODY
from tests.peers.mcp_clients.client import free_port
from tests.peers.process import serving_program

from ostiary.authserver.development import DevelopmentIdp, OnlyClient
from ostiary.certificates.authority import make_authority
from ostiary.certificates.settings import CaDirectory, InternalCaCertificates
from ostiary.credentials import OAuthUser, UpstreamToken
from ostiary.credentials.adapters.httpx2 import CredentialAuth
from ostiary.oauth.canonical_url import canonical_url
from ostiary.settings import Listen
from ostiary.transport.serving import bind

SECRET = "correct-horse-battery-staple-4711"
FILE = """\
gateway:
  listen: 127.0.0.1:{gateway}
  inbound: [{{issuer: "{issuer}"}}]
  certificates: {{source: internal_ca, directory: pki}}
  servers:
    whoami:
      url: {server}
      credential: {{type: upstream_token, provider: people}}
authserver:
  listen: 127.0.0.1:{authserver}
  issuer: {issuer}
  internal:
    listen: 127.0.0.1:{internal}
    trust_domain: ostiary.local
    certificates: {{source: internal_ca, directory: pki}}
  upstream_idps:
    - {{name: people, issuer: "{people}", client_id: ostiary, client_secret: {{file: people.secret}}}}
  resources:
    - resource: {resource}
      owner: default/gateway
      scopes: [mcp]
      idps: [people]
      servers: {{whoami: [people]}}
  registration: {{dynamic: true}}
"""
HERS = """\
gateway:
  allow_unauthenticated: true
  certificates: {{source: internal_ca, directory: pki}}
  servers:
    whoami:
      url: {server}
      credential:
        type: upstream_token
        provider: people
        token_url: https://127.0.0.1:{internal}
        subject: {{type: oauth_user, resource: "{resource}"}}
"""


class WhoAmI:
    """A server whose one tool says whose account it was called with, as the provider's userinfo has it."""

    def __init__(self, people: str) -> None:
        self.people = people
        self.tokens: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        match body["method"]:
            case "tools/list":
                tool = {"name": "whoami", "inputSchema": {"type": "object"}}
                result = {"tools": [tool], "ttlMs": 0, "cacheScope": "private"}
            case "tools/call":
                sent = request.headers.get("authorization", "")
                self.tokens.append(sent.removeprefix("Bearer "))
                async with httpx2.AsyncClient(trust_env=False, verify=TRUSTING_NOBODY) as http:
                    said = await http.get(f"{self.people}/userinfo", headers={"authorization": sent})
                result = {"content": [{"type": "text", "text": str(said.json().get("name"))}]}
            case _:
                result = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
        result["resultType"] = "complete"
        return web.json_response({"jsonrpc": "2.0", "id": body["id"], "result": result})


@dataclass
class Stand:
    """All that runs."""

    directory: Path
    environment: dict[str, str]
    gateway: str
    server: str
    internal: int
    whoami: WhoAmI

    async def run(self, *words: str, file: str = "hers.yaml") -> str:
        """What a command prints, run by alice."""
        given = ("-c", file) if "login" not in words else ()
        process = await create_subprocess_exec(
            *OSTIARY, *words, *given, cwd=self.directory, env=self.environment, stdout=PIPE, stderr=PIPE
        )
        async with timeout(60):
            out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return out.decode()


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    ports = {name: free_port() for name in ("gateway", "authserver", "internal", "people", "server")}
    issuer = f"http://127.0.0.1:{ports['authserver']}"
    places: dict[str, str] = {
        **{name: str(port) for name, port in ports.items()},
        "issuer": issuer,
        "people": f"http://127.0.0.1:{ports['people']}",
        "server": f"http://127.0.0.1:{ports['server']}/mcp",
        "resource": f"http://127.0.0.1:{ports['gateway']}/mcp",
    }
    (tmp_path / "ostiary.yaml").write_text(FILE.format(**places))
    (tmp_path / "hers.yaml").write_text(HERS.format(**places))
    (tmp_path / "people.secret").write_text(SECRET)
    make_authority(CaDirectory(tmp_path / "pki"), "ostiary.local", now=time.time())
    whoami = WhoAmI(places["people"])
    environment = os.environ | {
        "BROWSER": f"{shlex.quote(sys.executable)} {shlex.quote(str(BROWSING))} alice %s &",
        "OSTIARY_STATE_DIR": str(tmp_path / "state"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "NO_COLOR": "1",
    }
    client = OnlyClient("ostiary", SECRET, redirect_uri=f"{issuer}/oauth/callback/people")
    async with AsyncExitStack() as running:
        people = DevelopmentIdp(bind(Listen("127.0.0.1", ports["people"])), client)
        await running.enter_async_context(people.listening())
        app = web.Application()
        app.router.add_post("/mcp", whoami.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        running.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", ports["server"]).start()
        await running.enter_async_context(
            serving_program(
                *OSTIARY, "up", ready="gateway", within=60, environment=environment, directory=tmp_path
            )
        )
        yield Stand(tmp_path, environment, places["resource"], places["server"], ports["internal"], whoami)


async def test_alices_own_account_answers_wherever_she_calls_from(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stand.run("login", stand.gateway)
    by_gateway = await stand.run("call", stand.gateway, "whoami_whoami", "--credential", "oauth_user")
    assert by_gateway == "Alice\n"
    assert await stand.run("call", "--server", "whoami", "whoami") == "Alice\n"
    assert "whoami" in await stand.run("tools", "--server", "whoami")
    shown = json.loads(await stand.run("token", "--server", "whoami", "--json", "--reveal"))
    assert shown["headers"]["authorization"].removeprefix("Bearer ") in stand.whoami.tokens
    assert await _by_the_library(stand, monkeypatch) == "Alice"
    assert len(set(stand.whoami.tokens)) == 1, "all were given the same account's token"


async def _by_the_library(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("OSTIARY_STATE_DIR", "PYTHON_KEYRING_BACKEND"):
        monkeypatch.setenv(name, stand.environment[name])
    credential = UpstreamToken(
        provider="people",
        server="whoami",
        token_url=canonical_url(f"https://127.0.0.1:{stand.internal}"),
        certificates=InternalCaCertificates(
            source="internal_ca", directory=CaDirectory(stand.directory / "pki")
        ),
        subject=OAuthUser(resource=stand.gateway),
    )
    auth = CredentialAuth(credential, server_url=stand.server)
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "whoami"}}
    async with httpx2.AsyncClient(auth=auth, trust_env=False, verify=TRUSTING_NOBODY) as http:
        answer = await http.post(stand.server, json=body)
    return str(answer.json()["result"]["content"][0]["text"])
