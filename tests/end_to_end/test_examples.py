"""Every example file, run as it is shipped but for its addresses, does what it says it is for.

What servers offer, in what they say of themselves and in what can be configured, some example shows: `SHOWS`
says which, each test proves its line of it, and a grant that is added without an example is missing here.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlencode

import pytest
from cryptography import x509
from joserfc import jws
from joserfc.jwk import ECKey
from tests.authserver.foreign_issuer import ForeignIssuer
from tests.authserver.idps.little_idp import LittleIdp, little_idp
from tests.end_to_end.conftest import listening
from tests.end_to_end.examples.code_host import code_host
from tests.end_to_end.examples.house import FOLDER, House, house
from tests.end_to_end.examples.proof import (
    by_certificate,
    by_name,
    by_platform,
    by_secret,
    by_secret_in_form,
    by_statement,
)
from tests.end_to_end.examples.shown import Shown, short_name, shown
from tests.peers.client_metadata import published_client
from tests.peers.oidc_provider.idp import running_idp
from tests.peers.postgresql import running_postgresql

from ostiary.authserver.config.idps import McpIdp, OAuth2Idp, OidcIdp
from ostiary.authserver.server.grants import GRANT_TYPES
from ostiary.credentials import ClientCredentials
from ostiary.credentials.adapters.httpx2 import CredentialAuth
from ostiary.gateway import Gateway, GatewaySettings
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.client.client_authentication import AuthMethod
from ostiary.oauth.client.dpop_proof import dpop_proof
from ostiary.oauth.jwt_parts import jwt_parts
from ostiary.oauth.server.client import ClientKind
from ostiary.secrets import Secret
from ostiary.settings import Listen
from ostiary.transport.listeners import answering
from ostiary.transport.serving import address_of, bind
from ostiary.zoo.server import zoo_app

SIGN_IN = "authorization_code refresh_token"
SHOWS = {
    "any-client.yaml": shown(
        grants=SIGN_IN,
        methods="none private_key_jwt client_secret_basic",
        clients="document dynamic",
        idps="oidc",
        endpoints="authorization_endpoint token_endpoint registration_endpoint",
    ),
    "bound-tokens.yaml": shown(
        grants="authorization_code client_credentials",
        methods="private_key_jwt tls_client_auth client_secret_basic",
        bindings="jkt x5t#S256",
        endpoints="introspection_endpoint",
    ),
    "devices.yaml": shown(
        grants="device_code refresh_token",
        methods="none",
        clients="registered",
        idps="oidc",
        endpoints="device_authorization_endpoint token_endpoint revocation_endpoint",
    ),
    "enterprise.yaml": shown(grants="jwt_bearer", methods="client_secret_basic"),
    "entra.yaml": shown(grants=SIGN_IN, methods="client_secret_basic", idps="oidc"),
    "google-and-github.yaml": shown(grants=SIGN_IN, clients="registered", idps="oidc oauth2"),
    "keycloak.yaml": shown(grants=SIGN_IN, methods="none", clients="registered", idps="oidc"),
    "mcp-server.yaml": shown(grants=SIGN_IN, clients="registered", idps="oidc mcp"),
    "programs.yaml": shown(
        grants="client_credentials",
        methods="client_secret_basic client_secret_post private_key_jwt tls_client_auth",
        clients="registered",
        bindings="jkt x5t#S256",
        endpoints="token_endpoint introspection_endpoint",
    ),
    "replicas.yaml": shown(grants=SIGN_IN, clients="registered"),
    "token-exchange.yaml": shown(grants="token_exchange", methods="client_secret_basic"),
    "web-application.yaml": shown(
        grants=SIGN_IN,
        methods="client_secret_basic",
        endpoints="pushed_authorization_request_endpoint userinfo_endpoint",
    ),
    "workloads.yaml": shown(grants="client_credentials", methods="private_key_jwt"),
}
APP = "http://127.0.0.1:7777/callback"
PORTAL = "https://portal.example.com/callback"


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        yield made


def shows(here: House, name: str) -> None:
    """The example's line of the table is true, and whatever it offers stands in some line."""
    assert SHOWS[name] - here.shown == Shown()
    assert here.offered - reduce(or_, SHOWS.values()) == Shown()


@contextlib.asynccontextmanager
async def workplace() -> AsyncIterator[LittleIdp]:
    """An OpenID provider at which alice is signed in already."""
    async with little_idp(time.time) as idp:
        yield idp


def claims_of(tokens: dict[str, Any]) -> dict[str, Any]:
    """What the access token says."""
    return dict(jwt_parts(tokens["access_token"]).claims)


