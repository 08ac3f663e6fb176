"""All connections to one MCP server: opened when needed, reused, bounded, and never waited on for ever."""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import Awaitable, Hashable

from ostiary.inline_coroutines import InlineFuture, in_task
from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.transport.addresses import AddressRefused, resolve
from ostiary.transport.proxies import NONE, Proxies, Proxy, ProxyUnusable
from ostiary.transport.trust import tls_failure
from ostiary.transport.unpacking import CODINGS
from ostiary.transport.upstream.answer import UpstreamAnswer
from ostiary.transport.upstream.connection import Connection
from ostiary.transport.upstream.errors import CallerBusy, CallStep, UpstreamFailed, in_the_systems_words
from ostiary.transport.upstream.held import HeldAnswers
from ostiary.transport.upstream.limits import UpstreamLimits
from ostiary.transport.upstream.loop_share import LoopShare
from ostiary.transport.upstream.tunnel import TunnelRefused, open_tunnel, start_tls
from ostiary.transport.upstream.turns import Calls, Turns
from ostiary.transport.write_batch import WriteBatch

IDLE_SECONDS = 4.0
"""Shorter than the 5 s after which many servers close, so that a request rarely meets a closing one."""
SWEEP_SECONDS = 0.25


class Upstream:
    """All connections to one server."""

    def __init__(
        self,
        name: str,
        url: CanonicalUrl,
        *,
        tls: ssl.SSLContext | None = None,
        private_network: bool = False,
        asks_compressed: bool = False,
        proxies: Proxies = NONE,
        limits: UpstreamLimits = UpstreamLimits(),
    ) -> None:
        self.name = name
        self.url = url
        self.limits = limits
        self._tls = tls
        self._private_network = private_network
        self._proxies = proxies
        self._idle: list[Connection] = []
        self._busy: dict[Connection, float] = {}
        self._opening = 0
        self._turns: Turns[Connection] = Turns(name, limits)
        self._callers, self._waiting = self._turns.callers, self._turns.waiting  # looked at for each call
        self._share = limits.caller_connections
        self._sweeper: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self.write_batch = WriteBatch(self._loop)
        self.loop_share = LoopShare(self._loop)
        self.held = HeldAnswers(limits.held_bytes)
        self.wide_streams = 0
        """How many streams come compressed by what holds megabytes for each."""
        self.accept_encoding = CODINGS if asks_compressed else "identity"

    def exchange(
        self,
        message: bytes,
        caller: Hashable = None,
        most_bytes: int | None = None,
        seconds: float | None = None,
    ) -> Awaitable[UpstreamAnswer]:
        """Send a whole HTTP/1.1 request and give its answer. Raises UpstreamFailed within the time-outs.

        caller: on whose account, who has a share of the connections; raises CallerBusy when too much of his
        waits. most_bytes: of the answer, where that is less than for others; seconds: its time-out, where it
        is not what all others have. To be awaited in an inline coroutine (see `inline_coroutines`).
        Cancelling it closes the connection.
        """
        calls = self._callers.get(caller) or self._turns.begin(caller)
        if self._idle and calls.under_way < self._share:
            calls.under_way += 1
            return self._send(self._idle.pop(), message, calls, most_bytes, seconds)
        return self._exchange_when_free(message, calls, most_bytes, seconds)

    @property
    def is_busy(self) -> bool:
        """Whether a call is under way, or waits."""
        return bool(self._busy or self._opening or self._waiting)

    def close(self) -> None:
        """Drop every connection; who waits for one waits no more."""
        for _, waiter in self._turns.overdue(math.inf):
            waiter.fail(self.failed(CallStep.CONNECT, "the gateway has stopped"))
        for connection in [*self._idle, *self._busy]:
            connection.drop()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    def failed(self, step: CallStep, reason: str) -> UpstreamFailed:
        """An error of this server at this step."""
        return UpstreamFailed(self.name, step, reason)

    # told by connections

    def release(self, connection: Connection, *, keep: bool) -> None:
        """Its answer is complete."""
        if self._busy.pop(connection, None) is not None:
            connection.calls.under_way -= 1
        if not keep or connection.transport.is_closing():
            connection.drop()
            return
        waiter = self._turns.next() if self._waiting else None
        if waiter is not None:
            waiter.set(connection)
        else:
            connection.idle_since = self._loop.time()
            self._idle.append(connection)

    def forget(self, connection: Connection) -> None:
        """It is closed."""
        if self._busy.pop(connection, None) is not None:
            connection.calls.under_way -= 1
        elif connection in self._idle:
            self._idle.remove(connection)
        self._let_one_open()

    def touch(self, connection: Connection) -> None:
        """Its stream is alive."""
        if connection in self._busy:
            self._busy[connection] = self._loop.time() + connection.timeout

    # inside

    async def _exchange_when_free(
        self, message: bytes, calls: Calls[Connection], most_bytes: int | None, seconds: float | None
    ) -> UpstreamAnswer:
        connection = await self._connection(calls, len(message))
        return await self._send(connection, message, calls, most_bytes, seconds)

    def _send(
        self,
        connection: Connection,
        message: bytes,
        calls: Calls[Connection],
        most_bytes: int | None,
        seconds: float | None,
    ) -> InlineFuture[UpstreamAnswer]:
        connection.calls = calls
        connection.timeout = seconds or self.limits.timeout
        self._busy[connection] = self._loop.time() + connection.timeout
        if self._sweeper is None:
            self._watch()
        return connection.send(message, most_bytes or self.limits.answer_bytes)

    async def _connection(self, calls: Calls[Connection], size: int) -> Connection:
        """One for a message of this size; from here on it counts among the calls that are under way."""
        deadline = self._loop.time() + self.limits.timeout
        connection = None
        while connection is None and not self._has_room(calls):
            turn = self._turns.wait(calls, deadline, size)
            self._watch()
            connection = await turn
        calls.under_way += 1
        if connection is not None or self._idle:
            return connection or self._idle.pop()
        self._opening += 1
        opening = in_task(self._open(calls))
        try:
            return await opening
        except GeneratorExit:  # the caller left meanwhile; the next one can have what was opened for it
            opening.add_done_callback(lambda opened: self._adopt(opened, calls))
            raise

    def _has_room(self, calls: Calls[Connection]) -> bool:
        is_free = self._idle or len(self._busy) + self._opening < self.limits.connections
        return bool(is_free) and calls.under_way < self._share

    def _adopt(self, opening: asyncio.Task[Connection], calls: Calls[Connection]) -> None:
        if not opening.cancelled() and opening.exception() is None:
            calls.under_way -= 1
            self.release(opening.result(), keep=True)

    def _watch(self) -> None:
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    async def _open(self, calls: Calls[Connection]) -> Connection:
        try:
            connection = await self._open_in_time()
        except BaseException:
            self._opening -= 1
            calls.under_way -= 1
            self._let_one_open()
            raise
        self._opening -= 1
        return connection

    async def _open_in_time(self) -> Connection:
        by = ""
        try:
            async with asyncio.timeout(self.limits.connect_timeout):
                proxy = self._proxies.to(self.url)
                if proxy is not None:
                    by = f", by {proxy.named}"
                    return await self._open_through(proxy)
                addresses = await resolve(self.url, private_network=self._private_network)
                return await self._open_first(addresses)
        except TimeoutError:
            seconds = f"{self.limits.connect_timeout:g} s"
            raise self.failed(
                CallStep.CONNECT, f"no connection to {self.url.authority} within {seconds}{by}"
            ) from None
        except AddressRefused as error:
            raise self.failed(CallStep.RESOLVE, str(error)) from None
        except (ProxyUnusable, TunnelRefused) as error:
            raise self.failed(CallStep.CONNECT, str(error)) from None
        except ssl.SSLError as error:
            raise self.failed(CallStep.TLS, f"{self.url.authority}{by}: {tls_failure(error)}") from None
        except OSError as error:
            said = in_the_systems_words(error)
            raise self.failed(CallStep.CONNECT, f"{self.url.authority}{by}: {said}") from None

    async def _open_through(self, proxy: Proxy) -> Connection:
        transport = await open_tunnel(proxy, self.url)
        connection = Connection(self)
        try:
            if self._tls is not None:
                transport = await start_tls(self._loop, transport, connection, self._tls, self.url)
            else:
                transport.set_protocol(connection)
        except BaseException:
            transport.abort()
            raise
        connection.connection_made(transport)
        transport.resume_reading()
        return connection

    async def _open_first(self, addresses: list[str]) -> Connection:
        for last, address in enumerate(addresses, start=1 - len(addresses)):
            try:
                _, connection = await self._loop.create_connection(
                    lambda: Connection(self),
                    address,
                    self.url.port,
                    ssl=self._tls,
                    server_hostname=self.url.host.strip("[]") if self._tls else None,
                )
            except ssl.SSLError:
                raise
            except OSError:
                if last == 0:
                    raise
            else:
                return connection
        raise OSError("no address")

    def _let_one_open(self) -> None:
        waiter = self._turns.next()
        if waiter is not None:
            waiter.set(None)

    def _sweep(self) -> None:
        now = self._loop.time()
        self._sweeper = None
        for connection in [connection for connection, until in self._busy.items() if until <= now]:
            if connection.is_rightly_silent():
                self.touch(connection)
                continue
            connection.drop(self.failed(CallStep.TIMEOUT, f"no answer within {connection.timeout:g} s"))
        for calls, waiter in self._turns.overdue(now):
            waiter.fail(self._no_turn(calls))
        for connection in [idle for idle in self._idle if idle.idle_since + IDLE_SECONDS < now]:
            connection.drop()
        self._turns.forget()
        if self._busy or self._idle or self._waiting:
            self._watch()

    def _no_turn(self, calls: Calls[Connection]) -> Exception:
        """Nothing came free in time: because of the caller's own calls, or because of everybody's."""
        if calls.under_way >= self._share:
            return CallerBusy(self.name)
        return self.failed(CallStep.TIMEOUT, f"no free connection within {self.limits.timeout:g} s")
