"""The one road of every command: whom it trusts, by which proxy it goes, and what it asks for plain."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.cli.conftest import House, Ostiary, in_background
from tests.cli.test_bridge import MODERN, bridged
from tests.peers.certificates import CertificateAuthority
from tests.peers.http_proxy import HttpProxy, proxying

from ostiary.settings import Listen
from ostiary.transport.serving import address_of, bind, serving
from ostiary.zoo.server import zoo_app

HOUR = dt.timedelta(hours=1)


@dataclass
class SecureZoo:
    """A zoo with TLS of a private authority, and a configuration that names it as `zoo`."""

    url: str
    file: Path
    without_ca: Path


@asynccontextmanager
async def tls_zoo(files: tuple[Path, Path]) -> AsyncIterator[str]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*files)
    sock = bind(Listen("127.0.0.1", 0))
    async with serving(zoo_app(), sock, tls=context):
        yield f"https://{address_of(sock)}/mcp"


def written(directory: Path, name: str, url: str, ca_file: Path | None) -> Path:
    file = directory / name
    server = {"url": url} | ({} if ca_file is None else {"ca_file": str(ca_file)})
    gateway = {"allow_unauthenticated": True, "servers": {"zoo": server}}
    file.write_text(json.dumps({"gateway": gateway}))
    return file


@pytest.fixture
def secure_zoo(tmp_path: Path) -> Iterator[SecureZoo]:
    authority = CertificateAuthority(tmp_path)
    with in_background(tls_zoo(authority.issue("server"))) as url:
        trusting = written(tmp_path, "ostiary.yaml", url, authority.file)
        yield SecureZoo(url, trusting, written(tmp_path, "other.yaml", url, None))


@pytest.mark.parametrize(
    "words",
    [
        ("tools", "--server", "zoo"),
        ("tools", "URL"),
        ("call", "URL", "get_animals_by_species", "species=penguin"),
        ("doctor", "--server", "zoo"),
    ],
)
def test_the_ca_file_of_a_server_counts_in_every_command(
    ostiary: Ostiary, secure_zoo: SecureZoo, words: tuple[str, ...]
) -> None:
    said = [secure_zoo.url if word == "URL" else word for word in words]
    outcome = ostiary(*said, "-c", str(secure_zoo.file))
    assert (outcome.code, outcome.err) == (0, "")
    refused = ostiary(*said, "-c", str(secure_zoo.without_ca))
    assert refused.code == 1
    assert "from an authority that is not trusted here" in refused.out + refused.err
    assert "is the server running" not in refused.err


async def test_the_ca_file_of_a_server_counts_in_the_bridge(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    async with tls_zoo(authority.issue("server")) as url:
        file = written(tmp_path, "ostiary.yaml", url, authority.file)
        async with bridged("--server", "zoo", "-c", str(file)) as bridge:
            discovered = await bridge.ask(1, "server/discover", _meta=MODERN)
            assert discovered["result"]["supportedVersions"] == ["2026-07-28"]
        async with bridged(url, "--no-credential") as bridge:
            refused = await bridge.ask(1, "server/discover", _meta=MODERN)
    assert refused["error"]["code"] == -32010
    assert refused["error"]["message"].startswith(
        f"server {url}: {url.split('/')[2]}: its certificate is from an authority that is not trusted here: "
    )


@pytest.mark.parametrize(
    ("life", "cause", "sentence", "fix"),
    [
        (
            {"ends": -HOUR},
            "certificate_expired",
            "has expired.",
            "It has to be renewed where the server is, unless this machine's clock is wrong.",
        ),
        (
            {"begins": HOUR},
            "certificate_not_yet_valid",
            "is not valid yet.",
            "Set this machine's clock, or wait until it is.",
        ),
    ],
)
def test_a_certificate_of_another_time_is_not_an_unknown_one(
    ostiary: Ostiary, tmp_path: Path, life: dict[str, Any], cause: str, sentence: str, fix: str
) -> None:
    authority = CertificateAuthority(tmp_path)
    with in_background(tls_zoo(authority.issue("server", **life))) as url:
        file = written(tmp_path, "ostiary.yaml", url, authority.file)
        outcome = ostiary("doctor", "--server", "zoo", "-c", str(file), "--json")
    origin = url.removesuffix("/mcp")
    assert json.loads(outcome.out)["diagnosis"] == {
        "cause": cause,
        "sentence": f"The certificate of {origin} {sentence}",
        "fix": fix,
    }


# Proxies.


@pytest.fixture
def proxy(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpProxy]:
    """The environment's, for everything."""
    with in_background(proxying(int(house.zoo.rpartition(":")[2].partition("/")[0]))) as proxy:
        for variable in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(variable, proxy.url)
        for variable in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(variable, raising=False)
        yield proxy


