"""Bad input, and what it gets: a typed answer within its time, and never a secret in a log."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2
import pytest
from aiohttp import web
from tests.gateway.conftest import error

if TYPE_CHECKING:
    from tests.gateway.conftest import Caller, McpServer, Seen, StartGateway

    from ostiary.cloudrun.emulator import Emulator

VISITOR = "visitor@demo-project.iam.gserviceaccount.com"
SECRET = "the-servers-own-api-key"
CALL = ("tools/call", {"name": "s_get", "arguments": {}})


@pytest.fixture
async def guarded(
    start_gateway: StartGateway, server: McpServer, google: Emulator, monkeypatch: pytest.MonkeyPatch
) -> Caller:
    """In front of a gateway that lets the visitor in by Google's ID token, with an API key for its server."""
    monkeypatch.setenv("API_KEY", SECRET)
    return await start_gateway(
        inbound=[{"type": "google_id_token", "jwks_url": google.jwks_url, "allow": [{"email": VISITOR}]}],
        servers={
            "s": {
                "url": server.url,
                "timeout": "300ms",
                "credential": {"type": "header", "name": "x-api-key", "value": {"env": "API_KEY"}},
            },
            "down": {"url": "http://127.0.0.1:1/mcp"},
        },
        limits={"body_bytes": 10_000},
    )


@pytest.fixture
async def tokens(google: Emulator, guarded: Caller, kept_out_of_the_log: list[str]) -> AsyncIterator[Tokens]:
    async with httpx2.AsyncClient(base_url=google.google_url, trust_env=False) as http:
        yield Tokens(http, f"{guarded.origin}/mcp", kept_out_of_the_log)


@pytest.fixture
async def admitted(guarded: Caller, tokens: Tokens) -> Caller:
    """The visitor, with a good token."""
    guarded.token = await tokens.signed()
    return guarded


