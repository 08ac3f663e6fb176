"""What a grant gives: the answer of the token endpoint. RFC 6749 section 5.1, RFC 8693 section 2.2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ostiary.oauth.server.scope import write_scope
from ostiary.unseen import Unseen


class AccessTokenResponse(Unseen, frozen=True):
    """Tokens. They never show in a `repr`."""

    access_token: str
    expires_in: int
    scopes: tuple[str, ...] = ()
    token_type: str = "Bearer"  # noqa: S105 - a type's name
    """`DPoP` for one that is bound to a key (RFC 9449)."""
    refresh_token: str | None = None
    id_token: str | None = None
    issued_token_type: str | None = None
    """Of an exchange."""
    audit_fields: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """What the audit says of the access token."""

    def answer(self) -> dict[str, Any]:
        """The JSON object."""
        said = {
            "access_token": self.access_token,
            "token_type": self.token_type,
            "expires_in": self.expires_in,
            "scope": write_scope(self.scopes) if self.scopes else None,
            "refresh_token": self.refresh_token,
            "id_token": self.id_token,
            "issued_token_type": self.issued_token_type,
        }
        return {name: value for name, value in said.items() if value is not None}
