"""What answers workloads, put together."""

from __future__ import annotations

from ostiary.authserver.internal.account import Accounts
from ostiary.authserver.internal.listener import InternalEndpoints
from ostiary.authserver.internal.revocation_feed import RevocationFeed
from ostiary.authserver.internal.token_exchange import UpstreamTokenExchange
from ostiary.authserver.internal.workload_request import Workloads
from ostiary.authserver.server.services import Services
from ostiary.identity.certificates import WorkloadIdentifier


def internal_endpoints(services: Services, identifier: WorkloadIdentifier) -> InternalEndpoints:
    """identifier: says whose requests they are."""
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
