"""Each entry's own connections: its authorities, its private network, and nobody else's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from tests.authserver.conftest import Clock
from tests.authserver.idps.conftest import CALLBACK, INLINE, Provider, signed_in
from tests.authserver.idps.little_idp import CLIENT_ID, LittleIdp, little_idp
from tests.authserver.idps.naming_service import NamingService
from tests.authserver.idps.recorded import recorded
from tests.peers.certificates import CertificateAuthority

from ostiary.authserver.config.idps import IdpSettings
from ostiary.authserver.idps.idp import IdpUnavailable, LoginOptions, UpstreamIdp
from ostiary.authserver.idps.mcp import McpProvider
from ostiary.authserver.idps.oauth2 import OAuth2Provider
from ostiary.authserver.idps.oidc import OidcProvider
from ostiary.authserver.idps.registrations import Registrations
from ostiary.authserver.idps.tools import Tools
from ostiary.authserver.upstream_account import UpstreamAccount
from ostiary.identity.key_sets import KeySets
from ostiary.storage.store import Store

ENTRY: TypeAdapter[Any] = TypeAdapter(IdpSettings)
NOT_TRUSTED = "its certificate is from an authority that is not trusted here"
TOKENS = {"access_token": "the-token", "token_type": "Bearer"}


async def arrived(at: UpstreamIdp, clock: Clock) -> UpstreamAccount:
    left = await at.begin(state="s", redirect_uri=CALLBACK, options=LoginOptions())
    return await at.complete(b"code=c&state=s", left.memory, now=clock())


async def test_connect_with_a_private_ca(provider: Provider, clock: Clock, tmp_path: Path) -> None:
    """Metadata, keys, tokens, userinfo and revocation of an OpenID provider."""
    authority = CertificateAuthority(tmp_path)
    async with little_idp(clock, authority=authority) as idp:
        at = provider(issuer=idp.url, ca_file=authority.file.name, userinfo=True)
        connected = await signed_in(at, idp, clock)
        await at.renew(connected.tokens, issuer=idp.url, client_id=CLIENT_ID, now=clock())
        await at.revoke(connected.tokens, issuer=idp.url, client_id=CLIENT_ID)
        assert set(idp.paths) == {
            "/.well-known/openid-configuration",
            "/token",
            "/jwks",
            "/userinfo",
            "/revoke",
        }
        with pytest.raises(IdpUnavailable, match=NOT_TRUSTED):
            await signed_in(provider(issuer=idp.url), idp, clock)


async def test_an_oauth2_provider_with_a_private_ca(tools: Tools, clock: Clock, tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    async with recorded(authority) as there:
        values = {
            "name": "hub",
            "type": "oauth2",
            "authorization_endpoint": f"{there.url}/authorize",
            "token_endpoint": f"{there.url}/token",
            "revocation_endpoint": f"{there.url}/revoke",
            "userinfo": {"url": f"{there.url}/user", "subject": "id"},
            "client_id": CLIENT_ID,
        }
        there.says("/token", TOKENS)
        there.says("/user", {"id": 42})
        there.says("/revoke", {})
        trusting = ENTRY.validate_python(values | {"ca_file": str(authority.file)}, context=INLINE)
        at = OAuth2Provider(trusting, tools)
        connected = await arrived(at, clock)
        await at.revoke(connected.tokens, issuer=connected.issuer, client_id=CLIENT_ID)
        assert [sent["to"] for sent in there.asked] == ["POST /token", "GET /user", "POST /revoke"]
        with pytest.raises(IdpUnavailable, match=NOT_TRUSTED):
            await arrived(OAuth2Provider(ENTRY.validate_python(values), tools), clock)


async def test_an_mcp_server_with_a_private_ca(
    tools: Tools, clock: Clock, store: Store, tmp_path: Path
) -> None:
    authority = CertificateAuthority(tmp_path)
    async with recorded(authority) as there:
        described = {"resource": f"{there.url}/mcp", "authorization_servers": [there.url]}
        metadata = {
            "issuer": there.url,
            "authorization_endpoint": f"{there.url}/authorize",
            "token_endpoint": f"{there.url}/token",
            "registration_endpoint": f"{there.url}/register",
            "code_challenge_methods_supported": ["S256"],
        }
        there.says("/.well-known/oauth-protected-resource/mcp", described)
        there.says("/.well-known/oauth-authorization-server", metadata, metadata)
        there.says("/register", {"client_id": "us"}, status=201)
        there.says("/token", TOKENS)
        values = {"name": "notes", "type": "mcp", "url": f"{there.url}/mcp"}
        trusting = ENTRY.validate_python(values | {"ca_file": str(authority.file)})
        at = McpProvider(trusting, tools, Registrations(store), document=None)
        assert (await arrived(at, clock)).client_id == "us"
        other = McpProvider(ENTRY.validate_python(values), tools, Registrations(store), document=None)
        with pytest.raises(IdpUnavailable, match=NOT_TRUSTED):
            await arrived(other, clock)


async def test_a_private_ca_is_trusted_for_its_own_entry_alone(
    provider: Provider, clock: Clock, tmp_path: Path
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    async with little_idp(clock, authority=CertificateAuthority(other)) as idp:
        at = provider(issuer=idp.url, ca_file=str(CertificateAuthority(one).file))
        with pytest.raises(IdpUnavailable, match=NOT_TRUSTED):
            await signed_in(at, idp, clock)


async def test_a_ca_file_that_is_none_is_told(provider: Provider, clock: Clock, tmp_path: Path) -> None:
    at = provider(issuer="https://127.0.0.1:1", ca_file="missing.pem")
    with pytest.raises(IdpUnavailable, match=f"ca_file {tmp_path}/missing.pem cannot be used"):
        await at.begin(state="s", redirect_uri=CALLBACK, options=LoginOptions())


async def test_metadata_may_lead_inside_where_the_operator_says_so(idp: LittleIdp, clock: Clock) -> None:
    """An identity provider inside a cluster is the normal case."""
    inside = idp.url
    fetcher = NamingService(idp, "idp.corp.example.com")
    endpoints = {"token_endpoint": "/token", "jwks_uri": "/jwks", "userinfo_endpoint": "/userinfo"}
    idp.metadata = {name: inside + path for name, path in endpoints.items()}
    for private_network in (True, False):
        values = {"name": "corp", "issuer": idp.url, "client_id": CLIENT_ID, "userinfo": True}
        entry = ENTRY.validate_python(values | {"private_network": private_network})
        at = OidcProvider(entry, Tools(fetcher, KeySets(fetcher, clock), clock))
        if private_network:
            assert (await signed_in(at, idp, clock)).account == "248289761001"
        else:
            with pytest.raises(IdpUnavailable):
                await signed_in(at, idp, clock)
