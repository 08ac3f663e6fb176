"""Who a verified token says is calling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ostiary.secrets import Secret


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose token was verified. Issuer and subject name it together; a subject alone does not."""

    issuer: str
    subject: str
    client_id: str | None
    """The OAuth client that acts for the subject (RFC 9068 section 2.2), else the authorized party `azp`."""
    scopes: frozenset[str]
    claims: Mapping[str, Any] = field(repr=False, hash=False)
    """All claims of the token, verified; read only."""
    expires_at: float
    """Seconds since the epoch."""
    token: Secret = field(repr=False, compare=False)
    """The token itself: it never travels on, but an exchange may present it as its subject."""
    identity: tuple[str, str, str | None] = field(init=False, repr=False, compare=False)
    """Whose doing it is: what is counted for each caller is counted for this."""

    worked_out: dict[Any, Any] = field(init=False, repr=False, compare=False, default_factory=dict)
    """What others worked out of it, each under its own key, and have for as long as it is known."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "identity", (self.issuer, self.subject, self.client_id))
