"""A fixed header, such as an API key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator

from ostiary.credentials.headers.static import StaticHeaders
from ostiary.settings import SecretField, Settings

if TYPE_CHECKING:
    from ostiary.credentials.runtime import Runtime
    from ostiary.oauth.canonical_url import CanonicalUrl

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_NOT_OURS_TO_SET = re.compile(
    r"host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|content-.*|mcp-.*|accept.*",
    re.IGNORECASE,
)


def _may_carry_a_credential(name: str) -> str:
    if _TOKEN.fullmatch(name) is None:
        raise ValueError(f"{name!r} is not a header name")
    if _NOT_OURS_TO_SET.fullmatch(name):
        raise ValueError(f"{name} belongs to the message itself and cannot carry a credential")
    return name


class Header(Settings):
    """Send one header with a fixed value."""

    type: Literal["header"] = "header"
    """The kind of credential."""
    name: Annotated[str, AfterValidator(_may_carry_a_credential)]
    """The header's name, such as X-Api-Key."""
    value: SecretField
    """The header's whole value."""

    def attach(self, server_url: CanonicalUrl, *, runtime: Runtime) -> StaticHeaders:
        """What a server at this URL is sent."""
        return StaticHeaders(self.type, self.name, self.value, endpoint=server_url.origin)
