"""What a `gateway:` part is refused for, and why."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ostiary.gateway import GatewaySettings

OPEN = {"allow_unauthenticated": True}
URL = "https://mcp.example.com/mcp"


def refusals(settings: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as refused:
        GatewaySettings.model_validate(settings)
    return [
        (".".join(map(str, fault["loc"])), fault["msg"].removeprefix("Value error, "))
        for fault in refused.value.errors()
    ]


def test_a_gateway_that_nobody_could_call_is_refused() -> None:
    assert refusals({"servers": {"zoo": {"url": URL}}}) == [
        (
            "",
            (
                "nobody could call: name the issuers of accepted tokens under inbound, "
                "or say allow_unauthenticated: true"
            ),
        )
    ]


@pytest.mark.parametrize("listen", ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:8080"])
def test_a_gateway_open_to_every_machine_is_refused(listen: str) -> None:
    settings = OPEN | {"listen": listen, "url": "https://mcp.example.com"}
    [(_, message)] = refusals(settings)
    assert message == (
        f"listening on {listen} without authentication lets every machine that reaches it in: "
        "listen on 127.0.0.1, drop allow_unauthenticated, or say insecure_public: true"
    )
    GatewaySettings.model_validate(settings | {"insecure_public": True})


def test_a_gateway_that_cannot_know_its_address_is_refused() -> None:
    [(_, message)] = refusals(OPEN | {"listen": "0.0.0.0:8080"})
    assert message == (
        "listening on 0.0.0.0:8080, it cannot know its address as clients see it: set url, "
        "such as https://mcp.example.com"
    )


def test_tokens_do_not_travel_in_the_clear() -> None:
    settings = {
        "listen": "0.0.0.0:8080",
        "url": "http://mcp.example.com",
        "inbound": [{"issuer": "https://auth.example.com"}],
    }
    [(_, message)] = refusals(settings)
    assert message == (
        "with http://mcp.example.com as its address, tokens would travel in the clear: "
        "say https, with TLS in front or a certificate in tls, or say insecure_public: true"
    )


def test_a_gateway_that_speaks_tls_says_https() -> None:
    tls = {"certificate": "tls.crt", "private_key": "tls.key"}
    assert refusals(OPEN | {"tls": tls, "url": "http://localhost:8080"}) == [
        ("", "the listener speaks TLS, and clients are told http://localhost:8080: say https")
    ]
    at_home = GatewaySettings.model_validate(OPEN | {"tls": tls})
    assert str(at_home.public_url) == "https://127.0.0.1:8080"
    assert at_home.origins == ["https://127.0.0.1:8080", "https://localhost:8080"]
    guarded = {"inbound": [{"issuer": "https://auth.example.com"}], "tls": tls}
    public = guarded | {"listen": "0.0.0.0:8443", "url": "https://mcp.example.com:8443"}
    assert GatewaySettings.model_validate(public).tls is not None


def test_a_credential_does_not_travel_in_the_clear() -> None:
    server = {"url": "http://mcp.example.com/mcp"}
    assert refusals(OPEN | {"servers": {"zoo": server}}) == [
        (
            "servers.zoo",
            (
                "http://mcp.example.com/mcp is plain http to another machine, so its credential would travel "
                "in the clear: use https, or say insecure_allow_http: true"
            ),
        )
    ]
    allowed: dict[str, Any] = server | {"insecure_allow_http": True}
    GatewaySettings.model_validate(OPEN | {"servers": {"zoo": allowed}})
    GatewaySettings.model_validate(OPEN | {"servers": {"zoo": {"url": "http://localhost:1/mcp"}}})


def test_names_that_could_mean_two_tools_are_refused() -> None:
    servers = {"a": {"url": URL, "prefix": "x"}, "b": {"url": URL, "prefix": "xy_"}}
    [(_, message)] = refusals(OPEN | {"servers": servers})
    assert message == (
        "servers a and b have prefixes ('x', 'xy_') of which one begins with the other, "
        "so a name could mean two tools: set prefix for one"
    )


def test_two_servers_may_not_both_go_without_a_prefix() -> None:
    servers = {"a": {"url": URL, "prefix": ""}, "b": {"url": URL, "prefix": ""}}
    [(_, message)] = refusals(OPEN | {"servers": servers})
    assert message.startswith("servers a and b ")


@pytest.mark.parametrize("name", ["Zoo", "1zoo", "zoo_a", "", "zoo+a", "a" * 41, "zoo\n"])
def test_a_servers_name_is_a_short_plain_word(name: str) -> None:
    assert len(refusals(OPEN | {"servers": {name: {"url": URL}}})) == 1


@pytest.mark.parametrize(
    "header",
    [
        "Authorization", "cookie", "Proxy-Authorization", "host", "origin", "content-length",
        "transfer-encoding", "X-Forwarded-For", "forwarded", "x-goog-iap-jwt-assertion", "x-amzn-oidc-data",
        "x-ms-client-principal", "x-serverless-authorization", "te", "connection", "accept", "user-agent",
        "accept-encoding", "expect", "keep-alive", "mcp-session-id",
    ],
)  # fmt: skip
def test_identity_and_framing_are_never_forwarded(header: str) -> None:
    servers = {"zoo": {"url": URL, "forward_headers": [header]}}
    assert refusals(OPEN | {"servers": servers}) == [
        (
            "servers.zoo.forward_headers.0",
            f"{header.lower()} carries identity or framing and is never forwarded to a server",
        )
    ]


@pytest.mark.parametrize("header", ["x tenant", "x:y", "", "x\r\ny"])
def test_what_is_no_header_is_not_forwarded(header: str) -> None:
    servers = {"zoo": {"url": URL, "forward_headers": [header]}}
    [(place, message)] = refusals(OPEN | {"servers": servers})
    assert (place, message) == ("servers.zoo.forward_headers.0", f"{header!r} is not a header name")


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"listn": "127.0.0.1:1"}, "listn"),
        ({"servers": {"zoo": {"url": URL, "timout": "3s"}}}, "servers.zoo.timout"),
        ({"servers": {"zoo": {}}}, "servers.zoo"),
        ({"limits": {"body_bytes": 0}}, "limits.body_bytes"),
        ({"limits": {"head_timeout": 10}}, "limits.head_timeout"),
        ({"listen": "localhost"}, "listen"),
        ({"servers": {"zoo": {"url": "https://u:p@example.com/mcp"}}}, "servers.zoo.url"),
        ({"servers": {"zoo": {"url": URL, "credential": {"type": "beerer"}}}}, "servers.zoo.credential.one"),
    ],
)
def test_every_fault_is_said_with_its_place(settings: dict[str, Any], place: str) -> None:
    assert [where for where, _ in refusals(OPEN | settings)] == [place]


def test_the_public_address_is_where_it_listens_unless_it_is_said() -> None:
    here = GatewaySettings.model_validate(OPEN | {"listen": "[::1]:8080"})
    there = GatewaySettings.model_validate(OPEN | {"url": "HTTPS://MCP.example.com:443"})
    assert (str(here.public_url), str(there.public_url)) == ("http://[::1]:8080", "https://mcp.example.com")


@pytest.mark.parametrize(
    ("server", "faults"),
    [
        (
            {"url": URL, "command": ["x"]},
            [("servers.zoo", "it has url and command, and is one of both: drop one")],
        ),
        (
            {"prefix": "x"},
            [("servers.zoo", "say where it is: url, or command for a program that is run here")],
        ),
        (
            {"url": URL, "env": {"A": "b"}, "cwd": "/"},
            [("servers.zoo", "; ".join(["this is for a program, and there is no command"] * 2))],
        ),
        (
            {"command": ["x"], "credential": {"type": "google_id_token"}, "private_network": True},
            [
                (
                    "servers.zoo",
                    (
                        "a program is sent no headers: give it what it needs in env; "
                        "this is for a server with a url, and a command has no connection"
                    ),
                )
            ],
        ),
        (
            {"command": []},
            [("servers.zoo.command", "name a program, and its arguments: [npx, -y, some-server]")],
        ),
        ({"command": ["x\0y"]}, [("servers.zoo.command", "a program's arguments have no NUL character")]),
        (
            {"command": ["x"], "env": {"A": 3}},
            [
                (
                    "servers.zoo.env.A",
                    "this is text: write it in quotes, or as a secret {env: NAME} or {file: PATH}",
                )
            ],
        ),
    ],
)
def test_a_server_is_at_a_url_or_a_program(server: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    assert refusals(OPEN | {"servers": {"zoo": server}}) == faults


def test_nobody_s_proxy_header_counts_unless_somebody_is_named() -> None:
    assert refusals(OPEN | {"proxy_protocol": True}) == [
        ("", "whose PROXY headers count is not said: name their networks in trusted_proxies")
    ]
    GatewaySettings.model_validate(OPEN | {"proxy_protocol": True, "trusted_proxies": ["10.0.0.0/8"]})
