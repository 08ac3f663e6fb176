"""A certificate authority of the test's own."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

LIFE = dt.timedelta(days=1)


class CertificateAuthority:
    """Writes PEM files into its directory: its own certificate, and those that it issues."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Test authority")
        extensions = [(x509.BasicConstraints(ca=True, path_length=0), True)]
        certificate = self._signed(self._name, self._key.public_key(), extensions)
        self.file = directory / "authority.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(
        self,
        name: str,
        *,
        subject: x509.Name | None = None,
        names: Sequence[x509.GeneralName] = (),
        begins: dt.timedelta = -2 * LIFE,
        ends: dt.timedelta = LIFE,
    ) -> tuple[Path, Path]:
        """A certificate for a client of that name, good for a server at 127.0.0.1 too; and its key.

        subject: a longer name; names: alternative ones beside the address; begins, ends: from now.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        alternative = x509.SubjectAlternativeName([address, *names])
        certificate = self._signed(
            subject or _name(name), key.public_key(), [(alternative, False)], begins, ends
        )
        files = self.directory / f"{name}.pem", self.directory / f"{name}.key.pem"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return files

    def server_context(self) -> ssl.SSLContext:
        """For a server at 127.0.0.1."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self.issue("server"))
        return context

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        extensions: Sequence[tuple[x509.ExtensionType, bool]],
        begins: dt.timedelta = -2 * LIFE,
        ends: dt.timedelta = LIFE,
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number())
        builder = builder.not_valid_before(now + begins).not_valid_after(now + ends)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self._key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
