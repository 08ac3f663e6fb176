"""What a certificate must be to name a workload. X509-SVID 2 to 5; RFC 5280.

Its one rule: the only name of a workload is the one URI among its alternative names. Neither its subject nor
a host's name is an identity.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import TypeVar

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from ostiary.identity.spiffe import SCHEME, SpiffeId, SpiffeIdRefused


class Reason(StrEnum):
    """Why a certificate is refused: for the audit and for counts, never for who showed it."""

    NO_CERTIFICATE = "no_certificate"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    NOT_AN_SVID = "not_an_svid"
    NO_IDENTITY = "no_identity"
    TWO_IDENTITIES = "two_identities"
    NOT_CANONICAL = "not_canonical"
    WRONG_TRUST_DOMAIN = "wrong_trust_domain"
    FOREIGN_ROOT = "foreign_root"
    WRONG_SHAPE = "wrong_shape"
    NAMESPACE_NOT_ALLOWED = "namespace_not_allowed"
    NAME_NOT_ALLOWED = "name_not_allowed"
    DENIED = "denied"


class CertificateRefused(Exception):
    """The certificate proves no workload. Its message is for the log, not for who showed it."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def read_certificate(der: bytes) -> x509.Certificate:
    """What is encoded there, extensions and all. Raises CertificateRefused."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        len(certificate.extensions)  # read when they are first asked for
    except (ValueError, x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType):
        raise CertificateRefused(Reason.NOT_AN_SVID, "the certificate cannot be read") from None
    return certificate


def spiffe_id(certificate: x509.Certificate) -> SpiffeId:
    """Which workload it names. Raises CertificateRefused for the first fault.

    certificate: one that was read by `read_certificate`. Who signed it, and when, is another question.
    """
    for reason, fault in faults(certificate):
        raise CertificateRefused(reason, fault)
    return SpiffeId.parse(_uris(certificate)[0])


def faults(certificate: x509.Certificate) -> Iterator[tuple[Reason, str]]:
    """All that keeps a certificate from naming a workload."""
    yield from _faults_of_name(_uris(certificate))
    yield from ((Reason.NOT_AN_SVID, fault) for fault in _faults_of_use(certificate))


def _faults_of_name(uris: list[str]) -> Iterator[tuple[Reason, str]]:
    if len(uris) > 1:
        yield Reason.TWO_IDENTITIES, f"the certificate has {len(uris)} URIs as alternative names, and not one"
    elif not uris or not uris[0].lower().startswith(SCHEME):
        yield Reason.NO_IDENTITY, "the certificate has no SPIFFE ID as its alternative name"
    else:
        try:
            named = SpiffeId.parse(uris[0])
        except SpiffeIdRefused as error:
            yield Reason.NOT_CANONICAL, str(error)
        else:
            if not named.path:
                yield Reason.NOT_AN_SVID, "the SPIFFE ID is a trust domain's, and names no workload"


def _faults_of_use(certificate: x509.Certificate) -> Iterator[str]:
    constraints = _extension(certificate, x509.BasicConstraints)
    if constraints is not None and constraints.value.ca:
        yield "the certificate is an authority's"
    usage = _extension(certificate, x509.KeyUsage)
    if usage is None or not usage.critical or not usage.value.digital_signature:
        yield "the certificate has no critical key usage with digitalSignature"
    elif usage.value.key_cert_sign or usage.value.crl_sign:
        yield "the certificate's key usage has keyCertSign or cRLSign, which is for authorities"
    extended = _extension(certificate, x509.ExtendedKeyUsage)
    if extended is not None and not set(extended.value) >= _BOTH_SIDES:
        yield "the certificate's extended key usage lacks clientAuth or serverAuth"


_BOTH_SIDES = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}
_Kind = TypeVar("_Kind", bound=x509.ExtensionType)


def _extension(certificate: x509.Certificate, kind: type[_Kind]) -> x509.Extension[_Kind] | None:
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def _uris(certificate: x509.Certificate) -> list[str]:
    names = _extension(certificate, x509.SubjectAlternativeName)
    return [] if names is None else names.value.get_values_for_type(x509.UniformResourceIdentifier)
