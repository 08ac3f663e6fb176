"""`ostiary check`: is this file good to run, and what would run?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ostiary.cli import options

if TYPE_CHECKING:
    from ostiary.config import OstiaryFile
    from ostiary.gateway.config import GatewaySettings


def check(config: options.Config = None, as_json: options.AsJson = False) -> None:
    """Validate a configuration, look whether its secrets are there, and print what would run."""
    from ostiary.cli.console import print_json, print_table, print_text  # noqa: PLC0415
    from ostiary.config import ConfigurationError, OstiaryFile, read  # noqa: PLC0415
    from ostiary.config.presence import absent  # noqa: PLC0415

    loaded = read(config or Path(OstiaryFile.default_name), OstiaryFile)
    if faults := list(absent(loaded)):
        raise ConfigurationError(faults)
    rows = list(_what_runs(loaded.settings))
    if as_json:
        print_json({"file": str(loaded.file), "runs": rows})
        return
    print_text(
        f"{loaded.file} is good." if rows else f"{loaded.file} is good, and runs nothing: add a gateway."
    )
    if rows:
        print_table(rows)


def _what_runs(file: OstiaryFile) -> Iterator[dict[str, Any]]:
    if file.gateway is not None:
        yield from _gateway(file.gateway)
        if file.storage is not None:
            yield {
                "what": "storage",
                "where": file.storage.url,
                "behind it": f"sealed with {file.storage.encryption_key.path}",
                "lets in": "the gateway and its replicas",
            }


def _gateway(gateway: GatewaySettings) -> Iterator[dict[str, Any]]:
    url = gateway.public_url
    lets_in = ", ".join(_callers(gateway)) or "everybody"
    behind = ", ".join(gateway.servers) or "nothing yet"
    yield {
        "what": "gateway",
        "where": f"{url}/mcp",
        "behind it": behind,
        "lets in": lets_in,
    }
    for name, server in gateway.servers.items():
        yield {
            "what": f"server {name}",
            "where": f"{url}/servers/{name}/mcp",
            "behind it": str(server.url),
            "lets in": f"us, by credential {server.credential.type}",
        }


def _callers(gateway: GatewaySettings) -> Iterator[str]:
    for entry in gateway.inbound:
        yield f"tokens of {entry.issuer}" if entry.type == "oidc" else "Google ID tokens"
