"""`ostiary check`: is this file good to run, what would run, and what has to be registered elsewhere?"""

from __future__ import annotations

from pathlib import Path

import typer

from ostiary.cli import options


def check(config: options.Config = None, as_json: options.AsJson = False) -> None:
    """Validate a configuration, look whether its secrets are there, and print what would run."""
    from ostiary.cli.console import print_json, print_table, print_text  # noqa: PLC0415
    from ostiary.cli.overview import what_runs, what_to_register  # noqa: PLC0415
    from ostiary.config import OstiaryFile  # noqa: PLC0415
    from ostiary.config.examined import examined  # noqa: PLC0415
    from ostiary.config.exposure import readable  # noqa: PLC0415
    from ostiary.config.key_pairs import unusable_pairs  # noqa: PLC0415
    from ostiary.config.needs import unmet  # noqa: PLC0415
    from ostiary.config.proxied import hidden_addresses  # noqa: PLC0415
    from ostiary.config.ways_out import unusable_proxies  # noqa: PLC0415

    loaded = examined(config or Path(OstiaryFile.default_name), unmet, unusable_pairs)
    for told in (*readable(loaded), *hidden_addresses(loaded), *unusable_proxies(loaded)):
        typer.echo(f"warning: {told}", err=True)
    runs, register = list(what_runs(loaded.settings)), list(what_to_register(loaded.settings))
    if as_json:
        print_json({"file": str(loaded.file), "runs": runs, "register": register})
        return
    if not runs:
        print_text(f"{loaded.file} is good, and runs nothing: add a gateway or an authserver.")
        return
    print_text(f"{loaded.file} is good.")
    print_table(runs)
    if register:
        print_text("\nAt each identity provider, our client needs this redirect URI:")
        print_table(register)
