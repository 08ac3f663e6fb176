"""TLS for a listener that lets in who shows a certificate of the authorities in a file.

The files are read again when they change, so that certificates are renewed and authorities withdrawn without
a restart. Sessions are never resumed, or a client would keep an identity that ended: TLS 1.3 without tickets.
"""

from __future__ import annotations

import ssl
from typing import Literal

import structlog

from ostiary.operator_error import OperatorError
from ostiary.settings import ConfiguredPath, Settings

log = structlog.get_logger("ostiary.transport")


class CertificateUnusable(OperatorError):
    """A certificate, key or bundle that cannot be used. The message names the file and says what to do."""


class FileCertificates(Settings):
    """A certificate from files, read again when they change."""

    source: Literal["files"] = "files"
    """Where it comes from."""
    certificate: ConfiguredPath
    """PEM file of the certificate, and what leads to its authority."""
    private_key: ConfiguredPath
    """PEM file of its key."""
    trust_bundle: ConfiguredPath
    """PEM file of the authorities that issue clients' certificates."""


def mutual_tls(files: FileCertificates) -> ssl.SSLContext:
    """What such a listener speaks TLS with, whatever happens to the files. Raises CertificateUnusable."""
    live = _Live(files)
    outer = live.context
    outer.sni_callback = live.take_over
    return outer


class _Live:
    """The context of the files as they are. A live one could be given authorities, but none be taken away."""

    def __init__(self, files: FileCertificates) -> None:
        self._files = files
        self._version = _version(files)
        self.context = _context(files)

    def take_over(self, connection: ssl.SSLObject, _name: str | None, _outer: ssl.SSLContext) -> None:
        """Called in each handshake, before our certificate is sent and the client's is asked for."""
        self._refresh()
        connection.context = self.context

    def _refresh(self) -> None:
        """Files that do not fit together, as while they are being replaced, leave what was."""
        try:
            version = _version(self._files)
            if version == self._version:
                return
            self._version = version
            self.context = _context(self._files)
        except CertificateUnusable as error:
            log.error("certificates_not_renewed", reason=str(error))  # noqa: TRY400 - its trace says nothing more
        else:
            log.info("certificates_renewed", certificate=str(self._files.certificate))


def _context(files: FileCertificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET
    try:
        context.load_cert_chain(files.certificate, files.private_key)
    except (ssl.SSLError, OSError) as error:
        raise CertificateUnusable(
            f"certificate {files.certificate} cannot be used with key {files.private_key} "
            f"({_reason(error)}); name a PEM certificate and its key"
        ) from None
    try:
        context.load_verify_locations(files.trust_bundle)
    except (ssl.SSLError, OSError) as error:
        raise CertificateUnusable(
            f"trust_bundle {files.trust_bundle} cannot be used ({_reason(error)}); "
            "name a PEM file of the authorities of clients"
        ) from None
    return context


def _version(files: FileCertificates) -> tuple[tuple[int, int, int], ...]:
    found = []
    for file in (files.certificate, files.private_key, files.trust_bundle):
        try:
            stat = file.stat()
        except OSError as error:
            raise CertificateUnusable(f"{file} cannot be read: {error.strerror}; name a PEM file") from None
        found.append((stat.st_mtime_ns, stat.st_ino, stat.st_size))
    return tuple(found)


def _reason(error: OSError) -> str:
    return "it is not one in PEM" if isinstance(error, ssl.SSLError) else str(error.strerror)
