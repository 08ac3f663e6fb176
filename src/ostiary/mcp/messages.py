"""One MCP request over HTTP, read and written without touching its arguments.

Only what routing needs is decoded: `method`, `id`, `params.name` (or `params.uri`) and the version in
`_meta`. All else stays the caller's bytes. JSON-RPC 2.0; MCP 2026-07-28, basic protocol.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

import msgspec

from ostiary.mcp.eras import (
    CAPABILITIES_KEY,
    CLIENT_INFO_KEY,
    LOG_LEVEL_KEY,
    PROGRESS_KEY,
    SUPPORTED_VERSIONS,
    TASK_METHODS,
    TASKS_EXTENSION,
    VERSION_KEY,
)
from ostiary.mcp.errors import (
    InvalidParams,
    InvalidRequest,
    McpError,
    NotOneRequest,
    ParseError,
    UnsupportedProtocolVersion,
)
from ostiary.mcp.raw_object import Members, Raw, RawObject, read_members, read_string
from ostiary.mcp.server_message import read_server_message
from ostiary.mcp.tasks import knows_tasks

Change = tuple[str, bytes]
"""A parameter and its raw JSON."""
NAME_KEYS: Mapping[str, str] = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    **dict.fromkeys(TASK_METHODS, "taskId"),
}
"""Method → the parameter that says what is meant, repeated in the `Mcp-Name` header."""

_ID = rb'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9A-Fa-f]{4}){0,128}"|-?(?:0|[1-9][0-9]{0,19})'
_METHOD = rb"[A-Za-z0-9_/]{1,100}"
_IS_ID = re.compile(_ID)
_IS_METHOD = re.compile(_METHOD)
_AS_MOST_WRITE_IT = re.compile(
    rb'\{"jsonrpc":"2\.0","id":(%s),"method":"(%s)","params":(\{.*\})\}' % (_ID, _METHOD), re.DOTALL
)
_RAW = msgspec.json.Decoder(msgspec.Raw)
_EMPTY = b"{}"
_TASKS_EXTENSION = TASKS_EXTENSION.encode()
_NO_META = b""
_TASK_METHODS = frozenset(method.encode() for method in TASK_METHODS)
_LONGEST_REMEMBERED = 1024
_META_TYPES = (
    (VERSION_KEY, b'"', "a string"),
    (CAPABILITIES_KEY, b"{", "an object"),
    (CLIENT_INFO_KEY, b"{", "an object"),
    (LOG_LEVEL_KEY, b'"', "a string"),
    (PROGRESS_KEY, b'"-0123456789', "a string or a number"),
)
"""Keys of `_meta`, what the JSON of their values begins with, and what that is."""


class Meta:
    """What a request says of its sender's protocol.

    missing: required keys that are not there; fault: what is of another type than MCP says;
    knows_tasks: whether its sender may be answered with a task.
    """

    __slots__ = (
        "fault",
        "is_modern",
        "knows_tasks",
        "members",
        "missing",
        "raw",
        "version",
        "version_header",
    )

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.members: Members = {}
        self.fault: str | None = None
        if raw[:1] == b"{":
            self.members = read_members(raw)
            self.fault = next(_wrong_types(self.members), None)
        elif raw:
            self.fault = "params._meta must be an object"
        version = bytes(self.members.get(VERSION_KEY, _NO_META))
        self.version = read_string(version, VERSION_KEY) if version[:1] == b'"' else None
        self.version_header = (self.version or "").encode()
        self.missing = [key for key in (VERSION_KEY, CAPABILITIES_KEY) if key not in self.members]
        self.knows_tasks = _TASKS_EXTENSION in raw and knows_tasks(self.members)
        self.is_modern = not self.missing and self.fault is None and self.version in SUPPORTED_VERSIONS


class Message:
    """A request or, when `id` is None, a notification.

    method: as bytes; id: its JSON as the caller wrote it; params: raw members;
    name: the raw JSON of what `NAME_KEYS` points at.
    """

    __slots__ = ("_object", "id", "meta", "method", "name", "params")

    def __init__(self, method: bytes, message_id: bytes | None, text: bytes) -> None:
        self.method = method
        self.id = message_id
        self._object = RawObject(text)
        self.params = params = self._object.members
        key = _NAME_KEYS.get(method)
        self.name = None if key is None else _raw_name(params, key)
        raw_meta = params.get("_meta")
        self.meta = read_meta(_NO_META if raw_meta is None else bytes(raw_meta))

    def require_modern(self) -> None:
        """Raise unless this is a whole request of a version that is spoken here."""
        if self.meta.is_modern:
            return
        if self.meta.fault is not None:
            raise InvalidParams(self.meta.fault)
        missing = self.meta.missing
        if missing:
            raise InvalidParams(f"params._meta has no {' and no '.join(missing)}")
        raise _unsupported(self.meta.version)

    def written(self, message_id: bytes, change: Change | None) -> bytes:
        """The request with another id and, if any, one parameter in place of the caller's."""
        return b'{"jsonrpc":"2.0","id":%s,"method":"%s","params":%s}' % (
            message_id,
            self.method,
            self._object.text if change is None else self._object.with_member(*change),
        )

    def asking(self, method: str) -> Message:
        """A request of ours on the caller's behalf: their version and capabilities, no other parameters."""
        return Message(method.encode(), None, b'{"_meta":%s}' % self.meta.raw)