@pytest.fixture(autouse=True)
def kept_out_of_the_log(log: list[Any], caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """Secrets of the test. None of them, and no other token, is in any log when it ends."""
    secrets = [SECRET, "eyJ", "ya29."]
    yield secrets
    logged = f"{log} {caplog.text}"
    assert [secret for secret in secrets if secret in logged] == []


class Tokens:
    """Tokens of the local Google, good and odd."""

    def __init__(self, http: httpx2.AsyncClient, audience: str, made: list[str]) -> None:
        self._http = http
        self._audience = audience
        self._made = made

    async def signed(self, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """A good token, but for what is said here."""
        now = int(time.time())
        claims = {
            "iss": "https://accounts.google.com",
            "aud": self._audience,
            "sub": "1234",
            "email": VISITOR,
            "email_verified": True,
            "iat": now,
            "exp": now + 3600,
        }
        wanted = {"claims": claims | changes, "header": header or {}}
        token = str((await self._http.post("/emulator/sign", json=wanted)).json()["token"])
        self._made.append(token)
        return token

    async def access_token(self) -> str:
        path = "/computeMetadata/v1/instance/service-accounts/default/token"
        answered = await self._http.get(path, headers={"Metadata-Flavor": "Google"})
        return str(answered.json()["access_token"])


def refusal(answered: httpx2.Response) -> tuple[int, int, str]:
    """Status, code and message of a typed answer."""
    body = answered.json()
    assert (answered.headers["content-type"], body["jsonrpc"]) == ("application/json", "2.0")
    return answered.status_code, body["error"]["code"], body["error"]["message"]


# Who is calling. Each is refused with the challenge of RFC 6750 and told apart in the log.


async def turned_away(guarded: Caller, token: str | None, log: list[Any]) -> tuple[str, str]:
    """What a refused caller is told, and the reason that the log has."""
    guarded.token = token
    answered = await guarded.ask(*CALL)
    metadata = f"{guarded.origin}/.well-known/oauth-protected-resource/mcp"
    status, code, message = refusal(answered)
    said = "" if token is None else f'error="invalid_token", error_description="{message}", '
    assert (status, code) == (401, -32001)
    assert answered.headers["www-authenticate"] == f'Bearer {said}resource_metadata="{metadata}"'
    [entry] = [entry for entry in log if entry["event"] == "caller_refused"]
    assert (entry["resource"], entry["log_level"]) == (f"{guarded.origin}/mcp", "warning")
    return message, entry["reason"]


async def test_no_token(guarded: Caller, log: list[Any]) -> None:
    message = f"{guarded.origin}/mcp wants a bearer token, and none was sent"
    assert await turned_away(guarded, None, log) == (message, "no_token")


async def test_garbage(guarded: Caller, log: list[Any]) -> None:
    assert await turned_away(guarded, "gar.ba.ge", log) == ("the token is malformed", "malformed")


async def test_an_expired_token(guarded: Caller, tokens: Tokens, log: list[Any]) -> None:
    token = await tokens.signed(exp=int(time.time()) - 60)
    assert await turned_away(guarded, token, log) == ("the token has expired", "expired")


async def test_a_token_for_another_audience(guarded: Caller, tokens: Tokens, log: list[Any]) -> None:
    token = await tokens.signed(aud="https://other.example.com/mcp")
    assert await turned_away(guarded, token, log) == ("the token is for another audience", "wrong_audience")


async def test_a_token_of_another_issuer(guarded: Caller, tokens: Tokens, log: list[Any]) -> None:
    token = await tokens.signed(iss="https://issuer.example.com")
    message = "the token is from an issuer that is not accepted here"
    assert await turned_away(guarded, token, log) == (message, "wrong_issuer")


async def test_a_token_with_alg_none(guarded: Caller, tokens: Tokens, log: list[Any]) -> None:
    token = await tokens.signed({"alg": "none"})
    assert await turned_away(guarded, token, log) == ("the token is not signed", "alg_none")


async def test_hs256_signed_with_the_public_key(guarded: Caller, tokens: Tokens, log: list[Any]) -> None:
    token = await tokens.signed({"alg": "HS256"})
    message = "the token is signed with a shared secret, which is not accepted"
    assert await turned_away(guarded, token, log) == (message, "symmetric_alg")


async def test_an_unknown_kid(guarded: Caller, tokens: Tokens, log: list[Any]) -> None:
    token = await tokens.signed({"kid": "nobody"})
    message = "the token is signed with a key that its issuer does not have"
    assert await turned_away(guarded, token, log) == (message, "unknown_kid")


async def test_a_changed_token(guarded: Caller, tokens: Tokens, log: list[Any]) -> None:
    head, _, signature = (await tokens.signed()).split(".")
    _, claims, _ = (await tokens.signed(sub="somebody else")).split(".")
    token = f"{head}.{claims}.{signature}"
    assert await turned_away(guarded, token, log) == ("the token's signature is wrong", "bad_signature")


async def test_an_access_token_where_an_id_token_is_due(
    guarded: Caller, tokens: Tokens, log: list[Any]
) -> None:
    token = await tokens.access_token()
    assert await turned_away(guarded, token, log) == ("the token is not a signed JWT", "opaque_token")


async def test_a_password_instead_of_a_token(guarded: Caller, log: list[Any]) -> None:
    body, headers = b"{}", [("authorization", "Basic dTpw")]
    answered = await guarded.post(body, headers)
    assert refusal(answered)[:2] == (401, -32001)
    assert [entry["reason"] for entry in log] == ["no_token"]


async def test_somebody_who_is_not_on_the_list(guarded: Caller, tokens: Tokens, log: list[Any]) -> None:
    guarded.token = await tokens.signed(email="stranger@demo-project.iam.gserviceaccount.com")
    answered = await guarded.ask(*CALL)
    assert refusal(answered) == (403, -32003, "this account may not call here")
    assert 'error="access_denied"' in answered.headers["www-authenticate"]
    assert [entry["reason"] for entry in log] == ["not_allowed"]


async def test_a_token_while_its_issuers_keys_are_away(
    start_gateway: StartGateway, tokens: Tokens, log: list[Any]
) -> None:
    inbound = {
        "type": "google_id_token", "jwks_url": "http://127.0.0.1:1/keys", "allow": [{"email": VISITOR}],
    }  # fmt: skip
    caller = await start_gateway(inbound=[inbound])
    caller.token = await tokens.signed(aud=f"{caller.origin}/mcp")
    answered = await caller.ask("tools/list")
    assert refusal(answered) == (
        503,
        -32015,
        "the token cannot be verified now, because its issuer's keys cannot be fetched",
    )
    assert answered.headers["retry-after"] == "5"
    assert [entry["reason"] for entry in log] == ["keys_unavailable"]


async def test_nothing_of_a_refused_call_reaches_the_server(
    guarded: Caller, tokens: Tokens, server: McpServer
) -> None:
    for token in (None, "garbage", await tokens.signed(aud="https://other.example.com")):
        guarded.token = token
        await guarded.ask(*CALL)
    assert server.seen == []


# How it is sent. What can't be read in one way only is not read at all, and the connection closes.


async def sent_raw(caller: Caller, head: str, body: bytes = b"") -> tuple[int, str]:
    """Status and text that bytes on a socket get."""
    host = urlsplit(caller.origin).netloc
    reader, writer = await asyncio.open_connection(*host.split(":"))
    writer.write(f"POST /mcp HTTP/1.1\r\n{head.format(host=host)}\r\n\r\n".encode() + body)
    async with asyncio.timeout(5):
        status_line, _, rest = (await reader.read()).decode().partition("\r\n")
    writer.close()
    await writer.wait_closed()
    return int(status_line.split()[1]), rest.partition("\r\n\r\n")[2]


async def test_a_body_over_the_limit(admitted: Caller) -> None:
    answered = await admitted.post(b"x" * 10_001)
    assert (answered.status_code, answered.text) == (413, "the request body is longer than 10000 bytes\n")


async def test_a_body_over_the_limit_that_is_only_declared(admitted: Caller) -> None:
    answered = await sent_raw(admitted, "Host: {host}\r\nContent-Length: 10001")
    assert answered == (413, "the request body is longer than 10000 bytes\n")


async def test_a_body_over_the_limit_that_is_not_declared(admitted: Caller) -> None:
    chunks = b"1388\r\n%s\r\n" % (b"x" * 5000) * 3
    answered = await sent_raw(admitted, "Host: {host}\r\nTransfer-Encoding: chunked", chunks)
    assert answered == (413, "the request body is longer than 10000 bytes\n")


async def test_a_body_over_four_mebibytes_by_default(start_gateway: StartGateway) -> None:
    caller = await start_gateway()
    assert (await sent_raw(caller, "Host: {host}\r\nContent-Length: 4194305"))[0] == 413
    assert (await caller.post(b" " * 4_194_304)).status_code == 400


async def test_two_content_lengths(admitted: Caller) -> None:
    answered = await sent_raw(admitted, "Host: {host}\r\nContent-Length: 2\r\nContent-Length: 3", b"{} ")
    assert answered == (400, "this is not a well-formed HTTP request\n")


async def test_a_content_length_with_a_transfer_encoding(admitted: Caller) -> None:
    head = "Host: {host}\r\nContent-Length: 2\r\nTransfer-Encoding: chunked"
    assert (await sent_raw(admitted, head, b"0\r\n\r\n"))[0] == 400


async def test_a_foreign_host(admitted: Caller) -> None:
    answered = await sent_raw(admitted, "Host: evil.example.com\r\nContent-Length: 2", b"{}")
    assert answered == (400, "the request names no Host, or another one\n")


# What is sent. The JSON-RPC code says what is wrong with it.

HEAD = '"jsonrpc":"2.0","id":1'


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("", -32700, "the body is not well-formed JSON"),
        ("hello", -32700, "the body is not well-formed JSON"),
        ('{"jsonrpc":', -32700, "the body is not well-formed JSON"),
        ('{"jsonrpc":"2.0","id":1,"method":"\xff"}', -32700, "the body is not UTF-8"),
        ("{}", -32600, 'this is not JSON-RPC: "jsonrpc": "2.0" is missing'),
        ('{"id":1,"method":"tools/list"}', -32600, 'this is not JSON-RPC: "jsonrpc": "2.0" is missing'),
        (f'{{{HEAD},"result":{{}}}}', -32600, "method must be a string"),
        ("[]", -32600, "a batch is not taken: send one request"),
        (f'[{{{HEAD},"method":"tools/list"}}]', -32600, "a batch is not taken: send one request"),
        (f'{{{HEAD},"method":"a","method":"b"}}', -32600, "the key 'method' is there twice"),
        (f'{{{HEAD},"method":"a","id":2}}', -32600, "the key 'id' is there twice"),
        (f'{{{HEAD},"method":"a","params":{{}},"params":{{}}}}', -32600, "the key 'params' is there twice"),
        (
            f'{{{HEAD},"method":"tools/call","params":{{"name":"a","name":"b"}}}}',
            -32600,
            "the key 'name' is there twice",
        ),
        (
            f'{{{HEAD},"method":"tools/list","params":{{"_meta":{{}},"_meta":{{}}}}}}',
            -32600,
            "the key '_meta' is there twice",
        ),
    ],
)
async def test_a_body_that_is_no_single_clear_request(
    admitted: Caller, server: McpServer, body: str, code: int, message: str
) -> None:
    assert refusal(await admitted.post(body.encode("latin-1"))) == (400, code, message)
    assert server.seen == []


