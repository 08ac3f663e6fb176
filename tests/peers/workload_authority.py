"""A trust domain's authority, which signs whatever the test wants, fit or unfit to name a workload."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

Extension = tuple[x509.ExtensionType, bool]
BOTH_SIDES = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])


def usage(**allowed: bool) -> x509.KeyUsage:
    """A key usage with these, and no others."""
    words = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{word: allowed.get(word, False) for word in words})


def uris(*names: str) -> x509.SubjectAlternativeName:
    """Alternative names of a certificate that are URIs."""
    return x509.SubjectAlternativeName(list(map(x509.UniformResourceIdentifier, names)))


def svid(name: str, **changes: Extension | None) -> list[Extension]:
    """The extensions of an SVID for this SPIFFE ID. changes: other ones, or None for none of that kind."""
    extensions: dict[str, Extension | None] = {
        "names": (uris(name), False),
        "usage": (usage(digital_signature=True), True),
        "extended": (BOTH_SIDES, False),
        "constraints": (x509.BasicConstraints(ca=False, path_length=None), True),
    }
    return [extension for extension in (extensions | changes).values() if extension is not None]


@dataclass(frozen=True)
class Leaf:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()


class WorkloadAuthority:
    """Signs certificates; itself signed by itself, or by another one."""

    def __init__(self, name: str, now: float, above: WorkloadAuthority | None = None, **times: float) -> None:
        """now: seconds since the epoch; times: see `issue`."""
        self.now = now
        self.own = Leaf(*((self if above is None else above)._signed(name, _AUTHORITY, above, **times)))

    def below(self, name: str, **times: float) -> Self:
        """An authority that this one vouches for."""
        return type(self)(name, self.now, self, **times)

    def issue(self, name: str, **options: Any) -> Leaf:
        """A certificate for a workload. name: its SPIFFE ID; options: see `sign`, and `svid`."""
        signing = {word: options.pop(word) for word in ("begins", "ends", "subject") if word in options}
        return self.sign(svid(name, **options), **signing)

    def sign(self, extensions: Sequence[Extension], *, subject: str = "workload", **times: float) -> Leaf:
        """A certificate with these extensions. times: `begins` and `ends`, in seconds from now."""
        return Leaf(*self._signed(subject, extensions, self, **times))

    def write(self, file: Path) -> Path:
        """Its certificate, as a bundle."""
        file.write_text(self.own.pem)
        return file

    def _signed(
        self,
        subject: str,
        extensions: Sequence[Extension],
        by: WorkloadAuthority | None,
        begins: float = -3600,
        ends: float = 3600,
    ) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = _name(subject) if by is None else by.own.certificate.subject
        now = dt.datetime.fromtimestamp(self.now, dt.UTC)
        builder = x509.CertificateBuilder(
            issuer, _name(subject), key.public_key(), x509.random_serial_number()
        )
        builder = builder.not_valid_before(now + dt.timedelta(seconds=begins))
        builder = builder.not_valid_after(now + dt.timedelta(seconds=ends))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(key if by is None else by.own.key, hashes.SHA256()), key


_AUTHORITY: list[Extension] = [
    (x509.BasicConstraints(ca=True, path_length=None), True),
    (usage(key_cert_sign=True, crl_sign=True), True),
]


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
