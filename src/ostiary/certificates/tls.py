"""TLS with certificates on both sides, whatever happens to certificates, keys and authorities meanwhile.

Sessions are never resumed, or a client would keep an identity that ended: TLS 1.3 without tickets.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable

from ostiary.certificates.error import CertificateUnusable
from ostiary.certificates.material import Material, trust
from ostiary.certificates.source import CertificateSource
from ostiary.event_log import event_log
from ostiary.identity.trust_bundles import TrustBundle

log = event_log("ostiary.certificates")

Authorities = Callable[[], Iterable[TrustBundle]]


def server_context(source: CertificateSource, authorities: Authorities | None = None) -> ssl.SSLContext:
    """What a listener speaks TLS with that lets nobody in without a certificate.

    authorities: whose certificates; by default those that the source has beside its own certificate. Raises
    CertificateUnusable now, and never later.
    """
    live = _Live(source, authorities, _for_server)
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

        def make() -> ssl.SSLContext:
            context = _base(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = check_hostname
            return context

        self._live = _Live(source, authorities, make)

    def current(self) -> ssl.SSLContext:
        """The same object until something changes. Never raises."""
        return self._live.current()


class _Live:
    """The context of what is now. A live one could be given authorities, but none be taken away."""

    def __init__(
        self,
        source: CertificateSource,
        authorities: Authorities | None,
        make: Callable[[], ssl.SSLContext],
    ) -> None:
        self._source = source
        self._authorities = authorities
        self._make = make
        self._of = self._looked()
        self._context = self._made(*self._of)

    def current(self) -> ssl.SSLContext:
        found = self._looked()
        if found != self._of:
            self._of = found
            try:
                self._context = self._made(*found)
            except CertificateUnusable as error:
                log.error("tls_not_renewed", reason=str(error))  # noqa: TRY400 - its trace says nothing more
        return self._context

    def _looked(self) -> tuple[Material, tuple[TrustBundle, ...]]:
        material = self._source.current()
        return material, tuple(self._authorities()) if self._authorities else (material.trust_bundle,)

    def _made(self, material: Material, bundles: Iterable[TrustBundle]) -> ssl.SSLContext:
        context = self._make()
        material.load_into(context)
        trust(context, bundles)
        return context


def _for_server() -> ssl.SSLContext:
    context = _base(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET
    return context


def _base(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