async def test_a_body_nested_without_end(admitted: Caller) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"a":' + b"[" * 9000
    assert refusal(await admitted.post(body))[:2] == (400, -32700)


async def test_a_body_that_is_not_declared_to_be_json(admitted: Caller) -> None:
    answered = await admitted.http.post(
        f"{admitted.origin}/mcp",
        content=b"{}",
        headers={"content-type": "text/plain", "authorization": f"Bearer {admitted.token}"},
    )
    assert refusal(answered) == (400, -32600, "the request's Content-Type is not application/json")


USUAL = {"mcp-method": "tools/call", "mcp-name": "s_get", "mcp-protocol-version": "2026-07-28"}
BODY = {
    "jsonrpc": "2.0",
    "id": "seven",
    "method": "tools/call",
    "params": {
        "name": "s_get",
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    },
}


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        (USUAL | {"mcp-method": "tools/list"}, "the Mcp-Method header is not the method in the body"),
        (USUAL | {"mcp-name": "s_delete"}, "the Mcp-Name header is not the name in the body"),
        (
            USUAL | {"mcp-protocol-version": "2025-11-25"},
            "the MCP-Protocol-Version header is not the version in the body's _meta",
        ),
        (
            {name: value for name, value in USUAL.items() if name != "mcp-name"},
            "the Mcp-Name header is not the name in the body",
        ),
        ({}, "the Mcp-Method header is not the method in the body"),
    ],
)
async def test_a_header_and_a_body_that_disagree(
    admitted: Caller, server: McpServer, headers: dict[str, str], message: str
) -> None:
    answered = await admitted.post(json.dumps(BODY).encode(), list(headers.items()))
    assert refusal(answered) == (400, -32020, message)
    assert answered.json()["id"] == "seven"
    assert server.seen == []


