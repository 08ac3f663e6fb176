"""Where the answer goes."""

from __future__ import annotations

import pytest

from ostiary.authserver.pages import App, Destination, DestinationRefused, LocalProgram, Website, destination


@pytest.mark.parametrize(
    ("uri", "goes_to", "form_action"),
    [
        ("https://claude.ai/api/mcp/auth_callback", Website("https://claude.ai"), "https://claude.ai"),
        ("https://Claude.AI:8443/cb?x=1", Website("https://claude.ai:8443"), "https://claude.ai:8443"),
        ("https://claude.ai.evil.example/", Website("https://claude.ai.evil.example"), "https://claude.ai.evil.example"),
        ("http://127.0.0.1:53682/cb", LocalProgram("127.0.0.1", 53682), "http://127.0.0.1:53682"),
        ("http://localhost/cb", LocalProgram("localhost", 80), "http://localhost:80"),
        ("http://[::1]:9/cb", LocalProgram("[::1]", 9), "http:"),
        ("cursor://anysphere.cursor/cb", App("cursor"), "cursor:"),
        ("com.example.app:/cb", App("com.example.app"), "com.example.app:"),
    ],
)  # fmt: skip
def test_a_redirect_uri_says_where_the_answer_goes(uri: str, goes_to: Destination, form_action: str) -> None:
    assert destination(uri) == goes_to
    assert goes_to.form_action == form_action


def test_a_website_is_known_by_its_host() -> None:
    assert Website("https://claude.ai:8443").host == "claude.ai:8443"


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("javascript:alert(1)", "a browser would run javascript: itself"),
        ("JavaScript:alert(1)", "a browser would run javascript: itself"),
        ("data:text/html,x", "a browser would run data: itself"),
        ("/relative", "it is not an absolute URI"),
        ("https://claude.ai@evil.example/", "it has a user name or password in it"),
        ("https://claude.ai\\@evil.example/", "it has a backslash"),
    ],
)
def test_what_is_no_destination_is_refused(uri: str, reason: str) -> None:
    with pytest.raises(DestinationRefused) as refused:
        destination(uri)
    assert str(refused.value) == reason
