"""Errors of the protocol, with the HTTP status each is sent with."""

from __future__ import annotations

import json

import pytest

from ostiary.mcp import errors


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        (errors.ParseError, -32700, 400),
        (errors.InvalidRequest, -32600, 400),
        (errors.MethodNotFound, -32601, 404),
        (errors.InvalidParams, -32602, 400),
        (errors.InternalError, -32603, 500),
        (errors.HeaderMismatch, -32020, 400),
        (errors.UnsupportedProtocolVersion, -32022, 400),
    ],
)
def test_each_error_has_its_code_and_status(kind: type[errors.McpError], code: int, status: int) -> None:
    error = kind('says "why"\n')
    assert (error.status, json.loads(error.to_json())) == (
        status,
        {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": 'says "why"\n'}},
    )


def test_an_error_keeps_the_id_as_it_stood_in_the_request() -> None:
    assert json.loads(errors.InvalidParams("no", data={"a": 1}).to_json(b'"\\u0061"')) == {
        "jsonrpc": "2.0",
        "id": "a",
        "error": {"code": -32602, "message": "no", "data": {"a": 1}},
    }