async def test_white_space_around_a_header_is_no_part_of_it(admitted: Caller) -> None:
    host, _, port = admitted.origin.removeprefix("http://").rpartition(":")
    body = json.dumps(BODY).encode()
    own = {"host": f"{host}:{port}", "authorization": f"Bearer {admitted.token}"}
    usual = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
    lines = [f"{name}: \t {value} \t \r\n" for name, value in {**own, **usual, **USUAL}.items()]
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /mcp HTTP/1.1\r\n" + "".join(lines).encode() + b"\r\n" + body)
    answered = await reader.read()
    writer.close()
    assert answered.startswith(b"HTTP/1.1 200 "), answered


@pytest.mark.parametrize("header", ["mcp-method", "mcp-name", "mcp-protocol-version"])
async def test_a_header_that_is_there_twice(admitted: Caller, server: McpServer, header: str) -> None:
    answered = await admitted.post(json.dumps(BODY).encode(), [*USUAL.items(), (header, USUAL[header])])
    assert refusal(answered) == (
        400,
        -32020,
        "Mcp-Method, Mcp-Name and MCP-Protocol-Version may be sent only once",
    )
    assert server.seen == []


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"mcp-method": "tools/list"}, "the Mcp-Method header is not the method in the body"),
        ({"mcp-name": "s_delete"}, "the Mcp-Name header is not the name in the body"),
        (
            {"mcp-protocol-version": "2026-07-28"},
            "the MCP-Protocol-Version header is not the version in the body's _meta",
        ),
    ],
)
async def test_a_header_that_lies_is_told_before_the_version_is_judged(
    admitted: Caller, server: McpServer, headers: dict[str, str], message: str
) -> None:
    later = json.dumps(BODY).replace("2026-07-28", "2031-01-01").encode()
    answered = await admitted.post(later, list((USUAL | {"mcp-protocol-version": "2031-01-01"}).items()))
    assert refusal(answered)[:2] == (400, -32022)
    lying = USUAL | {"mcp-protocol-version": "2031-01-01"} | headers
    answered = await admitted.post(later, list(lying.items()))
    assert refusal(answered) == (400, -32020, message)
    assert (answered.json()["id"], server.seen) == ("seven", [])


