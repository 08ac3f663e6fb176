"""The way to a server, as far as TLS: name, connection, handshake."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ostiary.diagnosis.evidence import Dead, Unreachable
from ostiary.transport.trust import Distrust, TrustSet, distrust, tls_failure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ostiary.oauth.canonical_url import CanonicalUrl

PATIENCE = 10.0
"""Seconds for each part of the way."""


class DeadEnd(Exception):
    """Here the way ends."""

    def __init__(self, end: Unreachable, detail: str, distrust: Distrust | None = None) -> None:
        super().__init__(detail)
        self.dead = Dead(end, detail, distrust)


async def resolve(url: CanonicalUrl) -> list[str]:
    """The addresses of its host. Raises DeadEnd."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(PATIENCE):
            found = await loop.getaddrinfo(_host(url), url.port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise DeadEnd(Unreachable.NAME, f"no answer within {PATIENCE:.0f} seconds") from None
    except OSError as error:
        raise DeadEnd(Unreachable.NAME, error.strerror or str(error)) from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def connect(url: CanonicalUrl) -> str:
    """The address that took the connection. Raises DeadEnd."""
    try:
        async with _connection(url) as writer:
            return str(writer.get_extra_info("peername")[0])
    except TimeoutError:
        raise DeadEnd(Unreachable.CONNECTION, f"no answer within {PATIENCE:.0f} seconds") from None
    except OSError as error:
        raise DeadEnd(Unreachable.CONNECTION, _in_words(error)) from None


async def shake_hands(url: CanonicalUrl, trust: TrustSet) -> str:
    """The TLS version that was agreed on. Raises DeadEnd, TrustUnusable."""
    try:
        async with _connection(url, trust.context) as writer:
            return str(writer.get_extra_info("ssl_object").version())
    except ssl.SSLCertVerificationError as error:
        raise DeadEnd(Unreachable.CERTIFICATE, error.verify_message, distrust(error)) from None
    except TimeoutError:
        raise DeadEnd(Unreachable.TLS, f"no answer within {PATIENCE:.0f} seconds") from None
    except ssl.SSLError as error:
        raise DeadEnd(Unreachable.TLS, str(tls_failure(error))) from None
    except OSError as error:
        raise DeadEnd(Unreachable.TLS, _in_words(error)) from None


@asynccontextmanager
async def _connection(
    url: CanonicalUrl, tls: ssl.SSLContext | None = None
) -> AsyncIterator[asyncio.StreamWriter]:
    async with asyncio.timeout(PATIENCE):
        _, writer = await asyncio.open_connection(
            _host(url), url.port, ssl=tls, server_hostname=_host(url) if tls else None
        )
        try:
            yield writer
        finally:
            writer.transport.abort()


def _host(url: CanonicalUrl) -> str:
    return url.host.strip("[]")


def _in_words(error: OSError) -> str:
    """The system's own words; event loops write theirs, which differ."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error) or type(error).__name__
