"""Where an issuer's endpoints are, RFC 8414 section 3.1."""

from __future__ import annotations

from ostiary.oauth.client.server_metadata import metadata_urls
from ostiary.oauth.server.endpoint_url import endpoint, endpoint_path, well_known_paths


def test_an_endpoint_is_below_its_issuer() -> None:
    assert endpoint("https://auth.example.com", "/oauth/token") == "https://auth.example.com/oauth/token"
    assert endpoint("https://auth.example.com/", "/oauth/token") == "https://auth.example.com/oauth/token"
    assert endpoint("https://h/auth", "/oauth/token") == "https://h/auth/oauth/token"
    assert endpoint_path("https://h/auth/", "/oauth/token") == "/auth/oauth/token"


def test_the_metadata_of_a_plain_host_has_two_places() -> None:
    assert well_known_paths("https://auth.example.com") == {
        "/.well-known/oauth-authorization-server": "oauth-authorization-server",
        "/.well-known/openid-configuration": "openid-configuration",
    }


def test_the_metadata_of_an_issuer_with_a_path_has_three() -> None:
    assert well_known_paths("https://h/tenant/oauth-authorization-server-1") == {
        "/.well-known/oauth-authorization-server/tenant/oauth-authorization-server-1": (
            "oauth-authorization-server"
        ),
        "/.well-known/openid-configuration/tenant/oauth-authorization-server-1": "openid-configuration",
        "/tenant/oauth-authorization-server-1/.well-known/openid-configuration": "openid-configuration",
    }


def test_a_client_of_ours_finds_it_in_each_place() -> None:
    for issuer in ("https://auth.example.com/", "https://h/a/b", "http://127.0.0.1:9000"):
        assert [url.path for url in metadata_urls(issuer)] == [*well_known_paths(issuer)]
