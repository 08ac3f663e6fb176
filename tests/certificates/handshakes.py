"""Handshakes in memory, between contexts."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

HOST = "server.example.org"


@dataclass(frozen=True)
class Connected:
    """Both ends, after a handshake and a word each way."""

    server: ssl.SSLObject
    client: ssl.SSLObject


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, host: str = HOST) -> Connected:
    """Raises ssl.SSLError for whichever side refuses."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = Connected(
        server.wrap_bio(up, down, server_side=True), client.wrap_bio(down, up, server_hostname=host)
    )
    for _ in range(4):
        for end in (ends.client, ends.server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    ends.server.write(b"welcome")
    assert ends.client.read() == b"welcome"
    ends.client.write(b"thanks")
    assert ends.server.read() == b"thanks"
    return ends


def is_refused(server: ssl.SSLContext, client: ssl.SSLContext, host: str = HOST) -> bool:
    try:
        handshake(server, client, host)
    except ssl.SSLError:
        return True
    return False
