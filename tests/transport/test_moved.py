"""What a redirect says, and which address is to be written."""

from __future__ import annotations

import pytest

from ostiary.oauth.canonical_url import canonical_url
from ostiary.transport.moved import moved, moved_to

MCP = "https://mcp.example.com/mcp"


@pytest.mark.parametrize(
    ("asked", "location", "there"),
    [
        (MCP, "/mcp/", f"{MCP}/"),
        (MCP, "http://mcp.example.com/mcp/", f"{MCP}/"),
        (MCP, "http://mcp.example.com:8000/mcp/", f"{MCP}/"),
        (
            "https://mcp.example.com:8443/mcp",
            "http://mcp.example.com/mcp/",
            "https://mcp.example.com:8443/mcp/",
        ),
        ("http://127.0.0.1:8000/mcp", "https://127.0.0.1/mcp", "https://127.0.0.1/mcp"),
        (MCP, "https://login.example.com/authorize?state=secret#x", "https://login.example.com/authorize"),
        (MCP, "//other.example.com/mcp", "https://other.example.com/mcp"),
        (MCP, "https://user:password@mcp.example.com/mcp", None),
        (MCP, "javascript:alert(1)", None),
        (MCP, "https://[oh/", None),
        (MCP, "", None),
    ],
)
def test_the_address_to_write(asked: str, location: str, there: str | None) -> None:
    found = moved_to(canonical_url(asked), location)
    assert (None if found is None else str(found)) == there


@pytest.mark.parametrize("location", [MCP, "/mcp?from=here", "http://mcp.example.com/mcp"])
def test_a_redirect_in_a_circle_is_no_address_to_write(location: str) -> None:
    assert moved(canonical_url(MCP), 302, location) == (
        "sends callers back to the address that they come from (302)"
    )
