"""How often callers may ask, in ostiary.yaml."""

from __future__ import annotations

from ostiary.settings import RateField, Settings


class RateSettings(Settings):
    """How often somebody may ask, lists included; who asks more often is told 429, and when to come again. It
    is counted in each process."""

    principal: RateField | None = None
    """How often one caller may: whom a token names, by any client; without tokens, a network address."""
    client: RateField | None = None
    """How often one client may, on whosever behalf; without tokens, a network address."""
    everybody: RateField | None = None
    """How often all of them together may."""


class ServerRateSettings(RateSettings):
    """How often somebody may ask one server, each message that goes to it counted."""

    tools: dict[str, RateSettings] = {}
    """The same for single tools, by their server's own names."""
