"""What goes by a proxy: the environment as curl reads it, and what never does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ostiary
from ostiary.oauth.canonical_url import canonical_url
from ostiary.transport.proxies import NONE, ProxySetting, ProxyUnusable, proxies_of

MCP = "https://mcp.example.com/mcp"
CLEAR = "http://mcp.example.com/mcp"
NOT_SPOKEN = "which is not spoken here: name one that takes http, or say proxy: none in ostiary.yaml"
AS_URL = (
    "write http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT with /, #, ? and @ of a password "
    "percent-encoded"
)
BOTH = {"https_proxy": "http://p:1", "http_proxy": "http://p:1"}


def by(url: str, environ: dict[str, str], setting: ProxySetting = "environment") -> str | None:
    proxy = proxies_of(setting, environ).to(canonical_url(url))
    return None if proxy is None else f"{proxy} ({proxy.said_by})"


@pytest.mark.parametrize(
    ("environ", "https", "http"),
    [
        ({}, None, None),
        ({"HTTPS_PROXY": "http://proxy:3128"}, "proxy:3128 (HTTPS_PROXY)", None),
        ({"https_proxy": "http://low:1", "HTTPS_PROXY": "http://up:1"}, "low:1 (https_proxy)", None),
        ({"https_proxy": "", "HTTPS_PROXY": "http://up:1"}, "up:1 (HTTPS_PROXY)", None),
        ({"http_proxy": "http://proxy:3128"}, None, "proxy:3128 (http_proxy)"),
        ({"HTTP_PROXY": "http://from-a-request:1"}, None, None),
        ({"ALL_PROXY": "http://all:1"}, "all:1 (ALL_PROXY)", "all:1 (ALL_PROXY)"),
        ({"all_proxy": "all:1", "https_proxy": "tls:2"}, "tls:2 (https_proxy)", "all:1 (all_proxy)"),
        ({"HTTPS_PROXY": "proxy"}, "proxy:1080 (HTTPS_PROXY)", None),
        ({"HTTPS_PROXY": "http://[::1]:3128/"}, "[::1]:3128 (HTTPS_PROXY)", None),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "*"}, None, None),
        ({"HTTPS_PROXY": "  ", "ALL_PROXY": "http://all:1"}, "all:1 (ALL_PROXY)", "all:1 (ALL_PROXY)"),
    ],
)
def test_the_variables_are_read_as_curl_reads_them(
    environ: dict[str, str], https: str | None, http: str | None
) -> None:
    assert (by(MCP, environ), by(CLEAR, environ)) == (https, http)


@pytest.mark.parametrize(
    ("no_proxy", "straight"),
    [
        ("mcp.example.com", True),
        ("example.com", True),
        (".example.com", True),
        ("EXAMPLE.com.", True),
        ("ample.com", False),
        ("mcp.example.org, example.com", True),
        ("a b example.com", True),
        ("sub.mcp.example.com", False),
        ("mcp.example.com:443", True),
        ("mcp.example.com:8443", False),
        ("*.example.com", False),
        ("", False),
        (",", False),
        (".", False),
    ],
)
def test_exceptions_are_hosts_with_all_below_them(no_proxy: str, straight: bool) -> None:
    assert (by(MCP, {**BOTH, "NO_PROXY": no_proxy}) is None) is straight


@pytest.mark.parametrize(
    ("url", "no_proxy", "straight"),
    [
        ("https://10.1.2.3/mcp", "10.0.0.0/8", True),
        ("https://11.1.2.3/mcp", "10.0.0.0/8", False),
        ("https://10.1.2.3/mcp", "10.1.2.3", True),
        ("https://10.1.2.3:8443/mcp", "10.1.2.3:8443", True),
        ("https://10.1.2.3:8443/mcp", "10.1.2.3:443", False),
        ("https://10.1.2.3/mcp", "2.3", False),
        ("https://10.1.2.3/mcp", "10.1.2.0/33", False),
        ("https://[fd00::1]/mcp", "fd00::/8", True),
        ("https://[fd00::1]/mcp", "[fd00::1]", True),
        ("https://[fd01::1]/mcp", "fd00::/16", False),
    ],
)
def test_exceptions_are_addresses_and_networks(url: str, no_proxy: str, straight: bool) -> None:
    assert (by(url, {**BOTH, "no_proxy": no_proxy}) is None) is straight


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/mcp",
        "http://localhost/mcp",
        "https://localhost/mcp",
        "http://x.localhost/mcp",
        "http://[::1]/mcp",
        "http://127.1.2.3/mcp",
        "http://[::ffff:127.0.0.1]/mcp",
        "http://0.0.0.0:8080/mcp",
        "http://[::]:8080/mcp",
        "http://169.254.169.254/latest",
        "http://[fe80::1]/",
        "http://[::ffff:169.254.169.254]/latest",
        "http://[64:ff9b::169.254.169.254]/latest",
        "http://[fd00:ec2::254]/latest",
        "http://100.100.100.200/latest/meta-data",
        "http://168.63.129.16/machine",
        "http://metadata.google.internal/computeMetadata/v1/",
    ],
)
def test_this_machine_and_its_link_are_never_reached_by_a_proxy(url: str) -> None:
    assert by(url, {**BOTH, "ALL_PROXY": "http://p:1"}) is None
    assert by(url, {}, canonical_url("http://configured:1")) is None


def test_a_setting_counts_before_the_environment() -> None:
    configured = canonical_url("http://configured:3128")
    assert by(MCP, BOTH, "none") is None
    assert by(MCP, BOTH, configured) == by(CLEAR, {}, configured) == "configured:3128 (proxy)"
    assert by(MCP, {"NO_PROXY": "example.com"}, configured) is None
    assert NONE.to(canonical_url(MCP)) is None


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (
            "socks5h://user:tiger@proxy:1080",
            f"HTTPS_PROXY names a proxy of the kind socks5h, {NOT_SPOKEN}",
        ),
        (
            "https://proxy",
            f"HTTPS_PROXY names a proxy of the kind https, {NOT_SPOKEN}",
        ),
        ("http://user:tiger@", f"HTTPS_PROXY names a proxy that is no URL: {AS_URL}"),
        ("http://proxy:port", f"HTTPS_PROXY names a proxy that is no URL: {AS_URL}"),
        ("http://user:ti#ger@proxy:1", f"HTTPS_PROXY names a proxy that is no URL: {AS_URL}"),
        ("http://user:ti/ger@proxy:1", f"HTTPS_PROXY names a proxy that is no URL: {AS_URL}"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named_without_its_password(value: str, sentence: str) -> None:
    with pytest.raises(ProxyUnusable) as refused:
        by(MCP, {"HTTPS_PROXY": value})
    assert str(refused.value) == sentence


def test_what_cannot_be_used_is_known_before_anything_goes_by_it() -> None:
    named = {"HTTPS_PROXY": "socks5h://user:tiger@proxy:1080", "http_proxy": "http://proxy:port"}
    assert proxies_of("environment", named).unusable() == [
        f"HTTPS_PROXY names a proxy of the kind socks5h, {NOT_SPOKEN}",
        f"http_proxy names a proxy that is no URL: {AS_URL}",
    ]
    assert len(proxies_of("environment", {"ALL_PROXY": "socks5://proxy"}).unusable()) == 1
    assert proxies_of("environment", BOTH).unusable() == proxies_of("none", named).unusable() == []


def test_the_password_is_shown_to_the_proxy_alone() -> None:
    rule = proxies_of("environment", {"HTTPS_PROXY": "http://us%40er:t%20iger@proxy:1"})
    proxy = rule.to(canonical_url(MCP))
    assert proxy is not None
    assert (proxy.authorization, proxy.url) == ("Basic dXNAZXI6dCBpZ2Vy", "http://proxy:1")
    assert proxy.url_with_user == "http://us%40er:t%20iger@proxy:1"
    assert "iger" not in f"{proxy} {proxy!r} {rule!r}"


SOURCE = Path(ostiary.__file__).parent


def _who_says(pattern: str) -> set[str]:
    said = re.compile(pattern)
    return {
        str(file.relative_to(SOURCE)) for file in SOURCE.rglob("*.py") if said.search(file.read_text("utf-8"))
    }


def test_one_module_decides_what_goes_by_a_proxy() -> None:
    assert _who_says(r"(?i)\bgetproxies|proxy_bypass|\"(https?|all|no)_proxy\"|trust_env=True") == {
        "transport/proxies.py"
    }


def test_every_http_client_of_ours_is_on_the_road() -> None:
    """Clients that would read the environment by themselves are made where they are told not to."""
    made = r"(?<![\w.])httpx2?\.(Async)?Client\(|\(httpx2?\.(Async)?Client\)|requests\.Session\(|urlopen\("
    within = "cli/gateway_session.py"  # goes over no connection
    assert _who_says(made) == {"transport/road.py", "credentials/google/requests.py", within}


def test_one_module_turns_configuration_into_trust() -> None:
    assert _who_says(r"\bTrustSet\(") == {"transport/reach.py"}
    database = "storage/database.py"  # whose authority is nobody else's
    workloads = "certificates/tls.py"  # whose authorities come with our own certificate
    assert _who_says(r"create_default_context\(cafile|PROTOCOL_TLS_CLIENT") == {
        "transport/trust.py",
        database,
        workloads,
    }


def test_one_module_reads_event_streams() -> None:
    reading = r"startswith\(b?[\"'](data|event|id|retry)\b|EventSource|iter_lines|sse_client"
    assert _who_says(reading) == {"mcp/events.py"}
