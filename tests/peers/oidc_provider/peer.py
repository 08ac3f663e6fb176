"""oidc-provider, an OpenID certified authorization server, as a process of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.peers.certificates import CertificateAuthority
from tests.peers.npm import NpmPeer, npm_peer

PACKAGE = "oidc-provider@9.13.3"
SCRIPT = Path(__file__).with_name("server.mjs")


def oidc_provider() -> NpmPeer:
    """The package, installed once."""
    return npm_peer("oidc-provider", PACKAGE)


@asynccontextmanager
async def running(
    peer: NpmPeer,
    authority: CertificateAuthority,
    clients: Sequence[dict[str, Any]],
    *,
    lifetime: int = 3600,
) -> AsyncIterator[str]:
    """Its issuer, while it runs. clients: as RFC 7591 writes them; lifetime: of access tokens, in seconds."""
    certificate, key = authority.issue("provider")
    process = await asyncio.create_subprocess_exec(
        "node",
        str(SCRIPT),
        env=peer.environment | {"NODE_ENV": "test"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    settings = {
        "modules": str(peer.directory / "node_modules"),
        "certificate": str(certificate),
        "key": str(key),
        "authority": str(authority.file),
        "clients": list(clients),
        "lifetime": lifetime,
    }
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(json.dumps(settings).encode() + b"\n")
    try:
        async with asyncio.timeout(30):
            line = await process.stdout.readline()
        if not line:
            raise AssertionError((await process.stderr.read()).decode())
        yield json.loads(line)["issuer"]
    finally:
        process.stdin.close()
        process.kill()
        await process.communicate()
