"""Arguments that tools want in headers too (`x-mcp-header`), which legacy clients know nothing of.

A server refuses a call without them. Then its list says which they are, the call goes out once more, and the
next one has them at once.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from ostiary.gateway.call import Call
from ostiary.gateway.sessions.whole_answer import whole_answer
from ostiary.mcp.errors import HeaderMismatch, InvalidRequest
from ostiary.mcp.legacy_client.answers import error_code
from ostiary.mcp.parameter_headers import ParameterPath, annotation_fault, parameter_headers, parameter_names
from ostiary.mcp.raw_object import Raw, read_members

if TYPE_CHECKING:
    from ostiary.gateway.catalog.routes import Routes

MOST_TOOLS = 1000
"""Tools whose headers are remembered, of all callers together."""
LIST = "tools/list"


class Parameters:
    """Of the tools of one endpoint."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._known: OrderedDict[tuple[Hashable, bytes], Mapping[ParameterPath, str]] = OrderedDict()

    def put_on(self, call: Call) -> Call:
        """The call with the headers that its tool wants, as far as that is known."""
        names = self._known.get(_key(call)) if self._known else None
        if not names:
            return call
        headers = parameter_headers(names, _value(call.message.params.get("arguments", b"null")))
        request = copy.copy(call.request)
        request.headers = request.headers | {
            name.lower().encode(): value.encode() for name, value in headers.items()
        }
        return Call(call.message, call.principal, request, call.session)

    async def learn(self, call: Call, kind: str, value: Raw) -> bool:
        """Whether a call was refused for headers that are known by now. Raises McpError. Inline."""
        if call.message.method != b"tools/call" or kind != "error":
            return False
        if error_code(value) != HeaderMismatch.code:
            return False
        asking = call.about(call.message.asking(LIST))
        answered = await self._routes.route(asking.message).follow(asking)
        kind, value = await whole_answer(answered, asking.id)
        names = _names(value, call.message.name or b"") if kind == "result" else {}
        if not names or self._known.get(_key(call)) == names:
            return False
        self._known[_key(call)] = names
        if len(self._known) > MOST_TOOLS:
            self._known.popitem(last=False)
        return True


def _key(call: Call) -> tuple[Hashable, bytes]:
    return call.account, call.message.name or b""


def _names(listed: Raw, name: bytes) -> Mapping[ParameterPath, str]:
    """Which arguments of this tool go into headers, and the ends of those headers' names."""
    try:
        tools = msgspec.json.decode(read_members(listed)["tools"], type=list[dict[str, msgspec.Raw]])
    except (KeyError, InvalidRequest, msgspec.DecodeError):
        return {}
    wanted = _value(name)
    for tool in tools:
        if _value(tool.get("name", b"null")) == wanted:
            schema = _value(tool.get("inputSchema", b"null"))
            return parameter_names(schema) if annotation_fault(schema) is None else {}
    return {}


def _value(raw: Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
