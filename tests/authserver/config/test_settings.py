"""What cannot be meant is said when the configuration is read: RFC 8414 section 2, RFC 8707."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from tests.authserver.conftest import RESOURCE, basic_settings

from ostiary.authserver import AuthServerSettings

ISSUER = "https://auth.example.com"
ENTRY = {"resource": RESOURCE, "owner": "default/gateway", "scopes": ["mcp"], "idps": ["corp"]}
HUB = {
    "name": "hub",
    "type": "oauth2",
    "authorization_endpoint": "https://hub.example.com/authorize",
    "token_endpoint": "https://hub.example.com/token",
    "client_id": "ostiary",
}
NOTES = {"name": "notes", "type": "mcp", "url": "https://notes.example.com/mcp"}
TWICE = "exactly one identity provider is the identity, not corp and hub"


def refusals(**more: Any) -> list[str]:
    values = basic_settings(**({"issuer": ISSUER} | more))
    with pytest.raises(ValidationError) as refused:
        AuthServerSettings.model_validate(values, context={"insecure_inline_secrets": True})
    return [error["msg"].removeprefix("Value error, ") for error in refused.value.errors()]


@pytest.mark.parametrize(
    ("issuer", "reason"),
    [
        ("http://auth.example.com", "an issuer is https, or http on this machine (RFC 8414 section 2)"),
        (f"{ISSUER}/", "an issuer has no query, and no slash at its end (RFC 8414 section 2)"),
        (f"{ISSUER}/a?tenant=b", "an issuer has no query, and no slash at its end (RFC 8414 section 2)"),
    ],
)
def test_an_issuer_is_https_and_one_spelling(issuer: str, reason: str) -> None:
    assert refusals(issuer=issuer) == [reason]


def test_other_machines_reach_us_through_tls_alone() -> None:
    (reason,) = refusals(issuer="http://127.0.0.1:9000", listen="0.0.0.0:9000")
    assert reason == (
        "0.0.0.0:9000 can be reached from other machines and the issuer is plain http: "
        "use an https issuer, with TLS in front or a certificate in tls, or say insecure_public: true"
    )
    tls = {"certificate": "tls.crt", "private_key": "tls.key"}
    assert refusals(issuer="http://127.0.0.1:9000", tls=tls) == [
        "the listener speaks TLS, and clients are told http://127.0.0.1:9000: say https"
    ]


@pytest.mark.parametrize(
    ("again", "named"),
    [
        (RESOURCE, RESOURCE),
        ("HTTPS://MCP.example.com:443/mcp", RESOURCE),
        ("https://mcp.example.com/mcp/*", None),
    ],
)
def test_resource_squatting_refused(again: str, named: str | None) -> None:
    """A second entry for one resource, in whatever spelling; a prefix of it is another one."""
    resources = [ENTRY, ENTRY | {"resource": again, "owner": "other/gateway"}]
    if named is None:
        AuthServerSettings.model_validate(
            basic_settings(issuer=ISSUER, resources=resources), context={"insecure_inline_secrets": True}
        )
    else:
        assert refusals(resources=resources) == [f"resource {named} stands twice"]


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        (
            {"idps": ["nobody"]},
            f"resource {RESOURCE} names idp nobody; upstream_idps has corp, hub, notes",
        ),
        ({"idps": ["hub"]}, "idp hub cannot be the identity without userinfo"),
        ({"idps": ["corp", "notes"]}, "idp notes is an MCP server: it can only be used on_demand"),
        ({"idps": ["corp", "corp"]}, "an identity provider stands twice in idps"),
        ({"idps": [{"name": one, "use": "identity"} for one in ("corp", "hub")]}, TWICE),
        (
            {"idps": [{"name": "corp", "use": "optional"}]},
            "no identity provider is the identity: name it first without a use, or say use: identity",
        ),
        ({"default_scopes": ["mcp", "root"]}, "default_scopes has root, which scopes has not"),
    ],
)
def test_a_resource_has_one_identity_and_providers_that_can_be(resource: dict[str, Any], reason: str) -> None:
    (corp,) = basic_settings()["upstream_idps"]
    assert refusals(upstream_idps=[corp, HUB, NOTES], resources=[ENTRY | resource]) == [reason]


@pytest.mark.parametrize("owner", ["gateway", "a/b/c", "default/", "/gateway", "default/Gateway"])
def test_an_owner_is_a_namespace_and_a_name(owner: str) -> None:
    (reason,) = refusals(resources=[ENTRY | {"owner": owner}])
    assert reason.startswith("String should match pattern")


@pytest.mark.parametrize(("what", "entries"), [("identity provider", "upstream_idps"), ("client", "clients")])
def test_a_name_stands_for_one(what: str, entries: str) -> None:
    [entry] = basic_settings()[entries]
    name = entry.get("name") or entry["client_id"]
    assert refusals(**{entries: [entry, entry]}) == [f"{what} {name} stands twice"]
