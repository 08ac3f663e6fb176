"""The demo: the zoo on a local Cloud Run that wants authentication, and the gateway in front of it.

    visitor ── its own ID token ──▶ gateway ── the gateway's ID token ──▶ Cloud Run's front end ──▶ zoo

The visitor may call the gateway and not the zoo; the gateway may call the zoo. No token passes the gateway.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ostiary.cli.console import print_table, print_text
from ostiary.cli.demo_context import demo_directory, leave_context
from ostiary.cloudrun.emulator import Emulator, EmulatorSettings
from ostiary.gateway import Gateway
from ostiary.gateway.config import GatewaySettings
from ostiary.settings import Listen
from ostiary.transport.serving import address_of, bind_next_free

if TYPE_CHECKING:
    import socket

GOOGLE = Listen("127.0.0.1", 8085)
CLOUD_RUN = Listen("127.0.0.1", 8087)
GATEWAY = Listen("127.0.0.1", 8080)
PROJECT = "demo-project"
CALL = ("zoo_get_animals_by_species", "species=penguin")


async def demo() -> None:
    """Run the demo until cancelled; tell what stands where, and what to paste."""
    with demo_directory() as directory:
        key_file = directory / "visitor.json"
        async with Emulator(local_google(key_file), bind=bind_next_free) as google:
            os.environ.update(google.environment())  # google-auth reads them when it is first imported
            sock = bind_next_free(GATEWAY)
            settings = gateway_settings(google, address_of(sock))
            async with Gateway(settings) as gateway, gateway.listening(sock):
                origin = str(settings.public_url)
                visitor = {"type": "google_id_token", "key_file": str(key_file), "audience": origin}
                paths = ("/mcp", "/servers/zoo/mcp")
                leave_context(directory, {origin + path: visitor for path in paths})
                _tell(google, sock)
                await asyncio.get_running_loop().create_future()


def local_google(key_file: Path) -> EmulatorSettings:
    """Google, with the zoo as a Cloud Run service that the gateway alone may call."""
    return EmulatorSettings.model_validate(
        {
            "listen": GOOGLE,
            "project": PROJECT,
            "metadata": {"service_account": "gateway"},
            "service_accounts": {"gateway": {}, "visitor": {"key_file": key_file}},
            "services": {
                "zoo": {
                    "command": [sys.executable, "-m", "ostiary", "zoo"],
                    "listen": CLOUD_RUN,
                    "invokers": [f"serviceAccount:{_email('gateway')}"],
                }
            },
        }
    )


def gateway_settings(google: Emulator, listen: Listen) -> GatewaySettings:
    """The gateway, open to the visitor, with its own credential for the zoo."""
    return GatewaySettings.model_validate(
        {
            "listen": listen,
            "inbound": [
                {
                    "type": "google_id_token",
                    "audience": f"http://{listen}",
                    "jwks_url": google.jwks_url,
                    "allow": [{"email": _email("visitor")}],
                }
            ],
            "servers": {
                "zoo": {
                    "url": f"{google.service_url('zoo')}/mcp",
                    "credential": {"type": "google_id_token"},
                }
            },
        }
    )


def command_name() -> str:
    """How a person at this prompt calls us: `ostiary` where that is us, else the path to it."""
    ours = Path(sys.executable).parent / "ostiary"
    found = shutil.which("ostiary")
    if found is not None and Path(found).absolute() == ours.absolute():
        return "ostiary"
    if not ours.exists():
        return f"{shlex.quote(sys.executable)} -m ostiary"
    try:
        return shlex.quote(str(ours.absolute().relative_to(Path.cwd())))
    except ValueError:
        return shlex.quote(str(ours))


def _email(account: str) -> str:
    return f"{account}@{PROJECT}.iam.gserviceaccount.com"


def _tell(google: Emulator, sock: socket.socket) -> None:
    gateway = address_of(sock)
    stands = (
        ("gateway", f"http://{gateway}", "/mcp", GATEWAY, "checks callers, has its own token"),
        ("zoo", google.service_url("zoo"), "", CLOUD_RUN, "lets in the gateway alone"),
        ("local Google", google.google_url, "", GOOGLE, "gives the gateway and you tokens"),
    )
    print_text("The secured zoo stands.")
    print_table(
        [{"who": who, "where": origin + path, "what it does": does} for who, origin, path, _, does in stands]
    )
    for who, origin, path, wanted, _ in stands:
        if origin != f"http://{wanted}":
            print_text(f"Port {wanted.port} was taken, so the {who} is at {origin}{path}.")
    call = f"{command_name()} call http://{gateway}/mcp {' '.join(CALL)}"
    print_text(f"\nIn a second terminal, call a tool as the visitor:\n\n  {call}")
    print_text(f"\nAnd see what happens without a token:\n\n  {call} --no-credential")
    print_text("\nCtrl-C stops everything.")
    sys.stdout.flush()