async def test_any_client(here: House) -> None:
    """By document, with nothing to prove and with a key of its own; by registration."""
    corp = await here.enter(running_idp([here.callback("corp")]))
    here.secrets["CORP_SECRET"] = corp.client_secret
    documents = "client_id_metadata_documents: true"
    within = ("documents_private_network: true", f"documents_ca_file: {here.authority.file}")
    addresses = {"https://login.example.com": corp.issuer, documents: "\n    ".join((documents, *within))}
    await here.up("any-client.yaml", addresses)
    alice = await here.somebody()

    document = await here.enter(published_client(here.authority, [APP]))
    by_document = by_name(document.url)
    tokens = await here.sign_in(alice, by_document, APP)
    assert tokens["scope"] == "mcp"
    await here.call_zoo(tokens)
    await here.call_zoo(await here.refresh(tokens, by_document))

    key = ECKey.generate_key("P-256", {"kid": "one"})
    keys = {"keys": [key.as_dict(private=False)]}
    signing = published_client(here.authority, [APP], token_endpoint_auth_method="private_key_jwt", jwks=keys)
    careful = await here.enter(signing)
    await here.call_zoo(await here.sign_in(alice, by_statement(careful.url, key, here.issuer), APP))

    registered = await here.register(
        redirect_uris=[APP], client_name="Something new", grant_types=SIGN_IN.split()
    )
    by_registration = by_secret(registered["client_id"], registered["client_secret"])
    tokens = await here.sign_in(alice, by_registration, APP, scope="mcp")
    assert tokens["scope"] == "mcp"
    await here.call_zoo(await here.refresh(tokens, by_registration))
    shows(here, "any-client.yaml")


async def test_a_device(here: House) -> None:
    corp = await here.enter(running_idp([here.callback("corp")]))
    here.secrets["CORP_SECRET"] = corp.client_secret
    await here.up("devices.yaml", {"https://login.example.com": corp.issuer})
    terminal, alice = by_name("terminal"), await here.somebody()
    given = await here.ask("device_authorization", {"resource": here.resource}, terminal)
    polling = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": given["device_code"],
    }

    entered = await alice.open(given["verification_uri"])
    asked = await alice.press(entered.forms[0], user_code=given["user_code"])
    assert "The company\u2019s terminal" in asked.text.replace("'", "\u2019")
    done = await alice.agree(asked)
    assert "Your device is connected" in done.text
    tokens = await here.ask("token", polling, terminal)
    await here.call_zoo(tokens)
    later = await here.refresh(tokens, terminal)
    await here.ask("revocation", {"token": later["refresh_token"]}, terminal)
    refused = await here.asked(
        "token", {"grant_type": "refresh_token", "refresh_token": later["refresh_token"]}, terminal
    )
    assert refused.json()["error"] == "invalid_grant"
    shows(here, "devices.yaml")


async def test_a_company_that_decides_for_its_people(here: House) -> None:
    okta = await here.enter(ForeignIssuer(time.time).running())
    await here.up("enterprise.yaml", {"https://company.okta.com": okta.url})
    said = {
        "sub": "ada",
        "aud": here.issuer,
        "client_id": "assistant",
        "resource": here.resource,
        "jti": "one",
    }
    id_jag = okta.sign(said | {"groups": ["keepers"]}, typ="oauth-id-jag+jwt")
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": id_jag}
    tokens = await here.ask("token", form, by_secret("assistant", here.secrets["ASSISTANT_SECRET"]))
    assert claims_of(tokens)["groups"] == ["keepers"]
    await here.call_zoo(tokens)
    assert (
        "urn:ietf:params:oauth:grant-profile:id-jag"
        in here.metadata["authorization_grant_profiles_supported"]
    )
    shows(here, "enterprise.yaml")


async def test_an_agent_that_acts_for_somebody(here: House) -> None:
    partner = await here.enter(ForeignIssuer(time.time).running())
    await here.up("token-exchange.yaml", {"https://partner.example.com": partner.url})
    theirs = partner.sign({"sub": "ada", "aud": here.resource, "scope": "everything"}, typ="at+jwt")
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": theirs,
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "resource": here.resource,
    }
    tokens = await here.ask("token", form, by_secret("agent", here.secrets["AGENT_SECRET"]))
    claims = claims_of(tokens)
    assert (claims["act"]["client_id"], claims["scope"]) == ("agent", "mcp")
    await here.call_zoo(tokens)
    shows(here, "token-exchange.yaml")


