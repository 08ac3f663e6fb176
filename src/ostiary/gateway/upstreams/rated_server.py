"""A server that callers may ask so often and no more, and single tools of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ostiary.gateway.rate_limits import RateLimits
from ostiary.gateway.upstreams.server import Server, Special
from ostiary.mcp.messages import Change, read_name

if TYPE_CHECKING:
    from ostiary.gateway.call import Call
    from ostiary.gateway.rate_settings import ServerRateSettings
    from ostiary.transport.upstream import UpstreamAnswer


class RatedServer(Server):
    """Counts whatever goes to it on behalf of callers: calls, and what lists ask."""

    def __init__(
        self,
        name: str,
        *arguments: Any,
        rates: ServerRateSettings,
        clock: Callable[[], float],
        **options: Any,
    ) -> None:
        super().__init__(name, *arguments, **options)
        place = f"gateway.servers.{name}.rates"
        self._of_all = RateLimits.of(rates, place, clock)
        self._of_tools: Mapping[str, RateLimits] = {
            tool: self._of_all.with_those(RateLimits.of(said, f"{place}.tools.{tool}", clock))
            for tool, said in rates.tools.items()
        }

    async def forward(
        self,
        call: Call,
        change: Change | None,
        name_line: bytes,
        most_bytes: int | None = None,
        special: Special | None = None,
    ) -> tuple[UpstreamAnswer, bytes]:
        """As of every Server. Raises TooOften, too."""
        limits = self._of_all
        if self._of_tools and call.message.method == b"tools/call":
            raw = call.message.name if change is None else change[1]
            limits = self._of_tools.get(read_name(bytes(raw or b'""')), limits)
        limits.take(call)
        return await super().forward(call, change, name_line, most_bytes, special)