def test_a_token_for_a_server_on_this_machine_never_goes_to_a_proxy(
    ostiary: Ostiary, house: House, proxy: HttpProxy
) -> None:
    credential = ("--credential", house.key("gateway"))
    for words in (
        ("tools", house.zoo),
        ("call", house.zoo, "get_animals_by_species", "species=penguin"),
        ("doctor", house.zoo),
        ("token", house.zoo),
    ):
        assert ostiary(*words, *credential).code == 0
    assert proxy.asked == []


async def test_the_bridge_takes_nothing_of_this_machine_to_a_proxy(house: House) -> None:
    async with proxying(1) as proxy:
        environment = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), proxy.url)
        async with bridged(house.zoo, "--credential", house.key("gateway"), **environment) as bridge:
            assert "result" in await bridge.ask(1, "server/discover", _meta=MODERN)
    assert proxy.asked == []


DISCOVERED = {"jsonrpc": "2.0", "id": 1, "result": {"supportedVersions": ["2026-07-28"], "capabilities": {}}}


@asynccontextmanager
async def answering(respond: Callable[[Request], Response]) -> AsyncIterator[int]:
    sock = bind(Listen("127.0.0.1", 0))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(Request(scope, receive))(scope, receive, send)

    server: ASGIApp = app
    async with serving(server, sock):
        yield address_of(sock).port