async def test_people_of_entra(here: House) -> None:
    entra = await here.enter(workplace())
    entra.person |= {"oid": "00000000-aaaa", "groups": ["keepers"]}
    entra.claims["aud"] = "55555555-6666-7777-8888-999999999999"
    tenant = "https://login.microsoftonline.com/00000000-1111-2222-3333-444444444444/v2.0"
    await here.up("entra.yaml", {tenant: entra.url})
    portal = by_secret("portal", here.secrets["PORTAL_SECRET"])
    tokens = await here.sign_in(await here.somebody(), portal, PORTAL)
    claims = claims_of(tokens)
    assert (claims["groups"], claims["email"]) == (["keepers"], "alice@example.com")
    await here.call_zoo(tokens)
    await here.call_zoo(await here.refresh(tokens, portal))
    shows(here, "entra.yaml")


async def test_people_of_google_who_connect_github(here: House) -> None:
    google, github = await here.enter(workplace()), await here.enter(code_host())
    google.claims["aud"] = "123456789012-abc.apps.googleusercontent.com"
    zoo = await here.enter(listening(zoo_app()))
    await here.up(
        "google-and-github.yaml",
        {
            "https://zoo.example.com": zoo,
            **spelled_out("google", f"issuer: {google.url}"),
            **spelled_out(
                "github",
                f"authorization_endpoint: {github.url}/login/oauth/authorize",
                f"token_endpoint: {github.url}/login/oauth/access_token",
                f"userinfo: {{url: {github.url}/user}}",
            ),
        },
    )
    desktop, alice = by_name("desktop"), await here.somebody()
    tokens = await here.sign_in(alice, desktop, APP)
    assert claims_of(tokens)["email"] == "alice@example.com"
    await here.call_zoo(tokens)
    await here.call_zoo(await here.refresh(tokens, desktop))

    connected = await connect(here, "github")
    assert "alice-codes" in connected
    shows(here, "google-and-github.yaml")


def spelled_out(preset: str, *addresses: str) -> dict[str, str]:
    """An entry whose addresses its preset says, with addresses of its own."""
    named = f"preset: {preset}"
    return {named: "\n      ".join((named, *addresses))}


async def connect(here: House, idp: str) -> str:
    """What the page of connected accounts says after alice connected one more."""
    alice = await here.somebody()
    page = await alice.open(f"{here.issuer}/connections")
    page = await alice.press(page.form(f"/connect/{idp}"))
    assert "The account is connected." in page.text, page.text
    return page.text


async def test_a_keycloak_in_the_cluster(here: House) -> None:
    keycloak = await here.enter(little_idp(time.time, authority=here.authority))
    shutil.copy(here.authority.file, here.directory / "cluster-ca.pem")
    said = {"iss": keycloak.url, "sub": keycloak.person["sub"], "realm_access": {"roles": ["keeper"]}}
    now = int(time.time())
    whole = said | {"aud": "account", "iat": now, "exp": now + 300, "typ": "Bearer"}
    keycloak.answer["access_token"] = sign(keycloak, whole)
    await here.up("keycloak.yaml", {"https://keycloak.identity.svc:8443/realms/company": keycloak.url})
    desktop = by_name("desktop")
    tokens = await here.sign_in(await here.somebody(), desktop, APP)
    assert claims_of(tokens)["roles"] == ["keeper"]
    await here.call_zoo(tokens)
    await here.call_zoo(await here.refresh(tokens, desktop))
    shows(here, "keycloak.yaml")


def sign(idp: LittleIdp, claims: dict[str, Any]) -> str:
    """A JWT of the provider's."""
    return jws.serialize_compact({"alg": "ES256", "kid": "one", "typ": "JWT"}, json.dumps(claims), idp.key)


async def test_an_mcp_server_with_an_authorization_server_of_its_own(here: House) -> None:
    google = await here.enter(workplace())
    google.claims["aud"] = "123456789012-abc.apps.googleusercontent.com"
    theirs = await here.enter(running_idp([], strangers=True))
    notion = await here.enter(guarded_by(theirs.issuer))
    await here.up(
        "mcp-server.yaml",
        {
            "https://mcp.notion.com/mcp": notion,
            **spelled_out("google", f"issuer: {google.url}"),
        },
    )
    desktop = by_name("desktop")
    tokens = await here.sign_in(await here.somebody(), desktop, APP)
    await here.call_zoo(tokens)
    await here.call_zoo(await here.refresh(tokens, desktop))
    await connect(here, "notion")
    shows(here, "mcp-server.yaml")


