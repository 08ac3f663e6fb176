"""A person signs in for a client: real identity providers, a real browser, the clients that people use.

    browser ── Chromium            provider ── oidc-provider, Keycloak
    client  ── the official SDKs, mcp-remote, the Inspector; by document and by registration

Each: sign in, call, refresh, server restart, refresh again. The person is asked once.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Page
from ruamel.yaml import YAML
from tests.conftest import RunningIdp
from tests.end_to_end.conftest import listening
from tests.peers.browser import browser
from tests.peers.certificates import CertificateAuthority
from tests.peers.client_metadata import published_client
from tests.peers.identity_provider import IdentityProvider
from tests.peers.mcp_clients.client import McpClient, age, free_port
from tests.peers.mcp_clients.clients import CLIENTS
from tests.peers.process import serving_program

from ostiary.zoo.server import zoo_app

START_SECONDS = 30
PENGUINS = ["Chilly", "Noot", "Pingu", "Pip", "Skipper", "Waddles"]


@dataclass
class House:
    """`ostiary up` with a gateway and an authorization server, before the zoo."""

    directory: Path
    gateway_port: int = field(default_factory=free_port)
    issuer_port: int = field(default_factory=free_port)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.issuer_port}"

    @property
    def resource(self) -> str:
        return f"http://127.0.0.1:{self.gateway_port}/mcp"

    def configure(self, provider: IdentityProvider, zoo: str, authority: CertificateAuthority) -> None:
        """Write its ostiary.yaml."""
        gateway = {
            "listen": f"127.0.0.1:{self.gateway_port}",
            "inbound": [{"issuer": self.issuer, "required_scopes": ["mcp"]}],
            "servers": {"zoo": {"url": f"{zoo}/mcp"}},
        }
        corp = {
            "name": "corp",
            "issuer": provider.issuer,
            "client_id": provider.client_id,
            "client_secret": {"env": "CORP_SECRET"},
            "scopes": list(provider.scopes),
            "claims": {"groups": {"from": "userinfo", "claim": "groups"}},
        }
        authserver = {
            "listen": f"127.0.0.1:{self.issuer_port}",
            "issuer": self.issuer,
            "upstream_idps": [corp],
            "resources": [
                {"resource": self.resource, "owner": "default/gateway", "scopes": ["mcp"], "idps": ["corp"]}
            ],
            "registration": {
                "dynamic": True,
                "documents_private_network": True,
                "documents_ca_file": str(authority.file),
            },
        }
        with (self.directory / "ostiary.yaml").open("w") as file:
            YAML().dump({"gateway": gateway, "authserver": authserver}, file)
        self.environment = os.environ | {"CORP_SECRET": provider.client_secret, "NO_COLOR": "1"}

    def running(self) -> AbstractAsyncContextManager[str]:
        """Run it until the block ends; it ends as by a power cut."""
        return serving_program(
            *(sys.executable, "-m", "ostiary", "up"),
            ready="Ctrl-C stops it.",
            within=START_SECONDS,
            environment=self.environment,
            directory=self.directory,
        )


@dataclass
class Alice:
    """A person before her browser."""

    page: Page
    provider: IdentityProvider
    shown: list[str] = field(default_factory=list)
    """What clients asked her to open."""

    async def open(self, url: str) -> None:
        """Agree to what the client asks for, and sign in, until the client has its answer."""
        self.shown.append(url)
        await self.page.goto(url)
        await self.page.get_by_role("button", name="Allow").click()
        await self.provider.sign_in(self.page, "alice")


@dataclass
class Program:
    """One client on Alice's machine, with what it keeps, and the page that it opens."""

    name: str
    client: McpClient
    store: Path
    alice: Alice
    document: str | None

    async def call(self, house: House) -> None:
        """Ask for the penguins, in a session of its own."""
        async with self.client.session(
            house.resource, open_url=self.alice.open, store=self.store, client_metadata_url=self.document
        ) as session:
            result = await session.call("zoo_get_animals_by_species", {"species": "penguin"})
        assert not result.get("isError"), (self.name, result)
        found = sorted(animal["name"] for animal in result["structuredContent"]["result"])
        assert found == PENGUINS, self.name

    async def call_twice(self, house: House, *, signed_in: bool) -> None:
        """With a new token each time: by signing in, or by refreshing."""
        if signed_in:
            age(self.store)
        await self.call(house)
        age(self.store)
        await self.call(house)
        assert len(self.alice.shown) == 1, self.name


async def installed(
    name: str, directory: Path, alice: Alice, authority: CertificateAuthority | None, stack: AsyncExitStack
) -> Program:
    """A client with an empty store. authority: of the host of its document; None for one that registers."""
    client, store = CLIENTS[name](), directory / name
    store.mkdir()
    if authority is None:
        return Program(name, client, store, alice, None)
    document = await stack.enter_async_context(published_client(authority, [client.redirect_uri]))
    return Program(name, client, store, alice, document.url)


@pytest.mark.parametrize(
    ("known_by", "running_idp"),
    [("document", "oidc-provider"), ("registration", "keycloak")],
    indirect=["running_idp"],
)
async def test_a_person_signs_in_once_with_each_client(
    known_by: str, running_idp: RunningIdp, tmp_path: Path
) -> None:
    house, authority = House(tmp_path), CertificateAuthority(tmp_path)
    async with AsyncExitStack() as stack:
        zoo = await stack.enter_async_context(listening(zoo_app()))
        idp = await stack.enter_async_context(running_idp([f"{house.issuer}/oauth/callback/corp"]))
        chromium = await stack.enter_async_context(browser())
        house.configure(idp, zoo, authority)
        publisher = authority if known_by == "document" else None
        programs = [
            await installed(name, tmp_path, Alice(await chromium.page(), idp), publisher, stack)
            for name in CLIENTS
        ]
        for signed_in in (False, True):
            async with house.running():
                await asyncio.gather(*(one.call_twice(house, signed_in=signed_in) for one in programs))
