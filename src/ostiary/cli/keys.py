"""`ostiary keys`: what the authorization server's tokens are signed with, and its store is sealed with."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostiary.cli import options
from ostiary.cli.failure import Failure

if TYPE_CHECKING:
    from pathlib import Path

    from ostiary.authserver.signing.signing_key import SigningKey
    from ostiary.authserver.signing.signing_keys import SigningKeys
    from ostiary.storage.resealing import Resealed

app = typer.Typer(
    help="What the authorization server's tokens are signed with, and its store is sealed with.",
    no_args_is_help=True,
)

PROGRESS_PAUSE = 1.0
"""Seconds between two lines that say how far it is."""

Kid = Annotated[str, typer.Argument(metavar="KID", help="The key's name, or how it begins.")]


@app.callback()
def keys() -> None:
    """What the authorization server's tokens are signed with, and its store is sealed with."""


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


@app.command()
def encryption(config: options.Config = None, as_json: options.AsJson = False) -> None:
    """List the keys that the store is sealed with, and how many rows need each."""
    from ostiary.cli.administration import done  # noqa: PLC0415

    _print(done(_surveyed(config)), as_json=as_json)


@app.command()
def reseal(config: options.Config = None, as_json: options.AsJson = False) -> None:
    """Seal all that is stored under the newest encryption key, while servers run."""
    from ostiary.cli.administration import done  # noqa: PLC0415
    from ostiary.cli.console import print_json, print_text  # noqa: PLC0415

    key, outcome = done(_resealed(config))
    left = outcome.unopened.total()
    if as_json:
        said = {"key": key, "sealed anew": outcome.rows, "not needed any more": outcome.retired, "left": left}
        print_json(said | {"rows left": outcome.told})
    else:
        rest = "All" if not left else "All the rest"
        print_text(f"{rest} is sealed under {key}; {_rows_of(outcome.rows)} sealed anew.")
        for gone in outcome.retired:
            print_text(f"Nothing needs {gone} any more: its line may go from the key file of every replica.")
    if left:
        raise Failure(_left(outcome))


async def _surveyed(config: Path | None) -> list[dict[str, Any]]:
    from ostiary.cli.administration import administering, moment  # noqa: PLC0415
    from ostiary.storage.keys_in_use import noted  # noqa: PLC0415
    from ostiary.storage.resealing import survey  # noqa: PLC0415

    async with administering(config) as server:
        known, since = server.store.keys.key_ids, await server.store.read(noted)
        rows = await survey(server.store)

    def state(key: str) -> str:
        if key not in known:
            return "missing" if key else "no seal"
        if key == known[0]:
            return "seals"
        return "needed" if key in since or rows[key] else "not needed"

    return [
        {"key": key, "state": state(key), "rows": rows[key], "since": moment(since.get(key))}
        for key in dict.fromkeys([*known, *since, *sorted(rows)])
    ]


async def _resealed(config: Path | None) -> tuple[str, Resealed]:
    from ostiary.authserver.audit_events import AuditEvent  # noqa: PLC0415
    from ostiary.cli.administration import administering  # noqa: PLC0415
    from ostiary.storage.resealing import reseal as seal_anew  # noqa: PLC0415

    async with administering(config) as server:
        key = server.store.keys.key_ids[0]
        outcome = await seal_anew(server.store, tell=_Progress().tell)
        retired = " ".join(outcome.retired)
        server.audit.write(AuditEvent.STORE_RESEALED, key=key, rows=outcome.rows, retired=retired)
    return key, outcome


class _Progress:
    """A line now and then, for whoever waits."""

    def __init__(self) -> None:
        self._next = 0.0

    def tell(self, rows: int, total: int) -> None:
        """rows: sealed anew by now; total: those that were not sealed under the newest key."""
        if total and (rows >= total or time.monotonic() >= self._next):
            self._next = time.monotonic() + PROGRESS_PAUSE
            print(f"{rows:,} of {_rows_of(total)} sealed anew", file=sys.stderr)  # noqa: T201


def _rows_of(number: int) -> str:
    return f"{number:,} row was" if number == 1 else f"{number:,} rows were"


def _left(outcome: Resealed) -> str:
    left = outcome.unopened.total()
    more = [f"and {left - len(outcome.told):,} more"] if left > len(outcome.told) else []
    begins = "1 row does not open, and was" if left == 1 else f"{left:,} rows do not open, and were"
    lines = [f"{begins} left:", *outcome.told, *more]
    advice = (
        "restore or delete those that were changed, or put the line of their key back; then run this again"
    )
    return "\n".join([*lines, advice])


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
        made = await known.rotate()
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
