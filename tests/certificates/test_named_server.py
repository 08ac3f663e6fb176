"""A server that is known by its SPIFFE ID."""

from __future__ import annotations

import ssl
import time

import pytest
from tests.peers.workload_authority import WorkloadAuthority, svid, uris

from ostiary.certificates.named_server import require_server
from ostiary.identity.spiffe import SpiffeId
from ostiary.transport.trust import Distrust, distrust

NAME = "spiffe://ostiary.local/ns/default/mcpserver/authserver"
OTHER = "spiffe://ostiary.local/ns/default/mcpserver/other"
EXPECTED = SpiffeId.parse(NAME)


@pytest.fixture
def authority() -> WorkloadAuthority:
    return WorkloadAuthority("Ostiary", time.time())


def test_the_server_that_is_expected(authority: WorkloadAuthority) -> None:
    require_server(authority.issue(NAME).der, EXPECTED)


def test_another_workload_or_one_of_two_names_is_not(authority: WorkloadAuthority) -> None:
    two = authority.sign(svid(NAME, names=(uris(NAME, OTHER), False)))
    for certificate, said in (
        (authority.issue(OTHER).der, f"its certificate is that of {OTHER}"),
        (two.der, "the certificate has 2 URIs as alternative names, and not one"),
        (authority.own.der, "the certificate has no SPIFFE ID as its alternative name"),
        (b"no certificate", "the certificate cannot be read"),
        (None, "it showed no certificate"),
    ):
        with pytest.raises(ssl.SSLCertVerificationError) as refused:
            require_server(certificate, EXPECTED)
        assert refused.value.verify_message == said
        assert distrust(refused.value) is Distrust.OTHER_NAME
