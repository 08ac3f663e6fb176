"""What an authorization server says of itself, RFC 8414 section 2."""

from __future__ import annotations

from dataclasses import replace

from ostiary.oauth.client.client_registration import registration_request, takes_metadata_documents
from ostiary.oauth.client.pkce import require_s256
from ostiary.oauth.client.server_metadata import jwks_uri, read_issuer_metadata, token_endpoint
from ostiary.oauth.server.client import AUTHORIZATION_CODE, JWT_BEARER
from ostiary.oauth.server.server_metadata import ServerFeatures, server_metadata

ISSUER = "https://auth.example.com"
ENDPOINTS = {
    "authorization_endpoint": f"{ISSUER}/oauth/authorize",
    "token_endpoint": f"{ISSUER}/oauth/token",
    "jwks_uri": f"{ISSUER}/.well-known/jwks.json",
}
FEATURES = ServerFeatures(
    scopes=("mcp", "openid"), grant_types=(AUTHORIZATION_CODE,), auth_methods=("none", "client_secret_basic")
)


def test_a_plain_server_says_what_it_has_and_no_more() -> None:
    assert server_metadata(issuer=ISSUER, endpoints=ENDPOINTS, features=FEATURES) == {
        "issuer": ISSUER,
        **ENDPOINTS,
        "scopes_supported": ["mcp", "openid"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "client_id_metadata_document_supported": True,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce"],
        "prompt_values_supported": ["consent", "login", "none", "select_account"],
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "dpop_signing_alg_values_supported": ["ES256"],
    }


def test_each_endpoint_that_authenticates_clients_says_how() -> None:
    endpoints = ENDPOINTS | {
        f"{name}_endpoint": f"{ISSUER}/oauth/{name}"
        for name in ("revocation", "introspection", "registration")
    }
    features = replace(FEATURES, auth_methods=("none", "private_key_jwt"), assertion_algorithms=("ES256",))
    document = server_metadata(issuer=ISSUER, endpoints=endpoints, features=features)
    for name, methods in (
        ("token", ["none", "private_key_jwt"]),
        ("revocation", ["none", "private_key_jwt"]),
        ("introspection", ["private_key_jwt"]),  # only who proves who they are may ask about tokens
    ):
        assert document[f"{name}_endpoint_auth_methods_supported"] == methods
        assert document[f"{name}_endpoint_auth_signing_alg_values_supported"] == ["ES256"]
    assert "registration_endpoint_auth_methods_supported" not in document
    assert document["registration_endpoint"] == f"{ISSUER}/oauth/registration"


def test_what_is_on_is_said() -> None:
    features = replace(
        FEATURES,
        grant_types=(AUTHORIZATION_CODE, JWT_BEARER),
        mtls_endpoints={"token_endpoint": "https://auth.example.com:9444/oauth/token"},
        client_documents=False,
        requires_pushed_requests=True,
        id_jag=True,
    )
    document = server_metadata(issuer=ISSUER, endpoints=ENDPOINTS, features=features)
    plain = server_metadata(issuer=ISSUER, endpoints=ENDPOINTS, features=FEATURES)
    assert {name: value for name, value in document.items() if plain.get(name) != value} == {
        "grant_types_supported": ["authorization_code", "urn:ietf:params:oauth:grant-type:jwt-bearer"],
        "mtls_endpoint_aliases": {"token_endpoint": "https://auth.example.com:9444/oauth/token"},
        "tls_client_certificate_bound_access_tokens": True,
        "client_id_metadata_document_supported": False,
        "require_pushed_authorization_requests": True,
        "authorization_grant_profiles_supported": ["urn:ietf:params:oauth:grant-profile:id-jag"],
    }


def test_id_jag_is_not_promised_without_its_grant() -> None:
    document = server_metadata(issuer=ISSUER, endpoints=ENDPOINTS, features=replace(FEATURES, id_jag=True))
    assert "authorization_grant_profiles_supported" not in document


def test_our_own_client_believes_it() -> None:
    document = server_metadata(issuer=ISSUER, endpoints=ENDPOINTS, features=FEATURES)
    assert read_issuer_metadata(document, issuer=ISSUER) is document
    assert str(token_endpoint(document)) == ENDPOINTS["token_endpoint"]
    assert str(jwks_uri(document, issuer=ISSUER)) == ENDPOINTS["jwks_uri"]
    require_s256(document)
    assert takes_metadata_documents(document)
    asked = registration_request("http://127.0.0.1/cb", document)
    assert asked["token_endpoint_auth_method"] == "none"
