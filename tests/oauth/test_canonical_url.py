"""One canonical URL, RFC 3986 section 6.2."""

import pytest

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


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_loopback_is_known_by_name_or_address(host: str) -> None:
    assert canonical_url(f"http://{host}:1/").is_loopback


@pytest.mark.parametrize("host", ["example.com", "localhost.example.com", "10.0.0.1", "[2001:db8::1]"])
def test_other_machines_are_not_loopback(host: str) -> None:
    assert not canonical_url(f"http://{host}:1/").is_loopback
