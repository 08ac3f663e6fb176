"""A part's listeners, as values: whoever runs parts only iterates over them."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from socket import socket

from starlette.types import ASGIApp

from ostiary.transport.access_records import Hear
from ostiary.transport.forwarded import NO_PROXIES, TrustedProxies
from ostiary.transport.inline_http import Doors
from ostiary.transport.limits import Limits
from ostiary.transport.same_origin import SameOrigin, own_hosts
from ostiary.transport.serving import address_of, serving


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """What answers at one address."""

    name: str
    """The setting that says where, such as `gateway.listen`."""
    app: ASGIApp
    """What is no door."""
    doors: Doors | None = None
    authorities: tuple[str, ...] = ()
    """How clients reach it besides by its address: hosts in lower case, with a port that is no default."""
    is_for_programs_alone: bool = False
    """Whether it answers no page of another origin, which is what its doors see to themselves."""
    limits: Limits = Limits()
    proxies: TrustedProxies = NO_PROXIES
    tls: ssl.SSLContext | None = None
    """None for TLS that ends in front of us, or on this machine."""
    hear: Hear | None = None
    """Is told of every request."""


@contextlib.asynccontextmanager
async def answering(listeners: Iterable[Listener], sockets: Mapping[str, socket]) -> AsyncIterator[None]:
    """Answer on bound sockets, by the listeners' names, while the block runs; then drain and close."""
    async with contextlib.AsyncExitStack() as stack:
        for listener in listeners:
            stack.enter_context(contextlib.closing(sockets[listener.name]))
            await stack.enter_async_context(_serving(listener, sockets[listener.name]))
        yield


def _serving(listener: Listener, sock: socket) -> contextlib.AbstractAsyncContextManager[None]:
    hosts = own_hosts(address_of(sock), *listener.authorities)
    return serving(
        SameOrigin(listener.app, hosts or ()) if listener.is_for_programs_alone else listener.app,
        sock,
        limits=listener.limits,
        hosts=hosts,
        doors=listener.doors,
        proxies=listener.proxies,
        tls=listener.tls,
        hear=listener.hear,
    )
