"""Is a request meant for us? Web pages of others send some to whatever listens on this machine.

By DNS rebinding a page calls us by its own name, so a `Host` has to be a name of ours. Any page may post here
without asking, so what a browser sends for a page of another origin is refused: it says so in `Origin` and
`Sec-Fetch-Site`, which no script can set (W3C Fetch Metadata). Programs send neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ostiary.settings import Listen

_ELSEWHERE = frozenset({b"cross-site", b"same-site"})
_DEFAULT_PORTS = frozenset({80, 443})
_PORT = re.compile(r":[0-9]+$")


def own_hosts(bound: Listen, *authorities: str) -> frozenset[str] | None:
    """The `Host` values that are ours; None takes any, where nobody knows what others call us.

    authorities: how clients reach it, lower case, with a port that is not the scheme's; some write that, too.
    """
    written_out = {
        f"{name}:{port}" for name in authorities for port in _DEFAULT_PORTS if not _PORT.search(name)
    }
    authorities = (*authorities, *written_out)
    if not bound.is_loopback:
        return frozenset(authorities) or None
    at_home = {str(bound), f"localhost:{bound.port}"}
    if bound.port in _DEFAULT_PORTS:
        at_home |= {name.rpartition(":")[0] for name in at_home}
    return frozenset(at_home.union(authorities))


class SameOrigin:
    """An app that answers programs, and pages of its own. hosts: what it is called, over plain HTTP."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._origins = frozenset(f"http://{host}".encode() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or not self._is_of_another_page(scope["method"], dict(scope["headers"])):
            await self._app(scope, receive, send)
            return
        refusal = PlainTextResponse("pages of other origins may not call this\n", 403)
        await refusal(scope, receive, send)

    def _is_of_another_page(self, method: str, headers: dict[bytes, bytes]) -> bool:
        origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site")
        if origin == b"null":  # a form of our own, which tells nobody where it was
            return site != b"same-origin"
        if origin is not None and origin not in self._origins:
            return True
        return site in _ELSEWHERE and not _is_a_link(method, headers)


def _is_a_link(method: str, headers: dict[bytes, bytes]) -> bool:
    """A person goes there, and sees it alone."""
    return (
        method == "GET"
        and headers.get(b"sec-fetch-mode") == b"navigate"
        and (headers.get(b"sec-fetch-dest") == b"document")
    )
