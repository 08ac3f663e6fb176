"""Everything that was seen when a server was asked; nothing of it is judged here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ostiary.diagnosis.server_answer import ResourceMetadata, ServerAnswer
    from ostiary.diagnosis.wanted_credential import WantedCredential
    from ostiary.mcp.missing_servers import MissingServer
    from ostiary.oauth.canonical_url import CanonicalUrl
    from ostiary.oauth.inspection.token_explanation import Explanation
    from ostiary.transport.trust import Distrust


class Unreachable(StrEnum):
    """Where the way to the server ends."""

    PROXY = "the proxy does not lead there"
    NAME = "its name does not resolve"
    CONNECTION = "nothing takes the connection"
    CERTIFICATE = "its certificate is not trusted"
    TLS = "TLS fails"
    SILENCE = "no answer"


@dataclass(frozen=True, slots=True)
class Dead:
    """The way ended here; `detail` has the system's own words."""

    end: Unreachable
    detail: str
    distrust: Distrust | None = None
    """What is wrong with its certificate."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The credential as it was sent. The token itself is not kept."""

    headers: tuple[str, ...]
    """Names in lower case."""
    fetched: bool
    """Whether the token was issued just now, so that its `iat` shows the issuer's clock."""
    at: float
    """When, by our clock."""
    token: Explanation | None = None

    @property
    def carries_a_bearer_token(self) -> bool:
        """Whether it is where servers look for bearer tokens."""
        return not {"authorization", "x-serverless-authorization"}.isdisjoint(self.headers)


@dataclass(frozen=True, slots=True)
class NoToken:
    """The credential could not be had, and why."""

    problem: str
    fix: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one server and one credential."""

    url: CanonicalUrl
    credential: str
    """Its type."""
    wanted: WantedCredential
    chosen_by_us: bool = False
    """Whether nobody named the credential, and it was tried because the server seems to want it."""
    dead: Dead | None = None
    probe: ServerAnswer | None = None
    """The answer without a credential."""
    metadata: ResourceMetadata | None = None
    no_token: NoToken | None = None
    sent: Sent | None = None
    call: ServerAnswer | None = None
    """The answer with the credential; that without one, when there is none to send."""
    proxy: str | None = None
    """The proxy by which it was asked, and who names it."""
    mcp_is_at: CanonicalUrl | None = None
    """Where an MCP server answers, when it is not here."""
    missing: tuple[MissingServer, ...] = ()
    """The servers that a gateway leaves out."""

    @property
    def works(self) -> bool:
        """Whether the call works."""
        return self.call is not None and self.call.works
