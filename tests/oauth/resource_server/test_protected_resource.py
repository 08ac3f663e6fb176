"""Protected resource metadata, RFC 9728."""

import pytest

from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.client.protected_resource import (
    ProtectedResource,
    challenged_url,
    metadata_path,
    read_protected_resource,
    well_known_urls,
)
from ostiary.oauth.client.server_metadata import MetadataRefused
from ostiary.oauth.resource_server.protected_resource import metadata_url, protected_resource

MCP = canonical_url("https://a.example:8443/mcp")


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


@pytest.mark.parametrize(
    "resource",
    [
        "https://mcp.example.com/a/mcp",
        "HTTPS://MCP.example.com:443/a/mcp/",
        "https://mcp.example.com/a",
        "https://mcp.example.com",
    ],
)
def test_metadata_may_be_of_the_server_or_of_what_it_is_a_part_of(resource: str) -> None:
    document = {"resource": resource, "authorization_servers": ["https://idp/"], "scopes_supported": ["a", 1]}
    read = read_protected_resource(document, server=canonical_url("https://mcp.example.com/a/mcp"))
    assert read == ProtectedResource(resource, ("https://idp/",), ("a",))


@pytest.mark.parametrize(
    "resource",
    [
        "https://mcp.example.com/a/mcp/deeper",
        "https://mcp.example.com/a/mc",
        "https://mcp.example.com/b",
        "http://mcp.example.com/a/mcp",
        "https://mcp.example.com.evil.example/a/mcp",
        "https://mcp.example.com/a/mcp?tenant=1",
        "urn:mcp",
        None,
    ],
)
def test_metadata_of_another_server_is_refused(resource: str | None) -> None:
    with pytest.raises(MetadataRefused) as refused:
        read_protected_resource({"resource": resource}, server=canonical_url("https://mcp.example.com/a/mcp"))
    assert (
        str(refused.value)
        == f"the metadata is of resource {resource!r}, not of https://mcp.example.com/a/mcp"
    )


def test_a_server_may_insist_on_bound_tokens() -> None:
    document = {"resource": "https://a.example", "dpop_bound_access_tokens_required": True}
    assert read_protected_resource(document, server=canonical_url("https://a.example")).wants_dpop


@pytest.mark.parametrize(
    ("named", "place"),
    [
        ("https://b.example/x?y", "https://b.example/x?y"),
        ("/.well-known/oauth-protected-resource/mcp", f"https://a.example:8443{metadata_path(MCP)}"),
    ],
)
def test_a_challenge_leads_to_a_url_or_to_a_path_of_the_server_itself(named: str, place: str) -> None:
    assert str(challenged_url(named, server=MCP)) == place


@pytest.mark.parametrize("named", ["//b.example/x", "x", "", "/../x", "https://b.example@a.example/"])
def test_a_challenge_that_leads_nowhere_is_told_plainly(named: str) -> None:
    with pytest.raises(MetadataRefused) as refused:
        challenged_url(named, server=MCP)
    assert str(refused.value).startswith(f"its challenge's resource_metadata {named!r} is refused: ")


def test_the_place_of_the_path_comes_before_the_root() -> None:
    def places(url: str) -> list[str]:
        return [str(place) for place in well_known_urls(canonical_url(url))]

    root = "https://a.example/.well-known/oauth-protected-resource"
    assert places("https://a.example/mcp?t=1") == [f"{root}/mcp?t=1", root]
    assert places("https://a.example/") == [root]
