"""`ostiary token`: get what would be sent to a server, and say what it is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostiary.cli import options
from ostiary.cli.failure import BadUsage

if TYPE_CHECKING:
    from ostiary.credentials import Credential
    from ostiary.diagnosis.target import ServerTarget

MASKED = "***"
_TOLD = ("iss", "aud", "sub", "email", "azp", "iat", "exp")


def token(
    url: Annotated[
        str | None, typer.Argument(metavar="[URL]", help="The server (not with --server).")
    ] = None,
    config: options.Config = None,
    server: options.Server = None,
    credential: options.CredentialText = None,
    audience: Annotated[str | None, typer.Option(help="Ask for a token for this audience instead.")] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show the token itself.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Get the token that would be sent; it is masked unless --reveal is given."""
    from ostiary.cli.target import TargetOptions, choose  # noqa: PLC0415
    from ostiary.transport.event_loop import run  # noqa: PLC0415

    target = choose(TargetOptions(url, server, config, credential))
    if audience is not None:
        target = replace(target, credential=_for_audience(target.credential, audience))
    headers = run(_headers(target))
    if headers is None:
        raise KeyboardInterrupt
    if not headers:
        raise BadUsage(f"{target.url} is sent no token: its credential is none ({target.found})")
    _print(target, headers, reveal=reveal, as_json=as_json)


def _for_audience(credential: Credential, audience: str) -> Credential:
    if "audience" not in type(credential).model_fields:
        raise BadUsage(f"a credential of type {credential.type} has no audience")
    settings = {name: getattr(credential, name) for name in type(credential).model_fields}
    return type(credential).model_validate(settings | {"audience": audience})


async def _headers(target: ServerTarget) -> tuple[tuple[str, str], ...]:
    from ostiary.credentials.headers.headers import OutgoingRequest  # noqa: PLC0415

    async with target.runtime() as runtime:
        headers = target.credential.attach(target.url, runtime=runtime)
        return await headers.get(OutgoingRequest("POST", target.url))


def _print(
    target: ServerTarget, headers: tuple[tuple[str, str], ...], *, reveal: bool, as_json: bool
) -> None:
    from ostiary.cli.console import print_json, print_text  # noqa: PLC0415
    from ostiary.oauth.jwt_parts import unverified_claims  # noqa: PLC0415

    claims = {
        name: value
        for _, header in headers
        for name, value in unverified_claims(header.rpartition(" ")[2]).items()
        if name in _TOLD
    }
    shown = {name: value if reveal else _masked(value) for name, value in headers}
    if as_json:
        credential = {"type": target.credential.type, "found": target.found}
        print_json({"url": str(target.url), "credential": credential, "headers": shown, "claims": claims})
        return
    for name, value in shown.items():
        print_text(f"{name}: {value}")
    if not reveal:
        for name, value in claims.items():
            print_text(f"  {name}: {_readable(name, value)}")
        print_text(f"credential: {target.credential.type} ({target.found}); --reveal shows the token itself")


def _masked(value: str) -> str:
    scheme, space, _ = value.partition(" ")
    return f"{scheme} {MASKED}" if space else MASKED


def _readable(name: str, value: Any) -> Any:
    from datetime import UTC, datetime  # noqa: PLC0415

    if name in {"iat", "exp"} and isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return value
