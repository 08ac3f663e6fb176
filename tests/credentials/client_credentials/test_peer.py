"""Client credentials at a certified authorization server, for an SDK server that its tokens protect."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from joserfc.jws import extract_compact
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from tests.peers.certificates import CertificateAuthority
from tests.peers.npm import NpmPeer
from tests.peers.oidc_provider.peer import oidc_provider, running

from ostiary.credentials import ClientCredentials
from ostiary.credentials.adapters.httpx2 import CredentialAuth
from ostiary.credentials.error import CredentialMisconfigured
from ostiary.credentials.headers.headers import OutgoingRequest
from ostiary.credentials.runtime import Runtime
from ostiary.gateway import Gateway, GatewaySettings
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.jwt_claims import scopes_of
from ostiary.secrets import Secret
from ostiary.settings import Listen
from ostiary.transport.fetch import Fetcher
from ostiary.transport.listeners import answering
from ostiary.transport.reach import Reach
from ostiary.transport.serving import address_of, bind, serving

SECRET = "correct horse: battery/staple+%"
KEYS: dict[str, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey] = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
KINDS: dict[str, type[ECKey | RSAKey | OKPKey]] = {"ES256": ECKey, "RS256": RSAKey, "EdDSA": OKPKey}


def pem(algorithm: str) -> str:
    return (
        KEYS[algorithm]
        .private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        .decode()
    )


def client(name: str, method: str, **further: Any) -> dict[str, Any]:
    return {
        "client_id": name,
        "token_endpoint_auth_method": method,
        "grant_types": ["client_credentials"],
        "redirect_uris": [],
        "response_types": [],
        "id_token_signed_response_alg": "ES256",
        "scope": "read write",
    } | further


def clients() -> list[dict[str, Any]]:
    """One for each way to prove who it is."""
    by_key = [
        client(
            algorithm,
            "private_key_jwt",
            token_endpoint_auth_signing_alg=algorithm,
            jwks={"keys": [dict(KINDS[algorithm].import_key(pem(algorithm)).as_dict(private=False))]},
        )
        for algorithm in KEYS
    ]
    return [
        client("basic", "client_secret_basic", client_secret=SECRET),
        client("post", "client_secret_post", client_secret=SECRET),
        client("certificate", "tls_client_auth", tls_client_auth_subject_dn="CN=certificate"),
        client("public", "none"),
        client("bound", "client_secret_basic", client_secret=SECRET, dpop_bound_access_tokens=True),
        *by_key,
    ]


@pytest.fixture(scope="session")
def peer() -> NpmPeer:
    return oidc_provider()


@pytest.fixture
async def provider(peer: NpmPeer, authority: CertificateAuthority) -> AsyncIterator[str]:
    async with running(peer, authority, clients()) as issuer:
        yield issuer


class Verifier:
    """Takes the provider's tokens for one resource."""

    def __init__(self, issuer: str, resource: str, authority: CertificateAuthority) -> None:
        self.issuer = issuer
        self.resource = resource
        self.reach = Reach(authority.file)
        self.seen: set[str] = set()

    async def verify_token(self, token: str) -> AccessToken | None:
        keys = await Fetcher().get_json(canonical_url(f"{self.issuer}/jwks"), reach=self.reach)
        try:
            claims = jwt.decode(token, KeySet.import_key_set(keys), algorithms=["ES256"]).claims
        except (JoseError, ValueError):
            return None
        if (claims["iss"], claims["aud"]) != (self.issuer, self.resource):
            return None
        self.seen.add(token)
        return AccessToken(
            token=token,
            client_id=claims["client_id"],
            scopes=sorted(scopes_of(claims)),
            expires_at=claims["exp"],
            resource=claims["aud"],
        )


@asynccontextmanager
async def protected_server(
    issuer: str, authority: CertificateAuthority
) -> AsyncIterator[tuple[str, Verifier]]:
    """An SDK server at a URL of its own, which says whose tokens it takes."""
    sock = bind(Listen("127.0.0.1", 0))
    url = f"http://{address_of(sock)}/mcp"
    verifier = Verifier(issuer, url, authority)
    auth = AuthSettings.model_validate(
        {
            "issuer_url": issuer,
            "resource_server_url": url,
            "required_scopes": ["read"],
            "validate_token_resource": True,
        }
    )
    server = MCPServer("weather", token_verifier=verifier, auth=auth)

    @server.tool()
    def forecast(city: str) -> str:
        return f"sun over {city}"

    async with serving(server.streamable_http_app(), sock):
        yield url, verifier