def test_doctor_says_by_which_proxy_it_went(ostiary: Ostiary, monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps(DISCOVERED).encode()

    @asynccontextmanager
    async def both() -> AsyncIterator[HttpProxy]:
        respond = lambda _: Response(body, media_type="application/json")  # noqa: E731 - as short as it can be
        async with answering(respond) as port, proxying(port) as proxy:
            yield proxy

    with in_background(both()) as proxy:
        monkeypatch.setenv("http_proxy", f"http://user:tiger@127.0.0.1:{proxy.port}")
        outcome = ostiary("doctor", "http://mcp.example.com/mcp", "--no-credential")
        told = json.loads(ostiary("doctor", "http://mcp.example.com/mcp", "--no-credential", "--json").out)
    by = f"127.0.0.1:{proxy.port}, named by http_proxy"
    assert f"by the proxy {by}" in outcome.out
    assert (told["proxy"], told["works"]) == (by, True)
    assert "tiger" not in outcome.out
    assert set(proxy.asked) == {"POST http://mcp.example.com/mcp HTTP/1.1"}


def test_a_proxy_that_refuses_is_the_cause(ostiary: Ostiary, monkeypatch: pytest.MonkeyPatch) -> None:
    with in_background(proxying(1, status=403)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        outcome = ostiary("doctor", "https://mcp.example.com/mcp", "--no-credential", "--json")
        called = ostiary("tools", "https://mcp.example.com/mcp", "--no-credential")
    diagnosis = json.loads(outcome.out)["diagnosis"]
    named = f"the proxy 127.0.0.1:{proxy.port} that HTTPS_PROXY names does not connect to it"
    assert diagnosis["cause"] == "proxy_refuses"
    assert named in diagnosis["sentence"]
    assert (called.code, named in called.err) == (1, True)


@pytest.mark.parametrize(
    ("instead", "cause", "why", "fix"),
    [
        (
            b"HTTP/1.1 407 Who\r\ncontent-length: 0\r\n\r\n",
            "proxy_refuses",
            "{proxy} does not connect to it (407 Who)",
            "Name user and password in the proxy's URL: ",
        ),
        (
            b"",
            "no_answer",
            "Server disconnected without sending a response, by {proxy}",
            "See whether the proxy lets such calls through; ",
        ),
        (
            b"HTTP/1.1 200 Connected\r\n\r\n",
            "tls_fails",
            "by {proxy}: TLS failed (unexpected eof while reading)",
            "See whether this port speaks https at all; ",
        ),
    ],
    ids=["wants a password", "hangs up", "connects to nobody"],
)
def test_what_a_proxy_does_instead_is_told(
    ostiary: Ostiary, monkeypatch: pytest.MonkeyPatch, instead: bytes, cause: str, why: str, fix: str
) -> None:
    with in_background(proxying(1, instead=instead)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        outcome = ostiary("doctor", "https://mcp.example.com/mcp", "--no-credential", "--json")
        called = ostiary("tools", "https://mcp.example.com/mcp", "--no-credential")
    diagnosis = json.loads(outcome.out)["diagnosis"]
    told = why.format(proxy=f"the proxy 127.0.0.1:{proxy.port} that HTTPS_PROXY names")
    assert diagnosis["cause"] == cause
    assert f": {told}." in diagnosis["sentence"]
    assert diagnosis["fix"].startswith(fix)
    assert called == (1, "", f"https://mcp.example.com/mcp cannot be reached: {told}\n")


def test_a_proxy_that_cannot_be_used_is_said_at_once(
    ostiary: Ostiary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://user:tiger@proxy")
    for command in ("tools", "doctor"):
        outcome = ostiary(command, "https://mcp.example.com/mcp", "--no-credential")
        assert outcome.code == 1
        assert outcome.err == (
            "ALL_PROXY names a proxy of the kind socks5, which is not spoken here: name one that takes http, "
            "or say proxy: none in ostiary.yaml\n"
        )


def test_the_setting_of_the_file_counts(
    ostiary: Ostiary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with in_background(proxying(1, status=403)) as proxy:
        monkeypatch.setenv("ALL_PROXY", "socks5://user:tiger@proxy")
        file = written(tmp_path, "ostiary.yaml", "https://mcp.example.com/mcp", None)
        settings = json.loads(file.read_text())
        file.write_text(json.dumps(settings | {"proxy": proxy.url}))
        outcome = ostiary("tools", "--server", "zoo", "-c", str(file))
        assert f"the proxy 127.0.0.1:{proxy.port} that proxy names does not connect to it" in outcome.err


# Compressed.


def test_a_compressed_answer_is_named(ostiary: Ostiary) -> None:
    asked: list[str] = []

    def respond(request: Request) -> Response:
        asked.append(request.headers["accept-encoding"])
        packed = gzip.compress(json.dumps(DISCOVERED).encode())
        return Response(packed, media_type="application/json", headers={"content-encoding": "gzip"})

    with in_background(answering(respond)) as port:
        url = f"http://127.0.0.1:{port}/mcp"
        called = ostiary("tools", url)
        examined = ostiary("doctor", url, "--no-credential")
    said = "its answer is compressed (gzip) although we asked for it plain"
    assert (called.code, said in called.err) == (1, True)
    assert (examined.code, said in examined.out) == (1, True)
    assert set(asked) == {"identity"}


async def test_a_compressed_answer_is_read_by_the_bridge() -> None:
    def respond(_: Request) -> Response:
        packed = gzip.compress(json.dumps(DISCOVERED).encode())
        return Response(packed, media_type="application/json", headers={"content-encoding": "gzip"})

    async with answering(respond) as port:
        url = f"http://127.0.0.1:{port}/mcp"
        async with bridged(url, "--no-credential") as bridge:
            discovered = await bridge.ask(1, "server/discover", _meta=MODERN)
    assert discovered["result"]["supportedVersions"] == ["2026-07-28"]
