"""`ostiary sessions`: what clients may do for people now, and the end of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostiary.cli import options
from ostiary.cli.failure import BadUsage, Failure

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from ostiary.authserver.sessions.ending import EndedSession
    from ostiary.authserver.sessions.listing import ListedSession
    from ostiary.storage.store import Store

app = typer.Typer(help="What clients may do for people now, and the end of it.", no_args_is_help=True)

SHORT = 12
"""Characters of a session's name in the table; `revoke` takes them."""
AT_ONCE = 500
"""Sessions that end in one transaction."""
ClientOption = Annotated[
    str | None, typer.Option("--client", metavar="ID", help="Those of this client alone.")
]
Person = Annotated[str | None, typer.Option("--person", metavar="ID", help="Those of this person alone.")]


@app.callback()
def sessions() -> None:
    """What clients may do for people now, and the end of it."""


@app.command("list")
def list_sessions(
    config: options.Config = None,
    client: ClientOption = None,
    person: Person = None,
    as_json: options.AsJson = False,
) -> None:
    """List the sessions that live, the latest first. There is no token in the list."""
    from ostiary.cli.administration import done  # noqa: PLC0415
    from ostiary.cli.console import print_json, print_table, print_text  # noqa: PLC0415

    rows = done(_listed(config, client, person))
    if as_json:
        print_json(rows)
    elif rows:
        print_table([row | {"session": row["session"][:SHORT]} for row in rows])
    else:
        print_text("There is no session.")


@app.command()
def revoke(
    session: Annotated[
        str | None, typer.Argument(metavar="[SESSION]", help="Its name, or how it begins.")
    ] = None,
    config: options.Config = None,
    client: ClientOption = None,
    person: Person = None,
) -> None:
    """End a session, or all of a client or a person: refresh tokens at once, access tokens when they end."""
    from ostiary.cli.administration import done  # noqa: PLC0415
    from ostiary.cli.console import print_text  # noqa: PLC0415

    if sum(one is not None for one in (session, client, person)) != 1:
        raise BadUsage("say which: a session's name, --client ID or --person ID")
    ended = done(_revoked(config, session, client, person))
    print_text(f"{ended} {'session' if ended == 1 else 'sessions'} ended.")


async def _listed(config: Path | None, client: str | None, person: str | None) -> list[dict[str, Any]]:
    from ostiary.cli.administration import administering  # noqa: PLC0415

    async with administering(config) as server:
        return await server.store.read(lambda connection: _rows(connection, server.store, client, person))


def _rows(
    connection: Connection, store: Store, client: str | None, person: str | None
) -> list[dict[str, Any]]:
    from ostiary.authserver.sessions.users import find_profile  # noqa: PLC0415
    from ostiary.cli.administration import moment  # noqa: PLC0415

    rows = []
    for one in _chosen(connection, client, person):
        profile = find_profile(connection, store, one.user_id)
        rows.append(
            {
                "session": one.session,
                "person": one.user_id,
                "name": None if profile is None else profile.display_name,
                "client": one.client_id,
                "resource": one.resource,
                "scopes": " ".join(one.scopes),
                "since": moment(one.created_at),
                "used": moment(one.used_at),
                "until": moment(one.expires_at),
            }
        )
    return rows


def _chosen(connection: Connection, client: str | None, person: str | None) -> list[ListedSession]:
    import time  # noqa: PLC0415

    from ostiary.authserver.sessions.listing import all_sessions, sessions_of_user  # noqa: PLC0415

    now = time.time()
    if person is None:
        return all_sessions(connection, now=now, client_id=client)
    of_person = sessions_of_user(connection, person, now=now)
    return [one for one in of_person if client is None or one.client_id == client]


async def _revoked(config: Path | None, session: str | None, client: str | None, person: str | None) -> int:
    from ostiary.cli.administration import with_services  # noqa: PLC0415

    def some(connection: Connection) -> list[EndedSession]:
        return _end_some(connection, session, client, person, now=services.clock())

    count = 0
    async with with_services(config) as services:
        while ended := await services.store.transaction(some):
            await services.session_ender.release_grants(ended)
            count += len(ended)
            if session is not None:
                break
    return count


def _end_some(
    connection: Connection, session: str | None, client: str | None, person: str | None, *, now: float
) -> list[EndedSession]:
    from ostiary.authserver.sessions import ending  # noqa: PLC0415

    reason = ending.EndReason.ENDED_BY_OPERATOR
    if session is not None:
        ended = ending.end(connection, _named(connection, session), reason=reason, now=now)
        return [] if ended is None else [ended]
    if client is not None:
        return ending.end_all_of_client(connection, client, reason=reason, now=now, most=AT_ONCE)
    assert person is not None  # noqa: S101 - for the type checker: one of the three was said
    return ending.end_all_of_user(connection, person, reason=reason, now=now, most=AT_ONCE)


def _named(connection: Connection, beginning: str) -> str:
    from ostiary.authserver.sessions.listing import find_by_beginning  # noqa: PLC0415

    names = find_by_beginning(connection, beginning, most=2)
    if len(names) != 1:
        raise Failure(
            f"{'no session begins' if not names else 'several sessions begin'} with {beginning}; "
            "`ostiary sessions list` shows them"
        )
    return names[0]
