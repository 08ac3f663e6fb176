"""The house as tests read it: who imports whom, what maps say, which floors stand open."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import ostiary

ROOT = Path(__file__).parents[1]
SOURCE = Path(ostiary.__file__).parent
MODULES = {
    ".".join(file.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__"): file
    for file in SOURCE.rglob("*.py")
}
CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"][
    "importlinter"
]["contracts"]
MAPPED = re.compile(r"\s*(\w+/?(?:, \w+/?)*)\s{2,}\S")


def imports_of(text: str) -> set[str]:
    """Modules of ours that it imports, for the type checker alone or inside a function too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & MODULES.keys()


def circle(arrows: Mapping[str, AbstractSet[str]]) -> list[str]:
    """One of them; none when there is none."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def rooms(package: str, imports: Mapping[str, AbstractSet[str]]) -> dict[str, set[str]]:
    """What is directly inside a package, files and folders, and what each imports of the others."""
    within = f"{package}."
    arrows: dict[str, set[str]] = defaultdict(set)
    for name, imported in imports.items():
        if name.startswith(within):
            room = name.removeprefix(within).partition(".")[0]
            inside = (one.removeprefix(within) for one in imported if one.startswith(within))
            arrows[room] |= {one.partition(".")[0] for one in inside} - {room}
    return arrows


def faults_of_map(docstring: str, there: Iterable[str], public: AbstractSet[str]) -> list[str]:
    """What a package's map leaves out, names twice, or names though it is neither there nor public."""
    lines = (MAPPED.match(line) for line in docstring.splitlines())
    names = Counter(name.rstrip("/") for line in lines if line for name in line[1].split(", "))
    missing = set(there) - {"__main__"} - names.keys()
    ghosts = names.keys() - set(there) - public
    return [
        *(f"{name} has no line on the map in its package's docstring" for name in sorted(missing)),
        *(f"{name} is on the map, and not there" for name in sorted(ghosts)),
        *(f"{name} is on the map {times} times" for name, times in sorted(names.items()) if times > 1),
    ]


def floors_of(contract: Mapping[str, Any]) -> list[list[str]]:
    """The rooms of each floor of a contract of layers, from the top."""
    return [re.findall(r"\w+", layer) for layer in contract["layers"]]


def open_floors(room: str, floors: Sequence[Sequence[str]], arrows: Mapping[str, AbstractSet[str]]) -> str:
    """Where a room may stand that no floor lists: above all that it imports, below all that import it."""
    number = {other: at for at, floor in enumerate(floors) for other in floor}
    above = max((number[other] for other in number if room in arrows.get(other, ())), default=-1)
    below = min((number[other] for other in arrows.get(room, ()) if other in number), default=len(floors))
    if above >= below:
        return "nowhere before it imports less, or is imported by less"
    names = [" | ".join(floor) for floor in floors]
    beside = names[above + 1 : below]
    return "beside " + ", or beside ".join(beside) if beside else f"between {names[above]} and {names[below]}"
