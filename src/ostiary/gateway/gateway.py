"""Puts the gateway together on a listener."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ostiary.credentials.runtime import Runtime
from ostiary.gateway import record
from ostiary.gateway.catalog.health_checks import HealthChecks
from ostiary.gateway.config import LISTEN, GatewaySettings
from ostiary.gateway.live_settings import taken_over
from ostiary.gateway.metadata_application import LiveApplication, metadata_application
from ostiary.gateway.plan import Means, Plan, make_plan
from ostiary.gateway.seals import Seals
from ostiary.gateway.sessions.live_sessions import LiveSessions
from ostiary.transport.forwarded import TrustedProxies
from ostiary.transport.inline_http import Doors
from ostiary.transport.listeners import Listener
from ostiary.transport.proxies import Proxies, proxies_of
from ostiary.transport.workers import Worker, doors_for_workers

if TYPE_CHECKING:
    from ostiary.certificates.listener_tls import ListenerTls
    from ostiary.credentials.tokens.stored_tokens import StoredTokens
    from ostiary.gateway.observation.observer import Observer
    from ostiary.gateway.upstreams.server import Server
    from ostiary.oauth.canonical_url import CanonicalUrl
    from ostiary.storage.config import StorageSettings
    from ostiary.transport.inline_http import Door
    from ostiary.transport.reach import Reach


OWNER = "default/gateway"
"""Which workload it is, by a certificate that an internal authority gives it, unless the settings say."""
RETIRED_LOOK_SECONDS = 0.5
"""How often it is looked whether the last call at a server that is configured otherwise is over."""
Check = Callable[[], Awaitable[str | None]]


class Gateway:
    """A gateway with its connections, tokens and key sets. Use as an async context manager.

    storage: where it finds the tokens of its other replicas; worker: which of several processes it is in;
    observer: hears of calls;
    proxies: by which its requests go, by default as the environment says; clock: seconds since the epoch.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        *,
        storage: StorageSettings | None = None,
        worker: Worker | None = None,
        observer: Observer | None = None,
        proxies: Proxies | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self._proxies = proxies_of("environment", os.environ) if proxies is None else proxies
        self._clock = clock
        self._stored = None if storage is None else _stored_tokens(storage, clock)
        self._reaches = _reaches(settings)
        self._runtime = Runtime(
            clock=clock,
            shared=self._stored,
            proxies=self._proxies,
            servers=self._reaches,
            most_tokens=settings.limits.remembered_tokens,
        )
        self._means = Means(
            self._runtime,
            self._proxies,
            Seals(storage, clock, worker),
            LiveSessions(settings.limits.caller_subscriptions),
            clock,
            worker,
            observer,
        )
        self.observer = observer
        self._worker = worker
        self._tls: ListenerTls | None = None
        self.plan: Plan | None = None
        self._doors: dict[bytes, Mapping[bytes, Door]] = {}
        """Those of the plan in force: connections look here for each request."""
        self._doors_for_workers: dict[bytes, Mapping[bytes, Door]] = {}
        self._pages = LiveApplication()
        self._retiring: set[asyncio.Task[None]] = set()
        self._checks = HealthChecks()

    async def __aenter__(self) -> Self:
        """Raises CertificateUnusable."""
        self._tls = _listener_tls(self.settings, self._clock)
        if self._stored is not None:
            await self._stored.prepare()
        self.plan = make_plan(self.settings, self._means)
        self._open(self.plan)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tls is not None:
            self._tls.close()
        self._checks.close()
        for retiring in self._retiring:
            retiring.cancel()
        if self.plan is not None:
            self.plan.close()
        await self._means.close()
        await self._runtime.close()
        if self._stored is not None:
            await self._stored.close()

    def reload(self, settings: GatewaySettings) -> list[str]:
        """Run by these settings from now on: the names of those that stay as they were until a restart.

        What is under way goes on as it began, and servers of which nothing changed keep all that they have.
        Raises OperatorError, and leaves everything as it was.
        """
        before = self.plan
        assert before is not None, "a gateway reloads inside of its block"  # noqa: S101 - as below
        settings, stay = taken_over(before.settings, settings)
        reaches = dict(self._reaches)
        self._reaches.update(_reaches(settings))
        try:
            plan = make_plan(settings, self._means, before)
        except BaseException:
            _replace(self._reaches, reaches)
            raise
        _replace(self._reaches, _reaches(settings))
        self.plan, self.settings = plan, settings
        self._means.sessions.most_streams = settings.limits.caller_subscriptions
        self._means.forget_unused(settings)
        self._open(plan)
        if plan.policies is not None and plan.policies is before.policies:
            plan.policies.reload()
        gone = plan.take_the_place_of(before)
        for server in gone:
            retiring = asyncio.create_task(_retire(server, settings.drain_timeout.total_seconds()))
            self._retiring.add(retiring)
            retiring.add_done_callback(self._retiring.discard)
        record.reloaded(plan.generation, *_changes(before, plan))
        return stay

    def listeners(self) -> list[Listener]:
        """The one that it has, inside of its block."""
        plan = self.plan
        assert plan is not None, "a gateway listens inside of its block"  # noqa: S101 - a fault of whoever calls
        return [
            Listener(
                name=LISTEN,
                app=self._pages,
                doors=self._doors,
                authorities=(self.settings.public_url.authority,),
                limits=plan.limits,
                proxies=TrustedProxies(self.settings.trusted_proxies, self.settings.proxy_protocol),
                tls=None if self._tls is None else self._tls.context,
            )
        ]

    @property
    def sessions(self) -> LiveSessions:
        """Those of clients of earlier revisions."""
        return self._means.sessions

    @property
    def fetches(self) -> Mapping[tuple[str, str], int]:
        """Kind of credential and outcome → how many tokens were fetched for servers."""
        return self._runtime.tokens.fetches

    @property
    def processes(self) -> int:
        """How many programs of servers run."""
        return self._means.processes

    def doors_for_workers(self) -> Doors:
        """What the other workers hand over, inside of its block."""
        return self._doors_for_workers

    def _open(self, plan: Plan) -> None:
        self._doors.update(plan.doors)
        self._checks.check(plan.checked)
        if self._worker is not None:
            self._doors_for_workers.update(doors_for_workers(plan.doors, self._worker.word))
        paths = [path.decode() for path in plan.doors[b"POST"]]
        self._pages.current = metadata_application(plan.documents, paths, plan.settings.origins)

    def readiness(self) -> Mapping[str, Check]:
        """What `/readyz` looks at, by name: each gives a reason why it cannot serve, or None."""

        async def tls() -> str | None:
            return None if self._tls is None else await self._tls.unusable()

        checks: dict[str, Check] = {"gateway.tls": tls} if self.settings.tls is not None else {}
        if self.observer is not None and self.observer.audit is not None:
            checks["gateway.audit"] = self.observer.audit.unusable
        return checks


