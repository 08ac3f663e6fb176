"""A certificate from files, read again when they change: whoever renews it writes over them."""

from __future__ import annotations

from functools import partial

from ostiary.certificates.material import Material, read_material
from ostiary.certificates.settings import FileCertificates
from ostiary.identity.trust_bundles import TrustBundle
from ostiary.live_file import LiveFile


class FileSource:
    """Files that do not fit together, as while they are being replaced, leave what was."""

    def __init__(self, settings: FileCertificates) -> None:
        """Raises CertificateUnusable."""
        files = (settings.certificate, settings.private_key, settings.trust_bundle)
        self._live = LiveFile(files, partial(read_material, *files))

    def current(self) -> Material:
        """As the files are now."""
        return self._live.current()

    def bundle(self, trust_domain: str) -> TrustBundle | None:
        """The bundle is our own trust domain's; any one's where our certificate is of none."""
        material = self.current()
        named = material.spiffe_id
        return material.trust_bundle if named is None or named.trust_domain == trust_domain else None

    def close(self) -> None:
        """Nothing runs."""
