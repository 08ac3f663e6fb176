"""The listener for workloads: upstream tokens, to the workload that owns them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from ostiary.certificates.settings import CertificateSettings
from ostiary.identity.trust_domains import WorkloadIdentitySettings
from ostiary.settings import Duration, Listen, ListenAddress, Url

INTERNAL_LISTEN = "authserver.internal.listen"
"""The setting that says where it listens."""


class InternalSettings(WorkloadIdentitySettings):
    """Upstream tokens over mutual TLS, on a port of its own: never a public one, and never without TLS."""

    listen: ListenAddress = Listen("127.0.0.1", 9443)
    """Where it listens."""
    url: Url | None = None
    """Its address as workloads see it. Default: https and where it listens."""
    certificates: CertificateSettings
    """Our certificate there, and whose workloads are let in."""
    connection_age: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(hours=1))] = timedelta(
        minutes=5
    )
    """How long a workload may use one connection: then it shows its certificate again."""

    @property
    def origin(self) -> str:
        """The address as workloads see it."""
        return f"https://{self.listen}" if self.url is None else str(self.url)