@contextlib.asynccontextmanager
async def guarded_by(issuer: str) -> AsyncIterator[str]:
    """An MCP server that takes tokens of this issuer: its address."""
    with bind(Listen("127.0.0.1", 0)) as sock:
        async with listening(zoo_app()) as zoo:
            settings = {
                "listen": str(address_of(sock)),
                "inbound": [{"issuer": issuer, "required_scopes": ["mcp"]}],
                "servers": {"zoo": {"url": f"{zoo}/mcp"}},
            }
            async with (
                Gateway(GatewaySettings.model_validate(settings)) as gateway,
                answering(gateway.listeners(), {"gateway.listen": sock}),
            ):
                yield f"http://{address_of(sock)}/mcp"


async def test_programs(here: House) -> None:
    """Each by its own way; what is bound is used with its proof, or looked up."""
    has_certificates(here)
    deploy = await here.enter(ForeignIssuer(time.time).running())
    await here.up("programs.yaml", {"https://deploy.example.com/jwks.json": f"{deploy.url}/jwks"})
    spiffe = x509.UniformResourceIdentifier("spiffe://example.com/ns/payments/sa/agent")
    payments = by_certificate("payments", here.authority.issue("payments", names=[spiffe]))

    for program in (
        by_secret("nightly", here.secrets["NIGHTLY_SECRET"]),
        by_secret_in_form("legacy", here.secrets["LEGACY_SECRET"]),
        by_statement("deploy", deploy.keys[0], here.issuer),
    ):
        await here.call_zoo(await here.ask("token", OWN, program))

    tokens = await here.ask("token", OWN, payments)
    looked_up = await here.ask("introspection", {"token": tokens["access_token"]}, payments)
    assert looked_up["active"]

    robot, key = by_secret("robot", here.secrets["ROBOT_SECRET"]), ECKey.generate_key("P-256")
    tokens = await here.ask("token", OWN, robot, dpop=proof(key, here.metadata["token_endpoint"]))
    assert tokens["token_type"] == "DPoP"
    looked_up = await here.ask("introspection", {"token": tokens["access_token"]}, robot)
    assert looked_up["token_type"] == "DPoP"
    credential = ClientCredentials(
        client_id="robot",
        client_secret=Secret(here.secrets["ROBOT_SECRET"]),
        issuer=here.metadata["issuer"],
    )
    await here.call_zoo_as(CredentialAuth(credential, server_url=here.resource))
    shows(here, "programs.yaml")


def has_certificates(here: House) -> None:
    """Where clients with certificates ask."""
    certificate, private_key = here.authority.issue("server")
    files = {"tls.crt": certificate, "tls.key": private_key, "clients-ca.crt": here.authority.file}
    for name, file in files.items():
        shutil.copy(file, here.directory / name)


async def test_tokens_that_are_bound(here: House) -> None:
    """The MCP server hears what to look for, until a token is taken back."""
    has_certificates(here)
    corp = await here.enter(running_idp([here.callback("corp")]))
    here.secrets["CORP_SECRET"] = corp.client_secret
    keys = await here.enter(ForeignIssuer(time.time).running())
    await here.up(
        "bound-tokens.yaml",
        {
            "https://login.example.com": corp.issuer,
            "https://trader.example.com/jwks.json": f"{keys.url}/jwks",
        },
    )
    ledger = by_secret("ledger", here.secrets["LEDGER_SECRET"])
    trader, back = by_statement("trader", keys.keys[0], here.issuer), "https://trader.example.com/callback"
    key, resource = ECKey.generate_key("P-256"), {"resource": "https://ledger.example.com/mcp"}

    alice = await here.somebody()
    page = await alice.agree(await alice.open(here.link(trader, back, scope="read book", **resource)))
    tokens = await here.redeem(page, trader, back, dpop=proof(key, here.metadata["token_endpoint"]))
    asked = {"token": tokens["access_token"]}
    looked_up = await here.ask("introspection", asked, ledger)
    assert (looked_up["cnf"], looked_up["scope"]) == ({"jkt": key.thumbprint()}, "read book")
    await here.ask("revocation", {"token": tokens["refresh_token"]}, trader)
    assert not (await here.ask("introspection", asked, ledger))["active"]

    name = x509.Name.from_rfc4514_string("CN=settlement,O=Example Bank")
    settlement = by_certificate("settlement", here.authority.issue("settlement", subject=name))
    tokens = await here.ask("token", OWN, settlement)
    looked_up = await here.ask("introspection", {"token": tokens["access_token"]}, ledger)
    assert looked_up["client_id"] == "settlement"
    shows(here, "bound-tokens.yaml")


OWN = {"grant_type": "client_credentials"}


