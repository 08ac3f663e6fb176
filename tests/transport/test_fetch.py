"""Documents are fetched within bounds, and what goes wrong is named with the URL."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import gzip
import ipaddress
import json
import os
import socket
import ssl
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from multidict import CIMultiDict
from tests.peers.certificates import CertificateAuthority
from tests.peers.http_proxy import HttpProxy, proxying

from ostiary.inline_coroutines import as_future
from ostiary.oauth.canonical_url import CanonicalUrl, canonical_url
from ostiary.transport.fetch import Fetcher, FetchError, NotAllowed, NotReached, NotTrusted
from ostiary.transport.proxies import proxies_of
from ostiary.transport.reach import Reach
from ostiary.transport.trust import TrustSet

PACKED = {
    "plain": b'["good"]',
    "gzip": gzip.compress(b'["good"]'),
    "zlib": zlib.compress(b'["good"]'),
    "deflate": zlib.compress(b'["good"]')[2:-4],
    "cut": gzip.compress(b'["good"]')[:-9],
}


async def answer(request: web.Request) -> web.StreamResponse:  # noqa: PLR0911 - one a path
    match request.path:
        case "/said":
            said = {"type": request.content_type, "body": await request.text(), "x": request.headers.get("x")}
            headers = [("WWW-Authenticate", "Bearer"), ("www-authenticate", "DPoP")]
            return web.json_response(said, status=401, headers=CIMultiDict(headers))
        case "/good":
            return web.json_response({"encoding": request.headers["accept-encoding"]})
        case "/long":
            return web.Response(text="[" + "1," * 600_000 + "1]")
        case "/bomb":
            packed = gzip.compress(b"1" * 10_000_000)
            return web.Response(body=packed, headers={"content-encoding": "gzip"})
        case "/marked":
            return web.Response(body=b'\xef\xbb\xbf["good"]')
        case "/packed":
            packed = PACKED[request.query["as"]]
            return web.Response(body=packed, headers={"content-encoding": request.query["coding"]})
        case "/text":
            return web.Response(text="<html>")
        case "/moved":
            return web.Response(status=302, headers={"location": "/good"})
        case "/slow":
            await asyncio.sleep(60)
    return web.Response(status=404)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 and its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - dt.timedelta(hours=1))
    builder = builder.not_valid_after(now + dt.timedelta(hours=1)).add_extension(address, critical=False)
    signed = builder.sign(key, hashes.SHA256())
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    return path


async def start(context: ssl.SSLContext | None = None) -> tuple[web.AppRunner, int]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    return runner, runner.addresses[0][1]


@pytest.fixture
async def plain() -> AsyncIterator[CanonicalUrl]:
    runner, port = await start()
    yield canonical_url(f"http://127.0.0.1:{port}")
    await runner.cleanup()


@pytest.fixture
async def secure(certificate: Path) -> AsyncIterator[CanonicalUrl]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    runner, port = await start(context)
    yield canonical_url(f"https://127.0.0.1:{port}/good")
    await runner.cleanup()


@pytest.fixture
def fetcher() -> Fetcher:
    return Fetcher()


async def test_a_document_is_asked_for_uncompressed(fetcher: Fetcher, plain: CanonicalUrl) -> None:
    assert await fetcher.get_json(canonical_url(f"{plain}/good")) == {"encoding": "identity"}


async def test_a_document_is_fetched_inline_too(fetcher: Fetcher, plain: CanonicalUrl) -> None:
    document = await as_future(fetcher.get(canonical_url(f"{plain}/good")))
    assert (document.status, document.body) == (200, b'{"encoding": "identity"}')


@pytest.mark.parametrize(
    ("packed", "coding"),
    [
        ("gzip", "gzip"),
        ("gzip", "X-GZIP"),
        ("zlib", "deflate"),
        ("deflate", "deflate"),
        ("plain", "identity"),
        ("plain", "UTF-8"),
        ("plain", "none"),
        ("plain", ""),
    ],
)
async def test_what_is_compressed_all_the_same_is_read(
    fetcher: Fetcher, plain: CanonicalUrl, packed: str, coding: str
) -> None:
    """It may be the one answer that brings a new refresh token."""
    assert await fetcher.get_json(canonical_url(f"{plain}/packed?as={packed}&coding={coding}")) == ["good"]


async def test_a_mark_of_the_order_of_bytes_does_no_harm(fetcher: Fetcher, plain: CanonicalUrl) -> None:
    assert await fetcher.get_json(canonical_url(f"{plain}/marked")) == ["good"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/absent", "it answered 404, not 200"),
        ("/moved", "it answered 302, not 200"),
        ("/text", "the answer is not JSON"),
        ("/long", "the answer is longer than 1048576 bytes"),
        ("/bomb", "the answer is longer than 1048576 bytes"),
        ("/packed?as=cut&coding=gzip", "the answer is compressed (gzip) although we asked for it plain"),
        ("/packed?as=plain&coding=gzip", "the answer is compressed (gzip) although we asked for it plain"),
        ("/packed?as=gzip&coding=br", "the answer is compressed (br) although we asked for it plain"),
        (
            "/packed?as=gzip&coding=gzip,gzip",
            "the answer is compressed (gzip,gzip) although we asked for it plain",
        ),
    ],
)
async def test_a_faulty_answer_is_named_with_its_url(
    fetcher: Fetcher, plain: CanonicalUrl, path: str, reason: str
) -> None:
    with pytest.raises(FetchError) as failed:
        await fetcher.get_json(canonical_url(f"{plain}{path}"))
    assert str(failed.value) == f"{plain}{path}: {reason}"


@pytest.mark.parametrize(
    "endless",
    [
        (b"", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1;%s\r\n{\r\n" % (b"x" * 1000)),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\n{\r\n"),
    ],
    ids=["interim heads", "chunk extensions", "chunks of one byte"],
)
async def test_an_answer_that_never_comes_to_its_document_is_cut_off(
    fetcher: Fetcher, endless: tuple[bytes, bytes]
) -> None:
    sent = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        head, unit = endless
        writer.write(head)
        with contextlib.suppress(ConnectionError):
            while sent < 50_000_000:
                writer.write(unit * (60_000 // len(unit)))
                await writer.drain()
                sent += 60_000
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    url = canonical_url(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    with pytest.raises(FetchError):
        await fetcher.get(url)
    server.close()
    await server.wait_closed()
    assert sent < 20_000_000


async def test_a_slow_answer_is_not_waited_for(plain: CanonicalUrl) -> None:
    with pytest.raises(FetchError) as failed:
        await Fetcher(timeout=0.5).get_json(canonical_url(f"{plain}/slow"))
    assert str(failed.value) == f"{plain}/slow: no whole answer within 0.5 seconds"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:1", "no connection (Connection refused)"),
        ("https://nobody.invalid", "its host name is not known"),
        ("http://example.com", "it is plain http to another machine; use https"),
        (
            "https://10.255.0.1",
            "its host leads to a private address; if it should, set private_network: true",
        ),
    ],
)
async def test_a_server_that_cannot_be_reached_is_named_with_the_cause(
    fetcher: Fetcher, url: str, reason: str
) -> None:
    with pytest.raises(FetchError) as failed:
        await fetcher.get_json(canonical_url(url))
    assert str(failed.value) == f"{url}: {reason}"


async def test_a_certificate_that_nobody_vouches_for_is_refused(
    fetcher: Fetcher, secure: CanonicalUrl
) -> None:
    with pytest.raises(FetchError) as failed:
        await fetcher.get_json(secure)
    assert failed.value.reason == "its certificate is self-signed"


async def test_a_ca_file_vouches_for_its_own_edge(
    fetcher: Fetcher, secure: CanonicalUrl, certificate: Path
) -> None:
    reach = Reach(certificate)
    assert await fetcher.get_json(secure, reach=reach) == {"encoding": "identity"}


async def test_a_ca_file_without_certificates_is_said_so(
    fetcher: Fetcher, secure: CanonicalUrl, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    for path, reason in (
        (empty, "it holds no certificate"),
        (tmp_path / "no.pem", "No such file or directory"),
    ):
        with pytest.raises(FetchError) as failed:
            await fetcher.get_json(secure, reach=Reach(path))
        assert str(failed.value) == (
            f"{secure}: ca_file {path} cannot be used: {reason}; name a PEM file of certificates"
        )


def test_sets_that_trust_alike_share_one_context(certificate: Path) -> None:
    assert TrustSet(certificate).context is TrustSet(certificate).context
    assert TrustSet(certificate).context is not TrustSet().context


async def test_a_form_is_posted_and_whatever_is_answered_is_handed_back(
    fetcher: Fetcher, plain: CanonicalUrl
) -> None:
    url = canonical_url(f"{plain}/said")
    document = await fetcher.post_form(url, [("a", "1 & 2"), ("a", "ü")], headers={"x": "y"})
    assert document.status == 401
    assert document.headers["www-authenticate"] == "Bearer, DPoP"
    assert json.loads(document.body) == {
        "type": "application/x-www-form-urlencoded",
        "body": "a=1+%26+2&a=%C3%BC",
        "x": "y",
    }


async def test_a_redirect_is_handed_back_and_not_followed(fetcher: Fetcher, plain: CanonicalUrl) -> None:
    document = await fetcher.post_form(canonical_url(f"{plain}/moved"), {"client_secret": "tiger"})
    assert (document.status, document.headers["location"]) == (302, "/good")


@pytest.mark.parametrize(
    "url", ["https://169.254.169.254/", "https://[fe80::1]/", "https://0.0.0.0/", "https://168.63.129.16/"]
)
async def test_leave_for_private_networks_opens_no_link_local_address(fetcher: Fetcher, url: str) -> None:
    with pytest.raises(NotAllowed):
        await fetcher.get(canonical_url(url), reach=Reach(private_network=True))


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1"])
async def test_nor_by_a_name(fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **options: Any) -> Any:
        return real(address if host == "client.example" else host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(NotAllowed):
        await fetcher.get(canonical_url("https://client.example/"), reach=Reach(private_network=True))


async def test_a_url_that_a_stranger_wrote_may_not_name_this_machine(
    fetcher: Fetcher, plain: CanonicalUrl
) -> None:
    with pytest.raises(FetchError) as refused:
        await fetcher.get(plain, reach=Reach(loopback=False))
    assert str(refused.value) == f"{plain}: it names this machine, and who wrote it is on another"


async def test_a_client_certificate_that_is_none_is_said_so(
    fetcher: Fetcher, secure: CanonicalUrl, certificate: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    for files, reason in (
        (
            (empty, certificate),
            f"certificate {empty} cannot be used with key {certificate}; name a PEM certificate and its key",
        ),
        (
            (certificate, tmp_path / "no.pem"),
            f"{tmp_path / 'no.pem'} cannot be read: No such file or directory; name a PEM file",
        ),
    ):
        with pytest.raises(FetchError) as failed:
            await fetcher.post_form(secure, {}, reach=Reach(certificate), client_certificate=files)
        assert failed.value.reason == reason


def test_a_client_certificate_is_read_again_when_it_changes(certificate: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.pem"
    copy.write_bytes(certificate.read_bytes())
    trust = TrustSet(certificate)
    before = trust.presenting(copy, certificate)
    assert trust.presenting(copy, certificate) is before
    os.utime(copy, ns=(1, 1))
    assert trust.presenting(copy, certificate) is not before


# By a proxy.

MCP = canonical_url("https://mcp.example.com/good")
CLEAR = canonical_url("http://mcp.example.com/good")


def by_proxy(proxy: HttpProxy, **environ: str) -> Fetcher:
    user = f"http://us%20er:tiger@127.0.0.1:{proxy.port}"
    return Fetcher(proxies=proxies_of("environment", {"https_proxy": user, "http_proxy": user, **environ}))


async def test_an_https_document_comes_through_a_tunnel(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    named = authority.issue("server", names=[x509.DNSName("mcp.example.com")])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*named)
    runner, port = await start(context)
    async with proxying(port) as proxy:
        fetcher = by_proxy(proxy)
        assert await fetcher.get_json(MCP, reach=Reach(authority.file)) == {"encoding": "identity"}
        with pytest.raises(NotTrusted, match="from an authority that is not trusted here"):
            await fetcher.get_json(MCP)
    await runner.cleanup()
    assert proxy.asked == ["CONNECT mcp.example.com:443 HTTP/1.1"] * 2
    assert "proxy-authorization: basic dxmgzxi6dglnzxi=" in proxy.heads[0].lower()
    assert not any(b"GET" in piece or b"tiger" in piece for piece in proxy.carried)


async def test_an_http_document_is_asked_of_the_proxy(plain: CanonicalUrl) -> None:
    async with proxying(plain.port) as proxy:
        reach = Reach(insecure_allow_http=True)
        assert await by_proxy(proxy).get_json(CLEAR, reach=reach) == {"encoding": "identity"}
    assert proxy.asked == ["GET http://mcp.example.com/good HTTP/1.1"]
    assert "proxy-authorization: basic " in proxy.heads[0].lower()


async def test_a_document_of_this_machine_never_goes_by_a_proxy(plain: CanonicalUrl) -> None:
    async with proxying(plain.port) as proxy:
        await by_proxy(proxy, ALL_PROXY=proxy.url).get_json(replace(plain, path="/good"))
    assert proxy.asked == []


async def test_what_a_stranger_names_never_goes_by_a_proxy(plain: CanonicalUrl) -> None:
    async with proxying(plain.port) as proxy:
        with pytest.raises(FetchError):
            await by_proxy(proxy).get_json(
                canonical_url("https://no-such-host.invalid/good"), reach=Reach(by_proxy=False)
            )
    assert proxy.asked == []


async def test_an_address_that_is_not_public_is_refused_before_a_proxy_is_asked(plain: CanonicalUrl) -> None:
    async with proxying(plain.port) as proxy:
        with pytest.raises(NotAllowed):
            await by_proxy(proxy).get_json(canonical_url("https://10.0.0.1/good"))
    assert proxy.asked == []


async def test_a_proxy_that_refuses_or_is_away_is_named_without_its_password(plain: CanonicalUrl) -> None:
    async with proxying(plain.port, status=407) as proxy:
        fetcher = by_proxy(proxy)
        with pytest.raises(NotReached) as refused:
            await fetcher.get_json(MCP)
    named = f"{MCP}: the proxy 127.0.0.1:{proxy.port} that https_proxy names"
    assert str(refused.value) == f"{named} does not connect to it: it answered 407"
    with pytest.raises(NotReached) as away:
        await fetcher.get_json(MCP)
    assert str(away.value) == f"{named} is not reached: no connection (Connection refused)"
    with pytest.raises(NotReached, match="which is not spoken here"):
        await Fetcher(proxies=proxies_of("environment", {"all_proxy": "socks5://p"})).get_json(MCP)


@pytest.mark.parametrize(
    ("instead", "why"),
    [
        (b"", "the exchange broke off (ServerDisconnectedError)"),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "the exchange broke off (ClientResponseError)"),
        (b"HTTP/1.1 200 Connected\r\n\r\n", "no connection (it was closed)"),
    ],
    ids=["nothing", "no HTTP", "that it is connected"],
)
async def test_a_proxy_that_hangs_up_is_named(plain: CanonicalUrl, instead: bytes, why: str) -> None:
    async with proxying(plain.port, instead=instead) as proxy:
        with pytest.raises(FetchError) as broken:
            await by_proxy(proxy).get_json(MCP)
    assert str(broken.value) == f"{MCP}: {why}, by the proxy 127.0.0.1:{proxy.port} that https_proxy names"


async def test_who_takes_no_connection_is_not_waited_for_as_long_as_who_answers_late() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = canonical_url(f"https://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(NotReached) as late:
            await Fetcher(timeout=30, connect_timeout=0.05).get(url)
    assert late.value.reason == "no connection within 0.05 seconds"
