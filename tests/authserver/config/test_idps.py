"""The entries of `upstream_idps:`, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from tests.authserver.idps.conftest import INLINE

from ostiary.authserver.config.idps import IdpSettings
from ostiary.oauth.client.authorization_request import RESERVED_PARAMETERS

ENTRY: TypeAdapter[Any] = TypeAdapter(IdpSettings)
OIDC = {"name": "corp", "issuer": "https://corp.example.com", "client_id": "ostiary"}
OAUTH2 = {
    "name": "hub",
    "type": "oauth2",
    "authorization_endpoint": "https://hub.example.com/authorize",
    "token_endpoint": "https://hub.example.com/token",
    "client_id": "ostiary",
}
MCP = {"name": "notes", "type": "mcp", "url": "https://mcp.example.com/mcp"}


def fault(entry: dict[str, Any], **more: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        ENTRY.validate_python(entry | more, context=INLINE)
    return "; ".join(error["msg"].removeprefix("Value error, ") for error in refused.value.errors())


@pytest.mark.parametrize("entry", [OIDC, OAUTH2, MCP], ids=["oidc", "oauth2", "mcp"])
@pytest.mark.parametrize("name", sorted(RESERVED_PARAMETERS))
def test_reserved_parameters_refused(name: str, entry: dict[str, Any]) -> None:
    assert fault(entry, authorization_params={"access_type": "offline", name: "x"}) == (
        f"{name} is set by Ostiary itself and cannot be configured here"
    )


def test_what_is_reserved_is_what_we_say_and_what_would_replace_it() -> None:
    row_35 = {"redirect_uri", "state", "scope", "code_challenge", "client_id", "nonce", "request"}
    theirs = {"request_uri", "response_mode", "resource"}
    assert (row_35 | theirs) <= RESERVED_PARAMETERS


def test_a_scope_parameter_cannot_be_configured_twice() -> None:
    slack = {"preset": "slack", "client_id": "ostiary", "authorization_params": {"user_scope": "admin"}}
    assert fault(slack) == "user_scope is set by Ostiary itself, from scopes"


def test_claims_of_an_oauth2_provider_are_in_userinfo() -> None:
    userinfo = {"url": "https://hub.example.com/user"}
    assert fault(OAUTH2, userinfo=userinfo, claims={"a": {"from": "id_token", "claim": "a"}}) == (
        "claim a: an oauth2 provider has no id_token; take it from userinfo"
    )
    assert fault(OAUTH2, claims={"a": {"claim": "a"}}) == "claims are taken from userinfo, which is missing"


@pytest.mark.parametrize(
    "headers", [{"Authorization": "x"}, {"Host": "x"}, {"X-A\r\nX-B": "x"}, {"X-A": "x\r\nX-B: y"}]
)
def test_headers_that_would_be_ours_or_another_line(headers: dict[str, str]) -> None:
    name = next(iter(headers))
    userinfo = {"url": "https://hub.example.com/user", "headers": headers}
    assert fault(OAUTH2, userinfo=userinfo) == f"header {name!r} cannot be configured here"


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        (OIDC, "issuer"),
        (OAUTH2, "authorization_endpoint"),
        (OAUTH2, "token_endpoint"),
        (OAUTH2, "revocation_endpoint"),
        (MCP, "url"),
    ],
)
def test_tokens_do_not_travel_in_the_clear(entry: dict[str, Any], field: str) -> None:
    there = "http://idp.corp.example.com/x"
    assert fault(entry | {field: there}) == (
        f"{there} is plain http to another machine, so tokens would travel in the clear: "
        "use https, or say insecure_allow_http: true"
    )
    ENTRY.validate_python(entry | {field: there, "insecure_allow_http": True}, context=INLINE)
    ENTRY.validate_python(entry | {field: "http://127.0.0.1:8080/x"}, context=INLINE)


def test_an_issuer_may_have_a_tenant_and_nothing_else_in_braces() -> None:
    ENTRY.validate_python(OIDC | {"issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"})
    assert "percent-encoded" in fault(OIDC, issuer="https://login.microsoftonline.com/{tenant}/v2.0")


def test_a_misspelt_key_is_a_fault() -> None:
    assert fault(OIDC, clientid="x") == "Extra inputs are not permitted"


def test_a_secret_whose_addressee_the_mcp_server_would_choose_is_a_fault() -> None:
    assert fault(MCP, client_id="by-hand", client_secret="hunter2") == (
        "set issuer: it gets client_secret, and the MCP server does not choose who that is; "
        "`ostiary doctor https://mcp.example.com/mcp` says whom the server names"
    )
