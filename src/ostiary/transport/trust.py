"""Whom we trust over TLS: one set of authorities, one context.

A context costs 16 ms to make, so it is made once for each set and shared by all that trust alike.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path


class TrustUnusable(Exception):
    """A file of authorities that can't be read. The message names it and says what to do."""


@dataclass(frozen=True)
class TrustSet:
    """The authorities in `ca_file` alone, or the system's (and SSL_CERT_FILE's) without one."""

    ca_file: Path | None = None

    @cached_property
    def context(self) -> ssl.SSLContext:
        """For a client: host names and certificates are checked. Raises TrustUnusable."""
        return _context(self.ca_file)

    def presenting(self, certificate: Path, key: Path) -> ssl.SSLContext:
        """The same, showing a certificate of our own; read again when it changes. Raises TrustUnusable."""
        return _context_presenting(self.ca_file, certificate, key, _version(certificate), _version(key))


@lru_cache(maxsize=64)
def _context(ca_file: Path | None) -> ssl.SSLContext:
    return _new_context(ca_file)


def _new_context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or "it holds no certificate"
        if isinstance(error, ssl.SSLError):
            reason = "it holds no certificate"
        raise TrustUnusable(
            f"ca_file {ca_file} cannot be used: {reason}; name a PEM file of certificates"
        ) from None


@lru_cache(maxsize=64)
def _context_presenting(
    ca_file: Path | None, certificate: Path, key: Path, *_versions: int
) -> ssl.SSLContext:
    context = _new_context(ca_file)
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError:
        raise TrustUnusable(
            f"certificate {certificate} cannot be used with key {key}; name a PEM certificate and its key"
        ) from None
    return context


def _version(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError as error:
        raise TrustUnusable(f"{file} cannot be read: {error.strerror}; name a PEM file") from None


SYSTEM_TRUST = TrustSet()
"""What the operating system trusts."""
