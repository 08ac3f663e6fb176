"""What every source of certificates gives."""

from __future__ import annotations

from typing import Protocol

from ostiary.certificates.material import Material
from ostiary.identity.trust_bundles import TrustBundle


class CertificateSource(Protocol):
    """Looked at wherever something begins that a certificate is shown in; it never blocks for long."""

    def current(self) -> Material:
        """The material as it is now: the same object until it changes. Never raises."""

    def bundle(self, trust_domain: str) -> TrustBundle | None:
        """Who speaks for a trust domain, as far as the source knows: the same object until it changes."""

    def close(self) -> None:
        """Let go of what runs beside."""
