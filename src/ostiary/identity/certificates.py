"""Which workload a certificate proves, and whose owner it is. X509-SVID; RFC 5280 section 6.

A certificate speaks for one trust domain, and only what that domain's own authorities signed is believed.
What was found is remembered as long as those authorities stay the same; when the certificate ends, and
whether its workload is denied, is looked at each time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Self

from cryptography import x509
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    VerificationError,
)

from ostiary.identity.deny_list import DenyList, live_deny_list
from ostiary.identity.spiffe import SpiffeId, SpiffeTemplate
from ostiary.identity.svid import CertificateRefused, Reason, read_certificate, spiffe_id
from ostiary.identity.trust_bundles import TrustBundle, TrustBundleUnusable, live_bundle
from ostiary.identity.trust_domains import TrustDomainSettings, WorkloadIdentitySettings

MOST_REMEMBERED = 1024
"""Certificates whose chain is not looked at again."""
MOST_BETWEEN = 8
"""Certificates of a chain that are read, from the leaf to the authority."""

BundleOf = Callable[[str], TrustBundle | None]
"""The authorities of a trust domain as they are now, the same object until they change; None without any."""


@dataclass(frozen=True, slots=True)
class Workload:
    """Who showed a certificate."""

    owner: str
    """`namespace/name`."""
    spiffe_id: SpiffeId
    serial: int
    """Of the certificate, with its authority."""
    not_after: float
    """When the certificate ends: seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Domain:
    """A trust domain that is known, and whom of it we let in."""

    name: str
    template: SpiffeTemplate
    bundle: Callable[[], TrustBundle | None]
    allowed_namespaces: frozenset[str] = frozenset()
    """Empty for all."""
    allowed_names: frozenset[str] = frozenset()
    """Empty for all."""

    def owner(self, named: SpiffeId) -> str:
        """Whose certificate it is. Raises CertificateRefused."""
        owner = self.template.owner(named)
        if owner is None:
            raise CertificateRefused(Reason.WRONG_SHAPE, f"{named} has not the shape {self.template}")
        namespace, _, name = owner.partition("/")
        if self.allowed_namespaces and namespace not in self.allowed_namespaces:
            raise CertificateRefused(
                Reason.NAMESPACE_NOT_ALLOWED, f"namespace {namespace} is not in allowed_namespaces"
            )
        if self.allowed_names and name not in self.allowed_names:
            raise CertificateRefused(Reason.NAME_NOT_ALLOWED, f"name {name} is not in allowed_names")
        return owner


@dataclass(frozen=True, slots=True)
class _Proven:
    """What a chain has proven, as long as it leads to these authorities. Times: seconds since the epoch."""

    workload: Workload
    domain: Domain
    bundle: TrustBundle
    begins: float
    ends: float

    def holds(self, now: float) -> bool:
        return self.begins <= now <= self.ends and self.domain.bundle() is self.bundle


