"""A certificate that the process makes itself, from the authority in a folder, and renews in good time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from ostiary.certificates.authority import BEFOREHAND, LIFETIME, Authority, read_authority
from ostiary.certificates.error import CertificateUnusable
from ostiary.certificates.material import Material
from ostiary.certificates.settings import InternalCaCertificates
from ostiary.event_log import event_log
from ostiary.identity.spiffe import DEFAULT_TEMPLATE, SpiffeId
from ostiary.identity.trust_bundles import TrustBundle
from ostiary.live_file import LiveFile

log = event_log("ostiary.certificates")

RENEWED_AFTER = LIFETIME.total_seconds() * 2 / 3
SET_BACK = BEFOREHAND.total_seconds() / 2
"""Seconds by which the clock may be set back before that: others' may be behind, too."""
TRIED_AGAIN_AFTER = 60.0
"""Seconds, when a certificate could not be renewed: eight hours are left for it."""


class InternalCaSource:
    """Whoever asks for the certificate when it is time renews it: that takes less than a millisecond."""

    def __init__(
        self,
        settings: InternalCaCertificates,
        *,
        owner: str,
        names: Sequence[str],
        clock: Callable[[], float],
    ) -> None:
        """owner: which workload this is unless the settings say; names: beside theirs.

        clock: seconds since the epoch. Raises CertificateUnusable.
        """
        self._spiffe_id = settings.spiffe_id
        self._owner = settings.owner or owner
        self._names = (*names, *settings.names)
        self._clock = clock
        directory = settings.directory
        files = (directory.certificate, directory.private_key)
        self._live = LiveFile(files, partial(read_authority, directory))
        self._authority = self._live.current()
        self._issued_at = self._renew_at = 0.0
        self._material = self._issue(self._authority)

    def current(self) -> Material:
        """By the authority and the clock as they are now. One that is set back made what is not yet valid."""
        authority, now = self._live.current(), self._clock()
        if authority is not self._authority or not self._issued_at - SET_BACK <= now < self._renew_at:
            try:
                self._material, self._authority = self._issue(authority), authority
            except CertificateUnusable as error:
                self._authority = authority
                self._issued_at, self._renew_at = now, now + TRIED_AGAIN_AFTER
                log.error("certificate_not_renewed", reason=str(error))  # noqa: TRY400 - its trace says nothing more
        return self._material

    def bundle(self, trust_domain: str) -> TrustBundle | None:
        """It speaks for its own domain alone."""
        authority = self._live.current()
        return authority.trust_bundle if authority.trust_domain == trust_domain else None

    def close(self) -> None:
        """Nothing runs."""

    def _issue(self, authority: Authority) -> Material:
        now = self._clock()
        material = authority.issue(self._named(authority), self._names, now=now)
        self._issued_at, self._renew_at = now, now + RENEWED_AFTER
        return material

    def _named(self, authority: Authority) -> SpiffeId:
        if self._spiffe_id is not None:
            return self._spiffe_id
        namespace, _, name = self._owner.partition("/")
        return DEFAULT_TEMPLATE.render(authority.trust_domain, namespace, name)
