"""Serve ASGI on a socket: uvicorn inside our own event loop, one listener a socket.

A process may hold several listeners. Signals are the process's business, so they are handled once,
in `event_loop`, and never by a listener.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import cast

import uvicorn
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from ostiary.operator_error import OperatorError
from ostiary.settings import Listen
from ostiary.transport.access_records import Hear, RecordedProtocol, recorded_app
from ostiary.transport.address_shares import AddressShares
from ostiary.transport.byte_budget import BudgetsByOwner, ByteBudget
from ostiary.transport.forwarded import NO_PROXIES, TrustedProxies
from ostiary.transport.handshakes import accept_connections
from ostiary.transport.inline_http import Doors
from ostiary.transport.inline_protocol import InlineHttpProtocol
from ostiary.transport.limits import Limits
from ostiary.transport.write_batch import WriteBatch

BACKLOG = 2048
DRAIN_SECONDS = 5.0
DRAIN_PAUSES = (0.001, 0.05)
"""Seconds between two looks at who is still there: the shortest, which doubles, and the longest."""
SWEEP_SECONDS = 1.0


class ListenRefused(OperatorError):
    """The system does not let us listen there. The message says where and why."""


class PortTaken(ListenRefused):
    """Somebody else listens there already."""


def bind(listen: Listen, *, shared: bool = False) -> socket.socket:
    """A socket that listens, and takes nobody yet. Raises PortTaken or ListenRefused.

    shared: with other processes of ours, among which the system spreads the connections.
    """
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    # asyncio turns Nagle's delays off only for sockets that name their protocol.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind((listen.host, listen.port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(f"{listen} is taken: stop what listens there, or choose another port") from None
        raise ListenRefused(f"cannot listen on {listen}: {error.strerror}") from None
    sock.setblocking(False)
    return sock


def bind_next_free(listen: Listen, tries: int = 50) -> socket.socket:
    """A socket on this port, or on the first free one of the `tries` after it. Raises PortTaken."""
    for port in range(listen.port, listen.port + tries):
        try:
            return bind(Listen(listen.host, port))
        except PortTaken:
            continue
    raise PortTaken(f"{listen} and the {tries - 1} ports after it are taken")


def address_of(sock: socket.socket) -> Listen:
    """Where a socket is bound."""
    host, port = sock.getsockname()[:2]
    return Listen(host, port)


@contextlib.asynccontextmanager
async def serving(  # noqa: PLR0913 - each is a choice of its own
    app: ASGIApp,
    sock: socket.socket,
    *,
    limits: Limits = Limits(),
    hosts: frozenset[str] | None = None,
    doors: Doors | None = None,
    proxies: TrustedProxies = NO_PROXIES,
    tls: ssl.SSLContext | None = None,
    hear: Hear | None = None,
) -> AsyncIterator[None]:
    """Serve `app` on a bound socket while the block runs, then drain and close.

    hosts: the `Host` values that are ours, lower case with port; None takes any one.
    doors: what is answered inside the protocol (see `inline_http`).
    proxies: whose word on who is behind them counts.
    tls: what the listener speaks TLS with; None for TLS that ends in front of us, or on this machine.
    hear: is told of every request.
    """
    callers = BudgetsByOwner(limits.caller_bytes, limits.memory_bytes)
    config = uvicorn.Config(
        _unless_left(app if hear is None else recorded_app(app, hear)),
        http=cast(
            "type[asyncio.Protocol]",
            partial(
                InlineHttpProtocol if hear is None else partial(RecordedProtocol, hear=hear),
                limits=limits,
                hosts=_as_bytes(hosts),
                doors={} if doors is None else doors,
                proxies=proxies,
                write_batch=WriteBatch(asyncio.get_running_loop()),
                unproven=ByteBudget(limits.unproven_bytes),
                callers=callers,
                shares=AddressShares(limits.address_connections, proxies),
            ),
        ),
        ws="none",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # uvicorn would believe whoever is on this machine; see `forwarded`
        server_header=False,
        date_header=False,
        timeout_keep_alive=int(limits.idle_timeout),
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    shakes_hands = proxies.announce or tls is not None
    await server.startup(sockets=[] if shakes_hands else [sock])
    tending = [asyncio.create_task(_sweep(server, callers))]
    if shakes_hands:
        accepting = accept_connections(
            sock,
            _protocol_of(server),
            tls=tls,
            proxies=proxies,
            handshake_timeout=limits.head_timeout,
        )
        tending.append(asyncio.create_task(accepting))
    try:
        yield
    finally:
        for task in tending[1:]:
            task.cancel()
        await _drain(server, sock, limits.finish_timeout or DRAIN_SECONDS)
        tending[0].cancel()


async def _drain(server: uvicorn.Server, sock: socket.socket, seconds: float) -> None:
    """Take no more connections, and let each have its answer; end what is left after so many seconds.

    As `uvicorn.Server.shutdown` does, but for its waits of a tenth of a second, though nobody were there.
    """
    for accepting in server.servers:
        accepting.close()
    sock.close()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await _all_gone(server)
    for task in server.server_state.tasks:
        task.cancel()
    await server.lifespan.shutdown()


async def _all_gone(server: uvicorn.Server) -> None:
    state, told, (pause, longest) = server.server_state, set[object](), DRAIN_PAUSES
    while True:
        for connection in state.connections - told:  # what was accepted a moment ago is there a moment later
            connection.shutdown()
            told.add(connection)
        await asyncio.sleep(pause)
        if not (state.connections or state.tasks):
            break
        pause = min(2 * pause, longest)
    for accepting in server.servers:
        await accepting.wait_closed()


def _protocol_of(server: uvicorn.Server) -> Callable[[str], asyncio.Protocol]:
    """What makes the protocol of a new connection, as uvicorn does it for its own."""
    config = server.config
    options = {"config": config, "server_state": server.server_state, "app_state": server.lifespan.state}
    make = cast("Callable[..., asyncio.Protocol]", config.http_protocol_class)
    return lambda announced: make(announced=announced, **options)


def _unless_left(app: ASGIApp) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(ClientDisconnect):  # nobody is left to be told, and strangers fill no log
            await app(scope, receive, send)

    return answer


async def _sweep(server: uvicorn.Server, callers: BudgetsByOwner) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        loop.call_soon(callers.make_room)
        for connection in list(server.server_state.connections):
            if isinstance(connection, InlineHttpProtocol):
                loop.call_soon(connection.expire, loop.time())  # each apart: a fault of one is its own


def _as_bytes(hosts: frozenset[str] | None) -> frozenset[bytes] | None:
    return None if hosts is None else frozenset(host.encode() for host in hosts)
