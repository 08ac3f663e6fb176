"""`ostiary keys`: what the authorization server's tokens are signed with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostiary.cli import options
from ostiary.cli.failure import Failure

if TYPE_CHECKING:
    from pathlib import Path

    from ostiary.authserver.signing.keys import SigningKey
    from ostiary.authserver.signing.signing_keys import SigningKeys

app = typer.Typer(help="What the authorization server's tokens are signed with.", no_args_is_help=True)

Kid = Annotated[str, typer.Argument(metavar="KID", help="The key's name, or how it begins.")]


@app.callback()
def keys() -> None:
    """What the authorization server's tokens are signed with."""


@app.command("list")
def list_keys(config: options.Config = None, as_json: options.AsJson = False) -> None:
    """List the keys: the next one, the one that signs, those that still verify."""
    from ostiary.cli.administration import done  # noqa: PLC0415

    _print(done(_listed(config)), as_json=as_json)


@app.command()
def rotate(config: options.Config = None, as_json: options.AsJson = False) -> None:
    """Make the next key now. It signs when everybody has had time to see it."""
    from ostiary.cli.administration import done  # noqa: PLC0415

    _print(done(_rotated(config)), as_json=as_json)


@app.command()
def retire(kid: Kid, config: options.Config = None, as_json: options.AsJson = False) -> None:
    """Withdraw a key that others may know: whatever it signed is refused from now on."""
    from ostiary.cli.administration import done  # noqa: PLC0415

    _print(done(_retired(config, kid)), as_json=as_json)


async def _listed(config: Path | None) -> list[dict[str, Any]]:
    from ostiary.cli.administration import administering  # noqa: PLC0415

    async with administering(config) as server:
        known = server.signing_keys()
        await known.read()
        return _rows(known)


async def _rotated(config: Path | None) -> list[dict[str, Any]]:
    from ostiary.authserver.audit_events import AuditEvent  # noqa: PLC0415
    from ostiary.cli.administration import administering, moment  # noqa: PLC0415
    from ostiary.oauth.server.signing_schedule import KeyState  # noqa: PLC0415

    async with administering(config) as server:
        known = server.signing_keys()
        await known.read()
        for key in known.all():
            if known.state(key) is KeyState.NEXT:
                raise Failure(
                    f"the next key {key.kid} is made already, and signs from {moment(key.times.active_at)}"
                )
        made = await known.make_next()
        if made is not None:
            server.audit.write(AuditEvent.KEY_MADE, kid=made)
        return _rows(known)


async def _retired(config: Path | None, kid: str) -> list[dict[str, Any]]:
    from ostiary.authserver.audit_events import AuditEvent  # noqa: PLC0415
    from ostiary.cli.administration import administering  # noqa: PLC0415

    async with administering(config) as server:
        known = server.signing_keys()
        await known.read()
        before = known.all()
        key = _named(kid, [key for key in before if key.times.retires_at is None])
        await known.retire(key.kid)
        server.audit.write(AuditEvent.KEY_RETIRED, kid=key.kid)
        for made in known.all()[len(before) :]:
            server.audit.write(AuditEvent.KEY_MADE, kid=made.kid)
        return _rows(known)


def _named(kid: str, known: list[SigningKey]) -> SigningKey:
    found = [key for key in known if key.kid.startswith(kid)]
    if len(found) != 1:
        raise Failure(
            f"{'no key begins' if not found else 'several keys begin'} with {kid}; "
            "`ostiary keys list` shows them"
        )
    return found[0]


def _rows(known: SigningKeys) -> list[dict[str, Any]]:
    from ostiary.cli.administration import moment  # noqa: PLC0415

    return [
        {
            "kid": key.kid,
            "state": str(known.state(key)),
            "algorithm": key.algorithm,
            "published": moment(key.times.published_at),
            "signs from": moment(key.times.active_at),
            "withdrawn": moment(key.times.retires_at),
        }
        for key in known.all()
    ]


def _print(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    from ostiary.cli.console import print_json, print_table, print_text  # noqa: PLC0415

    if as_json:
        print_json(rows)
    elif rows:
        print_table(rows)
    else:
        print_text("There is no key yet; the server makes one when it starts.")
