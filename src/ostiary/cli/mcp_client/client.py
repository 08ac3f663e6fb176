"""A conversation with one server: the era agreed on, lists, and a call.

Modern servers are asked `server/discover`; whatever answers anything else is shaken hands with, as before.
Nobody is at hand to be asked back, and a server that asks is told so.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from itertools import count
from types import TracebackType
from typing import Any, Self

from ostiary import __version__
from ostiary.cli.mcp_client.messages import (
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    REQUEST_TIMEOUT,
    UNSUPPORTED_VERSION,
    Message,
    error_answer,
    is_answer,
    is_request,
)
from ostiary.cli.mcp_client.routing_headers import routing_headers
from ostiary.cli.mcp_client.streamable_http import StreamableHttp
from ostiary.mcp.eras import CAPABILITIES_KEY, CLIENT_INFO_KEY, LEGACY_VERSIONS, MODERN, VERSION_KEY
from ostiary.mcp.parameter_headers import annotation_fault, parameter_headers, parameter_names

DISCOVER_SECONDS = 10.0
"""How long a server may take to say which versions it has; a slow one is taken for an old one."""
MOST_ROUNDS = 10
"""How often one call may be asked for more."""
ROUND_SECONDS = 0.25
_CLIENT_INFO = {"name": "ostiary", "version": __version__}
_NOT_HERE = {
    "elicitation/create": "Elicitation not supported",
    "sampling/createMessage": "Sampling not supported",
    "roots/list": "List roots not supported",
}
_REQUIRED: Mapping[str, Mapping[str, type]] = {
    "tools": {"name": str, "inputSchema": dict},
    "prompts": {"name": str},
    "resources": {"name": str, "uri": str},
    "resourceTemplates": {"name": str, "uriTemplate": str},
}
"""What each entry of a list has."""


class ServerError(Exception):
    """The server answered a request with an error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class InvalidAnswer(Exception):
    """The server's answer is not what the protocol says it is."""