def proof(key: ECKey, url: str, access_token: str | None = None, method: str = "POST") -> str:
    """That the key is at hand."""
    return dpop_proof(
        key,
        method=method,
        url=canonical_url(url),
        now=time.time(),
        jti=secrets.token_urlsafe(),
        access_token=access_token,
    )


async def test_several_servers_on_one_database(here: House) -> None:
    """What one of them gives counts at the other."""
    corp = await here.enter(running_idp([here.callback("corp")]))
    database = here.stack.enter_context(running_postgresql())
    here.secrets |= {"CORP_SECRET": corp.client_secret, "OSTIARY_DATABASE_PASSWORD": database.password}
    await here.up(
        "replicas.yaml",
        {
            "https://login.example.com": corp.issuer,
            "postgresql://ostiary@db.example.com/ostiary": database.new_database(),
        },
    )
    one, other = here.issuer, await here.up_again("replicas.yaml")
    desktop, alice = by_name("desktop"), await here.somebody()
    page = await alice.agree(await alice.open(here.link(desktop, APP)))
    here.metadata["token_endpoint"] = f"{other}/oauth/token"
    tokens = await here.redeem(page, desktop, APP)
    await here.call_zoo(tokens)
    here.metadata["token_endpoint"] = f"{one}/oauth/token"
    await here.call_zoo(await here.refresh(tokens, desktop))
    ready = await here.http.get(f"http://127.0.0.1:{here.telemetry_port}/readyz")
    assert ready.status_code == 200
    shows(here, "replicas.yaml")


async def test_a_web_application(here: House) -> None:
    """It pushes its request, and its tokens are bound, as it sends a proof."""
    corp = await here.enter(running_idp([here.callback("corp")]))
    here.secrets["CORP_SECRET"] = corp.client_secret
    await here.up("web-application.yaml", {"https://login.example.com": corp.issuer})
    portal, alice = by_secret("portal", here.secrets["PORTAL_SECRET"]), await here.somebody()
    key, token_endpoint = ECKey.generate_key("P-256"), here.metadata["token_endpoint"]

    request = here.request(portal, PORTAL) | {"scope": "openid email mcp", "nonce": "n"}
    pushed = await here.ask("pushed_authorization_request", request, portal)
    link = {"client_id": "portal", "request_uri": pushed["request_uri"]}
    page = await alice.open(f"{here.metadata['authorization_endpoint']}?{urlencode(link)}")
    tokens = await here.redeem(page, portal, PORTAL, dpop=proof(key, token_endpoint))
    assert dict(jwt_parts(tokens["id_token"]).claims)["nonce"] == "n"

    userinfo, token = here.metadata["userinfo_endpoint"], tokens["access_token"]
    proven = {"authorization": f"DPoP {token}", "dpop": proof(key, userinfo, token, method="GET")}
    assert (await here.read("userinfo", **proven))["email"] == "alice@example.com"
    again = await here.refresh(tokens, portal, dpop=proof(key, token_endpoint))
    assert again["token_type"] == "DPoP"
    shows(here, "web-application.yaml")


async def test_workloads(here: House) -> None:
    cluster = await here.enter(ForeignIssuer(time.time).running())
    google = await here.enter(ForeignIssuer(time.time).running())
    shutil.copy(here.authority.file, here.directory / "kubernetes-ca.crt")
    await here.up(
        "workloads.yaml",
        {
            "https://kubernetes.default.svc/openid/v1/jwks": f"{cluster.url}/jwks",
            "https://kubernetes.default.svc": cluster.url,
            "https://accounts.google.com": google.url,
        },
    )
    pod = cluster.sign({"sub": "system:serviceaccount:ci:builder", "aud": [here.issuer]})
    service = google.sign(
        {"sub": "104242424242424242424", "aud": here.issuer, "azp": "104242424242424242424"}
    )
    for workload in (by_platform("ci", pod), by_platform("reports", service)):
        tokens = await here.ask("token", OWN, workload)
        assert claims_of(tokens)["sub"] == workload.client_id
        await here.call_zoo(tokens)
    shows(here, "workloads.yaml")


def test_every_example_has_its_line() -> None:
    assert sorted(SHOWS) == sorted(file.name for file in FOLDER.glob("*.yaml"))


def test_whatever_can_be_configured_has_an_example() -> None:
    possible = Shown(
        grants={short_name(grant) for grant in GRANT_TYPES},
        methods=set(get_args(AuthMethod)),
        clients=set(ClientKind),
        idps={get_args(kind.model_fields["type"].annotation)[0] for kind in (OidcIdp, OAuth2Idp, McpIdp)},
    )
    assert possible - reduce(or_, SHOWS.values()) == Shown()
