"""An internal authority of one trust domain: made once, read, and what it signs. X509-SVID; RFC 5280.

Its first certificate signs; others below it in the file are believed as well, so that an authority is
replaced in two steps: believe both everywhere, then sign with the new one.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ostiary.certificates.error import CertificateUnusable
from ostiary.certificates.material import Material, read_certificates, read_private_key
from ostiary.certificates.settings import CaDirectory
from ostiary.event_log import event_log
from ostiary.identity.spiffe import SpiffeId, SpiffeIdRefused
from ostiary.identity.trust_bundles import TrustBundle

log = event_log("ostiary.certificates")

LIFETIME = dt.timedelta(hours=24)
"""Of a certificate. Short, because none is called back but by the deny list."""
LIFETIME_OF_AUTHORITY = dt.timedelta(days=3650)
BEFOREHAND = dt.timedelta(minutes=5)
"""How long before now a certificate begins: what clocks of machines differ by."""


@dataclass(frozen=True, slots=True, eq=False)
class Authority:
    """The authority of a trust domain."""

    trust_domain: str
    certificate: x509.Certificate
    trust_bundle: TrustBundle
    """Its certificate, and others that are believed."""
    _key: ec.EllipticCurvePrivateKey = field(repr=False)

    def issue(
        self, named: SpiffeId, names: Iterable[str], *, now: float, lifetime: dt.timedelta = LIFETIME
    ) -> Material:
        """A certificate for a workload, with a key of its own. Raises CertificateUnusable.

        names: hosts and addresses that it is for as a server; now: seconds since the epoch. It ends no later
        than the authority, and begins no earlier.
        """
        moment = _moment(now)
        if named.trust_domain != self.trust_domain:
            raise CertificateUnusable(
                f"{named} is not of trust domain {self.trust_domain}, for which the authority speaks alone"
            )
        if moment >= self.certificate.not_valid_after_utc:
            raise CertificateUnusable(
                f"the authority of {self.trust_domain} ended at {self.certificate.not_valid_after_utc}; "
                "make another one with `ostiary pki init`, and let everybody believe both first"
            )
        if moment < self.certificate.not_valid_before_utc:
            raise CertificateUnusable(
                f"it is {moment:%Y-%m-%d %H:%M} UTC here, and the authority of {self.trust_domain} begins at "
                f"{self.certificate.not_valid_before_utc}: set this machine's clock"
            )
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            x509.CertificateBuilder(
                issuer_name=self.certificate.subject,
                subject_name=x509.Name([]),
                public_key=key.public_key(),
                serial_number=x509.random_serial_number(),
            )
            .not_valid_before(max(moment - BEFOREHAND, self.certificate.not_valid_before_utc))
            .not_valid_after(min(moment + lifetime, self.certificate.not_valid_after_utc))
        )
        for extension, is_critical in self._extensions(named, names, key):
            builder = builder.add_extension(extension, critical=is_critical)
        return Material((builder.sign(self._key, SHA256()),), key, self.trust_bundle)

    def _extensions(
        self, named: SpiffeId, names: Iterable[str], key: ec.EllipticCurvePrivateKey
    ) -> Sequence[tuple[x509.ExtensionType, bool]]:
        alternative = [x509.UniformResourceIdentifier(str(named)), *map(_general_name, dict.fromkeys(names))]
        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        return [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_usage(digital_signature=True), True),
            (x509.ExtendedKeyUsage(both), False),
            (x509.SubjectAlternativeName(alternative), True),  # since the subject is empty
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False),
        ]


def make_authority(directory: CaDirectory, trust_domain: str, *, now: float) -> Authority:
    """A new one in a folder that is not there yet, or is empty: whole, or not at all.

    now: seconds since the epoch. Raises CertificateUnusable, and SpiffeIdRefused for another kind of name.
    """
    moment = _moment(now)
    named = SpiffeId(trust_domain)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Ostiary authority {secrets.token_hex(8)}")])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(moment - BEFOREHAND)
        .not_valid_after(moment + LIFETIME_OF_AUTHORITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
        )
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(str(named))]), critical=False
        )
        .sign(key, SHA256())
    )
    _write(directory, certificate, key)
    return Authority(trust_domain, certificate, TrustBundle.of([certificate]), key)


def read_authority(directory: CaDirectory) -> Authority:
    """The one in a folder. Raises CertificateUnusable."""
    certificates = read_certificates(directory.certificate)
    key = read_private_key(directory.private_key)
    _warn_of_others(directory.private_key)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateUnusable(
            f"key {directory.private_key} is none of ECDSA; `ostiary pki init` makes one"
        )
    if certificates[0].public_key() != key.public_key():
        raise CertificateUnusable(
            f"the first certificate in {directory.certificate} is not that of key {directory.private_key}; "
            "put the one first that signs"
        )
    return Authority(
        _trust_domain(certificates[0], directory), certificates[0], TrustBundle.of(certificates), key
    )


def _warn_of_others(private_key: Path) -> None:
    with contextlib.suppress(OSError):  # it was there when it was read
        if private_key.stat().st_mode & stat.S_IROTH:
            log.warning(
                "authority_key_open", file=str(private_key), fix="chmod 600: who reads it is any workload"
            )


def _trust_domain(certificate: x509.Certificate, directory: CaDirectory) -> str:
    with contextlib.suppress(x509.ExtensionNotFound, SpiffeIdRefused, ValueError):
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        (uri,) = names.get_values_for_type(x509.UniformResourceIdentifier)
        named = SpiffeId.parse(uri)
        if not named.path:
            return named.trust_domain
    raise CertificateUnusable(
        f"certificate {directory.certificate} does not say for which trust domain it speaks, as a URI such "
        "as spiffe://ostiary.local; `ostiary pki init` makes one that does"
    )


def _write(directory: CaDirectory, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    target = directory.path
    if not target.name:
        raise CertificateUnusable(
            f"{target} is no folder of an authority's own; name one that is not there yet"
        )
    draft = CaDirectory(target.with_name(f".{target.name}.{secrets.token_hex(8)}"))
    try:
        draft.path.mkdir(mode=0o700)
        written_for_us_alone(
            draft.private_key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        draft.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
        draft.path.rename(target)  # which takes the place of nothing but an empty folder
    except OSError as error:
        raise CertificateUnusable(
            f"no authority can be made in {target}: {error.strerror}; name a folder that is not there yet"
        ) from None
    finally:
        shutil.rmtree(draft.path, ignore_errors=True)


def written_for_us_alone(file: Path, content: bytes) -> None:
    """A new file that no other user can read at any moment. Raises OSError."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _moment(now: float) -> dt.datetime:
    try:
        return dt.datetime.fromtimestamp(now, dt.UTC)
    except (ValueError, OverflowError, OSError):
        raise CertificateUnusable("this machine's clock is at no date of a calendar: set it") from None


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )
