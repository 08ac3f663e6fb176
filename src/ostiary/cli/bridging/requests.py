"""A line of standard input as the request that it is over streamable HTTP, with the headers that it needs.

Which arguments of a tool go into headers, its schema says when tools are listed (`x-mcp-header`); modern
clients do so themselves over HTTP, and for legacy ones the gateway does.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from ostiary.gateway.one_server import request_within
from ostiary.gateway.sessions.session_ids import HEADER as SESSION
from ostiary.mcp.errors import McpError
from ostiary.mcp.headers import METHOD_HEADER, NAME_HEADER, VERSION_HEADER, encode_value
from ostiary.mcp.messages import read_name
from ostiary.mcp.parameter_headers import (
    ParameterPath,
    annotation_fault,
    parameter_headers,
    parameter_names,
)

if TYPE_CHECKING:
    from ostiary.gateway.endpoint import Endpoint
    from ostiary.mcp.messages import Message
    from ostiary.transport.inline_http import Request

_ANNOTATION = b'"x-mcp-header"'
_JSON = {b"content-type": b"application/json"}


class Requests:
    """Sees what passes, and knows what the next one needs."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._session: bytes | None = None
        self._parameters: dict[str, dict[ParameterPath, str]] = {}

    def post(self, line: bytes, message: Message | None) -> Request:
        """The request that carries this line. message: what it says; None for anything but one request."""
        headers = dict(_JSON)
        if message is not None and message.meta.version is not None:
            headers |= _routing_headers(message) | self._parameter_headers(message)
        elif self._session is not None and (message is None or message.method != b"initialize"):
            headers[SESSION] = self._session
        return request_within(self._endpoint, headers, line)

    def listen(self) -> Request:
        """The request to hear what the server says unasked."""
        headers = {} if self._session is None else {SESSION: self._session}
        return request_within(self._endpoint.listen, headers)

    def begun(self, headers: bytes) -> None:
        """A handshake was answered with these lines."""
        fields = dict(line.split(b": ", 1) for line in headers.splitlines())
        self._session = fields.get(SESSION, self._session)

    def listed(self, answer: bytes) -> None:
        """Tools were."""
        if _ANNOTATION not in answer:
            return
        with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
            for tool in json.loads(answer)["result"]["tools"]:
                schema = tool["inputSchema"]
                if annotation_fault(schema) is None:
                    self._parameters[tool["name"]] = parameter_names(schema)

    def _parameter_headers(self, message: Message) -> dict[bytes, bytes]:
        if message.method != b"tools/call" or not self._parameters:
            return {}
        with contextlib.suppress(McpError, ValueError, RecursionError):
            names = self._parameters.get(read_name(message.name or b""), {})
            said = parameter_headers(names, json.loads(bytes(message.params.get("arguments", b"null"))))
            return {name.lower().encode(): value.encode() for name, value in said.items()}
        return {}


def _routing_headers(message: Message) -> dict[bytes, bytes]:
    headers = {VERSION_HEADER: message.meta.version_header, METHOD_HEADER: message.method}
    if message.name is not None:
        with contextlib.suppress(McpError):
            headers[NAME_HEADER] = encode_value(read_name(message.name))
    return headers
