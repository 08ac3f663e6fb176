"""Run the benchmarks and write their tables."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks import (
    authserver,
    credentials,
    eras,
    gateway,
    instructions,
    start_up,
    token_trap_table,
    upstream_exchanges,
)
from benchmarks.peers import ToolMissing
from benchmarks.report import write_page, write_section
from benchmarks.scale.costs import measure
from benchmarks.scale.page import write as write_scale

PAGE = Path(__file__).parent / "README.md"
COUNTED = 3200
"""Calls; more say the same."""
SCALE = Path(__file__).parents[1] / "docs" / "explanation" / "scale.md"


def main() -> int:
    try:
        if "--quick" in sys.argv[1:]:
            print(gateway.run(seconds=1, repeats=1, names=(gateway.UPSTREAM, gateway.NGINX, gateway.OSTIARY)))
        elif sys.argv[1:] == ["eras"]:
            write_section(PAGE, eras.run(seconds=1, repeats=3))
        elif sys.argv[1:] == ["start_up"]:
            write_section(PAGE, start_up.run(repeats=5))
        elif sys.argv[1:] == ["instructions"]:
            write_section(PAGE, instructions.run(calls=COUNTED))
        elif sys.argv[1:] == ["authserver"]:
            write_section(PAGE, authserver.run(seconds=3, repeats=5))
        elif sys.argv[1:] == ["scale"]:
            write_scale(SCALE, measure(PAGE.read_text()))
        elif sys.argv[1:] == ["upstream_exchanges"]:
            write_section(PAGE, upstream_exchanges.run(seconds=3, repeats=5))
        else:
            through_gateway = gateway.run(seconds=3, repeats=3)
            of_eras = eras.run(seconds=1, repeats=3)
            counted = instructions.run(calls=COUNTED)
            at_hand = credentials.run(requests=5000, repeats=5)
            fetched = token_trap_table.run(refused=5, renewing=10)
            issued = authserver.run(seconds=3, repeats=5)
            exchanged = upstream_exchanges.run(seconds=3, repeats=5)
            started = start_up.run(repeats=5)
            sections = [through_gateway, of_eras, counted, at_hand, fetched, issued, exchanged, started]
            write_page(PAGE, sections)
            write_scale(SCALE, measure(PAGE.read_text()))
            print(PAGE.read_text())
    except ToolMissing as missing:
        print(missing, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
