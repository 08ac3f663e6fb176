"""A provider that answers what was recorded, path by path, in its order."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from tests.peers.certificates import CertificateAuthority


@dataclass
class Recorded:
    """What is answered, and what was asked."""

    url: str = ""
    answers: dict[str, list[web.Response]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    """Form fields or, without a form, the headers that matter."""

    def says(self, path: str, *bodies: dict[str, Any], status: int = 200) -> None:
        """The next answers at this path, in JSON."""
        self.answers.setdefault(path, []).extend(
            web.Response(status=status, text=json.dumps(body), content_type="application/json")
            for body in bodies
        )

    async def answer(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        told = {
            name: request.headers[name] for name in ("authorization", "x-extra") if name in request.headers
        }
        self.asked.append({"to": f"{request.method} {request.path}"} | told | form)
        return self.answers[request.path].pop(0)


@asynccontextmanager
async def recorded(authority: CertificateAuthority | None = None) -> AsyncIterator[Recorded]:
    """One on a free port; with an authority, over https."""
    provider = Recorded()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", provider.answer)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    tls = None if authority is None else authority.server_context()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    provider.url = f"http{'' if tls is None else 's'}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield provider
    finally:
        await runner.cleanup()
