"""`ostiary clients`: the OAuth clients of the authorization server, beside those that describe themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostiary.cli import options
from ostiary.cli.failure import BadUsage, Failure

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import ValidationError

    from ostiary.authserver.administration.clients import AddedClient, KnownClient
    from ostiary.oauth.server.client import Client

app = typer.Typer(help="The OAuth clients of the authorization server.", no_args_is_help=True)

Many = list[str] | None


@app.callback()
def clients() -> None:
    """The OAuth clients of the authorization server."""


@app.command("list")
def list_clients(config: options.Config = None, as_json: options.AsJson = False) -> None:
    """List the clients of the file, those added by command, and those that registered themselves."""
    from ostiary.cli.administration import done  # noqa: PLC0415
    from ostiary.cli.console import print_json, print_table, print_text  # noqa: PLC0415

    rows = done(_listed(config))
    if as_json:
        print_json(rows)
    elif rows:
        print_table(rows)
    else:
        print_text("There is no client.")


@app.command()
def add(  # noqa: PLR0913 - an option a word of its metadata
    *,
    name: Annotated[str | None, typer.Option(help="What people read.")] = None,
    client_id: Annotated[
        str | None, typer.Option("--id", help="Its client_id. Default: chosen here.")
    ] = None,
    redirect_uri: Annotated[Many, typer.Option(help="Where its codes may go; repeatable.")] = None,
    grant: Annotated[
        Many,
        typer.Option(help="What it may do; repeatable. Default: authorization_code and refresh_token."),
    ] = None,
    auth_method: Annotated[
        str | None,
        typer.Option(help="How it proves who it is. Default: none, which means a program without a secret."),
    ] = None,
    scope: Annotated[Many, typer.Option(help="What it may have at most; repeatable. Default: all.")] = None,
    resource: Annotated[
        Many, typer.Option(help="What it may have tokens for; repeatable. Default: all.")
    ] = None,
    jwks_uri: Annotated[
        str | None, typer.Option(help="Where its public keys are, for private_key_jwt.")
    ] = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Register a client. A secret is made here, printed once, and kept nowhere."""
    from ostiary.cli.administration import done  # noqa: PLC0415

    said = {
        "client_id": client_id,
        "client_name": name,
        "redirect_uris": redirect_uri,
        "grant_types": grant,
        "token_endpoint_auth_method": auth_method,
        "scopes": scope,
        "resources": resource,
        "jwks_uri": jwks_uri,
    }
    metadata = {word: value for word, value in said.items() if value}
    _print_added(done(_added(config, metadata)), as_json=as_json)


@app.command()
def remove(
    client_id: Annotated[str, typer.Argument(metavar="ID", help="Its client_id.")],
    config: options.Config = None,
) -> None:
    """Remove a client that was added by command or registered itself, and end its sessions."""
    from ostiary.cli.administration import done  # noqa: PLC0415
    from ostiary.cli.console import print_text  # noqa: PLC0415

    ended = done(_removed(config, client_id))
    print_text(f"Removed {client_id}; {ended} {'session' if ended == 1 else 'sessions'} ended.")


async def _listed(config: Path | None) -> list[dict[str, Any]]:
    import time  # noqa: PLC0415

    from ostiary.authserver.administration.clients import list_clients  # noqa: PLC0415
    from ostiary.cli.administration import administering  # noqa: PLC0415

    async with administering(config) as server:
        of_file = [
            {
                "client": one.client_id,
                "name": one.client_name,
                "kind": "of the file",
                "proves itself by": one.method,
                "grants": " ".join(sorted(one.grants)),
                "used": None,
                "until": None,
            }
            for one in server.settings.clients
        ]
        stored = await list_clients(server.store, now=time.time())
        return of_file + [_row(known) for known in stored]


def _row(known: KnownClient) -> dict[str, Any]:
    from ostiary.cli.administration import moment  # noqa: PLC0415

    client: Client = known.client
    return {
        "client": client.client_id,
        "name": client.name,
        "kind": "added" if client.is_preregistered else "registered itself",
        "proves itself by": client.auth_method,
        "grants": " ".join(sorted(client.grant_types)),
        "used": moment(known.used_at),
        "until": moment(known.expires_at),
    }


async def _added(config: Path | None, metadata: dict[str, Any]) -> AddedClient:
    import time  # noqa: PLC0415

    from pydantic import ValidationError  # noqa: PLC0415

    from ostiary.authserver.administration.clients import ClientRefused, add_client  # noqa: PLC0415
    from ostiary.authserver.audit_events import AuditEvent  # noqa: PLC0415
    from ostiary.cli.administration import administering  # noqa: PLC0415

    async with administering(config) as server:
        known = {one.client_id for one in server.settings.clients}
        if metadata.get("client_id") in known:
            raise Failure(f"client {metadata['client_id']} is in the file already")
        try:
            added = await add_client(server.store, metadata, now=time.time())
        except ClientRefused as refused:
            raise Failure(str(refused)) from None
        except ValidationError as invalid:
            raise BadUsage(_in_words(invalid)) from None
        name = metadata.get("client_name")
        server.audit.write(AuditEvent.CLIENT_REGISTERED, client=added.client_id, kind="registered", name=name)
        return added


async def _removed(config: Path | None, client_id: str) -> int:
    from ostiary.authserver.administration.clients import remove_client  # noqa: PLC0415
    from ostiary.authserver.audit_events import AuditEvent  # noqa: PLC0415
    from ostiary.cli.administration import with_services  # noqa: PLC0415

    async with with_services(config) as services:
        if any(one.client_id == client_id for one in services.settings.clients):
            raise Failure(f"client {client_id} is in the file: take it out there")
        ended = await remove_client(services.store, client_id, now=services.clock())
        if ended is None:
            raise Failure(f"there is no client {client_id}; `ostiary clients list` shows them")
        services.audit.write(AuditEvent.CLIENT_REMOVED, client=client_id)
        await services.session_ender.release_grants(ended)
        return len(ended)


def _print_added(added: AddedClient, *, as_json: bool) -> None:
    from ostiary.cli.console import print_json, print_text  # noqa: PLC0415

    secret = None if added.secret is None else added.secret.reveal()
    if as_json:
        print_json({"client_id": added.client_id, "client_secret": secret})
        return
    print_text(f"client_id:     {added.client_id}")
    if secret is not None:
        print_text(f"client_secret: {secret}")
        print_text("The secret is shown this once: keep it where the client finds it.")


def _in_words(invalid: ValidationError) -> str:
    lines = []
    for error in invalid.errors(include_url=False, include_input=False):
        place = ".".join(map(str, error["loc"]))
        said = str(error["ctx"]["error"]) if error["type"] == "value_error" else error["msg"]
        lines.append(f"{place}: {said}" if place else said)
    return "\n".join(lines)
