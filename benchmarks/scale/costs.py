"""What one of each costs on this machine: seconds of one core, bytes of memory.

What needs a server under load is taken from the tables of benchmarks/README.md, which were measured so; the
rest is tried here.
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
import time
import tracemalloc
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from ostiary.credentials.tokens.held_token import HeldToken
from ostiary.credentials.tokens.token import Token
from ostiary.identity.authenticator import Authenticator
from ostiary.identity.inbound_settings import OidcInbound
from ostiary.identity.key_sets import KeySets
from ostiary.mcp.merging import LIST_KINDS, OwnList, ServerList, merge_lists, read_page
from ostiary.mcp.names import Names
from ostiary.secrets import Secret

ISSUER = "https://auth.example.com"
AUDIENCE = "https://mcp.example.com/mcp"
TRIED = 2000
SERVERS, TOOLS = 10, 50
TOOL = {
    "name": "tool_000",
    "description": "What it does, in a sentence or two, as most of them say it; and when to use it.",
    "inputSchema": {
        "type": "object",
        "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}},
        "required": ["query"],
    },
}


@dataclass(frozen=True, slots=True)
class Costs:
    """Times in seconds of one core, sizes in bytes."""

    call: float
    """Of one that the gateway passes on, its token verified before."""
    verification: float
    """Of an ES256 token that was not."""
    refresh: float
    """Of tokens for a code or a refresh token, at the authorization server; each is a transaction."""
    exchange: float
    """Of one upstream token, over a connection that is kept."""
    handshake: float
    """Of a TLS connection with two certificates."""
    listed_tool: float
    """Of one tool of a list of many servers, once these have answered."""
    tool_bytes: int
    """Of one tool in a list."""
    remembered_token: int
    """Bytes of a verified token in the gateway's memory."""
    held_token: int
    """Bytes of a token for a server in the gateway's memory."""


class _Keys:
    """An issuer's metadata and keys, without a network."""

    def __init__(self, key: ECKey) -> None:
        self._key = key

    async def get_json(self, url: object, **_: object) -> Any:
        if str(url).endswith("jwks"):
            return {"keys": [self._key.as_dict(private=False)]}
        return {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"}


def measure(page: str) -> Costs:
    """page: the text of benchmarks/README.md."""
    key = ECKey.generate_key("P-256", {"kid": "one", "use": "sig", "alg": "ES256"})
    tokens = [_token(key, number) for number in range(TRIED)]
    verification, remembered = asyncio.run(_verify(key, tokens))
    page_of_tools = _page_of_tools()
    return Costs(
        call=1 / _figure(page, "Ostiary", column=2),
        verification=verification,
        refresh=_figure(page, "code → tokens: Ostiary", column=4) / 1e6,
        exchange=_figure(page, "exchange, connection kept", column=3) / 1e6,
        handshake=_figure(page, "mutual TLS handshake alone", column=3) / 1e6,
        listed_tool=_merging(page_of_tools) / (SERVERS * TOOLS),
        tool_bytes=len(page_of_tools) // TOOLS,
        remembered_token=remembered,
        held_token=_held_bytes(tokens),
    )


def _figure(page: str, row: str, *, column: int) -> float:
    """The figure in this column of the first row of that name; the name is column 0."""
    line = next(line for line in page.splitlines() if line.startswith(f"| {row} |"))
    digits = re.sub(r"[^\d.]", "", line.split("|")[column + 1])
    return float(digits)


def _token(key: ECKey, number: int) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": f"person-{number}",
        "client_id": "https://client.example.com/metadata.json",
        "scope": "mcp",
        "tsid": f"{number:043d}",
        "jti": f"{number:022d}",
        "iat": now,
        "exp": now + 3600,
    }
    return jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": "one"}, claims, key)


async def _verify(key: ECKey, tokens: list[str]) -> tuple[float, int]:
    inbound = [OidcInbound.model_validate({"issuer": ISSUER})]
    keys = KeySets(_Keys(key))  # type: ignore[arg-type]  # all of a fetcher that is asked here
    authenticator = Authenticator(inbound, audiences=(AUDIENCE,), key_sets=keys)
    await authenticator.authenticate(tokens[0])
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    half = len(tokens) // 2
    for token in tokens[:half]:
        await authenticator.authenticate(token)
    gc.collect()
    held = (tracemalloc.get_traced_memory()[0] - before) // half
    tracemalloc.stop()
    began = time.process_time()
    for token in tokens[half:]:
        await authenticator.authenticate(token)
    return (time.process_time() - began) / half, held


def _held_bytes(tokens: list[str]) -> int:
    gc.collect()
    tracemalloc.start()
    held = []
    for token in tokens:
        one = HeldToken(("upstream", token[-20:]), None)  # type: ignore[arg-type]  # nothing is fetched
        one.accept(Token(Secret("".join(token)), time.time() + 3600), time.time())
        held.append(one)
    size = tracemalloc.get_traced_memory()[0] // len(held)
    tracemalloc.stop()
    return size


def _page_of_tools() -> bytes:
    tools = [TOOL | {"name": f"tool_{number:03}"} for number in range(TOOLS)]
    return json.dumps({"tools": tools, "ttlMs": 60000, "cacheScope": "public"}).encode()


def _merging(page: bytes) -> float:
    """Seconds for the lists of all servers, at best of some."""
    kind = LIST_KINDS["tools/list"]
    names = Names({f"server-{number}": f"server-{number}_" for number in range(SERVERS)})
    taken = []
    for _ in range(20):
        began = time.process_time()
        lists = []
        for number in range(SERVERS):
            listed, own = ServerList(), OwnList(f"server-{number}")
            listed.add(read_page(kind, page), len(page))
            for _ in own.take(kind, listed, names):
                pass
            lists.append(own)
        merge_lists(kind, lists, (), {"name": "ostiary", "version": "1"})
        taken.append(time.process_time() - began)
    return min(taken)
