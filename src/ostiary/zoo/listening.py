"""Where the zoo listens: at home on this machine alone, on Cloud Run where the platform wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.settings import Listen
from ostiary.transport.event_loop import until_told_to_end
from ostiary.transport.same_origin import SameOrigin, own_hosts
from ostiary.transport.serving import address_of, bind, serving
from ostiary.zoo.server import zoo_app

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp

DEFAULT_PORT = 8080


class BadPort(ValueError):
    """$PORT is not a port."""


def listen_address(environ: Mapping[str, str], *, host: str | None = None, port: int | None = None) -> Listen:
    """What was asked for, else what the platform's variables say, else 127.0.0.1:8080. Raises BadPort.

    $PORT is the port and $HOST the address. Cloud Run ($K_SERVICE) sets no $HOST and wants every
    address; the emulator sets one, so that nobody walks around its front end.
    """
    usual = "0.0.0.0" if "K_SERVICE" in environ else "127.0.0.1"  # noqa: S104 - Cloud Run's contract
    return Listen(host or environ.get("HOST", usual), _port(environ) if port is None else port)


async def serve(listen: Listen) -> None:
    """Serve the zoo at `/mcp` until cancelled. Raises SdkTooOld, PortTaken or ListenRefused."""
    app: ASGIApp = zoo_app(listen.host)  # which takes its time: whoever can connect is answered soon
    sock = bind(listen)
    if listen.is_loopback:  # elsewhere the platform's front end decides
        app = SameOrigin(app, own_hosts(address_of(sock)) or ())
    async with serving(app, sock):
        await until_told_to_end()


def _port(environ: Mapping[str, str]) -> int:
    text = environ.get("PORT", str(DEFAULT_PORT))
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise BadPort("$PORT is not a number from 0 to 65535: set it to the port the zoo should listen on")
    return int(text)
