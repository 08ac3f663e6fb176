"""TLS, whatever happens to certificates, keys and authorities meanwhile.

Where both sides show certificates, sessions are never resumed, or a client would keep an identity that ended:
TLS 1.3 without tickets. Where we alone do, clients may be older, and come back sooner.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from ostiary.certificates.error import CertificateUnusable
from ostiary.certificates.material import KeyPair, Material, trust
from ostiary.certificates.source import CertificateSource
from ostiary.event_log import event_log
from ostiary.identity.trust_bundles import TrustBundle

log = event_log("ostiary.certificates")

Authorities = Callable[[], Iterable[TrustBundle]]
Seen = TypeVar("Seen")
_Mutual = tuple[Material, tuple[TrustBundle, ...]]
ALPN = ["http/1.1"]


def server_context(source: CertificateSource, authorities: Authorities | None = None) -> ssl.SSLContext:
    """What a listener speaks TLS with that lets nobody in without a certificate.

    authorities: whose certificates; by default those that the source has beside its own certificate. Raises
    CertificateUnusable now, and never later.
    """
    return _following(_Live(_mutual(source, authorities), _for_server))


def open_context(show: Callable[[], KeyPair]) -> ssl.SSLContext:
    """What a listener speaks TLS with that asks nobody for a certificate.

    show: ours, as it is now; the same object until it changes. Raises CertificateUnusable now, never later.
    """
    return _following(_Live(show, _for_anybody))


def _following(live: _Live[Seen]) -> ssl.SSLContext:
    outer = live.current()

    def take_over(connection: ssl.SSLObject, _name: str | None, _outer: ssl.SSLContext) -> None:
        """Called in each handshake, before our certificate is sent and the client's is asked for."""
        connection.context = live.current()

    outer.sni_callback = take_over
    return outer


class ClientContexts:
    """What a client speaks TLS with that shows a certificate: for each new connection, the one of now."""

    def __init__(
        self,
        source: CertificateSource,
        authorities: Authorities | None = None,
        *,
        check_hostname: bool = True,
    ) -> None:
        """authorities: whose servers, by default as for `server_context`. Raises CertificateUnusable.

        check_hostname: False only for who compares the server's SPIFFE ID after the handshake.
        """

        def make(seen: _Mutual) -> ssl.SSLContext:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = check_hostname
            return _with_both(context, seen)

        self._live = _Live(_mutual(source, authorities), make)

    def current(self) -> ssl.SSLContext:
        """The same object until something changes. Never raises."""
        return self._live.current()


class _Live(Generic[Seen]):
    """The context of what is now. A live one could be given authorities, but none be taken away."""

    def __init__(self, look: Callable[[], Seen], make: Callable[[Seen], ssl.SSLContext]) -> None:
        """look: gives what is equal until it changes; make: raises CertificateUnusable, here as well."""
        self._look = look
        self._make = make
        self._of = look()
        self._context = make(self._of)

    def current(self) -> ssl.SSLContext:
        found = self._look()
        if found != self._of:
            self._of = found
            try:
                self._context = self._make(found)
            except CertificateUnusable as error:
                log.error("tls_not_renewed", reason=str(error))  # noqa: TRY400 - its trace says nothing more
        return self._context


def _mutual(source: CertificateSource, authorities: Authorities | None) -> Callable[[], _Mutual]:
    def look() -> _Mutual:
        material = source.current()
        return material, tuple(authorities()) if authorities else (material.trust_bundle,)

    return look


def _with_both(context: ssl.SSLContext, seen: _Mutual) -> ssl.SSLContext:
    material, bundles = seen
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    material.load_into(context)
    trust(context, bundles)
    return context


def _for_server(seen: _Mutual) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET
    return _with_both(context, seen)


def _for_anybody(pair: KeyPair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(ALPN)
    pair.load_into(context)
    return context