@pytest.mark.parametrize("value", ["[]", "null", '"{}"', "true", "7"])
@pytest.mark.parametrize("path", ["/mcp", "/servers/s/mcp"])
async def test_capabilities_that_are_no_object_are_refused_before_anything_is_sent(
    admitted: Caller, server: McpServer, value: str, path: str
) -> None:
    body = json.dumps(BODY).replace('Capabilities": {}', f'Capabilities": {value}').encode()
    answered = await admitted.http.post(
        admitted.origin + path,
        content=body,
        headers=USUAL | {"content-type": "application/json", "authorization": f"Bearer {admitted.token}"},
    )
    message = "params._meta: io.modelcontextprotocol/clientCapabilities must be an object"
    assert refusal(answered) == (400, -32602, message)
    assert (answered.json()["id"], server.seen) == ("seven", [])


async def test_a_handshake_of_the_legacy_era_with_a_modern_version_goes_nowhere(admitted: Caller) -> None:
    body = json.dumps(BODY).replace("tools/call", "initialize").encode()
    headers = USUAL | {"mcp-method": "initialize"}
    assert refusal(await admitted.post(body, list(headers.items()))) == (
        404,
        -32601,
        "initialize is not answered here",
    )


# What is asked for.


async def test_an_unknown_method(admitted: Caller) -> None:
    assert refusal(await admitted.ask("tools/burn")) == (404, -32601, "tools/burn is not answered here")


async def test_an_unknown_tool(admitted: Caller) -> None:
    answered = await admitted.ask("tools/call", {"name": "nope"})
    message = "no server here has 'nope': names begin with s_…, down_…"
    assert refusal(answered) == (400, -32602, message)


async def test_a_resource_of_nobody(admitted: Caller) -> None:
    answered = await admitted.ask("resources/read", {"uri": "zoo://x"})
    message = "no server here has this resource: URIs begin with s+…, down+…"
    assert refusal(answered) == (400, -32602, message)


