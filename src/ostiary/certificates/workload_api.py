"""A certificate from the SPIFFE Workload API, which pushes a new one before the old one ends.

A thread of the `spiffe` package listens; what it hears is looked at by our own rules before it is shown. An
agent that is away, or tells nonsense, leaves what was, and is asked again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from ostiary.certificates.error import CertificateUnusable
from ostiary.certificates.material import Material
from ostiary.certificates.settings import AgentSocket, SpiffeCertificates
from ostiary.event_log import event_log
from ostiary.identity.svid import CertificateRefused, read_certificate, spiffe_id
from ostiary.identity.trust_bundles import TrustBundle

if TYPE_CHECKING:
    from spiffe import WorkloadApiClient, X509Bundle, X509Svid
    from spiffe.workloadapi.workload_api_client import StreamCancelHandler
    from spiffe.workloadapi.x509_context import X509Context

log = event_log("ostiary.certificates")

SOCKET_VARIABLE = "SPIFFE_ENDPOINT_SOCKET"
PATIENCE = 10.0
"""Seconds that the first certificate may take: an agent may just be starting, too."""
ASKED_AGAIN_AFTER = 1.0
"""Seconds until an agent is asked again that ended the conversation, or is away."""
MOST_AUTHORITIES = 256
"""Of all trust domains together: TLS is slow with many, and who federates with us may send any number."""
OVERDUE = 0.8
"""Of a certificate's life. Agents give a new one after half of it."""
TOLD_EVERY = 300.0
"""Seconds between two lines of the log about one that is overdue."""


@dataclass(frozen=True, slots=True)
class _Given:
    """What the agent said last, all of it together."""

    material: Material
    bundles: Mapping[str, TrustBundle]
    """By trust domain: our own, and those that it is federated with."""


class WorkloadApiSource:
    """What the agent says. clock: seconds since the epoch; patience: seconds for its first word."""

    def __init__(
        self, settings: SpiffeCertificates, *, clock: Callable[[], float], patience: float = PATIENCE
    ) -> None:
        """Waits for a certificate. Raises CertificateUnusable when there is none."""
        try:
            from spiffe import WorkloadApiClient  # noqa: PLC0415 - an extra, and half of a second
        except ImportError:
            raise CertificateUnusable(
                "source spiffe needs a package that is not there: pip install 'ostiary[spiffe]'"
            ) from None
        self._socket = settings.socket or _socket_of_environment()
        self._wanted = settings.spiffe_id
        self._clock = clock
        self._tell_at = 0.0
        self._given: _Given | None = None
        self._listening = _Listening(self._socket, WorkloadApiClient, self._take)
        if not self._listening.heard.wait(patience):
            self.close()
            raise CertificateUnusable(
                f"the Workload API at {self._socket} gave no certificate within {patience:g} seconds "
                f"({self._listening.problem}): see whether its agent runs, and whether this workload is "
                "registered there"
            )

    def current(self) -> Material:
        """What the agent gave last."""
        given = self._last()
        now = self._clock()
        if now >= self._tell_at:
            leaf = given.material.chain[0]
            begins, ends = leaf.not_valid_before_utc.timestamp(), leaf.not_valid_after_utc.timestamp()
            if now >= begins + OVERDUE * (ends - begins):
                self._tell_at = now + TOLD_EVERY
                log.error(
                    "certificate_not_renewed",
                    reason=f"the Workload API at {self._socket} has given no other, and this one ends at "
                    f"{leaf.not_valid_after_utc}",
                )
        return given.material

    def bundle(self, trust_domain: str) -> TrustBundle | None:
        """Our own domain's authorities, or those of one that it is federated with."""
        return self._last().bundles.get(trust_domain)

    def close(self) -> None:
        """Listen no more."""
        self._listening.close()

    def _last(self) -> _Given:
        assert self._given is not None  # noqa: S101 - for the type checker: without one there is no source
        return self._given

    def _take(self, context: X509Context) -> None:
        before = self._given
        self._given = _given(self._chosen(context), context.x509_bundle_set.bundles, before)
        if before is None or self._given.material is not before.material:
            self._tell_at = 0.0
            named = str(self._given.material.spiffe_id)
            log.info("certificate_taken", socket=str(self._socket), spiffe_id=named)

    def _chosen(self, context: X509Context) -> X509Svid:
        if self._wanted is None:
            return context.default_svid
        for svid in context.x509_svids:
            if str(svid.spiffe_id) == str(self._wanted):
                return svid
        there = ", ".join(str(svid.spiffe_id) for svid in context.x509_svids)
        raise CertificateUnusable(f"there is no certificate for {self._wanted}, only for {there}")


