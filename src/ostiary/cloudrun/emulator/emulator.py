"""The local Google as a whole: starts every listener and container, and stops them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Self

from ostiary.cloudrun.emulator.admission import AccessPolicy
from ostiary.cloudrun.emulator.clock import EmulatorClock
from ostiary.cloudrun.emulator.container import container
from ostiary.cloudrun.emulator.discovery import JWKS_PATH
from ostiary.cloudrun.emulator.front_end import FrontEnd
from ostiary.cloudrun.emulator.google import Google
from ostiary.cloudrun.emulator.google_api import google_api
from ostiary.cloudrun.emulator.keys import EmulatorKey
from ostiary.cloudrun.emulator.metadata_server import METADATA_URLS
from ostiary.cloudrun.emulator.proxy import container_session
from ostiary.cloudrun.emulator.service_accounts import key_document, make_accounts, write_key_file
from ostiary.cloudrun.emulator.service_urls import authorities, deterministic_url, hash_url
from ostiary.cloudrun.emulator.tokens import Mint
from ostiary.transport.limits import Limits
from ostiary.transport.same_origin import SameOrigin, own_hosts
from ostiary.transport.serving import address_of, bind, serving

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from ostiary.cloudrun.emulator.config import EmulatorSettings, ServiceSettings
    from ostiary.settings import Listen

MIB = 1024 * 1024
FRONT_END_LIMITS = Limits(body_bytes=32 * MIB, body_timeout=300, unproven_bytes=256 * MIB)
"""Cloud Run's own for HTTP/1, and time for a body that comes slowly."""
API_LIMITS = Limits(body_bytes=256 * 1024)
"""What Google's APIs are asked here is short."""


class Emulator:
    """The local Google while its block runs: `async with Emulator(settings) as emulator`.

    bind: gives the socket for an address; `bind_next_free` for one that steps aside when a port is taken.
    Entering raises ListenRefused, KeyFileRefused or ContainerFailed.
    """

    def __init__(self, settings: EmulatorSettings, *, bind: Callable[[Listen], socket.socket] = bind) -> None:
        self.settings = settings
        self.clock = EmulatorClock()
        self._bind = bind
        self._running = AsyncExitStack()
        self._google: Google | None = None
        self._service_urls: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as starting:
            await self._start(starting)
            self._running = starting.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.aclose()

    @property
    def google_url(self) -> str:
        """The origin of the listener with every Google API."""
        return self._is_running().url

    @property
    def jwks_url(self) -> str:
        """Where the keys are that sign ID tokens."""
        return self.google_url + JWKS_PATH

    @property
    def minted(self) -> Mapping[str, int]:
        """How many tokens were made: `id_token` and `access_token`."""
        return self._is_running().mint.minted

    def service_url(self, service: str) -> str:
        """The origin of a service's front end on this machine; it is an audience of the service, too."""
        self._is_running()
        return self._service_urls[service]

    def environment(self) -> dict[str, str]:
        """Variables for programs that should take this for the Google they run on."""
        host = self.google_url.removeprefix("http://")
        variables = {"GOOGLE_CLOUD_PROJECT": self.settings.project, "GOOGLE_APPLICATION_CREDENTIALS": ""}
        if self.settings.metadata is not None:
            variables |= {"GCE_METADATA_HOST": host, "GCE_METADATA_ROOT": host, "GCE_METADATA_IP": host}
        return variables

    def _is_running(self) -> Google:
        if self._google is None:
            raise RuntimeError("the emulator runs only inside its block")
        return self._google

    async def _start(self, running: AsyncExitStack) -> None:
        sock = running.enter_context(self._bind(self.settings.listen))
        key = EmulatorKey()
        google = self._google = Google(
            settings=self.settings,
            url=_origin(sock),
            clock=self.clock,
            key=key,
            mint=Mint(key, self.clock),
            accounts=make_accounts(self.settings),
        )
        self._write_key_files(google)
        bound = address_of(sock)
        hosts = own_hosts(bound, *authorities(METADATA_URLS, bound.port))
        app = SameOrigin(google_api(google), hosts or ())
        await running.enter_async_context(serving(app, sock, limits=API_LIMITS, hosts=hosts))
        for name, service in self.settings.services.items():
            await self._start_service(running, google, name, service)

    async def _start_service(
        self, running: AsyncExitStack, google: Google, name: str, service: ServiceSettings
    ) -> None:
        sock = running.enter_context(self._bind(service.listen))
        self._service_urls[name] = _origin(sock)
        origin = await self._start_container(running, name, service)
        session = await running.enter_async_context(
            container_session(timeout=service.timeout.total_seconds())
        )
        policy, bound = self._policy(google, name, service), address_of(sock)
        front_end = FrontEnd(
            name,
            policy,
            verify=google.key.verify,
            clock=self.clock,
            session=session,
            origin=origin,
        )
        hosts = own_hosts(bound, *authorities(policy.audiences, bound.port))
        await running.enter_async_context(serving(front_end, sock, limits=FRONT_END_LIMITS, hosts=hosts))

    async def _start_container(self, running: AsyncExitStack, name: str, service: ServiceSettings) -> str:
        if service.url is not None:
            return service.url.origin
        return await running.enter_async_context(
            container(
                name,
                service.command,
                environment=self.environment(),
                startup_timeout=service.startup_timeout.total_seconds(),
            )
        )

    def _policy(self, google: Google, name: str, service: ServiceSettings) -> AccessPolicy:
        number, region = self.settings.project_number, self.settings.region
        own = {
            deterministic_url(name, project_number=number, region=region),
            hash_url(name, project_number=number, region=region),
            self._service_urls[name],
        }
        return AccessPolicy(
            invokers=service.invokers,
            audiences=frozenset(own | set(service.custom_audiences)),
            emails={account.unique_id: account.email for account in google.accounts.values()},
        )

    def _write_key_files(self, google: Google) -> None:
        for name, settings in self.settings.service_accounts.items():
            account = google.accounts[self.settings.email(name)]
            if settings.key_file is not None and account.key is not None:
                document = key_document(
                    account, account.key, project=self.settings.project, google_url=google.url
                )
                write_key_file(settings.key_file, document)


def _origin(sock: socket.socket) -> str:
    return f"http://{address_of(sock)}"