async def test_an_unknown_cursor(admitted: Caller) -> None:
    answered = await admitted.ask("tools/list", {"cursor": "7"})
    assert refusal(answered) == (400, -32602, "this cursor is none of ours: begin again without one")


async def test_another_path(admitted: Caller) -> None:
    answered = await admitted.ask("tools/list", path="/nowhere")
    assert (answered.status_code, answered.json()) == (
        404,
        {"error": "not_found", "error_description": "nothing is here"},
    )


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_another_http_method(admitted: Caller, method: str) -> None:
    answered = await admitted.http.request(method, f"{admitted.origin}/mcp")
    assert (answered.status_code, answered.headers["allow"], answered.json()) == (
        405,
        "POST",
        {"error": "method_not_allowed", "error_description": "MCP requests are POST requests"},
    )


# What the server does. The answer names it, and comes within its timeout.


async def test_a_server_that_is_down(admitted: Caller) -> None:
    answered = await admitted.ask("tools/call", {"name": "down_get"})
    assert refusal(answered) == (502, -32010, "server down: 127.0.0.1:1: connection refused")


async def test_a_server_that_is_slow(admitted: Caller, server: McpServer) -> None:
    async def never(_seen: Seen, _request: web.Request) -> web.StreamResponse:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]  # it has no end

    server.reply = never
    async with asyncio.timeout(10):
        assert refusal(await admitted.ask(*CALL)) == (504, -32011, "server s: no answer within 0.3 s")
    await asyncio.wait_for(server.left.wait(), 5)


@pytest.mark.parametrize("status", [200, 404, 500])
async def test_a_server_that_answers_html(admitted: Caller, server: McpServer, status: int) -> None:
    async def html(_seen: Seen, _request: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>", content_type="text/html", status=status)

    server.reply = html
    message = f"server s: it answered {status} with text/html where a JSON-RPC answer is due"
    message += "; no MCP server is at that path" if status == 404 else ""
    assert refusal(await admitted.ask(*CALL)) == (502, -32012, message)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_server_that_takes_no_more_calls_says_when(
    admitted: Caller, server: McpServer, status: int
) -> None:
    async def busy(_seen: Seen, _request: web.Request) -> web.StreamResponse:
        return web.Response(text="slow down", status=status, headers={"retry-after": "7"})

    server.reply = busy
    answered = await admitted.ask(*CALL)
    message = f"server s: it takes no more calls for now ({status}), and wants to be asked in 7 s"
    assert refusal(answered) == (status, -32018, message)
    assert answered.headers["retry-after"] == "7"
    assert answered.json()["error"]["data"] == {"retryAfter": 7}


@pytest.mark.parametrize("said", ["soon", "7\u00b2", "-1", "9999999999"])
async def test_a_time_that_is_no_number_of_seconds_is_not_handed_on(
    admitted: Caller, server: McpServer, said: str
) -> None:
    async def busy(_seen: Seen, _request: web.Request) -> web.StreamResponse:
        return web.Response(status=429, headers={"retry-after": said})

    server.reply = busy
    answered = await admitted.ask(*CALL)
    assert refusal(answered)[:2] == (429, -32018)
    assert "retry-after" not in answered.headers


async def test_a_date_at_which_to_come_again_is_handed_on_as_seconds(
    admitted: Caller, server: McpServer
) -> None:
    async def busy(_seen: Seen, _request: web.Request) -> web.StreamResponse:
        when = format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True)
        return web.Response(status=503, headers={"retry-after": when})

    server.reply = busy
    answered = await admitted.ask(*CALL)
    assert refusal(answered)[:2] == (503, -32018)
    assert 50 < int(answered.headers["retry-after"]) <= 61


async def test_an_error_of_a_server_that_takes_no_more_is_its_own_with_its_time(
    admitted: Caller, server: McpServer
) -> None:
    async def busy(seen: Seen, _request: web.Request) -> web.StreamResponse:
        return error(seen, -32099, "quota", status=429, headers={"retry-after": "3", "set-cookie": "a=b"})

    server.reply = busy
    answered = await admitted.ask(*CALL)
    assert refusal(answered) == (429, -32099, "quota")
    assert answered.headers["retry-after"] == "3"
    assert "set-cookie" not in answered.headers


