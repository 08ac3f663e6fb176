"""oidc-provider as an identity provider that rotates refresh tokens, and takes a second showing for theft."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from tests.peers.moved_clock import MovedClock
from tests.peers.oidc_provider.peer import oidc_provider
from tests.peers.process import serving_program

from ostiary.authserver.upstream_account import UpstreamTokens

SCRIPT = Path(__file__).with_name("rotating_idp.mjs")
CLIENT_ID = "ostiary"
CLIENT_SECRET = "hunter2 and 30 characters more of it"


@dataclass(frozen=True)
class Seen:
    """What it saw of refresh tokens."""

    refreshed: int
    refused: Sequence[tuple[str | None, str]]
    """The account, where the token still was somebody's, and why."""
    revoked: int
    """Grants that it ended, with all that followed from them."""


@dataclass(frozen=True)
class RotatingIdp:
    """One that runs."""

    issuer: str
    http: aiohttp.ClientSession

    async def welcome(self, accounts: Sequence[str]) -> list[UpstreamTokens]:
        """The first tokens of each, as after they signed in and agreed."""
        async with self.http.post(f"{self.issuer}/people", json=accounts) as answer:
            return [
                UpstreamTokens(**tokens, scopes=("openid",)) for tokens in json.loads(await answer.text())
            ]

    async def subject(self, access_token: str) -> str | None:
        """Whose it is, as userinfo says; None for one that it does not take."""
        headers = {"authorization": f"Bearer {access_token}"}
        async with self.http.get(f"{self.issuer}/me", headers=headers) as answer:
            if answer.status == 401:
                return None
            assert answer.status == 200, await answer.text()
            return str((await answer.json())["sub"])

    async def seen(self) -> Seen:
        """So far."""
        async with self.http.get(f"{self.issuer}/seen") as answer:
            told: dict[str, Any] = json.loads(await answer.text())
        return Seen(told["refreshed"], [(who, why) for who, why in told["refused"]], told["revoked"])


@asynccontextmanager
async def rotating_idp(
    redirect_uri: str, http: aiohttp.ClientSession, clock: MovedClock, *, lifetime: int
) -> AsyncIterator[RotatingIdp]:
    """Run one. lifetime: of access tokens, in seconds."""
    peer = oidc_provider()
    client = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
    }
    settings = {
        "modules": str(peer.directory / "node_modules"),
        "client": client,
        "lifetime": lifetime,
        "clock": str(clock.file),
    }
    async with serving_program(
        "node",
        str(SCRIPT),
        ready='{"issuer"',
        within=60,
        environment=peer.environment | {"NODE_ENV": "test"},
        standard_input=json.dumps(settings) + "\n",
    ) as line:
        yield RotatingIdp(json.loads(line)["issuer"], http)
