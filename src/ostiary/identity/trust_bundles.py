"""The authorities that speak for one trust domain. SPIFFE-Trust-Domain-and-Bundle 4."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import Store

from ostiary.live_file import LiveFile
from ostiary.operator_error import OperatorError


class TrustBundleUnusable(OperatorError):
    """Authorities that cannot be read. The message names the file and says what to do."""


@dataclass(frozen=True, slots=True)
class TrustBundle:
    """Certificates of authorities, of which there is one at least. Equal when they are the same ones."""

    certificates: tuple[x509.Certificate, ...] = field(compare=False)
    digests: frozenset[bytes]
    store: Store = field(compare=False, repr=False)

    @classmethod
    def of(cls, certificates: Iterable[x509.Certificate]) -> Self:
        """Raises ValueError for none at all."""
        found = tuple(certificates)
        digests = frozenset(certificate.fingerprint(SHA256()) for certificate in found)
        return cls(found, digests, Store(list(found)))

    @property
    def pem(self) -> str:
        """As a file of authorities is written."""
        return "".join(one.public_bytes(Encoding.PEM).decode("ascii") for one in self.certificates)


LiveBundle = Callable[[], TrustBundle]
"""Gives a domain's authorities as they are now: the same object until they change. Never raises."""


def read_bundle(file: Path) -> TrustBundle:
    """The authorities in a PEM file. Raises TrustBundleUnusable."""
    try:
        return TrustBundle.of(x509.load_pem_x509_certificates(file.read_bytes()))
    except OSError as error:
        reason = str(error.strerror)
    except ValueError:
        reason = "it has no certificates in PEM"
    raise TrustBundleUnusable(
        f"trust bundle {file} cannot be used ({reason}); name a PEM file of authorities"
    )


def live_bundle(file: Path) -> LiveBundle:
    """The authorities in a PEM file, as it is now. Raises TrustBundleUnusable at once, and never later."""
    return LiveFile([file], lambda: read_bundle(file)).current
