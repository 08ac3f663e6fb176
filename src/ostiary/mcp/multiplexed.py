"""Requests of many callers on one stream, and what a server says there: whose it is. MCP 2026-07-28, stdio.

An id and a progress token are the caller's choice, so two callers may have the same. On a stream that they
share each request has an id of ours, which is its progress token too.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from ostiary.mcp.eras import LOG_LEVEL_KEY, PROGRESS_KEY
from ostiary.mcp.errors import (
    HeaderMismatch,
    InvalidParams,
    InvalidRequest,
    MethodNotFound,
    ParseError,
    UnsupportedProtocolVersion,
)
from ostiary.mcp.raw_object import Raw, RawObject, read_members
from ostiary.mcp.server_message import SUBSCRIPTION_KEY, ServerMessage

LONGEST_NOTIFICATION = 256 * 1024
"""Of the parameters of one that is read to find out whose it is."""
_ABSENT = msgspec.Raw(b"")
_LINE_BREAKS = bytes.maketrans(b"\r\n", b"  ")


class Multiplexed(NamedTuple):
    """A request for such a stream."""

    id: bytes
    progress_token: bytes | None
    """The caller's own, raw."""
    wants_log: bool
    line: bytes
    """The message without line breaks, which JSON has between tokens only."""


class _Request(msgspec.Struct):
    id: msgspec.Raw
    method: msgspec.Raw
    params: msgspec.Raw


class _Params(msgspec.Struct):
    meta: msgspec.Raw = msgspec.field(default=_ABSENT, name="_meta")
    progress_token: msgspec.Raw = msgspec.field(default=_ABSENT, name=PROGRESS_KEY)


_REQUEST = msgspec.json.Decoder(_Request)
_PARAMS = msgspec.json.Decoder(_Params)


def multiplexed(body: bytes) -> Multiplexed:
    """A request of ours, as `Message.written` gives it, with its id as its progress token if it has one."""
    request = _REQUEST.decode(body)
    message_id = bytes(request.id)
    raw_meta = _PARAMS.decode(request.params).meta
    meta = RawObject(raw_meta or b"{}")
    token = meta.members.get(PROGRESS_KEY)
    if token is not None:
        params = RawObject(request.params).with_member("_meta", meta.with_member(PROGRESS_KEY, message_id))
        body = b'{"jsonrpc":"2.0","id":%s,"method":%s,"params":%s}' % (message_id, request.method, params)
    return Multiplexed(
        message_id,
        None if token is None else bytes(token),
        LOG_LEVEL_KEY in meta.members,
        body.translate(_LINE_BREAKS),
    )


def whose(notification: ServerMessage) -> bytes | None:
    """The id of the request that it belongs to, raw: its progress token or subscription. None for neither.

    Raises McpError for parameters that are no object, or too many to look into.
    """
    if not notification.params:
        return None
    params = _params_of(notification)
    if params.progress_token:
        return bytes(params.progress_token)
    found = read_members(params.meta).get(SUBSCRIPTION_KEY) if params.meta else None
    return None if found is None else bytes(found)


def with_progress_token(notification: ServerMessage, token: Raw | None) -> bytes:
    """It as the caller knows it, who gave this token. Raises McpError."""
    params: Raw = notification.params or b"{}"
    if token is not None and _params_of(notification).progress_token:
        params = RawObject(params).with_member(PROGRESS_KEY, bytes(token))
    return b'{"jsonrpc":"2.0","method":%s,"params":%s}' % (notification.method, params)


def _params_of(notification: ServerMessage) -> _Params:
    if len(notification.params) > LONGEST_NOTIFICATION:
        raise InvalidRequest(f"a notification is longer than {LONGEST_NOTIFICATION} bytes")
    try:
        return _PARAMS.decode(notification.params or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest("the parameters of a notification are no object") from None


def status_of(error: Raw) -> int:
    """The HTTP status that an answer with this error would have had."""
    try:
        code = msgspec.json.decode(error, type=_Error).code
    except (msgspec.DecodeError, UnicodeDecodeError):
        return 200
    return _STATUSES.get(code, 200)


class _Error(msgspec.Struct):
    code: int


_MISSING_CAPABILITY = -32021
_KINDS = (
    ParseError,
    InvalidRequest,
    InvalidParams,
    MethodNotFound,
    HeaderMismatch,
    UnsupportedProtocolVersion,
)
_STATUSES = {kind.code: kind.status for kind in _KINDS} | {_MISSING_CAPABILITY: 400}
