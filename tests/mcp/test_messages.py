"""One MCP request, read and written without touching its arguments: JSON-RPC 2.0, MCP 2026-07-28."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from ostiary.mcp.eras import VERSION_KEY
from ostiary.mcp.errors import (
    InvalidParams,
    InvalidRequest,
    McpError,
    NotOneRequest,
    ParseError,
    UnsupportedProtocolVersion,
)
from ostiary.mcp.messages import Message, read_answer, read_message, write_answer

META = (
    b'{"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
    b'"io.modelcontextprotocol/clientCapabilities":{}}'
)
ARGUMENTS = b'{"n":1.50,"deep":{"a":[1, 2 ,3],"u":"\\u00e9\\/"},"big":12345678901234567890123}'
PARAMS = b'{"name":"get","arguments":%s,"_meta":%s}' % (ARGUMENTS, META)
CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":%s}' % PARAMS


def refusal(body: bytes) -> tuple[type[McpError], int, str]:
    with pytest.raises(McpError) as refused:
        read_message(body).require_modern()
    return type(refused.value), refused.value.code, str(refused.value)


def reading(message: Message) -> tuple[Any, ...]:
    params = {name: json.loads(bytes(value)) for name, value in message.params.items()}
    return message.method, message.id, message.name, params, message.meta.version


def test_a_call_is_read() -> None:
    message = read_message(CALL)
    message.require_modern()
    assert (message.method, message.id, message.name) == (b"tools/call", b"1", b'"get"')
    assert bytes(message.params["arguments"]) == ARGUMENTS
    assert message.meta.version == "2026-07-28"


def test_the_order_of_keys_and_white_space_change_nothing() -> None:
    members = {
        "jsonrpc": b'"2.0"',
        "id": b"1",
        "method": b'"tools/call"',
        "params": PARAMS,
    }
    expected = reading(read_message(CALL))
    for order in itertools.permutations(members.items()):
        for colon, comma in ((b":", b","), (b": ", b", "), (b" :\n", b"\t,\r\n ")):
            body = comma.join(b'"%s"%s%s' % (name.encode(), colon, value) for name, value in order)
            assert reading(read_message(b" {" + body + b"}\n")) == expected


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"0", b"0"),
        (b"-7", b"-7"),
        (b"9007199254740993", b"9007199254740993"),
        (b'"a"', b'"a"'),
        (b'""', b'""'),
        (b'"\\u00e9\\n"', b'"\\u00e9\\n"'),
        ('"é"'.encode(), '"é"'.encode()),
        (b'"%s"' % (b"x" * 128), b'"%s"' % (b"x" * 128)),
    ],
)
def test_an_id_is_kept_as_the_caller_wrote_it(written: bytes, read: bytes) -> None:
    for body in (
        b'{"jsonrpc":"2.0","id":%s,"method":"ping","params":{}}' % written,
        b'{"method": "ping", "id": %s, "jsonrpc": "2.0"}' % written,
    ):
        assert read_message(body).id == read


@pytest.mark.parametrize(
    "written", [b"null", b"1.5", b"1e3", b"true", b"[1]", b"{}", b'"%s"' % (b"x" * 129), b"1" * 21]
)
def test_an_id_of_another_kind_is_refused(written: bytes) -> None:
    for body in (
        b'{"jsonrpc":"2.0","id":%s,"method":"ping","params":{}}' % written,
        b'{"method": "ping", "id": %s, "jsonrpc": "2.0"}' % written,
    ):
        assert refusal(body) == (
            InvalidRequest,
            -32600,
            "id must be a string of at most 128 characters, or an integer",
        )


@pytest.mark.parametrize("written", [b'"\\q"', b"007", b"-", b"-01", b'"\\u12"', b'"a\nb"', b"+1"])
def test_an_id_that_is_no_json_is_refused_in_every_form(written: bytes) -> None:
    for body in (
        b'{"jsonrpc":"2.0","id":%s,"method":"ping","params":{}}' % written,
        b'{"method": "ping", "id": %s, "jsonrpc": "2.0"}' % written,
    ):
        assert refusal(body) == (ParseError, -32700, "the body is not well-formed JSON")


def test_a_notification_has_no_id() -> None:
    assert read_message(b'{"jsonrpc":"2.0","method":"notifications/initialized"}').id is None


@pytest.mark.parametrize("body", [b"[]", b" \r\n[%s]" % CALL, b"[%s,%s]" % (CALL, CALL)])
def test_a_batch_is_refused(body: bytes) -> None:
    assert refusal(body) == (NotOneRequest, -32600, "a batch is not taken: send one request")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"jsonrpc":"2.0","id":1,"method":7}', "method must be a string"),
        (b'{"jsonrpc":"2.0","id":1,"method":null,"params":{}}', "method must be a string"),
        (b'{"id":1,"method":"ping"}', 'this is not JSON-RPC: "jsonrpc": "2.0" is missing'),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', 'this is not JSON-RPC: "jsonrpc": "2.0" is missing'),
        (b'{"jsonrpc":2.0,"id":1,"method":"ping"}', 'this is not JSON-RPC: "jsonrpc": "2.0" is missing'),
        (b"{}", 'this is not JSON-RPC: "jsonrpc": "2.0" is missing'),
        (b'{"jsonrpc":"2.0","id":1,"method":"a\\r\\nb"}', "method has characters that no method has"),
        (b'{"jsonrpc":"2.0","id":1,"method":""}', "method has characters that no method has"),
        (
            b'{"jsonrpc":"2.0","id":1,"method":"%s"}' % (b"x" * 101),
            "method has characters that no method has",
        ),
        (b'"ping"', "a JSON object is wanted here"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', "a JSON object is wanted here"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":null}', "a JSON object is wanted here"),
    ],
)
def test_what_is_no_request_is_refused(body: bytes, message: str) -> None:
    assert refusal(body) == (InvalidRequest, -32600, message)


@pytest.mark.parametrize(
    "body",
    [b'{"jsonrpc":"2.0","id":1,"result":{}}', b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}'],
)
def test_an_answer_is_no_request(body: bytes) -> None:
    assert refusal(body) == (NotOneRequest, -32600, "method must be a string")


@pytest.mark.parametrize(
    "body", [b"", b"ping", b"{", CALL[:-1], CALL + b"}", CALL + CALL, b"\xef\xbb\xbf" + CALL]
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    assert refusal(body) == (ParseError, -32700, "the body is not well-formed JSON")


@pytest.mark.parametrize("odd", [b"\xff", b"\xc3\x28", b"\xed\xa0\x80"])
def test_a_body_that_is_no_utf8_is_refused_wherever_it_is_not(odd: bytes) -> None:
    body = (
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":"%s"}}}' % odd
    )
    assert refusal(body) == (ParseError, -32700, "the body is not UTF-8")


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b'{"jsonrpc":"2.0","id":1,"method":"x","params":{},"method":"y"}', "method"),
        (b'{"jsonrpc":"2.0","id":1,"method":"x","method":"y","params":{}}', "method"),
        (b'{"method":"y","jsonrpc":"2.0","id":1,"method":"x","params":{}}', "method"),
        (b'{"jsonrpc":"2.0","id":1,"method":"x","params":{},"params":{"a":1}}', "params"),
        (b'{"jsonrpc":"2.0","id":1,"method":"x","params":{},"a":{},"params":{}}', "params"),
        (b'{"jsonrpc":"2.0","id":1,"method":"x","params":{},"id":{}}', "id"),
        (b'{"jsonrpc":"2.0","id":1,"method":"x","params":{},"id":2}', "id"),
        (b'{"jsonrpc":"2.0","id":1,"method":"x","params":{},"\\u0069d":2}', "id"),
        (b'{"jsonrpc":"2.0","id":1,"method":"x","params":{},"jsonrpc":"2.0"}', "jsonrpc"),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}', "name"),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","na\\u006de":"b"}}', "name"),
        (
            b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","_meta":{},"_meta":{}}}',
            "_meta",
        ),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","_meta":{"a":1,"a":1}}}', "a"),
        (b'{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a","uri":"b"}}', "uri"),
    ],
)
def test_a_key_that_is_there_twice_where_we_read_is_refused(body: bytes, key: str) -> None:
    assert refusal(body) == (InvalidRequest, -32600, f"the key '{key}' is there twice")


@pytest.mark.parametrize("tail", [b',"x":{}', b',"x":{"y":{}}', b', "x": {}'])
def test_what_stands_behind_the_parameters_is_no_part_of_them(tail: bytes) -> None:
    message = read_message(b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":%s%s}' % (PARAMS, tail))
    assert (
        message.written(b"2", None) == b'{"jsonrpc":"2.0","id":2,"method":"tools/call","params":%s}' % PARAMS
    )


@pytest.mark.parametrize(
    ("method", "key"), [("tools/call", "name"), ("prompts/get", "name"), ("resources/read", "uri")]
)
def test_a_method_that_means_something_by_name_needs_it(method: str, key: str) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"%s","params":{}}' % method.encode()
    assert refusal(body) == (InvalidParams, -32602, f"params.{key} is missing")


@pytest.mark.parametrize(
    ("meta", "missing"),
    [
        (b"", "io.modelcontextprotocol/protocolVersion and no io.modelcontextprotocol/clientCapabilities"),
        (
            b'"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}',
            "io.modelcontextprotocol/clientCapabilities",
        ),
        (
            b'"_meta":{"io.modelcontextprotocol/clientCapabilities":{}}',
            "io.modelcontextprotocol/protocolVersion",
        ),
    ],
)
def test_a_modern_request_says_its_version_and_capabilities(meta: bytes, missing: str) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{%s}}' % meta
    assert refusal(body) == (InvalidParams, -32602, f"params._meta has no {missing}")


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        (b"[]", "params._meta must be an object"),
        (b"null", "params._meta must be an object"),
        (b'" {}"', "params._meta must be an object"),
        *[
            (
                b'{"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
                b'"io.modelcontextprotocol/clientCapabilities": %s}' % value,
                "params._meta: io.modelcontextprotocol/clientCapabilities must be an object",
            )
            for value in (b"[]", b"null", b'"{}"', b"true", b"7")
        ],
        (META.replace(b'"2026-07-28"', b"20260728"), f"params._meta: {VERSION_KEY} must be a string"),
        (META.replace(b'"2026-07-28"', b"null"), f"params._meta: {VERSION_KEY} must be a string"),
        (
            META[:-1] + b',"io.modelcontextprotocol/clientInfo":"me"}',
            "params._meta: io.modelcontextprotocol/clientInfo must be an object",
        ),
        (
            META[:-1] + b',"io.modelcontextprotocol/logLevel":7}',
            "params._meta: io.modelcontextprotocol/logLevel must be a string",
        ),
        (META[:-1] + b',"progressToken":{}}', "params._meta: progressToken must be a string or a number"),
        (META[:-1] + b',"progressToken":true}', "params._meta: progressToken must be a string or a number"),
    ],
)
def test_metadata_of_the_wrong_type_is_refused(meta: bytes, message: str) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":%s}}' % meta
    assert refusal(body) == (InvalidParams, -32602, message)


def test_another_version_is_answered_with_those_that_are_spoken() -> None:
    body = CALL.replace(b"2026-07-28", b"2031-01-01")
    with pytest.raises(UnsupportedProtocolVersion) as refused:
        read_message(body).require_modern()
    assert json.loads(refused.value.to_json(b'"x"')) == {
        "jsonrpc": "2.0",
        "id": "x",
        "error": {
            "code": -32022,
            "message": "version 2031-01-01 is not spoken here: use MCP 2026-07-28",
            "data": {"supported": ["2026-07-28"], "requested": "2031-01-01"},
        },
    }


def test_a_written_call_has_another_id_and_the_same_arguments_to_the_byte() -> None:
    written = read_message(CALL).written(b"42", ("name", b'"other"'))
    assert written == CALL.replace(b'"id":1', b'"id":42').replace(b'"get"', b'"other"')


def test_a_spaced_call_is_written_with_its_arguments_untouched() -> None:
    body = (
        b'{ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "arguments": %s, "name" : "a" } }'
    )
    written = read_message(body % ARGUMENTS).written(b"2", ("name", b'"b"'))
    assert (
        written
        == b'{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"arguments":%s,"name":"b"}}' % ARGUMENTS
    )


def test_parameters_that_were_not_there_are_added() -> None:
    written = read_message(CALL).written(b"2", ("cursor", b'"c"'))
    assert json.loads(written)["params"] == json.loads(PARAMS) | {"cursor": "c"}


def test_a_question_of_ours_says_the_callers_version_and_nothing_else_of_them() -> None:
    asked = read_message(CALL).asking("tools/list")
    assert asked.written(b"3", None) == (
        b'{"jsonrpc":"2.0","id":3,"method":"tools/list","params":{"_meta":%s}}' % META
    )


# answers

OTHER = "this answers another request"


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","id":7,"result":{"a": 1}}',
        b'{"result":{"a": 1},"id":7,"jsonrpc":"2.0"}',
        b' { "jsonrpc": "2.0", "id": 7, "result": {"a": 1} }\n',
        b'{"jsonrpc":"2.0","id":7,"result":{"a": 1},"x":{}}',
    ],
)
def test_an_answer_is_read_whatever_its_order(body: bytes) -> None:
    kind, value = read_answer(body, b"7")
    assert (kind, bytes(value)) == ("result", b'{"a": 1}')


def test_an_error_is_read_too_even_without_an_id() -> None:
    kind, value = read_answer(b'{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"no"}}', b"7")
    assert (kind, json.loads(bytes(value))) == ("error", {"code": -32601, "message": "no"})


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b'{"jsonrpc":"2.0","id":8,"result":{}}', InvalidRequest, OTHER),
        (b'{"jsonrpc":"2.0","id":"7","result":{}}', InvalidRequest, OTHER),
        (b'{"jsonrpc":"2.0","result":{}}', InvalidRequest, OTHER),
        (b'{"jsonrpc":"2.0","id":7}', InvalidRequest, "this is neither a result nor an error"),
        (
            b'{"jsonrpc":"2.0","id":7,"result":{},"result":{}}',
            InvalidRequest,
            "the key 'result' is there twice",
        ),
        (b'{"jsonrpc":"2.0","id":7,"result":{},"id":8}', InvalidRequest, "the key 'id' is there twice"),
        (b'[{"jsonrpc":"2.0","id":7,"result":{}}]', InvalidRequest, "a JSON object is wanted here"),
        (b'{"jsonrpc":"2.0","id":7,"result":}', ParseError, "the body is not well-formed JSON"),
        (b'{"jsonrpc":"2.0","id":7,"result":{}', ParseError, "the body is not well-formed JSON"),
        (b"<html>", ParseError, "the body is not well-formed JSON"),
        (b"", ParseError, "the body is not well-formed JSON"),
    ],
)
def test_what_is_no_answer_to_the_request_is_refused(body: bytes, kind: type[McpError], message: str) -> None:
    with pytest.raises(McpError) as refused:
        read_answer(body, b"7")
    assert (type(refused.value), str(refused.value)) == (kind, message)


def test_an_answer_is_written_for_the_caller() -> None:
    assert write_answer(b'"x"', "result", b"{ }") == b'{"jsonrpc":"2.0","id":"x","result":{ }}'