@pytest.mark.parametrize(
    ("location", "meant"),
    [
        ("/mcp/", "sends callers on to {origin}/mcp/ (307), and no credential follows: write that address"),
        (
            "https://new.example.com/mcp?state=secret",
            (
                "sends callers on to https://new.example.com/mcp (307), and no credential follows "
                "to another server: write that address if it is the right one"
            ),
        ),
        ("", "sends callers on (307), and not to an address that can be called"),
        ("/mcp", "sends callers back to the address that they come from (307)"),
        ("javascript:alert(1)", "sends callers on (307), and not to an address that can be called"),
    ],
)
async def test_a_server_that_redirects_is_named_with_the_address_to_write(
    admitted: Caller, server: McpServer, location: str, meant: str
) -> None:
    async def elsewhere(_seen: Seen, _request: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"location": location})

    server.reply = elsewhere
    message = meant.format(origin=server.url.removesuffix("/mcp"))
    assert refusal(await admitted.ask(*CALL)) == (502, -32012, f"server s: it {message}")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "the body is not well-formed JSON"),
        ("[]", "a JSON object is wanted here"),
        ('{"jsonrpc":"2.0","id":99,"result":{}}', "this answers another request"),
        ('{"jsonrpc":"2.0","id":1}', "this is neither a result nor an error"),
        ('{"jsonrpc":"2.0","id":1,"result":{}', "the body is not well-formed JSON"),
        ('{"jsonrpc":"2.0","id":1,"result":{},"result":{}}', "the key 'result' is there twice"),
    ],
)
async def test_a_server_that_answers_no_answer(
    admitted: Caller, server: McpServer, body: str, message: str
) -> None:
    async def odd(_seen: Seen, _request: web.Request) -> web.StreamResponse:
        return web.Response(text=body, content_type="application/json")

    server.reply = odd
    assert refusal(await admitted.ask(*CALL)) == (502, -32012, f"server s: {message}")


@pytest.mark.parametrize("content_type", ["application/json", "text/event-stream"])
async def test_a_server_that_compresses_by_what_nobody_knows(
    admitted: Caller, server: McpServer, content_type: str
) -> None:
    async def packed(seen: Seen, _request: web.Request) -> web.StreamResponse:
        assert seen.header("accept-encoding") == "identity"
        headers = {"content-encoding": "compress", "content-type": content_type}
        return web.Response(body=b"\x1f\x9d\x90", headers=headers)

    server.reply = packed
    message = "server s: its answer is compressed (compress) although we asked for it plain"
    assert refusal(await admitted.ask(*CALL)) == (502, -32012, message)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_server_that_refuses_the_gateways_credential(
    admitted: Caller, server: McpServer, status: int
) -> None:
    async def refuse(_seen: Seen, _request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"www-authenticate": "Bearer"})

    server.reply = refuse
    answered = await admitted.ask(*CALL)
    refused = f"server s: {server.url} refused credential header with {status}"
    message = f"{refused}; `ostiary doctor --server s` finds out why"
    assert refusal(answered) == (502, -32014, message)
    assert "www-authenticate" not in answered.headers


async def test_a_credential_that_cannot_be_had(
    start_gateway: StartGateway, server: McpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("API_KEY", raising=False)
    credential = {"type": "header", "name": "x-api-key", "value": {"env": "API_KEY"}}
    caller = await start_gateway(servers={"s": {"url": server.url, "credential": credential}})
    status, code, message = refusal(await caller.ask(*CALL))
    assert (status, code) == (502, -32013)
    assert message.startswith(f"server s: credential header for {server.url.removesuffix('/mcp')}: ")
    assert server.seen == []