class WorkloadIdentifier:
    """Of the domains that it knows. clock: seconds since the epoch."""

    def __init__(
        self,
        domains: Iterable[Domain],
        *,
        clock: Callable[[], float],
        denied: Callable[[], DenyList] = DenyList,
    ) -> None:
        self._domains = {domain.name: domain for domain in domains}
        self._denied = denied
        self._clock = clock
        self._proven: dict[bytes, _Proven] = {}

    @classmethod
    def from_settings(
        cls, settings: WorkloadIdentitySettings, bundle_of: BundleOf, *, clock: Callable[[], float]
    ) -> Self:
        """bundle_of: authorities of the domains that name no file of them.

        Raises TrustBundleUnusable and DenyListUnusable now; what breaks later leaves what was.
        """
        domains = [_domain(domain, bundle_of) for domain in settings.domains]
        _require_bundles_apart(domains)
        denied = DenyList if settings.deny is None else live_deny_list(settings.deny)
        return cls(domains, clock=clock, denied=denied)

    def authorities(self) -> tuple[TrustBundle, ...]:
        """Of all domains, as they are now: for a handshake, which cannot know the domain yet."""
        found = (domain.bundle() for domain in self._domains.values())
        return tuple(bundle for bundle in found if bundle is not None)

    def identify(self, certificate: bytes | None, chain: Sequence[bytes] = ()) -> Workload:
        """Who shows a certificate. Raises CertificateRefused.

        certificate, chain: in DER; what TLS was shown beside it on the way to an authority, in any order.
        """
        if certificate is None:
            raise CertificateRefused(Reason.NO_CERTIFICATE, "there is no certificate")
        between = [other for other in chain if other != certificate][:MOST_BETWEEN]
        key = sha256(b"".join(sha256(one).digest() for one in (certificate, *between))).digest()
        now = self._clock()
        proven = self._proven.get(key)
        if proven is None or not proven.holds(now):
            self._proven.pop(key, None)
            proven = self._prove(certificate, between, now)
            if len(self._proven) >= MOST_REMEMBERED:
                del self._proven[next(iter(self._proven))]
            self._proven[key] = proven
        self._refuse_denied(proven.workload)
        return proven.workload

    def _prove(self, der: bytes, between: Sequence[bytes], now: float) -> _Proven:
        leaf = read_certificate(der)
        _require_time(leaf, now)
        named = spiffe_id(leaf)
        domain = self._domains.get(named.trust_domain)
        if domain is None:
            known = ", ".join(self._domains)
            raise CertificateRefused(
                Reason.WRONG_TRUST_DOMAIN, f"trust domain {named.trust_domain} is not {known}"
            )
        bundle = domain.bundle()
        if bundle is None:
            raise CertificateRefused(Reason.FOREIGN_ROOT, f"{domain.name} has no authorities now")
        chain = _verified(leaf, between, bundle, named, now)
        workload = Workload(domain.owner(named), named, leaf.serial_number, _ends(leaf))
        return _Proven(workload, domain, bundle, max(map(_begins, chain)), min(map(_ends, chain)))

    def _refuse_denied(self, workload: Workload) -> None:
        denied = self._denied()
        if workload.owner in denied.owners:
            raise CertificateRefused(Reason.DENIED, f"{workload.owner} is on the deny list")
        if workload.serial in denied.serials:
            raise CertificateRefused(Reason.DENIED, f"serial number {workload.serial:x} is on the deny list")


def _domain(settings: TrustDomainSettings, bundle_of: BundleOf) -> Domain:
    name, file = settings.trust_domain, settings.trust_bundle
    bundle = partial(bundle_of, name) if file is None else live_bundle(file)
    if bundle() is None:
        raise TrustBundleUnusable(
            f"there are no authorities for trust domain {name}: name them in its trust_bundle, or let "
            "certificates come from where they are known"
        )
    return Domain(
        name,
        settings.spiffe_id,
        bundle,
        frozenset(settings.allowed_namespaces),
        frozenset(settings.allowed_names),
    )


def _require_bundles_apart(domains: Sequence[Domain]) -> None:
    first: dict[bytes, str] = {}
    for domain in domains:
        bundle = domain.bundle()
        for digest in () if bundle is None else bundle.digests:
            other = first.setdefault(digest, domain.name)
            if other != domain.name:
                raise TrustBundleUnusable(
                    f"trust domains {other} and {domain.name} have an authority in common, which could speak "
                    "for both: give each a trust_bundle of its own"
                )


def _require_time(leaf: x509.Certificate, now: float) -> None:
    if now > _ends(leaf):
        raise CertificateRefused(Reason.EXPIRED, f"the certificate ended {leaf.not_valid_after_utc}")
    if now < _begins(leaf):
        raise CertificateRefused(Reason.NOT_YET_VALID, f"the certificate begins {leaf.not_valid_before_utc}")


def _verified(
    leaf: x509.Certificate,
    between: Sequence[bytes],
    bundle: TrustBundle,
    named: SpiffeId,
    now: float,
) -> Sequence[x509.Certificate]:
    """The leaf's chain to an authority of its domain."""
    verifier = (
        PolicyBuilder()
        .store(bundle.store)
        .time(dt.datetime.fromtimestamp(now, dt.UTC))
        .extension_policies(ca_policy=_AUTHORITIES, ee_policy=ExtensionPolicy.permit_all())
        .build_client_verifier()
    )
    try:
        return verifier.verify(leaf, [read_certificate(one) for one in between]).chain
    except VerificationError as error:
        raise CertificateRefused(
            Reason.FOREIGN_ROOT, f"the certificate leads to no authority of {named.trust_domain}: {error}"
        ) from None


def _signs_certificates(_: Policy, __: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("an authority's key usage lacks keyCertSign")


_AUTHORITIES = (
    ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _signs_certificates)
)
"""What RFC 5280 wants of authorities. SPIFFE wants no more, where the public web does."""


def _begins(certificate: x509.Certificate) -> float:
    return certificate.not_valid_before_utc.timestamp()


def _ends(certificate: x509.Certificate) -> float:
    return certificate.not_valid_after_utc.timestamp()
