"""What answers workloads, put together."""

from __future__ import annotations

from ostiary.authserver.config.internal import InternalSettings
from ostiary.authserver.internal.account import Accounts
from ostiary.authserver.internal.listener import InternalEndpoints
from ostiary.authserver.internal.revocation_feed import RevocationFeed
from ostiary.authserver.internal.token_exchange import UpstreamTokenExchange
from ostiary.authserver.internal.workload_request import Workloads
from ostiary.authserver.server.services import Services
from ostiary.identity.certificates import WorkloadIdentifier
from ostiary.identity.trust_bundles import live_bundle


def internal_endpoints(services: Services, settings: InternalSettings) -> InternalEndpoints:
    """Raises CertificateUnusable."""
    bundle = live_bundle(settings.certificates.trust_bundle)
    identifier = WorkloadIdentifier.from_settings(settings, lambda _: bundle(), clock=services.clock)
    workloads = Workloads(identifier, services.audit)
    return InternalEndpoints(
        UpstreamTokenExchange(
            services.access_token_verifier,
            workloads,
            Accounts(services.store, services.resources),
            services.renewals,
            lambda idp: services.url(f"/connect/{idp}"),
            services.audit,
            services.clock,
        ),
        RevocationFeed(services.store, workloads, services.clock),
    )
