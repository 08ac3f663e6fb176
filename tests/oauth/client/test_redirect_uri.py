"""Loopback redirect URIs, RFC 8252 7.3."""

from __future__ import annotations

import pytest

from ostiary.oauth.client.redirect_uri import LoopbackRedirect, RedirectUriRefused, loopback_redirect


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("http://127.0.0.1/callback", LoopbackRedirect("127.0.0.1", None, "/callback")),
        ("http://127.0.0.1:8000/callback", LoopbackRedirect("127.0.0.1", 8000, "/callback")),
        ("http://127.0.0.1:80/", LoopbackRedirect("127.0.0.1", 80, "/")),
        ("http://localhost:3000/cb", LoopbackRedirect("localhost", 3000, "/cb")),
        ("http://[::1]/callback", LoopbackRedirect("[::1]", None, "/callback")),
    ],
)
def test_a_redirect_uri_is_on_this_machine(written: str, read: LoopbackRedirect) -> None:
    assert loopback_redirect(written) == read


@pytest.mark.parametrize(
    "written",
    [
        "https://127.0.0.1/callback",
        "http://example.com/callback",
        "http://127.0.0.2/x",
        "http://localhost/?a=b",
    ],
)
def test_any_other_is_refused(written: str) -> None:
    with pytest.raises(RedirectUriRefused) as refused:
        loopback_redirect(written)
    assert str(refused.value) == (
        f"{written} is not on this machine: a redirect URI is http://127.0.0.1/PATH, with a port or without"
    )


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(RedirectUriRefused, match="myapp:callback is no redirect URI: "):
        loopback_redirect("myapp:callback")


def test_the_uri_has_the_port_that_was_free() -> None:
    assert LoopbackRedirect().at(54321) == "http://127.0.0.1:54321/callback"
    assert LoopbackRedirect("localhost").bind_host == "127.0.0.1"
