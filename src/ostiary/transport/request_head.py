"""What the head of a request must be: within bounds, ending in one place, meant for us. RFC 9112 3 and 6."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus

_ABSOLUTE = re.compile(
    rb"https?://((?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?)((?:[/?].*)?)",
    re.IGNORECASE | re.DOTALL,
)
Field = tuple[bytes, bytes]
ONCE = (b"host", b"content-length", b"transfer-encoding", b"authorization", b"content-type")
"""What nobody may say twice."""
OPTIONAL_WHITESPACE = b" \t"
"""Around a value it is no part of it (RFC 9110 section 5.5); the parser takes away what stands before."""


class RequestRefused(Exception):
    """A request that is answered without being read further, and after which the connection closes."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def check_size(url: bytes, fields: Sequence[Field], *, most_bytes: int, most_fields: int) -> None:
    """Raise Refused for more of a head than is taken."""
    if len(fields) > most_fields:
        reason = f"the request has more than {most_fields} headers"
        raise RequestRefused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, reason)
    if len(url) + sum(len(name) + len(value) + 4 for name, value in fields) > most_bytes:
        raise too_long_head(most_bytes)


def check_repeated(fields: Sequence[Field]) -> None:
    """Raise Refused where something is said twice that decides."""
    names = [name for name, _ in fields]
    for name in ONCE:
        if names.count(name) > 1:
            raise RequestRefused(
                HTTPStatus.BAD_REQUEST, f"the request has more than one {name.decode()} header"
            )


def check_coding(coding: bytes, version: str, *, has_length: bool) -> None:
    """Raise Refused unless Transfer-Encoding alone says where the body ends (RFC 9112 section 6.3)."""
    if has_length:
        raise RequestRefused(
            HTTPStatus.BAD_REQUEST, "the request has both Content-Length and Transfer-Encoding"
        )
    if coding.lower() != b"chunked":
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "the only Transfer-Encoding taken is chunked")
    if version == "1.0":  # who passed it on may not have read it (RFC 9112 6.1)
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "HTTP/1.0 has no Transfer-Encoding")


def check_expectation(headers: dict[bytes, bytes], version: str) -> None:
    """Raise Refused for one that is not met; HTTP/1.0 has none (RFC 9110 section 10.1.1)."""
    if version == "1.0":
        del headers[b"expect"]
    elif headers[b"expect"].lower() != b"100-continue":
        raise RequestRefused(
            HTTPStatus.EXPECTATION_FAILED, "the only expectation that is met is 100-continue"
        )


def split_absolute_form(target: bytes) -> tuple[bytes, bytes] | None:
    """(authority in lower case, path and query) of a whole URL; None for what is none (RFC 9112 3.2.2)."""
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        return None
    authority, origin_form = match.groups()
    return authority.lower(), origin_form if origin_form.startswith(b"/") else b"/" + origin_form


def too_long_head(limit: int) -> RequestRefused:
    """limit: bytes."""
    return RequestRefused(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"the request head is longer than {limit} bytes"
    )


def too_long_body(limit: int) -> RequestRefused:
    """limit: bytes."""
    return RequestRefused(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the request body is longer than {limit} bytes"
    )


def foreign_host() -> RequestRefused:
    """Of DNS rebinding, among others."""
    return RequestRefused(HTTPStatus.BAD_REQUEST, "the request names no Host, or another one")
