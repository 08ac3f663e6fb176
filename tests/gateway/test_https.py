"""A gateway that speaks https itself."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.clock import Clock
from tests.gateway.conftest import Caller, McpServer, request_for
from tests.peers.certificates import CertificateAuthority

from ostiary.certificates.error import CertificateUnusable
from ostiary.gateway import Gateway, GatewaySettings
from ostiary.settings import Listen
from ostiary.transport.listeners import answering
from ostiary.transport.serving import address_of, bind


def settings(listen: Listen, directory: Path, **more: Any) -> GatewaySettings:
    authority = CertificateAuthority(directory)
    certificate, key = authority.issue("gateway")
    return GatewaySettings.model_validate(
        {
            "listen": str(listen),
            "allow_unauthenticated": True,
            "tls": {"certificate": certificate, "private_key": key},
            **more,
        }
    )


async def test_a_call_comes_over_https_and_nothing_is_told_in_the_clear(
    server: McpServer, tmp_path: Path
) -> None:
    sock = bind(Listen("127.0.0.1", 0))
    listen = address_of(sock)
    gateway = Gateway(settings(listen, tmp_path, servers={"zoo": {"url": server.url}}))
    trust = ssl.create_default_context(cafile=tmp_path / "authority.pem")
    async with (
        gateway,
        answering(gateway.listeners(), {"gateway.listen": sock}),
        httpx2.AsyncClient(trust_env=False, verify=trust) as http,
    ):
        caller = Caller(http, f"https://{listen}")
        answer = await caller.ask("tools/call", {"name": "zoo_feed", "arguments": {}})
        assert answer.json()["result"]["params"]["name"] == "feed"
        body, headers = request_for("tools/list")
        own = [*headers, ("origin", caller.origin), ("content-type", "application/json")]
        assert (await http.post(f"{caller.origin}/mcp", content=body, headers=own)).status_code == 200
        with pytest.raises(httpx2.TransportError):
            await http.post(f"http://{listen}/mcp", content=body, headers=own)
        document = await http.get(f"{caller.origin}/.well-known/oauth-protected-resource/mcp")
        assert document.json()["resource"] == f"https://{listen}/mcp"


async def test_a_certificate_that_is_over_makes_it_not_ready(tmp_path: Path) -> None:
    clock = Clock(2_000_000_000.0)
    gateway = Gateway(settings(Listen("127.0.0.1", 0), tmp_path), clock=clock)
    async with gateway:
        reason = await gateway.readiness()["gateway.tls"]()
        assert reason is not None
        assert reason.startswith("the certificate of gateway.tls ended at ")


async def test_without_a_certificate_nothing_starts(tmp_path: Path) -> None:
    wanted = settings(Listen("127.0.0.1", 0), tmp_path)
    (tmp_path / "gateway.pem").unlink()
    with pytest.raises(CertificateUnusable, match=r"gateway\.pem cannot be used \(No such file"):
        async with Gateway(wanted):
            pass
