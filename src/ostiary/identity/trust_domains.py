"""Configuration: the trust domains whose workloads are known, and which of them are let in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from ostiary.identity.spiffe import (
    DEFAULT_TEMPLATE,
    MOST_OWNER_BYTES,
    OWNER,
    OWNER_PART,
    SpiffeTemplate,
    require_trust_domain,
)
from ostiary.settings import ConfiguredPath, Fault, Settings, refuse


def _template(value: object) -> SpiffeTemplate:
    return value if isinstance(value, SpiffeTemplate) else SpiffeTemplate(str(value))


TrustDomain = Annotated[str, AfterValidator(require_trust_domain)]
"""The name of a trust domain: `example.org`."""
Template = Annotated[
    SpiffeTemplate,
    BeforeValidator(_template),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "description": "spiffe://{trust_domain}/ns/{namespace}/sa/{name}"}),
]
Owner = Annotated[str, StringConstraints(pattern=f"^{OWNER}$", max_length=MOST_OWNER_BYTES)]
"""The workload that upstream tokens belong to: `namespace/name`."""
OwnerPart = Annotated[str, StringConstraints(pattern=f"^{OWNER_PART}$", max_length=253)]


class WorkloadsSettings(Settings):
    """Workloads of one trust domain."""

    spiffe_id: Template = DEFAULT_TEMPLATE
    """The shape of their SPIFFE IDs, with `{namespace}` and `{name}` each as one whole segment, such as
    `spiffe://{trust_domain}/ns/{namespace}/sa/{name}` for those of Istio and of SPIRE's chart."""
    allowed_namespaces: list[OwnerPart] = []
    """Namespaces of the workloads that are let in. Default: all."""
    allowed_names: list[OwnerPart] = []
    """Names of the workloads that are let in. Default: all."""


class TrustDomainSettings(WorkloadsSettings):
    """One trust domain of several."""

    trust_domain: TrustDomain
    """Its name, such as `example.org`."""
    trust_bundle: ConfiguredPath | None = None
    """PEM file of its authorities, read again when it changes. Default: as `certificates` says."""


class WorkloadIdentitySettings(WorkloadsSettings):
    """Which workloads are known by their certificates, of one trust domain or of several."""

    trust_domain: TrustDomain | None = None
    """Their trust domain, such as `ostiary.local`. It, or `trust_domains`, has to be written."""
    trust_domains: list[TrustDomainSettings] = []
    """Several of them, each with words of its own. Of two each has to name its namespaces."""
    deny: ConfiguredPath | None = None
    """A file of those that are let in no more: an owner `namespace/name` or a certificate's serial number a
    line. It is read again when it changes, and has to be there."""

    @property
    def domains(self) -> Sequence[TrustDomainSettings]:
        """All, in one form."""
        if self.trust_domain is None:
            return self.trust_domains
        return [
            TrustDomainSettings(
                trust_domain=self.trust_domain,
                spiffe_id=self.spiffe_id,
                allowed_namespaces=self.allowed_namespaces,
                allowed_names=self.allowed_names,
            )
        ]

    @model_validator(mode="after")
    def _no_two_workloads_are_one_owner(self) -> Self:
        refuse(self._faults_of_domains())
        return self

    def _faults_of_domains(self) -> Iterator[Fault]:
        if (self.trust_domain is None) == (not self.trust_domains):
            yield ("trust_domain",), "write trust_domain, or trust_domains for several"
        if self.trust_domains:
            for word in sorted(self.model_fields_set & WorkloadsSettings.model_fields.keys()):
                yield (word,), f"with trust_domains, {word} stands in each of them"
        if len(self.trust_domains) < 2:
            return
        taken: dict[str, str] = {}
        for index, domain in enumerate(self.trust_domains):
            here = ("trust_domains", index)
            if domain.trust_domain in {other.trust_domain for other in self.trust_domains[:index]}:
                yield here, f"trust domain {domain.trust_domain} stands twice"
            elif not domain.allowed_namespaces:
                lacking = f"of several trust domains, {domain.trust_domain} needs allowed_namespaces, or "
                yield here, lacking + "its workloads could be taken for another's"
            for namespace in domain.allowed_namespaces:
                first = taken.setdefault(namespace, domain.trust_domain)
                if first != domain.trust_domain:
                    both = f"{first} and with {domain.trust_domain}: their workloads would be one owner"
                    yield here, f"namespace {namespace} stands with {both}"
