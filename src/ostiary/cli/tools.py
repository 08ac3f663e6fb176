"""`ostiary tools`: what a server offers, in which era, and with which credential we asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostiary.cli import options

if TYPE_CHECKING:
    from ostiary.cli.target import ChosenServer

_KINDS = (
    ("tools", "tools", "tools"),
    ("prompts", "prompts", "prompts"),
    ("resources", "resources", "resources"),
    ("resources", "resourceTemplates", "resource_templates"),
)
"""Capability, the list in the protocol, and in ours."""


def tools(
    url: Annotated[
        str | None, typer.Argument(metavar="[URL]", help="The server (not with --server).")
    ] = None,
    config: options.Config = None,
    server: options.Server = None,
    credential: options.CredentialText = None,
    no_credential: options.NoCredential = False,
    as_json: options.AsJson = False,
) -> None:
    """List a server's tools, prompts and resources."""
    from ostiary.cli.console import print_json  # noqa: PLC0415
    from ostiary.cli.target import TargetOptions, choose_server  # noqa: PLC0415
    from ostiary.transport.event_loop import run  # noqa: PLC0415

    found = run(_offer(choose_server(TargetOptions(url, server, config, credential, no_credential))))
    if found is None:
        raise KeyboardInterrupt
    if as_json:
        print_json(found)
    else:
        _print(found)


async def _offer(chosen: ChosenServer) -> dict[str, Any]:
    from ostiary.cli.listing import Listed, every  # noqa: PLC0415
    from ostiary.cli.session import connected  # noqa: PLC0415
    from ostiary.mcp.eras import MODERN  # noqa: PLC0415

    async with connected(chosen) as client:
        version = client.server_version
        listed = {
            ours: await every(client, kind)
            if client.capabilities.get(capability) is not None
            else Listed([], ())
            for capability, kind, ours in _KINDS
        }
    missing = dict.fromkeys(one for each in listed.values() for one in each.missing)
    return {
        "url": None if chosen.url is None else str(chosen.url),
        "place": chosen.place,
        "era": "modern" if version == MODERN else "legacy",
        "protocolVersion": version,
        "credential": {"type": chosen.credential.type, "found": chosen.found},
        **{kind: list(map(_shown, each.entries)) for kind, each in listed.items()},
        **({"unavailable": [one.told() for one in missing]} if missing else {}),
    }


def _shown(entry: dict[str, Any]) -> dict[str, Any]:
    """Without nulls, and with what `schema_sha256` pins in ostiary.yaml."""
    from ostiary.mcp.views import digest_of_values  # noqa: PLC0415

    told = {name: value for name, value in entry.items() if value is not None}
    return {**told, "schema_sha256": digest_of_values(entry)}


def _print(found: dict[str, Any]) -> None:
    from ostiary.cli.console import print_table, print_text  # noqa: PLC0415
    from ostiary.mcp.missing_servers import MissingServer, in_words  # noqa: PLC0415
    from ostiary.telemetry.redaction import one_line  # noqa: PLC0415

    credential = found["credential"]
    print_text(
        f"{found['place']} speaks MCP {found['protocolVersion']} ({found['era']}); "
        f"credential: {credential['type']} ({credential['found']})"
    )
    for title, key in (
        ("tool", "tools"),
        ("prompt", "prompts"),
        ("resource", "resources"),
        ("resource template", "resource_templates"),
    ):
        if found[key]:
            print_table([_row(title, entry) for entry in found[key]])
    missing = [MissingServer(**one) for one in found.get("unavailable", ())]
    if left_out := tuple(one for one in missing if not one.stale):
        typer.echo(f"warning: {one_line(in_words(left_out))}: what it offers is not listed", err=True)
    if stale := tuple(one for one in missing if one.stale):
        typer.echo(f"warning: {one_line(in_words(stale))}", err=True)


def _row(title: str, entry: dict[str, Any]) -> dict[str, str]:
    name = entry.get("uri") or entry.get("uriTemplate") or entry["name"]
    described = entry.get("description") or entry.get("title") or ""
    row = {title: name}
    if title == "tool":
        named = entry["inputSchema"].get("properties")
        row["arguments"] = " ".join(named) if isinstance(named, dict) else ""
    elif title == "prompt":
        listed = entry.get("arguments")
        named = (
            [one.get("name") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        )
        row["arguments"] = " ".join(map(str, named))
    return row | {"what it does" if title == "tool" else "about": str(described).partition("\n")[0]}