def read_message(body: bytes) -> Message:
    """Read one request or notification.

    Raises ParseError, InvalidRequest (a batch, a response, duplicate keys, no JSON-RPC) or InvalidParams.
    """
    if not body.isascii():
        _require_utf8(body)
    match = _AS_MOST_WRITE_IT.fullmatch(body)
    if match is not None:
        try:  # when the parameters are one object, nothing else is hidden behind them
            message_id, method, text = match.groups()
            return Message(method, message_id, text)
        except (ParseError, InvalidRequest):
            pass
    return _read_in_any_form(body)


def read_name(raw: bytes, key: str = "name") -> str:
    """The string that a raw name is. Raises InvalidParams."""
    try:
        return read_string(msgspec.Raw(raw), f"params.{key}")
    except InvalidRequest as error:
        raise InvalidParams(error.message) from None


def is_about_task(message: Message) -> bool:
    """Whether it names a task that a call has become."""
    return message.method in _TASK_METHODS


def read_meta(raw: bytes) -> Meta:
    """Read a raw `_meta`. A client sends the same with each request, so it is read once."""
    return _remembered_meta(raw) if len(raw) <= _LONGEST_REMEMBERED else Meta(raw)


def read_answer(body: bytes, message_id: bytes) -> tuple[str, Raw]:
    """Read the answer to the request with this id: ("result" or "error", its raw value).

    Raises ParseError or InvalidRequest when it is something else.
    """
    usual = b'{"jsonrpc":"2.0","id":%s,"result":' % message_id
    if body.startswith(usual):
        value = body[len(usual) : -1]
        if body.endswith(b"}") and _is_one_value(value):
            return "result", value
    return read_server_message(body).answer_to(message_id)


def write_answer(message_id: bytes, kind: str, value: Raw) -> bytes:
    """The answer to the request with this id, with a raw result or error."""
    return b'{"jsonrpc":"2.0","id":%s,"%s":%s}' % (message_id, kind.encode(), value)


_NAME_KEYS = {method.encode(): key for method, key in NAME_KEYS.items()}
_remembered_meta = lru_cache(maxsize=1024)(Meta)


def _wrong_types(members: Members) -> Iterator[str]:
    for key, beginnings, kind in _META_TYPES:
        if key in members and bytes(members[key])[:1] not in beginnings:
            yield f"params._meta: {key} must be {kind}"


def _read_in_any_form(body: bytes) -> Message:
    if body.lstrip(b" \t\r\n")[:1] == b"[":
        raise NotOneRequest("a batch is not taken: send one request")
    top = read_members(body)
    if bytes(top.get("jsonrpc", b"")) != b'"2.0"':
        raise InvalidRequest('this is not JSON-RPC: "jsonrpc": "2.0" is missing')
    if "method" not in top and ("result" in top or "error" in top):
        raise NotOneRequest("method must be a string")
    method = read_string(top.get("method"), "method").encode()
    if _IS_METHOD.fullmatch(method) is None:
        raise InvalidRequest("method has characters that no method has")
    return Message(method, _read_id(top), bytes(top.get("params", _EMPTY)))


def _read_id(top: Members) -> bytes | None:
    raw = top.get("id")
    if raw is None:
        return None
    text = bytes(raw)
    if _IS_ID.fullmatch(text) is None:
        raise InvalidRequest("id must be a string of at most 128 characters, or an integer")
    return text


def _raw_name(params: Members, key: str) -> bytes:
    raw = params.get(key)
    if raw is None:
        raise InvalidParams(f"params.{key} is missing")
    return bytes(raw)


def _is_one_value(text: bytes) -> bool:
    try:
        _RAW.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _require_utf8(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError:
        raise ParseError("the body is not UTF-8") from None


def _unsupported(requested: str | None) -> McpError:
    spoken = list(SUPPORTED_VERSIONS)
    return UnsupportedProtocolVersion(
        f"version {requested} is not spoken here: use MCP {spoken[-1]}",
        data={"supported": spoken, "requested": requested},
    )
