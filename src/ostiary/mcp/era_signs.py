"""What an answer says about the era that its server speaks (MCP 2026-07-28, versioning).

A modern server answers `server/discover`, and refuses what it does not like with errors that no server had
before. Whatever else a server says to it, it may rather be shaken hands with.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import msgspec

from ostiary.mcp.eras import (
    CAPABILITIES_KEY,
    CLIENT_INFO_KEY,
    LEGACY_VERSIONS,
    MODERN,
    SUPPORTED_VERSIONS,
    VERSION_KEY,
)
from ostiary.mcp.errors import HeaderMismatch, InvalidParams, InvalidRequest, UnsupportedProtocolVersion
from ostiary.mcp.lost_session import read_message

DISCOVER = b"server/discover"
PROBE_ID = "dev.ostiary/era"
MISSING_CAPABILITY = -32021
_MODERN_ERRORS = frozenset({HeaderMismatch.code, MISSING_CAPABILITY})
_LEGACY_ERRORS = frozenset({InvalidRequest.code, -32000, -32001})
"""With these the SDKs of before refuse a request without a session, or of a version that they don't know."""
_SAYS_NOTHING = frozenset({401, 403, 408, 425, 429})


class Era(Enum):
    """Of a server."""

    MODERN = "modern"
    LEGACY = "legacy"


def probe(client_info: dict[str, str]) -> bytes:
    """The question that tells."""
    meta = {VERSION_KEY: MODERN, CAPABILITIES_KEY: {}, CLIENT_INFO_KEY: client_info}
    params = {"_meta": meta}
    return msgspec.json.encode(
        {"jsonrpc": "2.0", "id": PROBE_ID, "method": DISCOVER.decode(), "params": params}
    )


def era_of(status: int, body: bytes) -> Era | None:
    """What the answer to `server/discover` says; None for one that says nothing about it.

    LEGACY is an assumption: what a handshake is answered with decides.
    """
    if says_nothing(status):
        return None
    answer = read_message(body)
    result = answer.get("result")
    if isinstance(result, dict):
        versions = result.get("supportedVersions", [MODERN])
        is_modern = isinstance(versions, list) and not _SPOKEN.isdisjoint(map(str, versions))
        return Era.MODERN if is_modern else Era.LEGACY
    return Era.MODERN if _is_modern_error(answer.get("error")) else Era.LEGACY


def says_nothing(status: int) -> bool:
    """Whether an answer with this status would be the same in any era."""
    return status in _SAYS_NOTHING or status >= 500


def is_error(body: bytes) -> bool:
    """Whether it is a JSON-RPC error: there is a server of MCP, which would not do what it was asked."""
    return isinstance(read_message(body).get("error"), dict)


def has_left(era: Era, status: int, body: bytes) -> bool:
    """Whether an answer, with a status of 400 or more, is rather one of the other era."""
    if says_nothing(status):
        return False
    error = read_message(body).get("error")
    if era is Era.LEGACY:
        says_meta = b"_meta" in body and isinstance(error, dict) and error.get("code") == InvalidParams.code
        return says_meta or _is_modern_error(error)
    if not isinstance(error, dict):
        return True
    if error.get("code") == UnsupportedProtocolVersion.code:
        return not _is_modern_error(error)
    return error.get("code") in _LEGACY_ERRORS


_SPOKEN = frozenset(SUPPORTED_VERSIONS)


def _is_modern_error(error: Any) -> bool:
    if not isinstance(error, dict):
        return False
    if error.get("code") != UnsupportedProtocolVersion.code:
        return error.get("code") in _MODERN_ERRORS
    data = error.get("data")
    supported = data.get("supported") if isinstance(data, dict) else None
    versions = {str(version) for version in supported} if isinstance(supported, list) else set()
    return not versions.intersection(LEGACY_VERSIONS) or bool(versions & _SPOKEN)
