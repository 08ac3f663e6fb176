"""Whom credentials trust, and by which proxy they fetch tokens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.credentials.little_google import PRIVATE_KEY
from tests.credentials.naming_server import naming
from tests.credentials.token_server import TokenServer
from tests.peers.certificates import CertificateAuthority
from tests.peers.http_proxy import proxying

from ostiary.credentials import CredentialError, GoogleIdToken
from ostiary.credentials.headers.headers import OutgoingRequest
from ostiary.credentials.issuer.discovery import NotFound
from ostiary.credentials.runtime import Runtime
from ostiary.oauth.canonical_url import canonical_url
from ostiary.transport.fetch import Fetcher
from ostiary.transport.proxies import proxies_of
from ostiary.transport.reach import Reach, strangers

SERVER = canonical_url("https://mcp.example.com/mcp")


async def test_a_server_is_asked_for_its_issuer_with_its_own_ca_file(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    async with (
        TokenServer().running() as issuer,
        naming(issuer.issuer, authority.server_context()) as url,
        Runtime(servers={url: Reach(authority.file)}) as runtime,
        Runtime() as knowing_nothing,
    ):
        found = await runtime.discoveries.find(None, url, Reach())
        assert found.issuer == issuer.issuer
        with pytest.raises(NotFound, match="from an authority that is not trusted here") as refused:
            await knowing_nothing.discoveries.find(None, url, Reach())
    assert refused.value.fix.startswith("name a file that has it in ca_file")


def test_what_a_server_names_elsewhere_goes_by_no_proxy() -> None:
    reach = Reach()
    assert strangers(reach, "https://mcp.example.com/oauth", SERVER) == reach
    assert strangers(reach, "https://login.example.com", SERVER) == Reach(by_proxy=False)
    assert strangers(reach, "no url", SERVER) == reach


async def test_an_issuer_that_a_server_names_elsewhere_is_asked_straight() -> None:
    async with TokenServer().running() as issuer, naming(issuer.issuer) as url, proxying(url.port) as proxy:
        rule = proxies_of("environment", {"https_proxy": proxy.url, "http_proxy": proxy.url})
        async with Runtime(fetcher=Fetcher(proxies=rule)) as runtime:
            found = await runtime.discoveries.find(None, url, Reach())
    assert found.reach.by_proxy is False
    assert proxy.asked == []


async def test_googles_tokens_are_asked_for_by_the_proxy_too(tmp_path: Path) -> None:
    key_file = tmp_path / "key.json"
    key = {
        "type": "service_account",
        "client_email": "a@b.iam.gserviceaccount.com",
        "private_key": PRIVATE_KEY.decode(),
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    key_file.write_text(json.dumps(key))
    credential = GoogleIdToken(key_file=key_file)
    async with proxying(1, status=403) as proxy:
        rule = proxies_of("environment", {"https_proxy": f"http://user:tiger@127.0.0.1:{proxy.port}"})
        async with Runtime(proxies=rule) as runtime:
            with pytest.raises(CredentialError) as failed:
                await credential.attach(SERVER, runtime=runtime).get(OutgoingRequest("POST", SERVER))
    assert set(proxy.asked) == {"CONNECT oauth2.googleapis.com:443 HTTP/1.0"}
    assert "Proxy-Authorization: Basic dXNlcjp0aWdlcg==" in proxy.heads[0]
    assert "tiger" not in str(failed.value)
