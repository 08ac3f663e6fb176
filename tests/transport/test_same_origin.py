"""Host, Origin and Fetch Metadata: which requests are meant for us."""

from __future__ import annotations

import httpx2
import pytest
from starlette.responses import PlainTextResponse

from ostiary.settings import Listen
from ostiary.transport.same_origin import SameOrigin, own_hosts

HERE = "127.0.0.1:8085"
OURS = f"http://{HERE}"
NAMED = {"mcp.example.com", "mcp.example.com:443", "mcp.example.com:80"}
"""What clients call it whose libraries leave a scheme's port as it is written."""
LINK = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


@pytest.mark.parametrize(
    ("bound", "authorities", "hosts"),
    [
        (Listen("127.0.0.1", 8085), [], {HERE, "localhost:8085"}),
        (Listen("::1", 8085), ["mcp.example.com"], {"[::1]:8085", "localhost:8085", *NAMED}),
        (Listen("127.0.0.1", 80), [], {"127.0.0.1:80", "localhost:80", "127.0.0.1", "localhost"}),
        (Listen("::1", 443), [], {"[::1]:443", "localhost:443", "[::1]", "localhost"}),
        (Listen("10.0.0.1", 8085), ["mcp.example.com"], NAMED),
        (Listen("10.0.0.1", 8085), ["mcp.example.com:8443"], {"mcp.example.com:8443"}),
        (Listen("10.0.0.1", 8085), [], None),
    ],
)
def test_what_a_listener_is_called(bound: Listen, authorities: list[str], hosts: set[str] | None) -> None:
    assert own_hosts(bound, *authorities) == hosts


async def status(method: str, headers: dict[str, str]) -> int:
    """What such a request gets."""
    app = SameOrigin(PlainTextResponse("here"), {HERE, "localhost:8085"})
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=OURS) as http:
        return (await http.request(method, "/", headers=headers)).status_code


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {}),
        ("GET", {}),
        ("POST", {"origin": OURS, "sec-fetch-site": "same-origin"}),
        ("POST", {"origin": "http://localhost:8085"}),
        ("POST", {"origin": "null", "sec-fetch-site": "same-origin"}),
        ("GET", {"sec-fetch-site": "none"} | LINK),
        ("GET", {"sec-fetch-site": "cross-site"} | LINK),
    ],
    ids=["a program", "it reads", "our page", "by another name", "our form", "typed", "a link"],
)
async def test_programs_and_our_own_pages_are_answered(method: str, headers: dict[str, str]) -> None:
    assert await status(method, headers) == 200


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {"origin": "https://evil.example.com"}),
        ("POST", {"origin": f"https://{HERE}"}),
        ("POST", {"origin": "http://127.0.0.1:8086"}),
        ("POST", {"origin": OURS + ".evil.example.com"}),
        ("POST", {"origin": "null"}),
        ("POST", {"origin": "null", "sec-fetch-site": "cross-site"} | LINK),
        ("POST", {"sec-fetch-site": "cross-site"} | LINK),
        ("POST", {"sec-fetch-site": "same-site"}),
        ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}),
        ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}),
        ("OPTIONS", {"origin": "https://evil.example.com", "access-control-request-method": "POST"}),
    ],
)
async def test_pages_of_others_are_refused(method: str, headers: dict[str, str]) -> None:
    assert await status(method, headers) == 403
