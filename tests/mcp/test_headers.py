"""What HTTP headers say must be what the body says: MCP 2026-07-28, streamable HTTP transport."""

from __future__ import annotations

import base64

import msgspec
import pytest

from ostiary.mcp.errors import HeaderMismatch
from ostiary.mcp.headers import decode_value, encode_value, refuse_lies, require_agreement
from ostiary.mcp.messages import Message, read_message

NAMES = (
    "get",
    "a b",
    "é",
    "",
    " x",
    "x ",
    "=?base64?eA==?=",
    "\U0001f427",
    "a\nb",
    "a\\b",
    'a"b',
    "\x7f",
    "x" * 200,
)


def call(name: str, method: str = "tools/call", key: str = "name") -> Message:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {key: name, "_meta": meta}}
    return read_message(msgspec.json.encode(body))


def headers(name: bytes, **changes: bytes) -> dict[bytes, bytes]:
    usual = {b"mcp-method": b"tools/call", b"mcp-protocol-version": b"2026-07-28", b"mcp-name": name}
    return usual | {key.replace("_", "-").encode(): value for key, value in changes.items()}


def mismatch(message: Message, sent: dict[bytes, bytes], repeated: frozenset[bytes] = frozenset()) -> str:
    with pytest.raises(HeaderMismatch) as refused:
        require_agreement(message, sent, repeated)
    assert (refused.value.code, refused.value.status) == (-32020, 400)
    return str(refused.value)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_can_be_said_in_a_header(name: str) -> None:
    value = encode_value(name)
    assert value.isascii()
    assert not {b"\r", b"\n"} & {value[place : place + 1] for place in range(len(value))}
    assert decode_value(value) == name
    require_agreement(call(name), headers(value))


@pytest.mark.parametrize("name", NAMES)
def test_another_name_never_agrees(name: str) -> None:
    expected = "the Mcp-Name header is not the name in the body"
    assert mismatch(call(name), headers(encode_value(name + "x"))) == expected
    assert mismatch(call(name + "x"), headers(encode_value(name))) == expected


def test_a_plain_name_may_also_be_sent_encoded() -> None:
    require_agreement(call("get"), headers(b"=?base64?Z2V0?="))


@pytest.mark.parametrize(
    "value",
    [
        b"=?base64?Z2V0", b"=?base64?Z2V0=?=", b"=?base64?Z2V0\n?=", b"=?base64?Z2 V0?=", b"=?base64??=",
        b"=?BASE64?Z2V0?=", b"=?base64?_-8=?=", b"Get", b'"get"', b"get,get", b"\xffget", b"",
    ],
)  # fmt: skip
def test_a_value_that_is_not_exactly_the_name_is_refused(value: bytes) -> None:
    assert mismatch(call("get"), headers(value)) == "the Mcp-Name header is not the name in the body"


def test_an_encoding_that_is_not_canonical_means_nothing() -> None:
    assert base64.b64decode(b"eB==") == base64.b64decode(b"eA==") == b"x"
    assert decode_value(b"=?base64?eB==?=") is None
    assert decode_value(b"=?base64?/w==?=") is None


@pytest.mark.parametrize(
    ("header", "value", "message"),
    [
        ("mcp_method", b"tools/list", "the Mcp-Method header is not the method in the body"),
        ("mcp_method", b"TOOLS/CALL", "the Mcp-Method header is not the method in the body"),
        (
            "mcp_protocol_version",
            b"2025-11-25",
            "the MCP-Protocol-Version header is not the version in the body's _meta",
        ),
    ],
)
def test_a_header_that_says_something_else_is_refused(header: str, value: bytes, message: str) -> None:
    assert mismatch(call("get"), headers(b"get", **{header: value})) == message


@pytest.mark.parametrize("header", [b"mcp-method", b"mcp-protocol-version", b"mcp-name"])
def test_a_header_that_is_missing_is_refused(header: bytes) -> None:
    sent = headers(b"get")
    del sent[header]
    assert mismatch(call("get"), sent).startswith("the M")


@pytest.mark.parametrize("header", [b"mcp-method", b"mcp-protocol-version", b"mcp-name"])
def test_a_header_that_is_there_twice_is_refused(header: bytes) -> None:
    assert mismatch(call("get"), headers(b"get"), frozenset({header})) == (
        "Mcp-Method, Mcp-Name and MCP-Protocol-Version may be sent only once"
    )


@pytest.mark.parametrize("header", ["mcp_method", "mcp_protocol_version", "mcp_name"])
def test_a_header_of_any_version_that_lies_is_refused(header: str) -> None:
    with pytest.raises(HeaderMismatch):
        refuse_lies(call("get"), headers(b"get", **{header: b"2031-01-01"}))


def test_an_earlier_client_need_not_send_what_it_does_not_know() -> None:
    refuse_lies(call("get"), {})
    handshake = read_message(b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}')
    refuse_lies(handshake, {b"mcp-protocol-version": b"2025-11-25"})


def test_other_headers_may_repeat() -> None:
    require_agreement(call("get"), headers(b"get"), frozenset({b"x-other"}))


def test_a_resource_is_named_by_its_uri() -> None:
    message = call("zoo://species/é", "resources/read", "uri")
    require_agreement(message, headers(encode_value("zoo://species/é"), mcp_method=b"resources/read"))
