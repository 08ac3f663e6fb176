"""What a legacy client says of itself at `initialize`, and what it is told (MCP 2025-11-25, lifecycle)."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from ostiary.mcp.eras import LEGACY_VERSIONS, SERVER_INFO_KEY
from ostiary.mcp.errors import InvalidParams, InvalidRequest
from ostiary.mcp.raw_object import Members, Raw, read_members, read_string, write_object

LONGEST_CAPABILITIES = 2048
LONGEST_CLIENT_INFO = 1024
"""Bytes. Both go into the session's id, which is a header of each request."""
_OF_BOTH_ERAS = ("elicitation", "experimental", "extensions", "roots", "sampling")
_LEFT_OUT_FIRST = ("experimental", "extensions")
_FORM = b'{"form":{}}'
_SHORT_INFO = ("name", "title", "version")
_NOT_OF_LEGACY = ("extensions",)


@dataclass(frozen=True, slots=True)
class Introduction:
    """The version that is spoken, and what each modern request says of its sender, raw."""

    version: str
    capabilities: bytes
    client_info: bytes


def read_introduction(params: Members) -> Introduction:
    """What `initialize` says. An unknown version becomes our newest legacy one. Raises InvalidParams."""
    try:
        asked = read_string(params.get("protocolVersion"), "params.protocolVersion")
        capabilities = _modern_capabilities(params)
        client_info = _short_info(params)
    except InvalidRequest as error:
        raise InvalidParams(error.message) from None
    return Introduction(asked if asked in LEGACY_VERSIONS else LEGACY_VERSIONS[-1], capabilities, client_info)


def initialize_result(version: str, discovery: Raw, own_info: dict[str, str]) -> bytes:
    """The answer to `initialize`.

    discovery: the server's result of `server/discover`; own_info: who answers where it does not say.
    Raises ParseError or InvalidRequest.
    """
    found = read_members(discovery)
    meta = read_members(found.get("_meta", b"{}"))
    capabilities = read_members(found.get("capabilities", b"{}"))
    server_info = meta.pop(SERVER_INFO_KEY, None)
    result: dict[str, Raw] = {
        "protocolVersion": msgspec.json.encode(version),
        "capabilities": write_object(
            {name: raw for name, raw in capabilities.items() if name not in _NOT_OF_LEGACY}
        ),
        "serverInfo": msgspec.json.encode(own_info),
    }
    if server_info is not None and _names_itself(server_info):
        result["serverInfo"] = server_info
    if "instructions" in found:
        result["instructions"] = found["instructions"]
    if meta:
        result["_meta"] = write_object(meta)
    return write_object(result)


def _modern_capabilities(params: Members) -> bytes:
    declared = read_members(params.get("capabilities", b"{}"))
    known: dict[str, Raw] = {name: declared[name] for name in _OF_BOTH_ERAS if name in declared}
    for name, raw in list(known.items()):
        members = read_members(raw)
        if name == "roots":
            known[name] = b"{}"  # that they changed is told no more
        elif name == "elicitation" and not members:
            known[name] = _FORM
    for name in _LEFT_OUT_FIRST:
        if len(write_object(known)) > LONGEST_CAPABILITIES:
            known.pop(name, None)
    written = write_object(known)
    if len(written) > LONGEST_CAPABILITIES:
        raise InvalidParams(f"params.capabilities are longer than {LONGEST_CAPABILITIES} bytes")
    return written


def _short_info(params: Members) -> bytes:
    if "clientInfo" not in params:
        return b'{"name":"unknown","version":"0"}'
    info = read_members(params["clientInfo"])
    written = write_object(info)
    if len(written) > LONGEST_CLIENT_INFO:  # icons, mostly
        written = write_object({name: info[name] for name in _SHORT_INFO if name in info})
    if len(written) > LONGEST_CLIENT_INFO:
        raise InvalidParams(f"params.clientInfo is longer than {LONGEST_CLIENT_INFO} bytes")
    return written


def _names_itself(info: Raw) -> bool:
    try:
        members = read_members(info)
        read_string(members.get("name"), "name")
        read_string(members.get("version"), "version")
    except InvalidRequest:
        return False
    return True
