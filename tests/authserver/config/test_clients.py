"""Clients of the configuration: what cannot be is said when it is read."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from tests.authserver.clients.signing import new_key, public
from tests.authserver.conftest import SECRET, basic_settings

from ostiary.authserver import AuthServerSettings

KEY = new_key()
MACHINE = {"client_id": "ci", "grant_types": ["client_credentials"]}
SIGNS = MACHINE | {"token_endpoint_auth_method": "private_key_jwt"}
CERTIFIED = MACHINE | {"token_endpoint_auth_method": "tls_client_auth"}
MTLS = {"certificates": {"certificate": "tls.crt", "private_key": "tls.key", "trust_bundle": "ca.crt"}}
ONE_NAME = (
    "tls_client_auth needs exactly one of tls_client_auth_subject_dn, _san_dns, _san_uri, _san_ip, _san_email"
)
CLUSTER = {
    "issuer": "https://kubernetes.default.svc",
    "use": ["workload"],
    "subjects": {"system:serviceaccount:ci:*": "ci"},
}


def read(client: dict[str, Any], **more: Any) -> AuthServerSettings:
    values = basic_settings(issuer="https://auth.example.com", clients=[client], **more)
    return AuthServerSettings.model_validate(values, context={"insecure_inline_secrets": True})


def refusal(client: dict[str, Any], **more: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        read(client, **more)
    (error,) = refused.value.errors()
    return error["msg"].removeprefix("Value error, ")


@pytest.mark.parametrize(
    ("client", "reason"),
    [
        (
            MACHINE | {"client_secret": SECRET, "token_endpoint_auth_method": "none"},
            "none and client_secret do not go together",
        ),
        (
            SIGNS | {"jwks": public(KEY), "jwks_uri": "https://ci.example.com/jwks"},
            "jwks and jwks_uri exclude each other",
        ),
        (SIGNS | {"jwks": {"keys": []}}, "jwks has no key that a signature can be verified with"),
        (
            SIGNS | {"jwks": {"keys": [KEY.as_dict(private=True)]}},
            "jwks has a private key: write the public ones here",
        ),
        (
            SIGNS | {"jwks_uri": "http://ci.example.com/jwks"},
            "jwks_uri is plain http to another machine, so anybody between could swap the keys",
        ),
        (SIGNS, "client ci needs jwks, jwks_uri, or a trusted issuer with subjects for it"),
        (CERTIFIED, ONE_NAME),
        (
            CERTIFIED | {"tls_client_auth_subject_dn": "ci"},
            "tls_client_auth_subject_dn is not a name of RFC 4514, such as CN=ci,O=Example",
        ),
        (
            CERTIFIED | {"tls_client_auth_san_ip": "10.0.0.300"},
            "'10.0.0.300' does not appear to be an IPv4 or IPv6 address",
        ),
        (
            CERTIFIED | {"tls_client_auth_subject_dn": "CN=ci"},
            "client ci has a certificate, and nothing asks for it: set mtls",
        ),
        (MACHINE, "a client that proves nothing may not have tokens without a person"),
    ],
)
def test_a_client_proves_itself_in_one_way_that_can_be(client: dict[str, Any], reason: str) -> None:
    assert refusal(client) == reason


def test_subjects_lead_to_a_client_that_proves_itself() -> None:
    person = {"client_id": "ci", "redirect_uris": ["https://app.example.com/"]}
    assert refusal(person, trusted_issuers=[CLUSTER]) == (
        "client ci is a workload's: give it token_endpoint_auth_method: private_key_jwt"
    )
    other = SIGNS | {"client_id": "other", "jwks": public(KEY)}
    assert refusal(other, trusted_issuers=[CLUSTER]) == (
        "subjects of trusted_issuers lead to client ci, which clients has not"
    )


@pytest.mark.parametrize(
    ("uri", "more", "reason"),
    [
        (
            "http://app.example.com/",
            {},
            "a redirect URI with http is on localhost, 127.0.0.1 or [::1]; elsewhere it is https",
        ),
        ("https://app.example.com/#a", {}, "a redirect URI has no fragment"),
        ("https://*.example.com/", {}, "a redirect URI has no wildcard: it is compared letter for letter"),
        (
            "https://app.example.com/?code=a",
            {},
            "a redirect URI has no code of its own: the answer brings it",
        ),
        ("/callback", {}, "a redirect URI is absolute: it begins with its scheme"),
        ("javascript:alert(1)", {}, "a redirect URI has not the scheme javascript"),
        (
            "http://127.0.0.1/",
            {"application_type": "web"},
            "a web application has redirect URIs with https alone: this one is for application_type native",
        ),
    ],
)
def test_a_code_goes_nowhere_that_a_stranger_could_not_have_it_sent(
    uri: str, more: dict[str, Any], reason: str
) -> None:
    assert refusal({"client_id": "app", "redirect_uris": [uri]} | more) == f"{uri}: {reason}"


@pytest.mark.parametrize(
    ("client", "more"),
    [
        (SIGNS, {"trusted_issuers": [CLUSTER]}),
        (SIGNS | {"jwks": public(KEY)}, {}),
        (SIGNS | {"jwks_uri": "http://127.0.0.1:8080/jwks"}, {}),
        (CERTIFIED | {"tls_client_auth_subject_dn": "CN=ci,O=Example"}, {"mtls": MTLS}),
        (CERTIFIED | {"tls_client_auth_san_uri": "spiffe://example.com/ns/ci/sa/builder"}, {"mtls": MTLS}),
    ],
)
def test_a_client_that_can_be_is_read(client: dict[str, Any], more: dict[str, Any]) -> None:
    assert read(client, **more).clients[0].method == client["token_endpoint_auth_method"]
