"""`ostiary call`: call one tool."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostiary.cli import options
from ostiary.cli.failure import BadUsage, Failure
from ostiary.operator_error import JOB_FAILED

if TYPE_CHECKING:
    from ostiary.cli.mcp_client.client import McpClient
    from ostiary.cli.target import ChosenServer


def call(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="URL TOOL [NAME=VALUE ...]",
            help="The server (not with --server), the tool, its arguments; NAME:=JSON for a value in JSON.",
        ),
    ],
    config: options.Config = None,
    server: options.Server = None,
    credential: options.CredentialText = None,
    no_credential: options.NoCredential = False,
    as_json: options.AsJson = False,
) -> int:
    """Call one tool of an MCP server."""
    from ostiary.cli.target import TargetOptions, choose_server  # noqa: PLC0415
    from ostiary.transport.event_loop import run  # noqa: PLC0415

    url, rest = (None, words) if server else (words[0], words[1:])
    if not rest:
        raise BadUsage("name the tool to call; `ostiary tools URL` lists them")
    chosen = choose_server(TargetOptions(url, server, config, credential, no_credential))
    result = run(_call(chosen, rest[0], rest[1:]))
    if result is None:
        raise KeyboardInterrupt
    return _print(result, as_json=as_json)


async def _call(chosen: ChosenServer, name: str, words: list[str]) -> dict[str, Any]:
    from ostiary.cli.arguments import read_arguments  # noqa: PLC0415
    from ostiary.cli.session import connected  # noqa: PLC0415

    async with connected(chosen) as client:
        tool = await _tool(client, name)
        return await client.call_tool(tool, read_arguments(words, tool["inputSchema"]))


async def _tool(client: McpClient, name: str) -> dict[str, Any]:
    from ostiary.cli.listing import every  # noqa: PLC0415
    from ostiary.mcp.missing_servers import in_words  # noqa: PLC0415
    from ostiary.suggestions import suggestion  # noqa: PLC0415

    listed = await every(client, "tools")
    tools = {tool["name"]: tool for tool in listed.entries}
    if name not in tools:
        missing = f"; {in_words(listed.missing)}" if listed.missing else ""
        raise Failure(f"there is no tool {name}; {suggestion(name, tools)}{missing}")
    return tools[name]


def _print(result: dict[str, Any], *, as_json: bool) -> int:
    from ostiary.cli import console  # noqa: PLC0415

    failed = result.get("isError") is True
    if as_json:
        console.print_json({"isError": failed, "resultType": "complete", **result})
    elif failed:
        print(_text(result), file=sys.stderr)  # noqa: T201
    else:
        data = _data(result.get("structuredContent"))
        if console.is_table(data):
            console.print_table(data)
        else:
            console.print_text("nothing was found" if data == [] else _text(result))
    return JOB_FAILED if failed else 0


def _data(structured: Any) -> Any:
    """What a result is about: servers wrap anything but an object in {"result": ...}."""
    if isinstance(structured, dict) and structured.keys() == {"result"}:
        return structured["result"]
    return structured


def _text(result: dict[str, Any]) -> str:
    from ostiary.telemetry.redaction import one_line  # noqa: PLC0415

    parts = [part["text"] if part["type"] == "text" else f"[{part['type']}]" for part in result["content"]]
    return "\n".join(one_line(line) for part in parts for line in part.splitlines())
