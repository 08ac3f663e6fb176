"""dex, built from the sources that Go's module proxy has, with everything in its memory."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchmarks import peers
from benchmarks.authserver_peers import (
    CLIENT_ID,
    CLIENT_SECRET,
    REDIRECT_URI,
    VERIFIER,
    AuthServerPeer,
    minted_codes,
)
from ostiary.oauth.client.pkce import s256

DEX = "dex, in memory"
_SOURCE = peers.HERE / "dex"


class DexUnavailable(Exception):
    """It cannot be built here."""


@contextlib.contextmanager
def dex() -> Iterator[AuthServerPeer]:
    """The server. Raises DexUnavailable."""
    port, binary = peers.free_port(), _built()
    origin = f"http://127.0.0.1:{port}"
    settings = {
        "port": port,
        "client": {"id": CLIENT_ID, "secret": CLIENT_SECRET, "redirect_uri": REDIRECT_URI},
        "challenge": s256(VERIFIER),
    }
    with peers.running([str(binary), json.dumps(settings)], port, core=peers.GATEWAY_CORE) as process_id:
        yield AuthServerPeer(
            process_id,
            f"{origin}/token",
            None,  # of tokens that are JWTs it introspects those with RS256 alone
            f"{origin}/keys",
            lambda count: minted_codes(origin, count),
            None,
            scope=None,  # it has its own scopes, and of those only `openid` is for no person
        )


def _built() -> Path:
    binary = peers.CACHE / "dex"
    newest = max(file.stat().st_mtime for file in _SOURCE.iterdir())
    if binary.exists() and binary.stat().st_mtime > newest:
        return binary
    if shutil.which("go") is None:
        raise DexUnavailable("there is no Go")
    peers.CACHE.mkdir(parents=True, exist_ok=True)
    command = ["go", "build", "-trimpath", "-o", str(binary), "."]
    built = subprocess.run(command, cwd=_SOURCE, capture_output=True, text=True, check=False)
    if built.returncode:
        raise DexUnavailable(built.stderr.strip().rpartition("\n")[2])
    return binary
