"""The handshake of MCP 2025-11-25 and before (lifecycle), and what it settles in the words of 2026-07-28.

A legacy server is told once what its client can do, and says once what it can; a modern one is told with each
request, and asked by `server/discover`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import msgspec

from ostiary.mcp.eras import (
    CAPABILITIES_KEY,
    CLIENT_INFO_KEY,
    LEGACY_VERSIONS,
    SERVER_INFO_KEY,
    SUPPORTED_VERSIONS,
)
from ostiary.mcp.errors import InvalidRequest, McpError
from ostiary.mcp.messages import Meta
from ostiary.mcp.raw_object import Raw, read_members, read_string, write_object

OFFERED = LEGACY_VERSIONS[-1]
"""The version that a server is offered; it answers with this one, or with an older one that it speaks."""
INITIALIZED = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
CLIENT_CAPABILITIES = ("elicitation", "roots", "sampling")
"""What a server may ask its client for, in both eras."""
SERVER_CAPABILITIES = ("completions", "experimental", "logging", "prompts", "resources", "tools")
"""What a server may offer in both eras. The tasks of 2025-11-25 are not those of the extension."""
LONGEST_INTRODUCTION = 64 * 1024
"""Bytes of what a client says of itself, which a session keeps."""
LONGEST_REMEMBERED = 1024
"""Bytes of what a client says with each request, and is read once."""
_NOTHING = b"{}"


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a client says of itself: raw JSON, as a legacy server reads it. The same for the same client."""

    capabilities: bytes
    client_info: bytes

    @property
    def answers_questions(self) -> bool:
        """Whether a server may ask it anything."""
        return self.capabilities != _NOTHING

    def initialize(self, request_id: int) -> bytes:
        """The message that begins a session."""
        params = {
            "protocolVersion": msgspec.json.encode(OFFERED),
            "capabilities": self.capabilities,
            "clientInfo": self.client_info,
        }
        return b'{"jsonrpc":"2.0","id":%d,"method":"initialize","params":%s}' % (
            request_id,
            write_object(params),
        )


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a handshake has settled: the version, and what the server said of itself, raw."""

    version: str
    capabilities: dict[str, bytes]
    server_info: bytes | None
    instructions: bytes | None

    def offers(self, capability: str, part: str | None = None) -> bool:
        """Whether the server has this, and this part of it."""
        raw = self.capabilities.get(capability)
        if raw is None or part is None:
            return raw is not None
        try:
            return bytes(read_members(raw).get(part, b"")) == b"true"
        except McpError:
            return False


def introduction(meta: Meta, otherwise: bytes) -> Introduction:
    """How the client of a modern request would have begun. otherwise: its `clientInfo` when it has none.

    Raises InvalidRequest.
    """
    if len(meta.raw) > LONGEST_INTRODUCTION:
        raise InvalidRequest(f"params._meta is longer than {LONGEST_INTRODUCTION} bytes")
    declared = bytes(meta.members.get(CAPABILITIES_KEY, _NOTHING))
    client_info = bytes(meta.members.get(CLIENT_INFO_KEY, otherwise))
    is_short = len(declared) + len(client_info) <= LONGEST_REMEMBERED
    return _remembered(declared, client_info) if is_short else _introduction(declared, client_info)


def _introduction(declared: bytes, client_info: bytes) -> Introduction:
    members = read_members(declared)
    known = {name: members[name] for name in CLIENT_CAPABILITIES if name in members}
    return Introduction(write_object(known), client_info)


_remembered = lru_cache(maxsize=256)(_introduction)


def read_agreement(result: Raw) -> Agreement:
    """What a server answered to `initialize`. Raises InvalidRequest for no version, or an unknown one."""
    members = read_members(result)
    version = read_string(members.get("protocolVersion"), "protocolVersion")
    if version not in LEGACY_VERSIONS:
        raise InvalidRequest(f"it answered initialize with protocol version {version[:40]!r}")
    if "instructions" in members:
        read_string(members["instructions"], "instructions")
    info = members.get("serverInfo")
    return Agreement(
        version,
        {
            name: bytes(raw)  # or all of the answer would be kept
            for name, raw in read_members(members.get("capabilities", _NOTHING)).items()
            if name in SERVER_CAPABILITIES
        },
        None if info is None or not bytes(info).startswith(b"{") else bytes(info),
        bytes(members["instructions"]) if "instructions" in members else None,
    )


def discovery(agreement: Agreement) -> bytes:
    """The result of `server/discover` that a server with this agreement would give."""
    result: dict[str, Raw] = {
        "resultType": b'"complete"',
        "supportedVersions": msgspec.json.encode(SUPPORTED_VERSIONS),
        "capabilities": write_object(agreement.capabilities),
        "ttlMs": b"0",
        "cacheScope": b'"private"',
    }
    if agreement.instructions is not None:
        result["instructions"] = agreement.instructions
    if agreement.server_info is not None:
        result["_meta"] = write_object({SERVER_INFO_KEY: agreement.server_info})
    return write_object(result)
