"""The list of commands, and what becomes of their errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from ostiary.cli import (
    bridge,
    call,
    check,
    client_config,
    clients,
    cloudrun,
    config,
    doctor,
    explain,
    keys,
    login,
    logout,
    pki,
    policy,
    sessions,
    status,
    token,
    tools,
    up,
    zoo,
)
from ostiary.operator_error import BAD_USAGE, OperatorError

INTERRUPTED = 130

app = typer.Typer(
    help="The right credential on every hop between an AI agent and an MCP server, and nothing else through.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(up.up)
app.command()(check.check)
app.command()(status.status)
app.command()(call.call)
app.command()(tools.tools)
app.command()(token.token)
app.command()(doctor.doctor)
app.command()(explain.explain)
app.command()(bridge.bridge)
app.command("client-config")(client_config.client_config)
app.command()(login.login)
app.command()(logout.logout)
app.command()(zoo.zoo)
app.add_typer(config.app, name="config")
app.add_typer(keys.app, name="keys")
app.add_typer(sessions.app, name="sessions")
app.add_typer(clients.app, name="clients")
app.add_typer(pki.app, name="pki")
app.add_typer(policy.app, name="policy")
app.add_typer(cloudrun.app, name="cloudrun")


def run(arguments: Sequence[str]) -> int:
    """Run one command line; the exit code. Errors become one sentence on standard error."""
    try:
        return int(app(args=list(arguments) or ["--help"], prog_name="ostiary", standalone_mode=False) or 0)
    except TyperException as misused:
        _tell(_usage(misused))
        return BAD_USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `ostiary tools ... | head`: nobody is left to write to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED
    except OperatorError as error:
        _tell(str(error))
        return error.exit_code


def _usage(misused: TyperException) -> str:
    context = getattr(misused, "ctx", None)
    command = context.command_path if context is not None else "ostiary"
    message = misused.format_message()
    hint = "" if message.endswith("?") else f" See `{command} --help`."
    return f"{command}: {message}{hint}"


def _tell(message: str) -> None:
    from ostiary.telemetry.redaction import one_line, without_tokens  # noqa: PLC0415

    for line in without_tokens(message).splitlines():
        print(one_line(line), file=sys.stderr)  # noqa: T201 - it is what a command is for
