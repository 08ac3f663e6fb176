"""Everything that opens something, looked for in everything that is left behind: store, logs, audit, metrics.

`ostiary up` as a process; people, clients and devices do all that there is to do, the forbidden too.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
from ruamel.yaml import YAML
from tests.authserver.agreed import APP, TV, VERIFIER, WEB, redemption, renewal
from tests.authserver.conftest import Server
from tests.authserver.idps.little_idp import LittleIdp, little_idp
from tests.authserver.person import Person, authorize_url
from tests.end_to_end.conftest import listening
from tests.peers.mcp_clients.client import free_port

from ostiary.oauth.jwt_parts import unverified_claims
from ostiary.zoo.server import zoo_app

MARK = f".{secrets.token_hex(12)}"
WEB_SECRET, CI_SECRET, CORP_SECRET = (secrets.token_urlsafe(24) for _ in range(3))
NOT_SECRET = {"mcp", "app", "web", "corp", "allow", "connect", "continue", "S256", "code"}
SHORTEST = 8
"""Letters; what is shorter stands everywhere by chance."""
HIDING = {
    *("code", "state", "nonce", "code_verifier", "request_uri", "user_code", "csrf", "walk"),
    *("access_token", "refresh_token", "id_token", "device_code", "client_secret", "code_challenge"),
}
"""Names whose values open something, or lead to what does, in URLs, forms and answers."""


@dataclass
class Opening:
    """Everything seen on the wire that opens something."""

    found: dict[str, str] = field(default_factory=dict)
    """Value → what it is."""

    def note(self, what: str, values: Iterable[str]) -> None:
        for value in values:
            if len(value) >= SHORTEST and value not in NOT_SECRET:
                self.found[value] = what

    def note_all(self, said: Iterable[tuple[str, Any]]) -> None:
        for name, value in said:
            if name in HIDING and isinstance(value, str):
                self.note(name, [value])
                if value.count(".") == 2:
                    self.note("tsid", [str(unverified_claims(value).get("tsid", ""))])
                    self.note("signature", [value.rpartition(".")[2]])

    def note_url(self, url: str) -> None:
        self.note_all(parse_qsl(urlsplit(url).query))

    def note_response(self, response: httpx2.Response) -> None:
        """Cookies, redirects, hidden fields and JSON."""
        for cookie in response.headers.get_list("set-cookie"):
            self.note("cookie", [cookie.partition("=")[2].partition(";")[0]])
        if "location" in response.headers:
            self.note_url(response.headers["location"])
        if response.headers.get("content-type", "").startswith("application/json"):
            self.note_all(response.json().items())


@dataclass
class House:
    """`ostiary up`, and what it leaves behind."""

    directory: Path
    zoo: str
    corp: LittleIdp
    hub: LittleIdp
    gateway_port: int = field(default_factory=free_port)
    issuer_port: int = field(default_factory=free_port)
    telemetry_port: int = field(default_factory=free_port)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.issuer_port}"

    @property
    def resource(self) -> str:
        return f"http://127.0.0.1:{self.gateway_port}/mcp"

    def configure(self) -> None:
        ours = {"client_id": "ostiary", "client_secret": {"env": "CORP_SECRET"}}
        machine = {"client_id": "ci", "client_secret": {"env": "CI_SECRET"}}
        file = {
            "gateway": {
                "listen": f"127.0.0.1:{self.gateway_port}",
                "inbound": [{"issuer": self.issuer}],
                "servers": {"zoo": {"url": f"{self.zoo}/mcp"}},
            },
            "authserver": {
                "listen": f"127.0.0.1:{self.issuer_port}",
                "issuer": self.issuer,
                "upstream_idps": [
                    {"name": "corp", "issuer": self.corp.url, **ours},
                    {"name": "hub", "issuer": self.hub.url, **ours},
                ],
                "resources": [
                    {
                        "resource": self.resource,
                        "owner": "default/gateway",
                        "scopes": ["mcp"],
                        "idps": ["corp", {"name": "hub", "use": "optional"}],
                    }
                ],
                "clients": [
                    APP,
                    TV,
                    WEB | {"client_secret": {"env": "WEB_SECRET"}},
                    machine | {"grant_types": ["client_credentials"]},
                ],
                "registration": {"dynamic": True},
                "tokens": {"refresh_grace": "1s"},
            },
            "telemetry": {"listen": f"127.0.0.1:{self.telemetry_port}", "audit": "audit.jsonl"},
        }
        with (self.directory / "ostiary.yaml").open("w") as stream:
            YAML().dump(file, stream)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        secret = {"CORP_SECRET": CORP_SECRET, "WEB_SECRET": WEB_SECRET, "CI_SECRET": CI_SECRET}
        command = [sys.executable, "-m", "ostiary", "up"]
        with (self.directory / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=self.directory,
                env=os.environ | secret,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
            assert process.stdout is not None
            try:
                async with asyncio.timeout(30):
                    while b"Ctrl-C" not in await process.stdout.readline():
                        assert process.returncode is None, (self.directory / "log").read_text()
                yield
            finally:
                process.terminate()
                await process.communicate()


class Everybody:
    """All who deal with the house, and whatever of theirs opens something."""

    def __init__(self, house: House, http: httpx2.AsyncClient, browser: httpx2.AsyncClient) -> None:
        self.house = house
        self.opening = Opening()
        server = Server(None, house.issuer, http, house.directory / "audit.jsonl")  # type: ignore[arg-type] # far away
        self.person = Person(server, [house.corp, house.hub], browser)
        self._http = http

    async def do_everything(self) -> None:
        await self.use_an_app()
        await self.use_a_web_application()
        await self.use_a_terminal()
        await self.use_machines()
        await self.look_at_the_accounts()
        await self.try_what_is_forbidden()

    async def use_an_app(self) -> None:
        """Sign in with both accounts, call the zoo, refresh, and be robbed."""
        code = (await self.person.sign_in(resource=self.house.resource))["code"]
        tokens = await self.token(redemption(code))
        called = await self.call_the_zoo(tokens["access_token"])
        assert called.status_code == 200, called.text
        later = await self.token(renewal(tokens["refresh_token"]))
        last = await self.token(renewal(later["refresh_token"]))
        assert (await self.token(renewal(tokens["refresh_token"])))["error"] == "invalid_grant"
        assert (await self.token(renewal(last["refresh_token"])))["error"] == "invalid_grant"
        assert (await self.call_the_zoo(f"{last['access_token']}x")).status_code == 401

    async def use_a_web_application(self) -> None:
        """Push the request, ask who it is, look at the token, give it back."""
        url = authorize_url(
            self.person.server, resource=self.house.resource, scope="openid email mcp", nonce=f"nonce{MARK}"
        )
        form = dict(parse_qsl(urlsplit(url).query)) | {
            "client_id": "web",
            "redirect_uri": WEB["redirect_uris"][0],
        }
        basic = ("web", WEB_SECRET)
        pushed = await self.post("/oauth/par", form, auth=basic)
        link = f"{self.house.issuer}/oauth/authorize?client_id=web&request_uri={pushed['request_uri']}"
        code = (await self.person.go_through(await self.person.open(link))).answer["code"]
        redeeming = redemption(code, client_id=None, redirect_uri=WEB["redirect_uris"][0])
        tokens = await self.post("/oauth/token", redeeming, auth=basic)
        bearer = {"authorization": f"Bearer {tokens['access_token']}"}
        who = await self._http.get(f"{self.house.issuer}/oauth/userinfo", headers=bearer)
        assert who.json()["email"] == "alice@example.com"
        for token in (tokens["access_token"], tokens["refresh_token"]):
            assert (await self.post("/oauth/introspect", {"token": token}, auth=basic))["active"]
        await self._http.post(
            f"{self.house.issuer}/oauth/revoke", data={"token": tokens["refresh_token"]}, auth=basic
        )
        assert not (await self.post("/oauth/introspect", {"token": tokens["access_token"]}, auth=basic))[
            "active"
        ]

    async def use_a_terminal(self) -> None:
        """By its code."""
        form = {"client_id": "tv", "scope": "mcp", "resource": self.house.resource}
        given = await self.post("/oauth/device_authorization", form)
        self.opening.note("user code", [given["user_code"], given["user_code"].replace("-", "")])
        asked = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "client_id": "tv"}
        polling = asked | {"device_code": given["device_code"]}
        assert (await self.token(polling))["error"] == "authorization_pending"
        entered = await self.person.open(given["verification_uri_complete"])
        asked_for = await self.person.press(entered, user_code=given["user_code"])
        await self.person.go_through(await self.person.press(asked_for, decision="allow"))
        await asyncio.sleep(given.get("interval", 5) + 0.5)
        assert "access_token" in await self.token(polling)

    async def use_machines(self) -> None:
        """One that is known, and one that registers itself."""
        form = {"grant_type": "client_credentials", "resource": self.house.resource}
        assert "access_token" in await self.post("/oauth/token", form, auth=("ci", CI_SECRET))
        wrong = secrets.token_urlsafe(24)
        self.opening.note("wrong secret", [wrong])
        assert "error" in await self.post("/oauth/token", form, auth=("ci", wrong))
        metadata = {"client_name": "Stranger", "redirect_uris": ["https://stranger.example.com/callback"]}
        registered = await self._http.post(f"{self.house.issuer}/oauth/register", json=metadata)
        self.opening.note_response(registered)
        assert registered.json()["client_secret"]

    async def look_at_the_accounts(self) -> None:
        """Sign in at the page, and connect one more."""
        await self.person.open(f"{self.house.issuer}/connections")
        page = await self.person.open(f"{self.house.issuer}/connect/hub?resource={self.house.resource}")
        await self.person.press(page)

    async def try_what_is_forbidden(self) -> None:
        """Codes twice, codes of others, states of nobody, tokens in places where none should be."""
        code = (await self.person.sign_in(resource=self.house.resource))["code"]
        assert "error" in await self.token(redemption(code, code_verifier="w" * 43))
        tokens = await self.token(redemption(code))
        assert (await self.token(redemption(code)))["error"] == "invalid_grant"
        state, token = f"state{MARK}", tokens["access_token"]
        self.opening.note("state", [state])
        issuer = self.house.issuer
        await self.person.open(f"{issuer}/oauth/callback/corp?code=code{MARK}&state={state}")
        await self.person.open(f"{issuer}/oauth/authorize?client_id={token}&state={state}")
        await self._http.get(f"{issuer}/oauth/userinfo?access_token={token}")
        await self.post("/oauth/token", {"grant_type": token, "client_id": token})
        await self._http.post(f"{issuer}/oauth/token", json=tokens)
        await self.call_the_zoo(tokens["refresh_token"])

    async def token(self, form: dict[str, str]) -> dict[str, Any]:
        return await self.post("/oauth/token", form)

    async def post(self, path: str, form: dict[str, str], **options: Any) -> dict[str, Any]:
        answered = await self._http.post(self.house.issuer + path, data=form, **options)
        self.opening.note_all(form.items())
        self.opening.note_response(answered)
        body: dict[str, Any] = answered.json()
        return body

    async def call_the_zoo(self, token: str) -> httpx2.Response:
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}
        headers = {
            "authorization": f"Bearer {token}",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": "tools/list",
        }
        return await self._http.post(self.house.resource, json=call, headers=headers)

    def opened(self) -> dict[str, str]:
        """Value → what it is, for all of it."""
        for url in self.person.passed:
            self.opening.note_url(url)
        for response in self.person.responses:
            self.opening.note_response(response)
        for provider in (self.house.corp, self.house.hub):
            for form in (*provider.departures, *provider.redeemed, *provider.renewed, *provider.revoked):
                self.opening.note_all(form.items())
            self.opening.note("upstream refresh token", [family.current for family in provider.families])
        self.opening.note("mark of upstream tokens", [MARK])
        self.opening.note("secret", [WEB_SECRET, CI_SECRET, CORP_SECRET, VERIFIER])
        return self.opening.found


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        corp = await stack.enter_async_context(little_idp(time.time))
        hub = await stack.enter_async_context(little_idp(time.time))
        corp.mark = hub.mark = MARK
        house = House(tmp_path, await stack.enter_async_context(listening(zoo_app())), corp, hub)
        house.configure()
        yield house


async def test_no_secret_in_any_output(house: House) -> None:
    async with (
        house.running(),
        httpx2.AsyncClient(trust_env=False) as http,
        httpx2.AsyncClient(trust_env=False) as browser,
    ):
        everybody = Everybody(house, http, browser)
        await everybody.do_everything()
        metrics = (await http.get(f"http://127.0.0.1:{house.telemetry_port}/metrics")).content
        store = {file.name: file.read_bytes() for file in house.directory.glob("ostiary.db*")}
    opened = everybody.opened()
    left = (
        store
        | {"metrics": metrics}
        | {name: (house.directory / name).read_bytes() for name in ("log", "audit.jsonl", "ostiary.db")}
    )
    assert {
        "tsid",
        "code",
        "access_token",
        "refresh_token",
        "id_token",
        "client_secret",
        "cookie",
        "state",
    } <= {*opened.values()}
    assert b"redirect" not in metrics
    assert b"session_started" in left["audit.jsonl"]
    assert b"refused" in left["log"]
    assert b"default/gateway" in left["ostiary.db"] + store.get("ostiary.db-wal", b"")
    assert [
        f"{what} in {where}"
        for value, what in opened.items()
        for where, data in left.items()
        if value.encode() in data
    ] == []