async def _retire(server: Server, seconds: float) -> None:
    """Close a server that nobody calls any more, when all is over that is under way there, or overdue."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        await asyncio.sleep(RETIRED_LOOK_SECONDS)  # first, for calls that are still on their way to it
        if not server.session.is_busy:
            break
    server.close()


def _changes(before: Plan, plan: Plan) -> tuple[list[str], list[str], list[str]]:
    """Servers that are new, are others than before, and are there no longer."""
    known, there = before.servers, plan.servers
    return (
        [name for name in there if name not in known],
        [name for name, server in there.items() if known.get(name, server) is not server],
        [name for name in known if name not in there],
    )


def _reaches(settings: GatewaySettings) -> dict[CanonicalUrl, Reach]:
    return {server.url: server.reach for server in settings.servers.values() if server.url}


def _replace(reaches: dict[CanonicalUrl, Reach], others: dict[CanonicalUrl, Reach]) -> None:
    """In place, as others look there."""
    reaches.clear()
    reaches.update(others)


def _listener_tls(settings: GatewaySettings, clock: Callable[[], float]) -> ListenerTls | None:
    if settings.tls is None:
        return None
    from ostiary.certificates.host_names import host_names  # noqa: PLC0415 - where others end TLS, it is not needed
    from ostiary.certificates.listener_tls import ListenerTls  # noqa: PLC0415 - likewise

    names = host_names(settings.listen, settings.public_url)
    return ListenerTls(settings.tls, name="gateway.tls", owner=OWNER, names=names, clock=clock)


def _stored_tokens(storage: StorageSettings, clock: Callable[[], float]) -> StoredTokens:
    from ostiary.credentials.tokens.stored_tokens import StoredTokens  # noqa: PLC0415 - SQLAlchemy takes its time

    return StoredTokens.of(storage, clock)
