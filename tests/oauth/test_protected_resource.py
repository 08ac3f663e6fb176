"""Protected resource metadata, RFC 9728."""

from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.protected_resource import metadata_path, metadata_url, protected_resource


def test_the_well_known_name_stands_before_the_path() -> None:
    assert (
        metadata_path(canonical_url("https://a.example/mcp")) == "/.well-known/oauth-protected-resource/mcp"
    )
    assert metadata_path(canonical_url("https://a.example/")) == "/.well-known/oauth-protected-resource"


def test_the_metadata_url_keeps_the_query() -> None:
    url = metadata_url(canonical_url("https://a.example:8443/mcp?tenant=1"))
    assert url == "https://a.example:8443/.well-known/oauth-protected-resource/mcp?tenant=1"


def test_the_document_names_the_resource_and_its_issuers_as_written() -> None:
    document = protected_resource(
        canonical_url("https://a.example/mcp"),
        authorization_servers=["https://auth.example/"],
        scopes=["mcp"],
    )
    assert document == {
        "resource": "https://a.example/mcp",
        "bearer_methods_supported": ["header"],
        "authorization_servers": ["https://auth.example/"],
        "scopes_supported": ["mcp"],
    }


def test_what_is_empty_is_left_out() -> None:
    document = protected_resource(canonical_url("https://a.example"), authorization_servers=[])
    assert document == {"resource": "https://a.example", "bearer_methods_supported": ["header"]}
