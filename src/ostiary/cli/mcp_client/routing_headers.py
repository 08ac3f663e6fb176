"""The HTTP headers of a modern message: its version, its method, and the name that it is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ostiary.mcp.headers import METHOD_HEADER, NAME_HEADER, VERSION_HEADER, encode_value
from ostiary.mcp.messages import NAME_KEYS

VERSION = VERSION_HEADER.decode()


def routing_headers(version: str, method: str, params: Mapping[str, Any]) -> dict[str, str]:
    """What its headers say of a message; a name that is none says nothing."""
    headers = {VERSION: version, METHOD_HEADER.decode(): method}
    name = params.get(NAME_KEYS.get(method, ""))
    if isinstance(name, str):
        headers[NAME_HEADER.decode()] = encode_value(name).decode()
    return headers
