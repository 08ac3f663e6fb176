"""One canonical URL, RFC 3986 section 6.2."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import httpx2
import pytest
from pydantic import AnyUrl
from yarl import URL

from ostiary.oauth.canonical_url import UrlRefused, canonical_url


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("https://example.com", "https://example.com"),
        ("https://example.com/", "https://example.com"),
        ("HTTPS://EXAMPLE.com:443/Path", "https://example.com/Path"),
        ("http://example.com:80", "http://example.com"),
        ("http://127.0.0.1:8080/mcp", "http://127.0.0.1:8080/mcp"),
        ("https://example.com/mcp/", "https://example.com/mcp/"),
        ("https://[2001:DB8:0::1]:8443/x", "https://[2001:db8::1]:8443/x"),
        ("https://example.com/%c3%a9?q=%2f", "https://example.com/%C3%A9?q=%2f"),
        ("https://example.com/%7Euser/%61", "https://example.com/~user/a"),
        ("https://example.com?", "https://example.com?"),
    ],
)
def test_every_spelling_of_a_url_has_one_canonical_form(written: str, canonical: str) -> None:
    assert str(canonical_url(written)) == canonical
    assert canonical_url(canonical) == canonical_url(written)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "it is not an absolute http or https URL with a plain host name"),
        ("/mcp", "it is not an absolute http or https URL with a plain host name"),
        ("ftp://example.com", "it is not an absolute http or https URL with a plain host name"),
        ("https:example.com", "it is not an absolute http or https URL with a plain host name"),
        ("https:///mcp", "it is not an absolute http or https URL with a plain host name"),
        ("https://example.com:", "it is not an absolute http or https URL with a plain host name"),
        ("https://user@example.com", "it has a user name or password in it"),
        ("https://good.com@evil.com/", "it has a user name or password in it"),
        ("https://good.com\\@evil.com/", "it has a backslash"),
        ("https://example.com/#top", "it has a fragment"),
        ("https://example.com/a b", "it has white space, a control character or a character outside ASCII"),
        ("https://example.com/\r\n", "it has white space, a control character or a character outside ASCII"),
        ("https://exämple.com/", "it has white space, a control character or a character outside ASCII"),
        ("https://example.com/a/../b", "its path has a dot segment"),
        ("https://example.com/a/.", "its path has a dot segment"),
        (
            "https://example.com/a/%2E%2e/b",
            "its path hides a slash, a dot or a control character in percent-encoding",
        ),
        (
            "https://example.com/a%2Fb",
            "its path hides a slash, a dot or a control character in percent-encoding",
        ),
        ("https://example.com/%zz", "its path has a character that must be percent-encoded"),
        ("https://example.com/?q=<", "its query has a character that must be percent-encoded"),
        ("https://0x7f.1/", "its host is a number that is not a plain IPv4 address"),
        ("https://2130706433/", "its host is a number that is not a plain IPv4 address"),
        ("https://127.0.0.01/", "its host is a number that is not a plain IPv4 address"),
        ("https://example.1/", "its host is a number that is not a plain IPv4 address"),
        ("https://[::1%25eth0]/", "it is not an absolute http or https URL with a plain host name"),
        ("https://[1:2]/", "its host is not an IPv6 address"),
        ("https://-a.example/", "its host is not a plain DNS name"),
        ("https://example.com./", "its host is not a plain DNS name"),
        ("https://a..b/", "its host is not a plain DNS name"),
        ("https://example.com:0/", "its port is not a number from 1 to 65535"),
        ("https://example.com:65536/", "its port is not a number from 1 to 65535"),
        ("https://example.com:0443/", "its port is not a number from 1 to 65535"),
    ],
)
def test_what_parsers_read_differently_is_refused(written: str, why: str) -> None:
    with pytest.raises(UrlRefused) as refused:
        canonical_url(written)
    assert str(refused.value) == why


def test_the_origin_leaves_out_the_default_port_and_the_path() -> None:
    assert canonical_url("https://example.com:443/mcp?x=1").origin == "https://example.com"
    assert canonical_url("http://[::1]:8080/mcp").origin == "http://[::1]:8080"


def test_the_request_target_is_never_empty() -> None:
    assert canonical_url("https://example.com").target == "/"
    assert canonical_url("https://example.com/a?b=c").target == "/a?b=c"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]"])
def test_loopback_is_known_by_name_or_address(host: str) -> None:
    assert canonical_url(f"http://{host}:1/").is_loopback


@pytest.mark.parametrize(
    "host", ["example.com", "localhost.example.com", "10.0.0.1", "[2001:db8::1]", "0.0.0.0"]
)
def test_other_machines_are_not_loopback(host: str) -> None:
    assert not canonical_url(f"http://{host}:1/").is_loopback


UNREADABLE = "it is not an absolute http or https URL with a plain host name"
ODD_CHARACTER = "it has white space, a control character or a character outside ASCII"
DOT_SEGMENT = "its path has a dot segment"
HIDDEN = "its path hides a slash, a dot or a control character in percent-encoding"
NUMBER = "its host is a number that is not a plain IPv4 address"


def by_urllib(text: str) -> tuple[str | None, str]:
    read = urlsplit(text)
    return read.hostname, read.path


def by_yarl(text: str) -> tuple[str | None, str]:
    read = URL(text)
    return read.raw_host, read.raw_path


def by_httpx2(text: str) -> tuple[str | None, str]:
    read = httpx2.URL(text)
    return read.raw_host.decode(), read.raw_path.decode()


def by_pydantic(text: str) -> tuple[str | None, str]:
    read = AnyUrl(text)
    return read.host, read.path or ""


PARSERS: tuple[Callable[[str], tuple[str | None, str]], ...] = (by_urllib, by_yarl, by_httpx2, by_pydantic)


def readings(text: str) -> set[object]:
    """What the four parsers make of it: host and path, or the refusal."""
    found: set[object] = set()
    for parse in PARSERS:
        try:
            host, path = parse(text)
        except Exception:
            found.add("refused")
        else:
            found.add((host, path.rstrip("/")))
    return found


TABLE = [
    ("https://evil.example\\@mcp.example.com/mcp/a", "it has a backslash"),
    ("https://mcp.example.com\\evil/mcp", "it has a backslash"),
    ("https://mcp.example.com/mcp/../x", DOT_SEGMENT),
    ("https://mcp.example.com/mcp/%2e%2e/x", HIDDEN),
    ("https://mcp.example.com/mcp/%61dmin", "https://mcp.example.com/mcp/admin"),
    ("https://mcp.example.com/mc\tp", ODD_CHARACTER),
    ("https://mcp.example.com/mcp\n", ODD_CHARACTER),
    ("https:/mcp.example.com", UNREADABLE),
    ("https:mcp.example.com", UNREADABLE),
    ("https://127.1/mcp", NUMBER),
    ("https://2130706433/mcp", NUMBER),
    ("https://0x7f.1/mcp", NUMBER),
    ("https://mсp.example.com/mcp", ODD_CHARACTER),  # noqa: RUF001 - a Cyrillic letter
    ("https://ⓜcp.example.com/mcp", ODD_CHARACTER),
]
"""What parsers disagree on, and what is made of it here."""


@pytest.mark.parametrize(("text", "verdict"), TABLE)
def test_canonical_url_table(text: str, verdict: str) -> None:
    if verdict.startswith("https://"):
        assert str(canonical_url(text)) == verdict
    else:
        with pytest.raises(UrlRefused) as refused:
            canonical_url(text)
        assert str(refused.value) == verdict


def test_parsers_disagree_which_is_why_there_is_one_of_ours() -> None:
    assert any(len(readings(text)) > 1 for text, _ in TABLE)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("https://mcp.example.com:0443/mcp", "its port is not a number from 1 to 65535"),
        ("https://mcp.example.com./mcp", "its host is not a plain DNS name"),
        ("https://user@mcp.example.com/mcp", "it has a user name or password in it"),
    ],
)
def test_what_all_parsers_take_is_refused_where_it_is_a_second_spelling(text: str, why: str) -> None:
    assert "refused" not in readings(text)
    with pytest.raises(UrlRefused) as refused:
        canonical_url(text)
    assert str(refused.value) == why


@pytest.mark.parametrize(
    "text",
    [
        "https://mcp.example.com",
        "https://MCP.example.com:443/mcp",
        "http://127.0.0.1:8080/mcp",
        "https://xn--mp-xmc.example.com/a/b;c",
        "https://mcp.example.com/%C3%A9",
    ],
)
def test_all_parsers_read_the_canonical_form_alike(text: str) -> None:
    url = canonical_url(text)
    assert readings(str(url)) == {(url.host, url.path)}


def test_an_issuer_is_no_url_that_a_parser_prints() -> None:
    assert str(AnyUrl("https://auth.example.com")) != "https://auth.example.com"
    assert str(canonical_url("https://auth.example.com")) == "https://auth.example.com"
