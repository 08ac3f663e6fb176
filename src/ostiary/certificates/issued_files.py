"""A certificate for a process that has no authority of its own: three files, for `source: files`.

A file is replaced whole. One certificate is renewed over the other, but nobody's over somebody else's: so the
certificate comes first, which says whose files they are, and whoever was interrupted may go on.
"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ostiary.certificates.authority import written_for_us_alone
from ostiary.certificates.error import CertificateUnusable
from ostiary.certificates.material import Material, read_certificates
from ostiary.identity.svid import CertificateRefused, spiffe_id


@dataclass(frozen=True, slots=True)
class IssuedFiles:
    """The files in a folder, named as in a Kubernetes secret."""

    directory: Path

    @property
    def certificate(self) -> Path:
        """PEM file of the certificate."""
        return self.directory / "tls.crt"

    @property
    def private_key(self) -> Path:
        """PEM file of its key, for its owner alone."""
        return self.directory / "tls.key"

    @property
    def trust_bundle(self) -> Path:
        """PEM file of the authorities that are believed."""
        return self.directory / "ca.crt"

    def write(self, material: Material) -> None:
        """Raises CertificateUnusable where there are files of another workload, or none can be written."""
        self._refuse_another(material)
        key = material.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            _replace(self.certificate, material.pem, mode=0o644)
            _replace(self.trust_bundle, material.trust_bundle.pem.encode("ascii"), mode=0o644)
            _replace(self.private_key, key, mode=0o600)
        except OSError as error:
            raise CertificateUnusable(
                f"no certificate can be written in {self.directory}: {error.strerror}; name another folder"
            ) from None

    def _refuse_another(self, material: Material) -> None:
        files = (self.certificate, self.private_key, self.trust_bundle)
        taken = [file for file in files if file.exists()]
        if not taken:
            return
        found = None
        with contextlib.suppress(CertificateUnusable, CertificateRefused):
            found = spiffe_id(read_certificates(self.certificate)[0])
        if found != material.spiffe_id:
            raise CertificateUnusable(
                f"{taken[0]} is there and is not of {material.spiffe_id}: name another folder with --out"
            )


def _replace(file: Path, content: bytes, *, mode: int) -> None:
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        written_for_us_alone(draft, content)
        draft.chmod(mode)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
