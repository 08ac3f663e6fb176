"""A certificate, its key, and the authorities that are believed on the other side, as they go into TLS."""

from __future__ import annotations

import contextlib
import os
import secrets
import ssl
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from ostiary.certificates.error import CertificateUnusable
from ostiary.identity.spiffe import SpiffeId
from ostiary.identity.svid import CertificateRefused, read_certificate, spiffe_id
from ostiary.identity.trust_bundles import TrustBundle, TrustBundleUnusable, read_bundle


@dataclass(frozen=True, slots=True, eq=False)
class KeyPair:
    """A certificate and its key."""

    chain: tuple[x509.Certificate, ...]
    """The certificate, and what leads to its authority."""
    private_key: PrivateKeyTypes = field(repr=False)

    @property
    def spiffe_id(self) -> SpiffeId | None:
        """Which workload it is; None for a certificate that names none."""
        try:
            return spiffe_id(self.chain[0])
        except CertificateRefused:
            return None

    @property
    def pem(self) -> bytes:
        """The chain, as a file of certificates is written."""
        return b"".join(one.public_bytes(Encoding.PEM) for one in self.chain)

    def load_into(self, context: ssl.SSLContext) -> None:
        """Show this certificate. Raises CertificateUnusable. The key is nowhere readable meanwhile."""
        password = secrets.token_urlsafe()
        sealed = self.private_key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode("ascii"))
        )
        try:
            with _passed_as_file(self.pem + sealed) as file:
                context.load_cert_chain(file, password=password)
        except (ssl.SSLError, OSError) as error:
            raise CertificateUnusable(
                f"TLS refuses the certificate ({error.strerror}); use a key of ECDSA P-256 or RSA 2048"
            ) from None


@dataclass(frozen=True, slots=True, eq=False)
class Material(KeyPair):
    """What belongs together, and is exchanged together."""

    trust_bundle: TrustBundle
    """Authorities of its own trust domain, or whoever else is believed."""


def trust(context: ssl.SSLContext, bundles: Iterable[TrustBundle]) -> None:
    """Believe these authorities on the other side, and none that is above them either."""
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    for bundle in bundles:
        context.load_verify_locations(cadata=bundle.pem)


def read_key_pair(certificate: Path, private_key: Path) -> KeyPair:
    """Out of files in PEM. Raises CertificateUnusable."""
    chain = read_certificates(certificate)
    key = read_private_key(private_key)
    if chain[0].public_key() != key.public_key():
        raise CertificateUnusable(
            f"certificate {certificate} cannot be used with key {private_key} (it is another certificate's); "
            "name a PEM certificate and its key"
        )
    return KeyPair(chain, key)


def read_material(certificate: Path, private_key: Path, trust_bundle: Path) -> Material:
    """Out of files in PEM. Raises CertificateUnusable."""
    pair = read_key_pair(certificate, private_key)
    try:
        return Material(pair.chain, pair.private_key, read_bundle(trust_bundle))
    except TrustBundleUnusable as error:
        raise CertificateUnusable(str(error)) from None


def read_certificates(file: Path) -> tuple[x509.Certificate, ...]:
    """Those in a PEM file, one at least. Raises CertificateUnusable."""
    try:
        return tuple(x509.load_pem_x509_certificates(file.read_bytes()))
    except OSError as error:
        reason = str(error.strerror)
    except ValueError:
        reason = "it is not one in PEM"
    raise CertificateUnusable(f"certificate {file} cannot be used ({reason}); name a PEM certificate")


def read_any_certificates(file: Path) -> tuple[x509.Certificate, ...]:
    """Those in a file of PEM, or the one in DER, whoever wrote it. Raises CertificateUnusable."""
    try:
        content = file.read_bytes()
        found = x509.load_pem_x509_certificates(content) if b"-----BEGIN" in content else [content]
        encoded = [one if isinstance(one, bytes) else one.public_bytes(Encoding.DER) for one in found]
        return tuple(map(read_certificate, encoded))
    except OSError as error:
        reason = str(error.strerror)
    except (ValueError, CertificateRefused):
        reason = "it holds no certificate that can be read"
    raise CertificateUnusable(f"{file} cannot be used: {reason}; name a file of certificates, in PEM or DER")


def read_private_key(file: Path) -> PrivateKeyTypes:
    """The one in a PEM file, without a password. Raises CertificateUnusable."""
    try:
        return load_pem_private_key(file.read_bytes(), None)
    except OSError as error:
        reason = str(error.strerror)
    except TypeError:
        reason = "it has a password"
    except ValueError:
        reason = "it is not one in PEM"
    raise CertificateUnusable(f"key {file} cannot be used ({reason}); name a PEM key without a password")


@contextlib.contextmanager
def _passed_as_file(content: bytes) -> Iterator[str]:
    """Its name. `ssl` reads keys from files alone; this one is in memory where there is such a thing."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("certificate", os.MFD_CLOEXEC), "wb") as stream:
            stream.write(content)
            stream.flush()
            yield f"/proc/self/fd/{stream.fileno()}"
    else:
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory, "certificate.pem")
            file.write_bytes(content)
            yield str(file)
