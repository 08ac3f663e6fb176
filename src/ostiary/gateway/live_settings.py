"""What of new settings a gateway takes over while it runs, and what wants another process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ostiary.gateway.config import GatewaySettings
    from ostiary.settings import Settings

_OF_THE_LISTENER = ("listen", "url", "tls", "trusted_proxies", "proxy_protocol", "drain_timeout")
_LIMITS_OF_THE_LISTENER = (
    *("body_bytes", "head_bytes", "header_count", "connections", "unproven_bytes", "caller_bytes"),
    *("address_connections", "memory_bytes", "remembered_tokens"),
    *("head_timeout", "body_timeout", "write_timeout", "idle_timeout"),
)


def taken_over(running: GatewaySettings, wanted: GatewaySettings) -> tuple[GatewaySettings, list[str]]:
    """What runs from now on, and the names of the settings that stay as they were until a restart."""
    listener = _as_they_were(_OF_THE_LISTENER, running, wanted)
    limits = _as_they_were(_LIMITS_OF_THE_LISTENER, running.limits, wanted.limits)
    runs = wanted.model_copy(update={**listener, "limits": wanted.limits.model_copy(update=limits)})
    return runs, [*(f"gateway.{name}" for name in listener), *(f"gateway.limits.{name}" for name in limits)]


def _as_they_were(names: Iterable[str], running: Settings, wanted: Settings) -> dict[str, Any]:
    return {name: getattr(running, name) for name in names if getattr(running, name) != getattr(wanted, name)}
