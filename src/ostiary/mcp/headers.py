"""What HTTP headers say must be what the body says (MCP 2026-07-28, streamable HTTP transport).

Proxies and policies read headers, servers read bodies: a request whose two halves differ would mean
one thing to the guard and another to the guarded.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Mapping

from ostiary.mcp.errors import HeaderMismatch
from ostiary.mcp.messages import Message, read_name

VERSION_HEADER = b"mcp-protocol-version"
METHOD_HEADER = b"mcp-method"
NAME_HEADER = b"mcp-name"
PARAMETER_HEADERS = b"mcp-param-"
ROUTING_HEADERS = frozenset({VERSION_HEADER, METHOD_HEADER, NAME_HEADER})

_ENCODED = re.compile(r"=\?base64\?(.*)\?=")
_SAFE = re.compile(r"[\x20-\x7e]*")


def require_agreement(
    message: Message, headers: Mapping[bytes, bytes], repeated: Collection[bytes] = ()
) -> None:
    """Raise HeaderMismatch unless the routing headers are there, once, and say what the body says.

    headers: lower-case names; repeated: the names that came more than once.
    """
    if repeated and not ROUTING_HEADERS.isdisjoint(repeated):
        raise HeaderMismatch("Mcp-Method, Mcp-Name and MCP-Protocol-Version may be sent only once")
    if headers.get(METHOD_HEADER) != message.method:
        raise HeaderMismatch("the Mcp-Method header is not the method in the body")
    if headers.get(VERSION_HEADER) != message.meta.version_header:
        raise HeaderMismatch("the MCP-Protocol-Version header is not the version in the body's _meta")
    if message.name is not None and not _says(headers.get(NAME_HEADER), message.name):
        raise HeaderMismatch("the Mcp-Name header is not the name in the body")


def refuse_lies(message: Message, headers: Mapping[bytes, bytes], repeated: Collection[bytes] = ()) -> None:
    """Raise HeaderMismatch for a routing header that is there and says something else than the body.

    For what is not yet known to be of this revision: clients of earlier ones need not send them all.
    """
    own = {METHOD_HEADER: message.method, VERSION_HEADER: message.meta.version_header}
    if message.name is not None:
        own[NAME_HEADER] = encode_value(read_name(message.name))
    sent = {**own, **headers}
    if message.meta.version is None:  # the body has no version that a header could contradict
        sent[VERSION_HEADER] = message.meta.version_header
    require_agreement(message, sent, repeated)


def encode_value(value: str) -> bytes:
    """A header value for any string: as it is where HTTP carries it unchanged, else `=?base64?...?=`."""
    plain = _SAFE.fullmatch(value) and value == value.strip() and not _ENCODED.fullmatch(value)
    return value.encode() if plain else b"=?base64?%s?=" % base64.b64encode(value.encode())


def decode_value(value: bytes | None) -> str | None:
    """The string that a header value means; None for none, and for an encoding that is not canonical."""
    if value is None or not value.isascii():
        return None
    text = value.decode()
    match = _ENCODED.fullmatch(text)
    if match is None:
        return text
    try:
        decoded = base64.b64decode(match[1], validate=True)
        if base64.b64encode(decoded).decode() != match[1]:
            return None
        return decoded.decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _says(value: bytes | None, raw_name: bytes) -> bool:
    if value is None:
        return False
    if b'"%s"' % value == raw_name and not value.startswith(b"=?") and value.find(b"\\") < 0:
        return True
    return decode_value(value) == read_name(raw_name)
