"""oidc-provider as the identity provider at which people sign in with a browser."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Page
from tests.peers.identity_provider import PASSWORD, PEOPLE, IdentityProvider, Person
from tests.peers.oidc_provider.peer import oidc_provider
from tests.peers.process import serving_program

SCRIPT = Path(__file__).with_name("idp.mjs")
SCOPES = ("openid", "email", "profile", "groups")
CLIENT_ID = "ostiary"
CLIENT_SECRET = "hunter2 and 30 characters more of it"


@asynccontextmanager
async def running_idp(
    redirect_uris: Sequence[str],
    *,
    people: Sequence[Person] = PEOPLE,
    lifetime: int = 3600,
    offline_access_only: bool = False,
    strangers: bool = False,
    port: int = 0,
    ca_file: Path | None = None,
) -> AsyncIterator[IdentityProvider]:
    """Run one, which knows a client with those redirect URIs.

    lifetime: of access tokens, in seconds. Refresh tokens rotate, and are given always, or with
    `offline_access_only` to those who ask for that scope and for consent. strangers: clients may register, or
    name a metadata document, which is fetched over https from whom `ca_file` vouches for. port: 0 for any.
    """
    peer = oidc_provider()
    client = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "redirect_uris": list(redirect_uris),
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
    }
    settings = {
        "modules": str(peer.directory / "node_modules"),
        "clients": [client] if redirect_uris else [],
        "people": [_claims(person) for person in people],
        "lifetime": lifetime,
        "offline_access_only": offline_access_only,
        "strangers": strangers,
        "port": port,
    }
    environment = peer.environment | {"NODE_ENV": "test"}
    if ca_file is not None:
        environment["NODE_EXTRA_CA_CERTS"] = str(ca_file)
    async with serving_program(
        "node",
        str(SCRIPT),
        ready='{"issuer"',
        within=30,
        environment=environment,
        standard_input=json.dumps(settings) + "\n",
    ) as line:
        yield IdentityProvider(json.loads(line)["issuer"], CLIENT_ID, CLIENT_SECRET, SCOPES, _sign_in)


def _claims(person: Person) -> dict[str, Any]:
    return {
        "sub": person.login,
        "name": person.name,
        "email": person.email,
        "email_verified": person.email_verified,
        "groups": list(person.groups),
    }


async def _sign_in(page: Page, login: str) -> None:
    """Its two pages: who one is, unless it knows, and what the client may do."""
    form = page.locator("form", has=page.locator("input[name=prompt]"))
    if await form.locator("input[name=prompt]").get_attribute("value") == "login":
        await form.locator("input[name=login]").fill(login)
        await form.locator("input[name=password]").fill(PASSWORD)
        await form.get_by_role("button", name="Sign-in").click()
    await page.get_by_role("button", name="Continue").click()
