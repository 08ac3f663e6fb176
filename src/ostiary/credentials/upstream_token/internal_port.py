"""The authorization server's port for workloads, as one workload asks it: over mutual TLS, whoever calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from ostiary.certificates.named_server import expect_server
from ostiary.certificates.opening import open_certificates
from ostiary.certificates.tls import Authorities, ClientContexts
from ostiary.credentials.upstream_token.circuit import Circuit
from ostiary.oauth.client.upstream_exchange import AnswerUnreadable, Revocations, read_revocations
from ostiary.transport.fetch import Fetcher, FetchError
from ostiary.transport.reach import Reach
from ostiary.transport.retry_after import retry_after

if TYPE_CHECKING:
    import ssl

    from ostiary.certificates.settings import CertificateSettings
    from ostiary.identity.spiffe import SpiffeId
    from ostiary.oauth.canonical_url import CanonicalUrl
    from ostiary.transport.fetched_document import FetchedDocument
    from ostiary.transport.proxies import Proxies

GATEWAY = "default/gateway"
"""The owner that we are, where the certificates' settings say nothing else."""
FEED = "revocations"
CONNECTING = 5.0
"""Seconds for a connection, within which the server shows that it is there."""
EXCHANGING = 40.0
"""Seconds for one exchange: the server itself may wait 25 for the identity provider and its store. Whoever
gave up before it would take a slow provider for a server that is away."""
LISTENING = 40.0
"""Seconds for one question to the feed, which answers within 25 though nothing happens."""
MOST_AT_ONCE = 32
"""Exchanges for the accounts of one provider."""


class FeedUnheard(Exception):
    """The feed gave nothing that can be read. The message says why.

    retry_after: seconds, if it said so; of_question: whether it says that what it was asked is no question.
    """

    def __init__(self, reason: str, retry_after: float | None = None, *, of_question: bool = False) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.of_question = of_question


class PortAddress(NamedTuple):
    """Where the port is, and as whom it is asked: credentials that say the same share it."""

    token_url: CanonicalUrl
    certificates: CertificateSettings
    private_network: bool = False
    authserver_id: SpiffeId | None = None
    """Whom its certificate has to name. None: the host of token_url."""

    @property
    def feed_url(self) -> CanonicalUrl:
        """The feed stands beside the exchange."""
        folder = self.token_url.path.rpartition("/")[0]
        return replace(self.token_url, path=f"{folder}/{FEED}", query=None)


class InternalPort:
    """One port. clock: seconds since the epoch."""

    def __init__(self, address: PortAddress, proxies: Proxies, clock: Callable[[], float]) -> None:
        """Raises CertificateUnusable."""
        self.address = address
        self.circuit = Circuit(clock, failure=FetchError)
        self._fetcher = Fetcher(timeout=EXCHANGING, connect_timeout=CONNECTING, proxies=proxies)
        self._listener = Fetcher(timeout=LISTENING, connect_timeout=CONNECTING, proxies=proxies)
        self._room: dict[str, asyncio.Semaphore] = {}
        self._clock = clock
        self._source = open_certificates(address.certificates, owner=GATEWAY, clock=clock)
        self._contexts = ClientContexts(
            self._source, self._authorities(), check_hostname=address.authserver_id is None
        )
        self._reach = Reach(private_network=address.private_network)

    async def exchange(self, form: Mapping[str, str]) -> FetchedDocument:
        """Whatever is answered. Raises FetchError or CircuitOpen.

        Each provider's accounts have room of their own: one that is slow holds up no others.
        """
        url = self.address.token_url
        async with self._room.setdefault(form.get("audience", ""), asyncio.Semaphore(MOST_AT_ONCE)):
            return await self.circuit.run(
                lambda: self._fetcher.post_form(url, form, reach=self._reach, tls=self._tls())
            )

    async def revocations(self, after: str | None) -> Revocations:
        """What the feed tells, when there is something, or after a while. Raises FeedUnheard."""
        url = self.address.feed_url
        try:
            document = await self._listener.get(
                url if after is None else replace(url, query=f"after={after}"),
                reach=self._reach,
                tls=self._tls(),
            )
        except FetchError as error:
            raise FeedUnheard(str(error)) from None
        if document.status != 200:
            wait = retry_after(document.headers.get("retry-after"), now=self._clock())
            said = f"{url}: it answered {document.status}"
            raise FeedUnheard(said, wait, of_question=document.status == 400)
        try:
            return read_revocations(document.body)
        except AnswerUnreadable as error:
            raise FeedUnheard(f"{url}: {error}") from None

    def version(self) -> Hashable:
        """Another value when our certificate is another one. Never raises."""
        return self._source.current()

    def _authorities(self) -> Authorities | None:
        """A SPIFFE ID is believed of the authorities of its own trust domain alone."""
        named, source = self.address.authserver_id, self._source
        if named is None:
            return None
        return lambda: () if (bundle := source.bundle(named.trust_domain)) is None else (bundle,)

    def _tls(self) -> ssl.SSLContext:
        context = self._contexts.current()
        if self.address.authserver_id is not None:
            expect_server(context, self.address.authserver_id)
        return context

    def close(self) -> None:
        """Show no certificate any more."""
        self._source.close()
