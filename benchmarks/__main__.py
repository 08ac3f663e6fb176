"""Run the benchmarks and write their tables."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks import gateway
from benchmarks.peers import ToolMissing
from benchmarks.report import write_page

PAGE = Path(__file__).parent / "README.md"


def main() -> int:
    quick = "--quick" in sys.argv[1:]
    try:
        sections = [gateway.run(seconds=0.5 if quick else 3.0, repeats=1 if quick else 3)]
    except ToolMissing as missing:
        print(missing, file=sys.stderr)
        return 1
    if quick:
        print("\n\n".join(sections))
    else:
        write_page(PAGE, sections)
        print(PAGE.read_text())
    return 0


sys.exit(main())
