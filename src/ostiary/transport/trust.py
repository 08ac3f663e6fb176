"""Whom we trust over TLS: one set of authorities, one context. And why somebody was not trusted, in words.

A context costs 16 ms to make, so it is made once for each set and shared by all that trust alike. Which set
an edge has, its `Reach` says.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from pathlib import Path

from ostiary.operator_error import OperatorError


class TrustUnusable(OperatorError):
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


class Distrust(StrEnum):
    """What is wrong with a certificate."""

    EXPIRED = "its certificate has expired"
    NOT_YET_VALID = "its certificate is not valid yet"
    OTHER_NAME = "its certificate is for another name"
    SELF_SIGNED = "its certificate is self-signed"
    UNKNOWN_AUTHORITY = "its certificate is from an authority that is not trusted here"
    REVOKED = "its certificate was revoked"
    OTHER = "its certificate is not trusted"

    @property
    def fix(self) -> str:
        """What to do."""
        file = os.environ.get("SSL_CERT_FILE")
        if file and self in _FOR_WANT_OF_AUTHORITIES and not Path(file).is_file():
            return f"SSL_CERT_FILE names {file}, and there is no such file; {_FIXES[self]}"
        return _FIXES[self]


_RENEW = "it has to be renewed where the server is"
_NAME_IT = "name a file that has it in ca_file, or in SSL_CERT_FILE for all"
_FIXES = {
    Distrust.EXPIRED: f"{_RENEW}, unless this machine's clock is wrong",
    Distrust.NOT_YET_VALID: "set this machine's clock, or wait until it is",
    Distrust.OTHER_NAME: "write the URL with a name that it is for",
    Distrust.SELF_SIGNED: _NAME_IT,
    Distrust.UNKNOWN_AUTHORITY: f"{_NAME_IT}; a public server may forget to send what leads to its authority",
    Distrust.REVOKED: _RENEW,
    Distrust.OTHER: _RENEW,
}
_FOR_WANT_OF_AUTHORITIES = {Distrust.SELF_SIGNED, Distrust.UNKNOWN_AUTHORITY}
_BY_CODE = {
    2: Distrust.UNKNOWN_AUTHORITY,
    7: Distrust.UNKNOWN_AUTHORITY,  # one of the same name, and with another key
    9: Distrust.NOT_YET_VALID,
    10: Distrust.EXPIRED,
    18: Distrust.SELF_SIGNED,
    19: Distrust.UNKNOWN_AUTHORITY,
    20: Distrust.UNKNOWN_AUTHORITY,
    21: Distrust.UNKNOWN_AUTHORITY,
    23: Distrust.REVOKED,
    62: Distrust.OTHER_NAME,
    64: Distrust.OTHER_NAME,
}
"""OpenSSL's X509_V_ERR_*."""
_IN_WORDS = {
    "WRONG_VERSION_NUMBER": "it does not speak TLS on this port",
    "HTTP_REQUEST": "it does not speak TLS on this port",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it speaks no version of TLS that is still safe",
    "UNSUPPORTED_PROTOCOL": "it speaks no version of TLS that is still safe",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a certificate of its client",
}


def distrust(error: ssl.SSLCertVerificationError) -> Distrust:
    """Why a certificate was not trusted."""
    return _BY_CODE.get(error.verify_code, Distrust.OTHER)


def tls_failure(error: BaseException | None) -> str | None:
    """Why TLS failed, and what to do, out of an error or of what is behind it; None when it was not TLS."""
    found = _behind(error)
    return None if found is None else _failure(found)


def certificate_error(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """What TLS says of a certificate, out of an error or of what is behind it."""
    found = _behind(error)
    return found if isinstance(found, ssl.SSLCertVerificationError) else None


def _behind(error: BaseException | None) -> ssl.SSLError | None:
    for _ in range(_DEEPEST):
        if error is None or isinstance(error, ssl.SSLError):
            return error
        error = error.__cause__ or error.__context__
    return None


_DEEPEST = 10


def _failure(error: ssl.SSLError) -> str:
    if not isinstance(error, ssl.SSLCertVerificationError):
        reason = error.reason or "the handshake failed"
        return _IN_WORDS.get(reason, f"TLS failed ({reason.replace('_', ' ').lower()})")
    found = distrust(error)
    said = f" ({error.verify_message})" if found is Distrust.OTHER else ""
    return f"{found}{said}: {found.fix}"


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
