"""A shipped example file, run as it is shipped but for its addresses, and whoever has to do with it."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import ssl
import sys
from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from tests.end_to_end.conftest import listening
from tests.end_to_end.examples.proof import Proof
from tests.end_to_end.examples.shown import Shown, offered, short_name
from tests.end_to_end.examples.somebody import Page, Somebody
from tests.peers.certificates import CertificateAuthority
from tests.peers.mcp_clients.client import free_port
from tests.peers.process import serving_program

from ostiary.authserver import AuthServerSettings
from ostiary.config import load
from ostiary.gateway import Gateway, GatewaySettings
from ostiary.oauth.client.pkce import s256
from ostiary.oauth.server.client import AUTHORIZATION_CODE, REFRESH_TOKEN
from ostiary.settings import Listen
from ostiary.transport.listeners import answering
from ostiary.transport.serving import bind
from ostiary.zoo.server import zoo_app

FOLDER = Path(__file__).parents[3] / "examples" / "authserver"
START_SECONDS = 40
PENGUINS = ["Waddles", "Pip", "Skipper", "Chilly", "Pingu", "Noot"]
VERIFIER = "the-verifier-of-the-client-with-43-characters"

T = TypeVar("T")


@dataclass
class House:
    """One example's server, on this machine."""

    directory: Path
    stack: AsyncExitStack = field(repr=False)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    """By the names of the environment; those that the file names and nobody set are made up."""
    shown: Shown = field(default_factory=Shown)
    """What was used of it."""
    issuer_port: int = field(default_factory=free_port)
    gateway_port: int = field(default_factory=free_port)
    mtls_port: int = field(default_factory=free_port)
    telemetry_port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.authority = CertificateAuthority(self.directory)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.issuer_port}"

    @property
    def resource(self) -> str:
        """What tokens are for: the gateway."""
        return f"http://127.0.0.1:{self.gateway_port}/mcp"

    def callback(self, idp: str) -> str:
        """To register at a provider."""
        return f"{self.issuer}/oauth/callback/{idp}"

    async def enter(self, peer: contextlib.AbstractAsyncContextManager[T]) -> T:
        """Have somebody there until the test ends."""
        return await self.stack.enter_async_context(peer)

    async def up(self, name: str, addresses: Mapping[str, str]) -> None:
        """Run the file. addresses: of peers, by what stands for them in it."""
        text = (FOLDER / name).read_text("utf-8")
        assert [one for one in addresses if one not in text] == []
        for written, here in {**addresses, **self._ours()}.items():
            text = text.replace(written, here)
        file = self.directory / name
        file.write_text(text, "utf-8")
        for variable in re.findall(r"\{env: (\w+)\}", text):
            self.secrets.setdefault(variable, secrets.token_urlsafe())
        loaded = load(file)
        assert loaded.authserver is not None
        self.settings: AuthServerSettings = loaded.authserver
        await self.enter(self._running(file))
        self.http = await self.enter(httpx2.AsyncClient(trust_env=False))
        found = await self.http.get(f"{self.issuer}/.well-known/oauth-authorization-server")
        self.metadata: dict[str, Any] = found.json()
        if loaded.gateway is None:
            await self.enter(self._gateway())

    async def up_again(self, name: str) -> str:
        """Run another one beside it, which has its file and its key: where it answers."""
        port, telemetry = free_port(), free_port()
        text = (self.directory / name).read_text("utf-8")
        text = text.replace(f"listen: 127.0.0.1:{self.issuer_port}", f"listen: 127.0.0.1:{port}")
        text = text.replace(f"listen: 127.0.0.1:{self.telemetry_port}", f"listen: 127.0.0.1:{telemetry}")
        file = self.directory / f"another-{name}"
        file.write_text(text, "utf-8")
        await self.enter(self._running(file))
        return f"http://127.0.0.1:{port}"

    async def somebody(self, login: str = "alice") -> Somebody:
        """A person with a browser of their own."""
        browser = await self.enter(httpx2.AsyncClient(trust_env=False, verify=self._trust()))
        return Somebody(self.issuer, browser, self._saw, login)

    async def ask(self, endpoint: str, form: Mapping[str, str], by: Proof, **headers: str) -> dict[str, Any]:
        """What an endpoint answers a client whom it likes. endpoint: without `_endpoint`."""
        answered = await self.asked(endpoint, form, by, **headers)
        assert answered.is_success, f"{endpoint} answered {answered.status_code}: {answered.text}"
        self.shown |= Shown(methods={by.method}, clients={self._kind(by)}, endpoints={f"{endpoint}_endpoint"})
        body: dict[str, Any] = answered.json() if answered.content else {}
        if endpoint == "token":
            self.shown.grants.add(short_name(form["grant_type"]))
        self.shown.bindings |= set(body.get("cnf", ()))
        return body

    async def asked(
        self, endpoint: str, form: Mapping[str, str], by: Proof, **headers: str
    ) -> httpx2.Response:
        """The same, whatever it answers."""
        name, data = f"{endpoint}_endpoint", {**form, **by.form()}
        if by.certificate is None:
            auth = by.auth or httpx2.USE_CLIENT_DEFAULT
            return await self.http.post(self.metadata[name], data=data, auth=auth, headers=headers)
        context = self._trust()
        context.load_cert_chain(*by.certificate)
        async with httpx2.AsyncClient(trust_env=False, verify=context) as http:
            return await http.post(self.metadata["mtls_endpoint_aliases"][name], data=data, headers=headers)

    def link(self, by: Proof, redirect_uri: str, **said: str) -> str:
        """What a client has its person open."""
        request = self.request(by, redirect_uri) | said
        return f"{self.metadata['authorization_endpoint']}?{urlencode(request)}"

    def request(self, by: Proof, redirect_uri: str) -> dict[str, str]:
        """What it says there."""
        return {
            "response_type": "code",
            "client_id": by.client_id,
            "redirect_uri": redirect_uri,
            "state": "the client's state",
            "code_challenge": s256(VERIFIER),
            "code_challenge_method": "S256",
            "resource": self.resource,
        }

    async def redeem(self, page: Page, by: Proof, redirect_uri: str, **headers: str) -> dict[str, Any]:
        """Tokens for the code that a client was told."""
        answer = page.answer
        assert (answer["state"], answer["iss"]) == ("the client's state", self.issuer)
        form = {
            "grant_type": AUTHORIZATION_CODE,
            "code": answer["code"],
            "redirect_uri": redirect_uri,
            "code_verifier": VERIFIER,
        }
        return await self.ask("token", form, by, **headers)

    async def sign_in(self, somebody: Somebody, by: Proof, redirect_uri: str, **said: str) -> dict[str, Any]:
        """The whole of it: a person agrees to everything."""
        page = await somebody.agree(await somebody.open(self.link(by, redirect_uri, **said)))
        return await self.redeem(page, by, redirect_uri)

    async def refresh(self, tokens: Mapping[str, Any], by: Proof, **headers: str) -> dict[str, Any]:
        """The next tokens."""
        form = {"grant_type": REFRESH_TOKEN, "refresh_token": tokens["refresh_token"]}
        return await self.ask("token", form, by, **headers)

    async def call_zoo(self, tokens: Mapping[str, Any]) -> None:
        """Use an access token where it is for."""
        await self.call_zoo_as(_Bearer(tokens["access_token"]))

    async def call_zoo_as(self, auth: httpx2.Auth) -> None:
        """Call a tool, with what this puts on each request."""
        async with (
            httpx2.AsyncClient(trust_env=False, auth=auth) as http,
            Client(streamable_http_client(self.resource, http_client=http)) as server,
        ):
            result = await server.call_tool("zoo_get_animals_by_species", {"species": "penguin"})
        assert result.structured_content is not None
        assert [animal["name"] for animal in result.structured_content["result"]] == PENGUINS

    async def register(self, **metadata: Any) -> dict[str, Any]:
        """A client registers itself."""
        answered = await self.http.post(self.metadata["registration_endpoint"], json=metadata)
        assert answered.status_code == 201, answered.text
        self.shown.endpoints.add("registration_endpoint")
        body: dict[str, Any] = answered.json()
        return body

    async def read(self, endpoint: str, **headers: str) -> dict[str, Any]:
        """What an endpoint says to whoever has a token."""
        name = f"{endpoint}_endpoint"
        answered = await self.http.get(self.metadata[name], headers=headers)
        assert answered.status_code == 200, answered.text
        self.shown.endpoints.add(name)
        body: dict[str, Any] = answered.json()
        return body

    @property
    def offered(self) -> Shown:
        """What it says of itself."""
        return offered(self.metadata, self.settings)

    def _running(self, file: Path) -> contextlib.AbstractAsyncContextManager[str]:
        return serving_program(
            *(sys.executable, "-m", "ostiary", "up", "-c", str(file)),
            ready="Ctrl-C stops it.",
            within=START_SECONDS,
            environment=os.environ | self.secrets,
            directory=self.directory,
        )

    def _ours(self) -> dict[str, str]:
        """Where the parts of this house are."""
        return {
            "https://auth.example.com": self.issuer,
            "127.0.0.1:9000": f"127.0.0.1:{self.issuer_port}",
            "0.0.0.0:9000": f"127.0.0.1:{self.issuer_port}",
            "https://mcp.example.com": self.resource.removesuffix("/mcp"),
            "127.0.0.1:8080": f"127.0.0.1:{self.gateway_port}",
            "https://auth-mtls.example.com": f"https://127.0.0.1:{self.mtls_port}",
            "127.0.0.1:9444": f"127.0.0.1:{self.mtls_port}",
            "127.0.0.1:9464": f"127.0.0.1:{self.telemetry_port}",
        }

    @contextlib.asynccontextmanager
    async def _gateway(self) -> AsyncIterator[None]:
        """For a file that has none: one before the zoo that takes the server's tokens."""
        async with listening(zoo_app()) as zoo:
            settings = GatewaySettings.model_validate(
                {
                    "listen": f"127.0.0.1:{self.gateway_port}",
                    "inbound": [{"issuer": self.issuer}],
                    "servers": {"zoo": {"url": f"{zoo}/mcp"}},
                }
            )
            sock = bind(Listen("127.0.0.1", self.gateway_port))
            async with Gateway(settings) as gateway, answering(gateway.listeners(), {"gateway.listen": sock}):
                yield

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.authority.file)

    def _kind(self, by: Proof) -> str:
        if by.client_id in {client.client_id for client in self.settings.clients}:
            return "registered"
        return "document" if by.client_id.startswith("https://") else "dynamic"

    def _saw(self, url: str) -> None:
        """What a browser's way shows: an endpoint, or a provider that sent it back."""
        path = urlsplit(url).path
        if url.startswith(str(self.metadata["authorization_endpoint"])):
            self.shown.endpoints.add("authorization_endpoint")
        if url.startswith(self.issuer) and path.startswith("/oauth/callback/"):
            name = path.rpartition("/")[2]
            self.shown.idps |= {idp.type for idp in self.settings.upstream_idps if idp.name == name}


class _Bearer(httpx2.Auth):
    """RFC 6750."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        request.headers["authorization"] = f"Bearer {self._token}"
        yield request


@contextlib.asynccontextmanager
async def house(directory: Path) -> AsyncIterator[House]:
    """An empty one."""
    async with AsyncExitStack() as stack:
        yield House(directory, stack)