def settings_for(name: str, authority: CertificateAuthority, directory: Path) -> dict[str, Any]:
    """As a person writes them for that client, in Python."""
    settings: dict[str, Any] = {"client_id": name, "ca_file": authority.file, "scopes": ["read"]}
    if name in KEYS:
        (directory / "key.pem").write_text(pem(name))
        return settings | {"private_key": Secret.from_file(directory / "key.pem"), "algorithm": name}
    if name == "certificate":
        certificate, key = authority.issue(name)
        return settings | {"certificate": certificate, "certificate_key": key}
    if name == "public":
        return settings
    return settings | {"client_secret": Secret(SECRET)}


@pytest.mark.parametrize("name", ["basic", "post", "certificate", "public", "ES256", "RS256", "EdDSA"])
async def test_each_way_to_prove_who_we_are_opens_the_server(
    provider: str, authority: CertificateAuthority, tmp_path: Path, name: str
) -> None:
    settings = settings_for(name, authority, tmp_path)
    if "client_secret" in settings:
        settings["issuer"] = provider
    if name == "post":
        settings["auth_method"] = "client_secret_post"
    async with protected_server(provider, authority) as (url, verifier), Runtime() as runtime:
        auth = CredentialAuth(ClientCredentials(**settings), server_url=url, runtime=runtime)
        async with (
            httpx2.AsyncClient(auth=auth, trust_env=False) as http,
            Client(streamable_http_client(url, http_client=http)) as mcp,
        ):
            answer = await mcp.call_tool("forecast", {"city": "Bern"})
            assert answer.structured_content == {"result": "sun over Bern"}
            await mcp.call_tool("forecast", {"city": "Rome"})
        assert len(verifier.seen) == 1


async def test_a_wrong_secret_is_said_once_and_not_tried_again(
    provider: str, authority: CertificateAuthority
) -> None:
    server = canonical_url("https://mcp.example.com/mcp")
    settings = ClientCredentials(
        issuer=provider, client_id="basic", client_secret=Secret("wrong"), ca_file=authority.file
    )
    async with Runtime() as runtime:
        headers = settings.attach(server, runtime=runtime)
        for _ in range(3):
            with pytest.raises(CredentialMisconfigured) as refused:
                await headers.get(OutgoingRequest("POST", server))
    assert str(refused.value) == (
        f"credential client_credentials for https://mcp.example.com: token endpoint {provider}/token: "
        "it refused with invalid_client (client authentication failed); "
        "see whether client_id, auth_method and client_secret are as the issuer knows them"
    )


async def test_a_token_is_bound_to_a_key_that_each_request_proves(
    provider: str, authority: CertificateAuthority, tmp_path: Path
) -> None:
    server = canonical_url("https://mcp.example.com/mcp")
    settings = ClientCredentials(issuer=provider, dpop=True, **settings_for("bound", authority, tmp_path))
    async with Runtime() as runtime:
        (_, authorization), (_, proof) = await settings.attach(server, runtime=runtime).get(
            OutgoingRequest("POST", server)
        )
        keys = await runtime.fetcher.get_json(canonical_url(f"{provider}/jwks"), reach=Reach(authority.file))
    scheme, token = authorization.split()
    claims = jwt.decode(token, KeySet.import_key_set(keys), algorithms=["ES256"]).claims
    assert (scheme, claims["aud"], claims["scope"]) == ("DPoP", str(server), "read")
    assert (
        claims["cnf"]["jkt"]
        == ECKey.import_key(extract_compact(proof.encode()).headers()["jwk"]).thumbprint()
    )


async def test_the_gateway_opens_the_server_for_its_callers(
    provider: str, authority: CertificateAuthority, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text(SECRET)
    credential = {
        "type": "client_credentials",
        "client_id": "basic",
        "client_secret": {"file": str(tmp_path / "secret")},
        "issuer": provider,
        "scopes": ["read"],
        "ca_file": str(authority.file),
    }
    sock = bind(Listen("127.0.0.1", 0))
    async with protected_server(provider, authority) as (url, verifier):
        settings = GatewaySettings.model_validate(
            {
                "listen": address_of(sock),
                "allow_unauthenticated": True,
                "servers": {"weather": {"url": url, "credential": credential}},
            }
        )
        gateway_url = f"http://{address_of(sock)}/mcp"
        async with (
            Gateway(settings) as gateway,
            answering(gateway.listeners(), {"gateway.listen": sock}),
            httpx2.AsyncClient(trust_env=False) as http,
            Client(streamable_http_client(gateway_url, http_client=http)) as mcp,
        ):
            answer = await mcp.call_tool("weather_forecast", {"city": "Bern"})
            assert answer.structured_content == {"result": "sun over Bern"}
        assert len(verifier.seen) == 1
