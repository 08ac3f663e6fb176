"""Where a token answer has what. RFC 6749 section 5.1, and those who deviate, such as Slack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class TokenMapping:
    """Dotted paths into an answer; by default, as the RFC has them."""

    access_token: str = "access_token"  # noqa: S105 - a name, as the next ones
    refresh_token: str = "refresh_token"  # noqa: S105
    id_token: str = "id_token"  # noqa: S105
    expires_in: str = "expires_in"
    scope: str = "scope"
    scope_separator: Literal[" ", ","] = " "
    token_type_lenient: bool = False
    """Whether any `token_type` is taken for Bearer."""


AS_THE_RFC_HAS_IT = TokenMapping()
