"""The authorization servers that are compared, each on one core, with codes and tokens of theirs.

dex has a file of its own (`dex_peer`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from string import Template

import httpx2
from sqlalchemy import Connection
from tests.peers.oidc_provider.peer import PACKAGE, oidc_provider

from benchmarks import peers
from ostiary.authserver import authorization_codes
from ostiary.authserver.authorization_grant import AuthorizationGrant
from ostiary.authserver.upstream_account import Identity, UpstreamAccount, UpstreamTokens
from ostiary.config import OstiaryFile, read
from ostiary.oauth.client.pkce import s256
from ostiary.storage.store import Store

CLIENT_ID, CLIENT_SECRET = "bench", "correct-horse-battery-staple-4711"
REDIRECT_URI = "https://client.example.com/callback"
RESOURCE = "https://mcp.example.com/mcp"
VERIFIER = "a" * 43
OIDC_PROVIDER = f"`{PACKAGE.replace('@', '` ')}"
OIDC_PROVIDER_ON_DISK = f"{OIDC_PROVIDER}, SQLite"
AT_ONCE = 500
"""Codes in one transaction."""


@dataclass(frozen=True, slots=True)
class AuthServerPeer:
    """One of those compared."""

    process_id: int
    token_url: str
    introspection_url: str | None
    jwks_url: str
    new_codes: Callable[[int], Sequence[str]]
    """So many codes that nobody redeemed, each for another person, bound to `VERIFIER`."""
    new_tokens: Callable[[int], Sequence[str]] | None
    """So many access tokens that live, and can be introspected; None where none can."""
    scope: str | None = "mcp"
    """What a client asks for that wants a token of its own."""


def redemption(code: str) -> dict[str, str]:
    """The form in which a client redeems one of the codes."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
        "resource": RESOURCE,
    }


@contextlib.contextmanager
def our_authserver() -> Iterator[AuthServerPeer]:
    """Ours: an SQLite file that survives a power cut, upstream tokens sealed, and an audit file."""
    port = peers.free_port()
    issuer = f"http://127.0.0.1:{port}"
    token_url = f"{issuer}/oauth/token"
    template = Template((peers.HERE / "authserver.yaml").read_text())
    named = {"resource": RESOURCE, "client_id": CLIENT_ID, "redirect_uri": REDIRECT_URI}
    environment = {"CORP_SECRET": CLIENT_SECRET, "CLIENT_SECRET": CLIENT_SECRET}
    with folder_on_disk() as folder:
        file = Path(folder) / "ostiary.yaml"
        file.write_text(template.substitute(port=port, **named))
        command = [sys.executable, "-m", "ostiary", "up", "-c", str(file)]
        with peers.running(command, port, core=peers.GATEWAY_CORE, environment=environment) as process_id:
            await_start(issuer)
            yield AuthServerPeer(
                process_id,
                token_url,
                f"{issuer}/oauth/introspect",
                f"{issuer}/.well-known/jwks.json",
                lambda count: asyncio.run(insert_codes(file, count)),
                lambda count: redeem(token_url, asyncio.run(insert_codes(file, count))),
            )


@contextlib.contextmanager
def their_authserver(*, on_disk: bool = False) -> Iterator[AuthServerPeer]:
    """oidc-provider: everything in its memory, or in an SQLite file that survives a power cut."""
    port = peers.free_port()
    peer = oidc_provider()
    origin = f"http://127.0.0.1:{port}"
    settings = {
        "modules": str(peer.directory / "node_modules"),
        "port": port,
        "client": {"id": CLIENT_ID, "secret": CLIENT_SECRET, "redirect_uri": REDIRECT_URI},
        "resource": RESOURCE,
    }
    environment = {"NODE_ENV": "production"}
    with folder_on_disk() as folder:
        settings["file"] = f"{folder}/provider.db" if on_disk else None
        command = [peer.program("node"), str(peers.HERE / "oidc_provider.mjs"), json.dumps(settings)]
        with peers.running(command, port, core=peers.GATEWAY_CORE, environment=environment) as process_id:
            yield AuthServerPeer(
                process_id,
                f"{origin}/token",
                f"{origin}/token/introspection",
                f"{origin}/jwks",
                lambda count: minted_codes(origin, count),
                lambda count: _minted(f"{origin}/mint/tokens", count),
            )


def folder_on_disk() -> tempfile.TemporaryDirectory[str]:
    """On the disk that a server would use, which the system's own place may not be."""
    peers.CACHE.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(dir=peers.CACHE)


async def insert_codes(file: Path, count: int) -> list[str]:
    """Codes in the store of our server, as a walk would have left them."""
    storage = read(file, OstiaryFile).settings.storage
    assert storage is not None
    store, now, crowd = Store.of(storage), time.time(), secrets.token_hex(4)

    def insert(connection: Connection, first: int) -> list[str]:
        return [
            authorization_codes.new_code(
                connection, store, _authorized(f"{crowd}-{number}", now), now=now, lifetime=3600
            )
            for number in range(first, min(count, first + AT_ONCE))
        ]

    made: list[str] = []
    try:
        while len(made) < count:
            made += await store.transaction(partial(insert, first=len(made)))
    finally:
        await store.close()
    return made


def _authorized(subject: str, now: float) -> AuthorizationGrant:
    """One person who never came before, with the account at which they signed in."""
    issuer = "https://corp.example.com"
    identity = Identity(issuer, subject, name=f"Person {subject}", email=f"{subject}@example.com")
    tokens = UpstreamTokens(
        access_token="a" * 200, refresh_token="r" * 100, expires_at=now + 3600, scopes=("openid", "email")
    )
    return AuthorizationGrant(
        CLIENT_ID,
        identity,
        RESOURCE,
        owner="default/gateway",
        scopes=("mcp",),
        auth_time=int(now),
        accounts=(UpstreamAccount("corp", issuer, subject, "ostiary", tokens, identity=identity),),
        redirect_uri=REDIRECT_URI,
        code_challenge=s256(VERIFIER),
    )


def await_start(issuer: str) -> None:
    """Until it answers: its port is taken before its store is there."""
    httpx2.get(f"{issuer}/.well-known/jwks.json", timeout=60, trust_env=False).raise_for_status()


def redeem(token_url: str, given: Sequence[str]) -> list[str]:
    with httpx2.Client(auth=(CLIENT_ID, CLIENT_SECRET), trust_env=False) as http:
        answers = [http.post(token_url, data=redemption(code)) for code in given]
    return [answer.raise_for_status().json()["access_token"] for answer in answers]


def minted_codes(origin: str, count: int) -> list[str]:
    """So many codes of a peer that makes them itself."""
    return _minted(f"{origin}/mint/codes", count)


def _minted(url: str, count: int) -> list[str]:
    asked = f"{url}?count={count}&verifier={VERIFIER}"
    return httpx2.post(asked, timeout=60, trust_env=False).raise_for_status().text.split()
