"""A gateway in this process, for whoever needs no more of it than its origin."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ostiary.gateway import Gateway, GatewaySettings
from ostiary.settings import Listen
from ostiary.transport.listeners import answering
from ostiary.transport.serving import address_of, bind


@asynccontextmanager
async def running_gateway(servers: dict[str, Any], **settings: Any) -> AsyncIterator[str]:
    """In front of these servers, and open to everybody on this machine; its origin."""
    sock = bind(Listen("127.0.0.1", 0))
    listen = str(address_of(sock))
    gateway = Gateway(
        GatewaySettings.model_validate(
            {"listen": listen, "allow_unauthenticated": True, "servers": servers, **settings}
        )
    )
    async with gateway, answering(gateway.listeners(), {"gateway.listen": sock}):
        yield f"http://{listen}"
