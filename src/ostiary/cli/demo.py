"""The demo: the zoo on a local Cloud Run that wants authentication, and the gateway in front of it.

    visitor ── its own ID token ────────▶ gateway ── the gateway's ID token ──▶ Cloud Run's front end ──▶ zoo
    alice   ── the authserver's token ──▶         ── alice's upstream token ──▶ account

The visitor may call the gateway and not the zoo; the gateway may call the zoo. No token passes the gateway.
Alice signs in at the authorization server (`demo_sign_in`), and has a token for the gateway alone. The second
server is given her own token of the provider at which she signed in, and says whose it is.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ostiary.cli.console import print_table, print_text
from ostiary.cli.demo_context import demo_directory, leave_context
from ostiary.cli.demo_sign_in import AUTHSERVER, PEOPLE, PROVIDER, signing_people_in
from ostiary.cloudrun.emulator import Emulator, EmulatorSettings
from ostiary.gateway import Gateway
from ostiary.gateway.config import GatewaySettings
from ostiary.settings import Listen
from ostiary.transport.event_loop import until_told_to_end
from ostiary.transport.listeners import answering
from ostiary.transport.same_origin import SameOrigin, own_hosts
from ostiary.transport.serving import address_of, bind_next_free, serving
from ostiary.zoo.server import require_modern_sdk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp

    from ostiary.cli.demo_sign_in import DemoSignIn

GOOGLE = Listen("127.0.0.1", 8085)
CLOUD_RUN = Listen("127.0.0.1", 8087)
ACCOUNT = Listen("127.0.0.1", 8088)
GATEWAY = Listen("127.0.0.1", 8080)
PROJECT = "demo-project"
CALL = "zoo_get_animals_by_species species=penguin"
WHOAMI = "account_whoami"


async def demo() -> None:
    """Run the demo until cancelled; tell what stands where, and what to paste. Raises SdkTooOld."""
    require_modern_sdk()
    from ostiary.zoo.account import account_app  # noqa: PLC0415 - not in mcp 1.x

    with demo_directory() as directory:
        key_file = directory / "visitor.json"
        sock = bind_next_free(GATEWAY)
        async with (
            Emulator(local_google(key_file), bind=bind_next_free) as google,
            signing_people_in(
                directory, gateway=f"http://{address_of(sock)}/mcp", account="account"
            ) as sign_in,
            account_server(account_app(sign_in.userinfo)) as account,
        ):
            os.environ.update(google.environment())  # google-auth reads them when it is first imported
            settings = gateway_settings(google, sign_in, account, listen=address_of(sock))
            async with Gateway(settings) as gateway, answering(gateway.listeners(), {"gateway.listen": sock}):
                origin = str(settings.public_url)
                visitor = {"type": "google_id_token", "key_file": str(key_file), "audience": origin}
                paths = ("/mcp", "/servers/zoo/mcp")
                leave_context(directory, {origin + path: visitor for path in paths})
                _tell(google, sign_in, account, origin)
                await until_told_to_end()


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


@contextlib.asynccontextmanager
async def account_server(app: ASGIApp) -> AsyncIterator[str]:
    """Run the second server while the block does; gives its origin."""
    sock = bind_next_free(ACCOUNT)
    listen = address_of(sock)
    async with serving(SameOrigin(app, own_hosts(listen) or ()), sock):
        yield f"http://{listen}"


def gateway_settings(
    google: Emulator, sign_in: DemoSignIn, account: str, *, listen: Listen
) -> GatewaySettings:
    """The gateway, open to the visitor and to whoever signs in, with a credential for each server.

    Its own for the zoo; for the second, the caller's.
    """
    return GatewaySettings.model_validate(
        {
            "listen": listen,
            "inbound": [
                {
                    "type": "google_id_token",
                    "audience": f"http://{listen}",
                    "jwks_url": google.jwks_url,
                    "allow": [{"email": _email("visitor")}],
                },
                {"issuer": sign_in.issuer},
            ],
            "certificates": sign_in.certificates,
            "servers": {
                "zoo": {
                    "url": f"{google.service_url('zoo')}/mcp",
                    "credential": {"type": "google_id_token"},
                },
                "account": {
                    "url": f"{account}/mcp",
                    "credential": {
                        "type": "upstream_token",
                        "provider": PROVIDER,
                        "token_url": sign_in.internal,
                        "private_network": True,
                    },
                },
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


class _Stands(NamedTuple):
    who: str
    origin: str
    path: str
    wanted: Listen
    does: str


def _tell(google: Emulator, sign_in: DemoSignIn, account: str, gateway: str) -> None:
    stands = (
        _Stands("gateway", gateway, "/mcp", GATEWAY, "checks callers, has its own token"),
        _Stands("zoo", google.service_url("zoo"), "", CLOUD_RUN, "lets in the gateway alone"),
        _Stands("account", account, "", ACCOUNT, "gets your own token, says whose it is"),
        _Stands("local Google", google.google_url, "", GOOGLE, "gives the gateway and you tokens"),
        _Stands("authserver", sign_in.issuer, "", AUTHSERVER, "signs people in for the gateway"),
        _Stands("alice and bob", sign_in.people, "", PEOPLE, "do not exist, and sign in there"),
    )
    print_text("The secured zoo stands.")
    print_table(
        [{"who": one.who, "where": one.origin + one.path, "what it does": one.does} for one in stands]
    )
    for one in stands:
        if one.origin != f"http://{one.wanted}":
            the, verb = ("", "are") if " and " in one.who else ("the ", "is")
            where = f"{one.origin}{one.path}"
            print_text(f"Port {one.wanted.port} was taken, so {the}{one.who} {verb} at {where}.")
    ostiary, url = command_name(), f"{gateway}/mcp"
    call = f"{ostiary} call {url} {CALL}"
    print_text(f"\nIn a second terminal, call a tool as the visitor:\n\n  {call}")
    print_text(f"\nSee what happens without a token:\n\n  {call} --no-credential")
    print_text("\nAnd sign in as alice in your browser, then call as her:")
    print_text(f"\n  {ostiary} login {url}\n  {call} --credential oauth_user")
    print_text(f"  {ostiary} call {url} {WHOAMI} --credential oauth_user")
    print_text("\nCtrl-C stops everything.")
    sys.stdout.flush()
