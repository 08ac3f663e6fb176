"""The parameters of a request: read once, or refused. RFC 6749 sections 3.1 and 3.2.

A query string and a form body are read alike. Parsers disagree about a name that stands twice, about broken
percent-encoding and about text that is not UTF-8; attackers live in the difference, so all of it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from ostiary.oauth.errors import InvalidRequest
from ostiary.oauth.server.form_encoding import form_decoded, is_broken
from ostiary.unseen import Unseen

MAX_PARAMETERS = 100
REPEATABLE = frozenset({"resource", "audience"})
"""What may stand more than once (RFC 8707 section 2, RFC 8693 section 2.1)."""

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Parameters(Unseen, frozen=True):
    """What a request says. A value may be secret, so a `repr` has the names alone."""

    values: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    """Each name with its values, none of them empty."""

    def get(self, name: str) -> str | None:
        """The value, None when there is none. Raises InvalidRequest when there are several."""
        values = self.all(name)
        if len(values) > 1:
            raise InvalidRequest(f"the parameter {name} stands more than once")
        return values[0] if values else None

    def require(self, name: str) -> str:
        """The value. Raises InvalidRequest when there is none."""
        value = self.get(name)
        if value is None:
            raise InvalidRequest(f"the parameter {name} is missing")
        return value

    def all(self, name: str) -> tuple[str, ...]:
        """All values, in their order."""
        return self.values.get(name, ())

    def with_(self, **more: str | None) -> Parameters:
        """The same with other values; None takes a parameter away."""
        said = {name: (value,) for name, value in more.items() if value}
        kept = {name: values for name, values in self.values.items() if name not in more}
        return Parameters(kept | said)

    def encoded(self) -> bytes:
        """In the form that `read_parameters` reads: to be kept, as a pushed request is (RFC 9126)."""
        return urlencode(self.values, doseq=True).encode("ascii")

    def __contains__(self, name: object) -> bool:
        return name in self.values

    def __repr__(self) -> str:
        return f"Parameters({', '.join(self.values)})"


def read_parameters(encoded: bytes) -> Parameters:
    """Read a query string or a form body (application/x-www-form-urlencoded).

    A parameter without a value counts as omitted (RFC 6749 section 3.1). Raises InvalidRequest.
    """
    if encoded.count(b"&") >= MAX_PARAMETERS:
        raise InvalidRequest(f"the request has more than {MAX_PARAMETERS} parameters")
    if is_broken(encoded):
        raise InvalidRequest("the request has a percent sign that encodes nothing")
    if b"\0" in encoded or b"%00" in encoded:
        raise InvalidRequest("the request has a NUL character")
    try:
        return Parameters(_read(encoded))
    except UnicodeDecodeError:
        raise InvalidRequest("the request is not in UTF-8") from None


def _read(encoded: bytes) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for pair in filter(None, encoded.split(b"&")):
        left, _, right = pair.partition(b"=")
        if b"%" in pair or b"+" in pair:
            name, value = form_decoded(left), form_decoded(right)
        else:
            name, value = left.decode(), right.decode()
        before = found.get(name)
        if before is None:
            found[name] = (value,) if value else ()
        elif name not in REPEATABLE:
            raise InvalidRequest(f"{_shown(name)} stands more than once")
        elif value:
            found[name] = (*before, value)
    return {name: values for name, values in found.items() if values}


def _shown(name: str) -> str:
    return f"the parameter {name}" if _PLAIN_NAME.fullmatch(name) else "a parameter"
