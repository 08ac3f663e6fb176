"""The broker: many MCP servers behind one guarded endpoint.

From the listener down, a floor a line; a room knows those below it alone:

    state_metrics         gauges for Prometheus
    merged_status         the same of several processes as one
    status                how it stands with its servers, for operators
    gateway               puts it together on a listener
    one_server            the same without one, for a client in this process
    plan                  what is made of the settings: doors, documents, servers
    endpoint              one door: a call from its bytes to its answer, as seven lines
    metadata_application  what browsers and OAuth clients read: metadata, and plain refusals
    sessions              clients of MCP 2025-11-25 and before, and what they say as modern calls
    inbound               callers: whose call it is, and what it says
    catalog               names, lists, and where a call goes
    handover              a request that another worker answers
    upstreams             the servers: credentials, connections, health
    policy                who may do what: Cedar policies, and what they decide
    error_response        whatever went wrong → a typed answer
    record                what operators read
    observation           what they see of calls: counts, audit, traces
    rate_limits           how often each caller has asked
    live_settings         what of new settings a running gateway takes over
    call                  what is asked, and who asks
    seals                 what callers carry for us
    rate_settings         how often callers may ask, in the settings
    homes                 which of several workers has what is in memory
    errors                what can go wrong between us and a server
    config                the `gateway:` part of ostiary.yaml
    overrides             what it says of single tools, prompts and resources; and virtual servers

Who is calling is settled by `identity`, what is sent by `credentials`, what MCP means by `mcp`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ostiary.gateway.config import GatewaySettings, ServerSettings

if TYPE_CHECKING:
    from ostiary.gateway.gateway import Gateway

__all__ = ["Gateway", "GatewaySettings", "ServerSettings"]


def __getattr__(name: str) -> Any:
    """Every command reads ostiary.yaml and so imports our settings; few run a gateway."""
    if name == "Gateway":
        from ostiary.gateway.gateway import Gateway  # noqa: PLC0415

        return Gateway
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
