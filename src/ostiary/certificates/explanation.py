"""What a certificate is, for whom, until when, and what is odd about it.

Nobody is asked; who signed it is told only against authorities that are given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from ostiary.identity.certificates import Domain, WorkloadIdentifier
from ostiary.identity.spiffe import DEFAULT_TEMPLATE, SpiffeId, SpiffeIdRefused, SpiffeTemplate
from ostiary.identity.svid import CertificateRefused, Reason, faults
from ostiary.identity.trust_bundles import TrustBundle

DAY = 86400.0
LONGEST_LIFE = 90 * DAY
"""A certificate is called back by nothing but the deny list."""
NEXT_AUTHORITY = 90 * DAY
"""How long before the end of an authority the next one is due: each has to be believed before it signs."""
SHAPES = (DEFAULT_TEMPLATE, SpiffeTemplate("spiffe://{trust_domain}/ns/{namespace}/sa/{name}"))
"""Where the owner stands in SPIFFE IDs: ours, and that of Istio, SPIRE's chart and cert-manager."""


@dataclass(frozen=True, slots=True)
class CertificateExplanation:
    """What one certificate says. Times: seconds since the epoch."""

    kind: str
    """`authority`, `workload`, or `other` for one that names no workload."""
    names: tuple[str, ...]
    """Its URIs: the SPIFFE ID of a workload, or of the trust domain that an authority speaks for."""
    owner: str | None
    """`namespace/name`, where its SPIFFE ID has a shape that is known."""
    hosts: tuple[str, ...]
    """What it is for as a server."""
    issuer: str
    serial: str
    """In hexadecimal, as the deny list takes it."""
    begins: float
    ends: float
    key: str
    oddities: tuple[str, ...]

    @property
    def what(self) -> str:
        """In words."""
        match self.kind:
            case "authority":
                domain = _domain(self.names)
                return "an authority" if domain is None else f"the authority of trust domain {domain}"
            case "workload":
                return f"a certificate of workload {self.owner or self.names[0]}"
        return "a certificate that names no workload"


def explain(
    certificate: x509.Certificate,
    *,
    now: float,
    between: Sequence[x509.Certificate] = (),
    authorities: TrustBundle | None = None,
) -> CertificateExplanation:
    """certificate: one that was read by `read_certificate`; now: seconds since the epoch.

    between, authorities: what leads to whom it should be signed by; None if that is not known.
    """
    alternative = _alternative(certificate)
    uris = () if alternative is None else alternative.get_values_for_type(x509.UniformResourceIdentifier)
    wrong = [] if _is_authority(certificate) else list(faults(certificate))
    kind = "authority" if _is_authority(certificate) else "other" if wrong else "workload"
    odd = [*(fault for _, fault in wrong), *_oddities(certificate, kind, now)]
    if kind == "workload" and authorities is not None:
        odd += _foreign(certificate, between, authorities, now)
    if kind == "authority":
        odd += _of_authority(certificate, uris)
    return CertificateExplanation(
        kind=kind,
        names=tuple(uris),
        owner=next(map(_owner, uris), None) if kind == "workload" else None,
        hosts=_hosts(alternative),
        issuer=certificate.issuer.rfc4514_string(),
        serial=f"{certificate.serial_number:x}",
        begins=certificate.not_valid_before_utc.timestamp(),
        ends=certificate.not_valid_after_utc.timestamp(),
        key=_key(certificate),
        oddities=tuple(odd),
    )


def _oddities(certificate: x509.Certificate, kind: str, now: float) -> Iterator[str]:
    begins = certificate.not_valid_before_utc.timestamp()
    ends = certificate.not_valid_after_utc.timestamp()
    if now > ends:
        yield "it has ended"
    elif now < begins:
        yield "it is not valid yet"
    elif kind == "authority" and ends - now < NEXT_AUTHORITY:
        yield "it ends soon: make the next authority, and let everybody believe both"
    if kind != "authority" and ends - begins > LONGEST_LIFE:
        yield f"it lives for {round((ends - begins) / DAY)} days, and only a deny list calls it back"
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < 2048:
        yield f"its RSA key has {key.key_size} bits, of which TLS wants 2048"
    if certificate.subject != certificate.issuer and not _has(certificate, x509.AuthorityKeyIdentifier):
        yield "it has no authority key identifier, and some programs refuse it for that"


def _of_authority(certificate: x509.Certificate, uris: Sequence[str]) -> Iterator[str]:
    if not _domain(uris):
        yield "it does not say for which trust domain it speaks"
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        yield "it has no key usage"
    else:
        if not usage.key_cert_sign:
            yield "its key usage lacks keyCertSign, so that nothing it signs is believed"


def _foreign(
    certificate: x509.Certificate, between: Sequence[x509.Certificate], authorities: TrustBundle, now: float
) -> Iterator[str]:
    """Held against the same rules as where a workload is recognised."""
    (uri,) = _uris(certificate)
    domain = Domain(SpiffeId.parse(uri).trust_domain, DEFAULT_TEMPLATE, lambda: authorities)
    try:
        WorkloadIdentifier([domain], clock=lambda: now).identify(
            certificate.public_bytes(Encoding.DER), [one.public_bytes(Encoding.DER) for one in between]
        )
    except CertificateRefused as refused:
        if refused.reason is Reason.FOREIGN_ROOT:
            yield "none of the authorities beside it has signed it"


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _alternative(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def _uris(certificate: x509.Certificate) -> Sequence[str]:
    found = _alternative(certificate)
    return [] if found is None else found.get_values_for_type(x509.UniformResourceIdentifier)


def _has(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> bool:
    return any(isinstance(extension.value, kind) for extension in certificate.extensions)


def _hosts(names: x509.SubjectAlternativeName | None) -> tuple[str, ...]:
    if names is None:
        return ()
    addresses = map(str, names.get_values_for_type(x509.IPAddress))
    return (*names.get_values_for_type(x509.DNSName), *addresses)


def _domain(uris: Sequence[str]) -> str | None:
    """The trust domain that an authority says it speaks for."""
    try:
        (uri,) = uris
        named = SpiffeId.parse(uri)
    except (ValueError, SpiffeIdRefused):
        return None
    return None if named.path else named.trust_domain


def _owner(uri: str) -> str | None:
    named = SpiffeId.parse(uri)
    return next((owner for shape in SHAPES if (owner := shape.owner(named)) is not None), None)


def _key(certificate: x509.Certificate) -> str:
    match certificate.public_key():
        case ec.EllipticCurvePublicKey() as key:
            return f"ECDSA {key.curve.name}"
        case rsa.RSAPublicKey() as key:
            return f"RSA {key.key_size}"
        case ed25519.Ed25519PublicKey():
            return "Ed25519"
        case ed448.Ed448PublicKey():
            return "Ed448"
    return "of an unknown kind"
