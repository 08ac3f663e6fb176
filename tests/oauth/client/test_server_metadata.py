"""An issuer's metadata, RFC 8414 and OpenID Connect Discovery."""

import pytest

from ostiary.oauth.client.server_metadata import (
    AnotherIssuer,
    MetadataRefused,
    jwks_uri,
    metadata_urls,
    read_issuer_metadata,
    same_issuer,
    token_endpoint,
)


@pytest.mark.parametrize("issuer", ["https://auth.example", "https://auth.example/"])
def test_an_issuer_without_a_path_is_looked_for_in_two_places(issuer: str) -> None:
    assert [str(url) for url in metadata_urls(issuer)] == [
        "https://auth.example/.well-known/oauth-authorization-server",
        "https://auth.example/.well-known/openid-configuration",
    ]


def test_an_issuer_with_a_path_is_looked_for_in_three_places() -> None:
    assert [str(url) for url in metadata_urls("https://auth.example/tenant1")] == [
        "https://auth.example/.well-known/oauth-authorization-server/tenant1",
        "https://auth.example/.well-known/openid-configuration/tenant1",
        "https://auth.example/tenant1/.well-known/openid-configuration",
    ]


def test_the_keys_are_where_the_metadata_says() -> None:
    document = {"issuer": "https://auth.example/", "jwks_uri": "https://keys.example/jwks"}
    assert str(jwks_uri(document, issuer="https://auth.example/")) == "https://keys.example/jwks"


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ([], "the issuer's metadata is not a JSON object"),
        (
            {"issuer": "https://a.example/"},
            (
                "the metadata is of issuer 'https://a.example/', not 'https://a.example', letter for letter; "
                "if that is the one, write `issuer: https://a.example/`"
            ),
        ),
        (
            {"issuer": "https://b.example/\x1b[2J"},
            (
                "the metadata is of issuer 'https://b.example/\\x1b[2J', not 'https://a.example', "
                "letter for letter"
            ),
        ),
        ({"issuer": "https://a.example"}, "the issuer's metadata has no jwks_uri; set jwks_url"),
        (
            {"issuer": "https://a.example", "jwks_uri": "https://a.example/#"},
            "the issuer's jwks_uri is refused: it has a fragment",
        ),
    ],
)
def test_a_document_that_is_not_the_issuers_own_is_refused(document: object, why: str) -> None:
    with pytest.raises(MetadataRefused) as refused:
        jwks_uri(document, issuer="https://a.example")
    assert str(refused.value) == why


@pytest.mark.parametrize("named", ["https://a.example", "https://a.example/"])
@pytest.mark.parametrize("itself", ["https://a.example", "https://a.example/"])
def test_one_slash_at_the_root_is_no_other_issuer_where_a_resource_names_it(named: str, itself: str) -> None:
    document = {"issuer": itself}
    assert read_issuer_metadata(document, issuer=named, named_by_resource=True) is document
    if named != itself:
        with pytest.raises(AnotherIssuer):
            read_issuer_metadata(document, issuer=named)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://a.example/t", "https://a.example/t/"),
        ("https://a.example", "https://a.example//"),
        ("https://a.example", "https://A.example/"),
        ("https://a.example", "https://a.example:443/"),
        ("https://a.example", "http://a.example/"),
    ],
)
def test_else_letters_decide(one: str, other: str) -> None:
    assert not same_issuer(one, other)
    assert not same_issuer(other, one)


def test_who_shows_a_certificate_asks_at_the_alias() -> None:
    metadata: dict[str, object] = {
        "token_endpoint": "https://idp.example.com/token",
        "mtls_endpoint_aliases": {"token_endpoint": "https://mtls.example.com/token"},
    }
    assert str(token_endpoint(metadata)) == "https://idp.example.com/token"
    assert str(token_endpoint(metadata, mutual_tls=True)) == "https://mtls.example.com/token"
    metadata["mtls_endpoint_aliases"] = {"token_endpoint": None}
    assert str(token_endpoint(metadata, mutual_tls=True)) == "https://idp.example.com/token"
    del metadata["mtls_endpoint_aliases"]
    assert str(token_endpoint(metadata, mutual_tls=True)) == "https://idp.example.com/token"


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ({}, "the issuer's metadata has no token_endpoint"),
        (
            {"token_endpoint": "https://a@b.example/"},
            "the issuer's token_endpoint is refused: it has a user name or password in it",
        ),
    ],
)
def test_metadata_without_a_place_to_ask_is_refused(metadata: dict[str, str], why: str) -> None:
    with pytest.raises(MetadataRefused) as refused:
        token_endpoint(metadata)
    assert str(refused.value) == why


def test_a_member_that_is_null_is_absent() -> None:
    said = {"issuer": "https://login.example.com", "registration_endpoint": None, "revocation_endpoint": None}
    assert read_issuer_metadata(said, issuer="https://login.example.com") == {
        "issuer": "https://login.example.com"
    }