class _Listening:
    """A conversation with the agent, begun anew whenever it ends.

    Each time with another client: one that goes on by itself waits up to two minutes for an agent that was
    away, and after an hour gives up for good.
    """

    def __init__(
        self,
        socket: AgentSocket,
        connect: Callable[[str], WorkloadApiClient],
        take: Callable[[X509Context], None],
    ) -> None:
        """connect: to an address; take: raises CertificateUnusable for what it does not take."""
        self.heard = threading.Event()
        self.problem = "it said nothing"
        self._socket = socket
        self._connect = connect
        self._take = take
        self._turn = threading.RLock()
        self._is_over = False
        self._client: WorkloadApiClient | None = None
        self._stream: StreamCancelHandler | None = None
        self._again: threading.Timer | None = None
        self._listen()

    def close(self) -> None:
        with self._turn:
            self._is_over = True
            if self._again is not None:
                self._again.cancel()
            self._hang_up()

    def _listen(self) -> None:
        with self._turn:
            if self._is_over:
                return
            if not self._socket.is_there:
                self._lost(FileNotFoundError("its socket is not there"))
                return
            try:
                self._client = self._connect(str(self._socket))
                self._stream = self._client.stream_x509_contexts(self._hear, self._lost, retry_connect=False)
            except Exception as error:  # noqa: BLE001 - whatever the package raises
                self._lost(error)

    def _hear(self, context: X509Context) -> None:
        """Called in a thread of the package's, which would end with whatever is raised here."""
        try:
            self._take(context)
        except CertificateUnusable as error:
            self._tell("certificate_not_taken", str(error))
        else:
            self.problem = ""
            self.heard.set()

    def _lost(self, error: Exception) -> None:
        """Called in a thread of the package's when its conversation ended."""
        with self._turn:
            if self._is_over:
                return
            self._hang_up()
            self._tell("workload_api_lost", str(error))
            self._again = threading.Timer(ASKED_AGAIN_AFTER, self._listen)
            self._again.daemon = True
            self._again.start()

    def _hang_up(self) -> None:
        if self._stream is not None:
            self._stream.cancel()
        if self._client is not None:
            self._client.close()
        self._client = self._stream = None

    def _tell(self, event: str, problem: str) -> None:
        """Once for each problem, though it comes up every second."""
        if problem != self.problem:
            self.problem = problem
            log.error(event, socket=str(self._socket), reason=problem)


def _socket_of_environment() -> AgentSocket:
    address = os.environ.get(SOCKET_VARIABLE)
    if not address:
        raise CertificateUnusable(
            f"nothing says where the Workload API is: name its socket, or set {SOCKET_VARIABLE}"
        )
    try:
        return AgentSocket.parse(address)
    except ValueError as error:
        raise CertificateUnusable(f"{SOCKET_VARIABLE} names no socket: {error}") from None


def _given(svid: X509Svid, bundles: Iterable[X509Bundle], before: _Given | None) -> _Given:
    """Raises CertificateUnusable. What is the same as before stays the same object."""
    chain = tuple(svid.cert_chain)
    try:
        named = spiffe_id(read_certificate(chain[0].public_bytes(Encoding.DER)))
    except CertificateRefused as refused:
        raise CertificateUnusable(f"what the Workload API gave is no SVID: {refused}") from None
    if chain[0].public_key() != svid.private_key.public_key():
        raise CertificateUnusable("what the Workload API gave is a certificate with the key of another one")
    found = _bundles(bundles, {} if before is None else before.bundles)
    ours = found.get(named.trust_domain)
    if ours is None:
        raise CertificateUnusable(f"the Workload API gave no authorities of {named.trust_domain}")
    if before is not None and (before.material.chain, before.material.trust_bundle) == (chain, ours):
        return _Given(before.material, found)
    return _Given(Material(chain, svid.private_key, ours), found)


def _bundles(given: Iterable[X509Bundle], known: Mapping[str, TrustBundle]) -> Mapping[str, TrustBundle]:
    """By trust domain. Raises CertificateUnusable for more authorities than are borne."""
    authorities = {one.trust_domain.name: one.x509_authorities for one in given}
    count = sum(map(len, authorities.values()))
    if count > MOST_AUTHORITIES:
        raise CertificateUnusable(
            f"the Workload API gave {count} authorities, and {MOST_AUTHORITIES} are borne: federate with "
            "fewer trust domains"
        )
    found = {}
    for domain, certificates in authorities.items():
        if certificates:
            bundle = TrustBundle.of(sorted(certificates, key=lambda one: one.fingerprint(SHA256())))
            found[domain] = known[domain] if known.get(domain) == bundle else bundle
    return found