class McpClient:
    """Use as an async context manager."""

    def __init__(self, http: StreamableHttp, *, may_be_old: bool = True) -> None:
        """may_be_old: whether a server that does not say which versions it has is shaken hands with."""
        self._http = http
        self._may_be_old = may_be_old
        self._ids = count(1)
        self.protocol_version = ""
        self.server_version = ""
        """What the server itself speaks, which is another where a gateway speaks with it for us."""
        self.capabilities: Mapping[str, Any] = {}

    @property
    def is_modern(self) -> bool:
        """Whether each message says for itself who sends it, in which version."""
        return self.protocol_version == MODERN

    async def __aenter__(self) -> Self:
        await self._agree()
        self.server_version = self.protocol_version
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.end()

    async def list_page(self, kind: str, cursor: str | None = None) -> dict[str, Any]:
        """One page of `tools`, `prompts`, `resources` or `resourceTemplates`. Raises InvalidAnswer."""
        method = "resources/templates/list" if kind == "resourceTemplates" else f"{kind}/list"
        page = await self._ask(method, {} if cursor is None else {"cursor": cursor})
        entries = page.get(kind)
        if not isinstance(entries, list):
            raise InvalidAnswer(f"the answer to {method} has no list of {kind}")
        if not isinstance(page.get("nextCursor"), str | None):
            raise InvalidAnswer(f"the nextCursor of {method} is no text")
        for entry in entries:
            _require(entry, _REQUIRED[kind], f"an entry of {method}")
        if kind == "tools" and self.is_modern:  # the protocol has clients leave such tools out
            page[kind] = [tool for tool in entries if annotation_fault(tool["inputSchema"]) is None]
        return page

    async def call_tool(self, tool: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call a tool as it was listed. Raises InvalidAnswer, also for a result that it did not promise."""
        asked: dict[str, Any] = {"name": tool["name"], "arguments": arguments}
        headers = parameter_headers(parameter_names(tool["inputSchema"]), arguments) if self.is_modern else {}
        for _ in range(MOST_ROUNDS):
            result = await self._ask("tools/call", asked, headers)
            if result.get("resultType") != "input_required":
                return _checked(result, tool)
            _refuse_questions(result)
            await asyncio.sleep(ROUND_SECONDS)
            asked["requestState"] = result.get("requestState")
        raise InvalidAnswer(f"the server wants more input after {MOST_ROUNDS} rounds")

    async def _agree(self) -> None:
        try:
            found = await self._discover()
        except ServerError as error:
            supported = _supported(error)
            if not self._may_be_old or (supported and not supported.intersection(LEGACY_VERSIONS)):
                raise
            found = None
        if found is None:
            await self._shake_hands()
        else:
            self.protocol_version, self.capabilities = MODERN, found["capabilities"]

    async def _discover(self) -> dict[str, Any] | None:
        """What a modern server says of itself; None for a server that is not modern."""
        try:
            async with asyncio.timeout(DISCOVER_SECONDS if self._may_be_old else None):
                found = await self._ask("server/discover", {}, version=MODERN)
        except TimeoutError:
            raise ServerError(REQUEST_TIMEOUT, "Request 'server/discover' timed out") from None
        versions = found.get("supportedVersions")
        modern = isinstance(versions, list) and MODERN in versions
        return found if modern and isinstance(found.get("capabilities"), dict) else None

    async def _shake_hands(self) -> None:
        params = {"protocolVersion": LEGACY_VERSIONS[-1], "capabilities": {}, "clientInfo": _CLIENT_INFO}
        agreed = await self._ask("initialize", params)
        _require(agreed, {"protocolVersion": str, "capabilities": dict}, "the answer to initialize")
        if agreed["protocolVersion"] not in LEGACY_VERSIONS:
            said = agreed["protocolVersion"]
            raise InvalidAnswer(f"Unsupported protocol version from the server: {said}")
        self.protocol_version, self.capabilities = agreed["protocolVersion"], agreed["capabilities"]
        self._http.version = self.protocol_version
        async for _ in self._http.send({"jsonrpc": "2.0", "method": "notifications/initialized"}):
            pass

    async def _ask(
        self,
        method: str,
        params: dict[str, Any],
        headers: Mapping[str, str] = {},
        *,
        version: str | None = None,
    ) -> dict[str, Any]:
        """The result. Raises ServerError. version: before any is agreed on."""
        version = version or (MODERN if self.is_modern else None)
        if version is not None:
            headers = {**routing_headers(version, method, params), **headers}
            meta = {VERSION_KEY: version, CLIENT_INFO_KEY: _CLIENT_INFO, CAPABILITIES_KEY: {}}
            params = {**params, "_meta": meta}
        message = {"jsonrpc": "2.0", "id": next(self._ids), "method": method}
        if params:
            message["params"] = params
        async with contextlib.aclosing(self._http.send(message, headers)) as said:
            async for one in said:
                if is_answer(one):
                    return _result(one)
                if is_request(one):
                    await self._decline(one)
        raise InvalidAnswer(f"there is no answer to {method}")

    async def _decline(self, asked: Message) -> None:
        """Answer a request of the server."""
        method = asked["method"]
        if method == "ping":
            answer: Message = {"jsonrpc": "2.0", "id": asked["id"], "result": {}}
        elif method in _NOT_HERE:
            answer = error_answer(asked["id"], INVALID_REQUEST, _NOT_HERE[method])
        else:
            answer = error_answer(asked["id"], METHOD_NOT_FOUND, "Method not found")
        async for _ in self._http.send(answer):
            pass


def _result(answer: Message) -> dict[str, Any]:
    error = answer.get("error")
    if error is not None:
        raise ServerError(error["code"], error["message"], error.get("data"))
    result: dict[str, Any] = answer["result"]
    return result


def _supported(error: ServerError) -> set[Any]:
    """The versions that a server names which does not know ours; empty for another error."""
    if error.code != UNSUPPORTED_VERSION or not isinstance(error.data, dict):
        return set()
    versions = error.data.get("supported")
    return {one for one in versions if isinstance(one, str)} if isinstance(versions, list) else set()


def _refuse_questions(result: Mapping[str, Any]) -> None:
    """Raise ServerError for what a person, or a model, would have to answer."""
    questions = result.get("inputRequests")
    for question in questions.values() if isinstance(questions, dict) else ():
        method = question.get("method") if isinstance(question, dict) else None
        raise ServerError(INVALID_REQUEST, _NOT_HERE.get(str(method), "Input not supported"))


def _checked(result: dict[str, Any], tool: Mapping[str, Any]) -> dict[str, Any]:
    _require(result, {"content": list}, "the answer to tools/call")
    for part in result["content"]:
        _require(part, {"type": str}, "a part of the answer to tools/call")
        if part["type"] == "text":
            _require(part, {"text": str}, "a part of the answer to tools/call")
    if not result.get("isError") and tool.get("outputSchema") is not None:
        from ostiary.cli.mcp_client.output_schema import fault  # noqa: PLC0415 - few tools promise anything

        if (why := fault(tool["name"], tool["outputSchema"], result)) is not None:
            raise InvalidAnswer(why)
    return result


def _require(value: Any, members: Mapping[str, type], what: str) -> None:
    if not isinstance(value, dict):
        raise InvalidAnswer(f"{what} is no object")
    for name, kind in members.items():
        if not isinstance(value.get(name), kind):
            raise InvalidAnswer(f"{what} has no {name}")
