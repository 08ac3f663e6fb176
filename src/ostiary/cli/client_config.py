"""`ostiary client-config`: what to write where, so that a client reaches a server through the bridge."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ostiary.cli import options
from ostiary.cli.client_settings import TO_FILL_IN, Bridge, ClientProgram, ProgramSettings, settings_for
from ostiary.cli.failure import BadUsage

if TYPE_CHECKING:
    from ostiary.cli.target import ChosenServer, TargetOptions
    from ostiary.secrets import Secret

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class ChosenClient(StrEnum):
    """One client, or all of them."""

    ALL = "all"
    CLAUDE_CODE = ClientProgram.CLAUDE_CODE
    CLAUDE_DESKTOP = ClientProgram.CLAUDE_DESKTOP
    GEMINI_CLI = ClientProgram.GEMINI_CLI
    VSCODE = ClientProgram.VSCODE
    CURSOR = ClientProgram.CURSOR
    CODEX = ClientProgram.CODEX
    WINDSURF = ClientProgram.WINDSURF
    ZED = ClientProgram.ZED
    CLINE = ClientProgram.CLINE
    GOOSE = ClientProgram.GOOSE
    INSPECTOR = ClientProgram.INSPECTOR


def client_config(
    name: Annotated[str, typer.Argument(help="How the client is to call the server.")],
    url: Annotated[
        str | None, typer.Argument(metavar="[URL]", help="The server (not with --server).")
    ] = None,
    client: Annotated[ChosenClient, typer.Option(help="For this client.")] = ChosenClient.ALL,
    config: options.Config = None,
    server: options.Server = None,
    credential: options.CredentialText = None,
    as_json: options.AsJson = False,
) -> None:
    """Print the settings by which a client reaches a server through the bridge; no token is in them."""
    from ostiary.cli.console import print_json  # noqa: PLC0415
    from ostiary.cli.target import TargetOptions, choose_server  # noqa: PLC0415

    if _NAME.fullmatch(name) is None:
        raise BadUsage(f"{name} is no name that every client takes: use letters, digits, - and _")
    wish = TargetOptions(url, server, config, credential)
    variables = tuple(_variables(choose_server(wish)))
    bridge = Bridge((*_ourselves(), "bridge", *_words(wish)), variables)
    chosen = list(ClientProgram) if client is ChosenClient.ALL else [ClientProgram(client.value)]
    snippets = [settings_for(one, name, bridge) for one in chosen]
    if as_json:
        print_json({"clients": [_as_data(snippet) for snippet in snippets], "environment": list(variables)})
    else:
        _print(snippets, variables)


def _ourselves() -> tuple[str, ...]:
    """By its whole path: clients that are started from a desktop have another PATH than a shell."""
    ours = Path(sys.executable).parent / "ostiary"
    return (str(ours),) if ours.exists() else (sys.executable, "-m", "ostiary")


def _words(wish: TargetOptions) -> list[str]:
    """The target, in words that mean the same wherever the client starts the command."""
    from ostiary.config import OstiaryFile  # noqa: PLC0415

    here = Path(OstiaryFile.default_name)
    words = ["--server", wish.server] if wish.server else [str(wish.url)]
    if wish.credential:
        words += ["--credential", wish.credential]
    elif wish.config is not None or here.exists():
        words += ["--config", str((wish.config or here).absolute())]
    if wish.server and "--config" not in words:
        words += ["--config", str((wish.config or here).absolute())]
    return words


def _variables(reached: ChosenServer) -> list[str]:
    """The environment variables that its secrets come from."""
    env = {} if reached.configured is None else reached.configured.env
    places = dict.fromkeys(secret.place for secret in _secrets((reached.credential, *env.values())))
    variable = "environment variable "
    return [place.removeprefix(variable) for place in places if place.startswith(variable)]


def _secrets(value: object) -> Iterator[Secret]:
    from pydantic import BaseModel  # noqa: PLC0415

    from ostiary.secrets import Secret  # noqa: PLC0415

    match value:
        case Secret():
            yield value
        case BaseModel():
            for _, part in value:
                yield from _secrets(part)
        case tuple():
            for part in value:
                yield from _secrets(part)


def _as_data(snippet: ProgramSettings) -> dict[str, object]:
    return {
        "client": snippet.client.value,
        "file": snippet.file,
        "settings": snippet.settings,
        "command": snippet.or_run,
    }


def _print(snippets: Sequence[ProgramSettings], variables: Sequence[str]) -> None:
    from ostiary.cli.console import print_text  # noqa: PLC0415

    for snippet in snippets:
        print_text(f"{snippet.title}: {snippet.file}")
        print_text("")
        print_text(snippet.text)
        if snippet.or_run:
            print_text(f"\nor run: {snippet.or_run}")
        print_text("")
    for variable in variables:
        print_text(
            f"The bridge needs {variable}, from the client's environment or where {TO_FILL_IN} stands."
        )
