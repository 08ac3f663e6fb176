"""What a listener refuses, attack by attack, over raw sockets: RFC 9112 sections 3, 5, 6 and 11."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from tests.transport.conftest import HOST, call, get

from ostiary.transport.inline_protocol import InlineHttpProtocol
from ostiary.transport.limits import Limits

if TYPE_CHECKING:
    from tests.transport.conftest import Behind, Client, Connect, StartListener

PATHS = ["/call", "/asgi"]
BAD = "this is not a well-formed HTTP request"


def refusal(status: str, reason: str) -> bytes:
    return (
        f"HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\n"
        f"content-length: {len(reason) + 1}\r\nconnection: close\r\n\r\n{reason}\n"
    ).encode()


def post(path: str, *headers: str, body: str = "") -> str:
    return "\r\n".join([f"POST {path} HTTP/1.1", *headers, "", body])


@pytest.fixture(autouse=True)
def _nothing_gets_through(behind: Behind) -> Iterator[None]:
    """Whatever an attack carried, nothing behind the listener saw any of it."""
    yield
    assert behind.seen == []


@pytest.mark.parametrize("path", PATHS)
async def test_two_content_lengths(connect: Connect, path: str) -> None:
    for first, second in (("3", "5"), ("3", "3")):
        lengths = (f"Content-Length: {first}", f"Content-Length: {second}")
        told = await connect.told(post(path, f"Host: {HOST}", *lengths, body="abcde"))
        assert told == refusal("400 Bad Request", BAD)


@pytest.mark.parametrize("length", ["+3", "-3", "3,3", "0x3", "3 3", "", "99999999999999999999"])
async def test_a_content_length_that_is_no_number(connect: Connect, length: str) -> None:
    told = await connect.told(post("/call", f"Host: {HOST}", f"Content-Length: {length}", body="abc"))
    assert told.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 413 "))


@pytest.mark.parametrize("path", PATHS)
async def test_a_content_length_beside_a_transfer_encoding(connect: Connect, path: str) -> None:
    for pair in (
        ("Content-Length: 3", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 3"),
    ):
        told = await connect.told(post(path, f"Host: {HOST}", *pair, body="0\r\n\r\n"))
        assert told.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "coding", ["gzip, chunked", "chunked, gzip", "identity", "chunked, chunked", "xchunked", "chunked;x=1"]
)
async def test_a_transfer_encoding_that_is_not_just_chunked(connect: Connect, path: str, coding: str) -> None:
    told = await connect.told(post(path, f"Host: {HOST}", f"Transfer-Encoding: {coding}", body="0\r\n\r\n"))
    assert told.startswith(b"HTTP/1.1 400 ")


async def test_two_transfer_encodings(connect: Connect) -> None:
    codings = ("Transfer-Encoding: chunked", "Transfer-Encoding: identity")
    told = await connect.told(post("/call", f"Host: {HOST}", *codings, body="0\r\n\r\n"))
    assert told.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("path", PATHS)
async def test_a_folded_header(connect: Connect, path: str) -> None:
    told = await connect.told(post(path, f"Host: {HOST}", "X-A: 1", " Transfer-Encoding: chunked"))
    assert told == refusal("400 Bad Request", BAD)


@pytest.mark.parametrize("line", ["X-A : 1", "X A: 1", ": 1", "X-A\x00: 1", "X-A: \x00", "X-A"])
async def test_a_header_that_is_none(connect: Connect, line: str) -> None:
    told = await connect.told(post("/call", f"Host: {HOST}", line, "Content-Length: 0"))
    assert told == refusal("400 Bad Request", BAD)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "host",
    [
        "Host: evil.example.com", f"Host: {HOST}.evil.com", f"Host: {HOST}:81", f"Host: a@{HOST}", "Host:",
        f"Host: {HOST}, evil.example.com", "X-Forwarded-Host: mcp.example.com",
    ],
)  # fmt: skip
async def test_a_foreign_host_or_none(connect: Connect, path: str, host: str) -> None:
    told = await connect.told(post(path, host, "Content-Length: 0"))
    assert told == refusal("400 Bad Request", "the request names no Host, or another one")


@pytest.mark.parametrize("path", PATHS)
async def test_two_hosts(connect: Connect, path: str) -> None:
    told = await connect.told(post(path, f"Host: {HOST}", "Host: evil.example.com", "Content-Length: 0"))
    assert told == refusal("400 Bad Request", "the request has more than one host header")


async def test_two_authorizations(connect: Connect) -> None:
    pair = ("Authorization: Bearer a", "Authorization: Bearer b")
    told = await connect.told(post("/call", f"Host: {HOST}", *pair, "Content-Length: 0"))
    assert told == refusal("400 Bad Request", "the request has more than one authorization header")


TOO_LONG = refusal("431 Request Header Fields Too Large", "the request head is longer than 32768 bytes")


@pytest.mark.parametrize("path", PATHS)
async def test_one_huge_header(connect: Connect, path: str) -> None:
    assert await connect.told(post(path, f"Host: {HOST}", f"X-A: {'x' * 33_000}")) == TOO_LONG


async def test_a_huge_header_without_end(connect: Connect) -> None:
    assert await connect.told(f"POST /call HTTP/1.1\r\nX-A: {'x' * 40_000}") == TOO_LONG


async def test_a_huge_path(connect: Connect) -> None:
    assert await connect.told(get("/" + "x" * 33_000)) == TOO_LONG


@pytest.mark.parametrize("path", PATHS)
async def test_many_headers(connect: Connect, path: str) -> None:
    told = await connect.told(post(path, f"Host: {HOST}", *(f"X-{n}: 1" for n in range(100))))
    reason = "the request has more than 100 headers"
    assert told == refusal("431 Request Header Fields Too Large", reason)


TOO_BIG = refusal("413 Request Entity Too Large", "the request body is longer than 1000 bytes")


@pytest.mark.parametrize("path", PATHS)
async def test_a_body_too_big_that_is_only_declared(start_listener: StartListener, path: str) -> None:
    connect = await start_listener(Limits(body_bytes=1000))
    told = await connect.told(post(path, f"Host: {HOST}", "Content-Length: 1001"))
    assert told.split(b"\r\n", 1)[1] == TOO_BIG.split(b"\r\n", 1)[1]
    assert told.startswith(b"HTTP/1.1 413 ")


async def test_a_body_too_big_in_chunks(start_listener: StartListener) -> None:
    connect = await start_listener(Limits(body_bytes=1000))
    chunk = f"1f4\r\n{'x' * 500}\r\n"
    told = await connect.told(post("/call", f"Host: {HOST}", "Transfer-Encoding: chunked", body=chunk * 3))
    assert told.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("sent", ["POST /call HTTP/1.1\r\nHo", post("/call", f"Host: {HOST}"), ""])
async def test_a_slow_head(start_listener: StartListener, sent: str) -> None:
    connect = await start_listener(Limits(head_timeout=0.1))
    head = sent.removesuffix("\r\n")
    told = await connect.told(head)
    assert told == refusal("408 Request Timeout", "the request head took too long")


@pytest.mark.parametrize("path", PATHS[:1])
async def test_a_slow_body(start_listener: StartListener, path: str) -> None:
    connect = await start_listener(Limits(body_timeout=0.1))
    told = await connect.told(post(path, f"Host: {HOST}", "Content-Length: 10", body="abc"))
    assert told == refusal("408 Request Timeout", "the request body took too long")


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"SSH-2.0-x\r\n", b"GET\r\n\r\n", b"\x00" * 20],
    ids=["TLS", "SSH", "half a request line", "zeros"],
)
async def test_bytes_that_are_not_http(connect: Connect, sent: bytes) -> None:
    assert await connect.told(sent) == refusal("400 Bad Request", BAD)


@pytest.mark.parametrize("target", ["http://[::1", "http://x:99999999/"])
async def test_a_target_that_is_no_url(connect: Connect, target: str) -> None:
    """It is answered, and no trace in the log lets a stranger fill the disk."""
    told = await connect.told(f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
    assert told == refusal("400 Bad Request", "the request names no readable target")


async def test_http_2_with_prior_knowledge(connect: Connect) -> None:
    told = await connect.told("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("path", PATHS)
async def test_an_upgrade_whose_body_is_another_request(connect: Connect, path: str) -> None:
    hidden = call("hidden")
    head = post(
        path, f"Host: {HOST}", "Connection: upgrade", "Upgrade: h2c", f"Content-Length: {len(hidden)}"
    )
    client = await connect()
    await client.send(head)
    await asyncio.sleep(0.01)
    await client.send(hidden)
    assert (await client.rest()).startswith(b"HTTP/1.1 400 ")


async def test_a_tunnel(connect: Connect) -> None:
    told = await connect.told(f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 400 ")


def chunked(path: str, body: str) -> str:
    return post(path, f"Host: {HOST}", "Transfer-Encoding: chunked", body=body)


EXTENSION_TOO_LONG = refusal(
    "431 Request Header Fields Too Large", "a chunk extension or the trailers are longer than 32768 bytes"
)


@pytest.mark.parametrize("path", PATHS)
async def test_trailers_without_end(connect: Connect, path: str) -> None:
    client = await connect()
    await client.send(chunked(path, "1\r\nx\r\n0\r\n"), *("X-A: 1\r\n" * 100 for _ in range(100)))
    assert await client.rest() == EXTENSION_TOO_LONG


@pytest.mark.parametrize("path", PATHS)
async def test_one_huge_trailer(connect: Connect, path: str) -> None:
    assert await connect.told(chunked(path, f"0\r\nX-A: {'x' * 80_000}")) == EXTENSION_TOO_LONG


async def test_a_chunk_extension_without_end(connect: Connect) -> None:
    assert await connect.told(chunked("/call", f"1;{'x' * 80_000}")) == EXTENSION_TOO_LONG


@pytest.mark.parametrize("path", PATHS)
async def test_chunk_extensions_that_outweigh_the_body(connect: Connect, path: str) -> None:
    """Each of them is short, and together they never end."""
    chunk = f"1;{'x' * 1000}\r\nx\r\n"
    client = await connect()
    await client.send(chunked(path, ""), *(chunk for _ in range(200)))
    told = await client.rest()
    assert told == refusal(
        "400 Bad Request", "the request has far more framing than body; send longer chunks"
    )


async def test_an_expectation_that_nobody_meets(connect: Connect) -> None:
    told = await connect.told(post("/call", f"Host: {HOST}", "Expect: 200-ok", "Content-Length: 0"))
    assert told == refusal("417 Expectation Failed", "the only expectation that is met is 100-continue")


@pytest.mark.parametrize("path", PATHS)
async def test_an_absolute_target_of_another_host(connect: Connect, path: str) -> None:
    told = await connect.told(post(f"http://evil.example.com{path}", f"Host: {HOST}", "Content-Length: 0"))
    assert told == refusal("421 Misdirected Request", "the request is for another host")


async def test_more_connections_than_there_may_be_while_all_are_busy(
    start_listener: StartListener, behind: Behind
) -> None:
    connect = await start_listener(Limits(connections=2))
    for _ in range(2):
        await (await connect()).send(get("/wait"))
    await asyncio.sleep(0.01)
    told = await (await connect()).rest()
    assert told == refusal("503 Service Unavailable", "too many connections; try again later")
    behind.seen.clear()


async def test_connections_that_say_nothing_make_room(start_listener: StartListener) -> None:
    """A stranger who opens all the connections that there may be keeps nobody out."""
    connect = await start_listener(Limits(connections=4))
    silent = [await connect() for _ in range(4)]
    await asyncio.sleep(0.01)
    newcomer = await connect()
    await newcomer.send(get("/").replace("GET", "BAD"))
    assert (await newcomer.answer()).startswith("400 ")
    assert await silent[0].rest() == b""
    assert not any(client.reader.at_eof() for client in silent[1:])


async def idles_after_a_page(client: Client) -> None:
    await client.send(get("/page"))
    assert (await client.answer()).startswith("200 ")


async def idles_after_a_long_request(client: Client) -> None:
    await client.send(post("/by-head", f"Host: {HOST}", "Content-Length: 5000", body="x" * 5000))
    assert await client.answer() == "401 no"


async def dawdles_in_a_head(client: Client) -> None:
    await client.send("GET /")


async def dawdles_in_a_body(client: Client) -> None:
    await client.send(post("/asgi", f"Host: {HOST}", "Content-Length: 10", body="x"))


async def dawdles_in_a_body_that_nobody_wants(client: Client) -> None:
    await client.send(post("/by-head", f"Host: {HOST}", "Content-Length: 10", body="x"))
    assert await client.answer() == "401 no"


@pytest.mark.parametrize(
    "stranger",
    [
        idles_after_a_page,
        idles_after_a_long_request,
        dawdles_in_a_head,
        dawdles_in_a_body,
        dawdles_in_a_body_that_nobody_wants,
    ],
)
async def test_strangers_who_hold_all_connections_by_dawdling_make_room(
    start_listener: StartListener, behind: Behind, stranger: Callable[[Client], Awaitable[None]]
) -> None:
    """Whoever keeps us waiting longest goes first, whatever of a request has come."""
    connect = await start_listener(Limits(connections=3))
    strangers = [await connect() for _ in range(3)]
    for client in strangers:
        await stranger(client)
        await asyncio.sleep(0.01)
    behind.seen.clear()
    newcomer = await connect()
    await newcomer.send(get("/").replace("GET", "BAD"))
    assert (await newcomer.answer()).startswith("400 ")
    assert await strangers[0].rest() == b""
    assert not any(client.reader.at_eof() for client in strangers[1:])


@pytest.mark.parametrize("path", PATHS)
async def test_a_transfer_encoding_of_http_1_0(connect: Connect, path: str) -> None:
    """A proxy that speaks no more may have taken the body for requests."""
    lines = ("Connection: keep-alive", "Transfer-Encoding: chunked")
    told = await connect.told(post(path, f"Host: {HOST}", *lines).replace("HTTP/1.1", "HTTP/1.0"))
    assert told == refusal("400 Bad Request", "HTTP/1.0 has no Transfer-Encoding")


async def test_a_deadline_of_a_connection_that_is_gone_ends_no_others(start_listener: StartListener) -> None:
    """What closing it meets is nobody's fault, and the deadlines of all are watched by one."""
    connect = await start_listener(Limits(head_timeout=0.1))
    gone, other = await connect(), await connect()
    await dawdles_in_a_body_that_nobody_wants(gone)
    await other.send("GET /")
    sock = gone.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    port = sock.getsockname()[1]
    gone.writer.transport.abort()
    await asyncio.sleep(0)  # it is closed, and the listener has not noticed yet
    protocols = [held for held in gc.get_objects() if isinstance(held, InlineHttpProtocol)]
    for protocol in protocols:
        if protocol.client is not None and protocol.client[1] == port:
            protocol.expire(asyncio.get_running_loop().time() + 60)
    assert (await other.rest()).startswith(b"HTTP/1.1 408 ")
