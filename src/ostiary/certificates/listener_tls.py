"""https on one listener: what it shows, and how long that is still good for.

Somebody else renews it, mostly: the log says ahead when nobody did, and `/readyz` when it is over.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from cryptography import x509

from ostiary.certificates.error import CertificateUnusable
from ostiary.certificates.material import KeyPair, read_key_pair
from ostiary.certificates.opening import open_certificates
from ostiary.certificates.settings import InternalCaCertificates, KeyPairFiles, SpiffeCertificates
from ostiary.certificates.tls import open_context
from ostiary.event_log import event_log
from ostiary.live_file import LiveFile

log = event_log("ostiary.certificates")

OVERDUE = 0.2
"""Of a certificate's life, that is left when the log says that it ends: others renew it long before."""
AHEAD = dt.timedelta(days=21)
"""The most of it."""
TOLD_EVERY = 3600.0
"""Seconds between two lines of the log about it."""


class ListenerTls:
    """The certificate of one listener. Close it when the listener has ended."""

    def __init__(
        self,
        settings: KeyPairFiles | InternalCaCertificates | SpiffeCertificates,
        *,
        name: str,
        owner: str,
        names: Sequence[str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """name: the setting, such as `gateway.tls`; the rest as in `open_certificates`.

        Raises CertificateUnusable.
        """
        self._name = name
        self._clock = clock
        self._tell_at = 0.0
        self._last: KeyPair | None = None
        self._current: Callable[[], KeyPair]
        self._close: Callable[[], None] | None = None
        if isinstance(settings, KeyPairFiles):
            files = (settings.certificate, settings.private_key)
            self._current = LiveFile(files, partial(self._read, *files)).current
        else:
            source = open_certificates(settings, owner=owner, names=names, clock=clock)
            self._current, self._close = source.current, source.close
        self.context = open_context(self._shown)
        """What the listener speaks TLS with."""

    async def unusable(self) -> str | None:
        """Why nobody would take it, if so: it is over, or not yet good."""
        return self._out_of_time(self._shown().chain[0])

    def close(self) -> None:
        """Let go of what runs beside."""
        if self._close is not None:
            self._close()

    def _read(self, certificate: Path, private_key: Path) -> KeyPair:
        """Raises CertificateUnusable, also for one that is over in place of one that is not."""
        pair = read_key_pair(certificate, private_key)
        reason = self._out_of_time(pair.chain[0])
        if reason is not None and self._last is not None and not self._out_of_time(self._last.chain[0]):
            raise CertificateUnusable(reason)
        return pair

    def _shown(self) -> KeyPair:
        self._last = pair = self._current()
        if self._clock() >= self._tell_at:
            self._tell(pair.chain[0])
        return pair

    def _tell(self, certificate: x509.Certificate) -> None:
        reason = self._out_of_time(certificate)
        if reason is None and self._clock() < _overdue_at(certificate):
            self._tell_at = 0.0
            return
        self._tell_at = self._clock() + TOLD_EVERY
        if reason is not None:
            log.error("certificate_unusable", setting=self._name, reason=reason)
        else:
            log.warning(
                "certificate_ends",
                setting=self._name,
                reason=f"it ends at {certificate.not_valid_after_utc}, and nobody has renewed it",
            )

    def _out_of_time(self, certificate: x509.Certificate) -> str | None:
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if self._clock() >= ends.timestamp():
            return f"the certificate of {self._name} ended at {ends}: renew it"
        if self._clock() < begins.timestamp():
            return f"the certificate of {self._name} is good from {begins} on: see whether the clock is right"
        return None


def _overdue_at(certificate: x509.Certificate) -> float:
    """Seconds since the epoch."""
    ends = certificate.not_valid_after_utc
    return (ends - min(AHEAD, OVERDUE * (ends - certificate.not_valid_before_utc))).timestamp()
