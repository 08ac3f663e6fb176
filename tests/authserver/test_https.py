"""An authorization server that speaks https itself."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx2
import pytest
from tests.authserver.conftest import SECRET, Clock, Start, basic_settings
from tests.peers.certificates import CertificateAuthority


async def test_tokens_come_over_https(start: Start, tmp_path: Path, clock: Clock) -> None:
    authority = CertificateAuthority(tmp_path)
    certificate, key = authority.issue("auth")
    tls = {"certificate": str(certificate), "private_key": str(key)}
    trust = ssl.create_default_context(cafile=authority.file)
    settings = basic_settings(issuer="https://127.0.0.1", tls=tls)
    async with start(settings) as server, httpx2.AsyncClient(trust_env=False, verify=trust) as http:
        address = httpx2.URL(server.issuer).copy_with(scheme="https")
        form = {"grant_type": "client_credentials"}
        answer = await http.post(
            address.join("/oauth/token"), data=form, auth=("ci", SECRET), headers={"host": "127.0.0.1"}
        )
        assert answer.json()["token_type"] == "Bearer"
        with pytest.raises(httpx2.TransportError):
            await server.token(form, auth=("ci", SECRET))
        clock.advance(365 * 86400)
        reason = await server.server.readiness()["authserver.tls"]()
        assert reason is not None
        assert reason.startswith("the certificate of authserver.tls ended at ")
