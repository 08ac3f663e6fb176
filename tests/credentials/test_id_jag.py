"""Enterprise-managed authorization: ID token → ID-JAG → access token."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from joserfc.errors import JoseError
from pydantic import ValidationError
from tests.clock import Clock
from tests.credentials.signed import Signer
from tests.credentials.token_server import TokenServer, refusing, saying

from ostiary.credentials import Bearer, CredentialError, IdJag
from ostiary.credentials.error import CallerUnknown
from ostiary.credentials.headers.headers import OutgoingRequest
from ostiary.credentials.id_jag import IdpSettings
from ostiary.credentials.runtime import Runtime
from ostiary.oauth.canonical_url import canonical_url
from ostiary.secrets import Secret

SERVER = canonical_url("https://mcp.example.com/mcp")
REQUEST = OutgoingRequest("POST", SERVER)
ID_JAG = "urn:ietf:params:oauth:token-type:id-jag"


class Company:
    """An IdP that vouches for its users, and a server's issuer that takes its word; both check signatures."""

    def __init__(self, clock: Clock) -> None:
        self.idp = TokenServer(self.vouch)
        self.issuer = TokenServer(self.redeem)
        self.signer = Signer("https://sso.example.com")
        self.clock = clock

    def vouch(self, request: web.Request, form: dict[str, str]) -> web.Response:
        claims = {
            "sub": self.signer.read(form["subject_token"])["sub"],
            "aud": form["audience"],
            "resource": form["resource"],
            "client_id": "ostiary-at-the-server",
            "jti": "1",
        }
        grant = self.signer.sign(self.clock.now, lifetime=60, typ="oauth-id-jag+jwt", **claims)
        return web.json_response(
            {"access_token": grant, "issued_token_type": ID_JAG, "token_type": "N_A", "expires_in": 60}
        )

    def redeem(self, request: web.Request, form: dict[str, str]) -> web.Response:
        try:
            claims = self.signer.read(form["assertion"])
        except JoseError:
            return web.json_response({"error": "invalid_grant"}, status=400)
        if claims["aud"] != self.issuer.issuer or claims["client_id"] != form["client_id"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.issuer.issued += 1
        token = f"{claims['sub']}-at-{claims['resource']}-{self.issuer.issued}"
        return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": 3600})

    def credential(self, **settings: Any) -> IdJag:
        """As a company would write it."""
        settings = {
            "issuer": self.issuer.issuer,
            "client_id": "ostiary-at-the-server",
            "idp": IdpSettings(
                token_url=self.idp.token_url,
                client_id="ostiary",
                client_secret=Secret("hunter2"),
                auth_method="client_secret_post",
            ),
        } | settings
        return IdJag(**settings)


@pytest.fixture
async def company(clock: Clock) -> AsyncIterator[Company]:
    company = Company(clock)
    async with company.idp.running(), company.issuer.running():
        yield company


@pytest.fixture
async def runtime(clock: Clock) -> AsyncIterator[Runtime]:
    async with Runtime(clock=clock) as runtime:
        yield runtime


async def test_the_callers_id_token_becomes_an_access_token_of_the_servers_issuer(
    company: Company, runtime: Runtime, clock: Clock
) -> None:
    headers = company.credential(scopes=("read",)).attach(SERVER, runtime=runtime)
    ada = company.signer.principal(clock.now, "ada")
    request = OutgoingRequest("POST", SERVER, principal=ada)
    token = "ada-at-https://mcp.example.com/mcp-1"
    assert await headers.get(request) == (("authorization", f"Bearer {token}"),)
    assert headers.ready(request) == (("authorization", f"Bearer {token}"),)
    assert company.idp.forms == [
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": ada.token.reveal(),
            "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
            "requested_token_type": ID_JAG,
            "audience": company.issuer.issuer,
            "resource": "https://mcp.example.com/mcp",
            "scope": "read",
            "client_id": "ostiary",
            "client_secret": "hunter2",
        }
    ]
    [form] = company.issuer.forms
    assert company.signer.read(form.pop("assertion"))["sub"] == "ada"
    assert form == {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "scope": "read",
        "client_id": "ostiary-at-the-server",
    }


async def test_the_user_may_be_named_by_a_file(
    company: Company, runtime: Runtime, clock: Clock, tmp_path: Path
) -> None:
    file = tmp_path / "id_token"
    file.write_text(company.signer.sign(clock.now, sub="ada"))
    credential = company.credential(subject=Bearer(token=Secret.from_file(file)))
    [(_, value)] = await credential.attach(SERVER, runtime=runtime).get(REQUEST)
    assert value == "Bearer ada-at-https://mcp.example.com/mcp-1"
    assert company.idp.forms[0]["subject_token_type"] == "urn:ietf:params:oauth:token-type:id_token"


async def test_an_expired_access_token_costs_a_new_id_jag(
    company: Company, runtime: Runtime, clock: Clock
) -> None:
    headers = company.credential().attach(SERVER, runtime=runtime)
    request = OutgoingRequest("POST", SERVER, principal=company.signer.principal(clock.now))
    await headers.get(request)
    clock.now += 3600
    await headers.get(request)
    assert (len(company.idp.forms), len(company.issuer.forms)) == (2, 2)


async def test_without_a_caller_there_is_nobody_to_vouch_for(company: Company, runtime: Runtime) -> None:
    with pytest.raises(CallerUnknown):
        await company.credential().attach(SERVER, runtime=runtime).get(REQUEST)


async def test_an_idp_that_gives_something_else_is_said_so(
    company: Company, runtime: Runtime, clock: Clock
) -> None:
    company.idp.answer = saying({"access_token": "x", "token_type": "N_A"})
    headers = company.credential().attach(SERVER, runtime=runtime)
    with pytest.raises(CredentialError) as refused:
        await headers.get(OutgoingRequest("POST", SERVER, principal=company.signer.principal(clock.now)))
    assert str(refused.value) == (
        f"credential id_jag for https://mcp.example.com: token endpoint {company.idp.token_url}: "
        "it issued None, and no ID-JAG; "
        "see whether the IdP has enterprise-managed authorization (cross-app access) turned on"
    )
    assert company.issuer.forms == []


@pytest.mark.parametrize("at", ["idp", "issuer"])
async def test_whoever_refuses_is_named_in_its_own_words(
    company: Company, runtime: Runtime, clock: Clock, at: str
) -> None:
    refuses: TokenServer = getattr(company, at)
    refuses.answer = refusing("invalid_grant", "this user may not")
    headers = company.credential().attach(SERVER, runtime=runtime)
    with pytest.raises(CredentialError) as refused:
        await headers.get(OutgoingRequest("POST", SERVER, principal=company.signer.principal(clock.now)))
    assert str(refused.value) == (
        f"credential id_jag for https://mcp.example.com: token endpoint {refuses.token_url}: "
        "it refused with invalid_grant (this user may not); "
        "see whether what the token was asked with has ended or was meant for another client"
    )


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"idp": {}}, "the IdP is nowhere: set token_url or issuer"),
        ({}, "Field required"),
        (
            {"idp": {"issuer": "https://sso.example.com"}, "token_url": "https://as.example.com/token"},
            "the ID-JAG is for the server's issuer: set issuer beside token_url",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        IdJag.model_validate(settings)


def test_no_secret_is_seen_in_it(company: Company) -> None:
    credential = company.credential()
    assert "hunter2" not in f"{credential!r} {credential.model_dump_json()}"
