"""A request of a workload: its certificate says which owner it is, and nothing else in it does."""

from __future__ import annotations

from dataclasses import dataclass

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.http.form_request import FormRequest
from ostiary.identity.certificates import Workload, WorkloadIdentifier
from ostiary.identity.svid import CertificateRefused
from ostiary.oauth.server.errors import InvalidClient
from ostiary.telemetry.audit import Audit


@dataclass(frozen=True, slots=True)
class Workloads:
    """Recognises them."""

    identifier: WorkloadIdentifier
    audit: Audit

    def recognise(self, form: FormRequest) -> Workload:
        """Who sends it. Raises InvalidClient, and writes down why."""
        try:
            return self.identifier.identify(form.certificate, form.certificate_chain)
        except CertificateRefused as refused:
            self.audit.write(
                AuditEvent.WORKLOAD_REFUSED, reason=refused.reason, detail=str(refused), address=form.peer
            )
            raise InvalidClient(
                "the certificate names no workload that is let in here", detail=str(refused)
            ) from None
