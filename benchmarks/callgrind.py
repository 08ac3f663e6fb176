"""A server under Valgrind's callgrind: the instructions of each of its functions, between two moments."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

Costs = Counter["Function"]


class Function(NamedTuple):
    """Of a program. file: the object file that it is in."""

    file: str
    name: str


class Callgrind:
    """Counts nothing until it is told to. folder: for its profiles."""

    def __init__(self, folder: Path) -> None:
        self._profile = folder / "callgrind.out"
        self.command = (
            "valgrind",
            "--tool=callgrind",
            "--instr-atstart=no",
            f"--callgrind-out-file={self._profile}",
        )

    @contextmanager
    def counting(self, process_id: int) -> Iterator[Costs]:
        """What its functions take inside of the block, each by itself: known when it ends."""
        costs: Costs = Counter()
        _control(process_id, "--instr=on")
        yield costs
        _control(process_id, "--instr=off")
        _control(process_id, "--dump")
        costs.update(own_costs(Path(f"{self._profile}.1").read_text().splitlines()))


def own_costs(lines: Iterable[str]) -> Costs:
    """Of a profile: names are written once and then numbered; a line after `calls=` is the cost of others."""
    names: dict[tuple[str, str], str] = {}
    costs: Costs = Counter()
    file = function = ""
    is_of_others = False
    for line in lines:
        if named := _NAME.match(line):
            kind, number, name = named.groups()
            if name:
                names[kind[-2:], number] = name
            if kind == "ob":
                file = Path(names[kind, number]).name
            elif kind == "fn":
                function = names[kind, number]
        elif line.startswith("calls="):
            is_of_others = True
        elif cost := _COST.fullmatch(line):
            if not is_of_others:
                costs[Function(file, function)] += int(cost[1])
            is_of_others = False
    return costs


_NAME = re.compile(r"(c?ob|c?fn)=\((\d+)\)(?: (.*))?")
_COST = re.compile(r"[-+*\d]\d* (\d+)")


def _control(process_id: int, what: str) -> None:
    subprocess.run(["callgrind_control", what, str(process_id)], check=True, capture_output=True)
