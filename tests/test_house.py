"""The house: no circles, and maps that are true."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import ostiary

SOURCE = Path(ostiary.__file__).parent
ROOT = SOURCE.parent
MODULES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for file in SOURCE.rglob("*.py")
}
PACKAGES = sorted(name for name, file in MODULES.items() if file.name == "__init__.py")
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


IMPORTS = {name: imports_of(file.read_text("utf-8")) for name, file in MODULES.items()}


def circle(arrows: Mapping[str, AbstractSet[str]]) -> list[str]:
    """One of them; none when there is none."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def rooms(package: str) -> dict[str, set[str]]:
    """What is directly inside a package, files and folders, and what each imports of the others."""
    within = f"{package}."
    arrows: dict[str, set[str]] = defaultdict(set)
    for name, imported in IMPORTS.items():
        if name.startswith(within):
            room = name.removeprefix(within).partition(".")[0]
            inside = (one.removeprefix(within) for one in imported if one.startswith(within))
            arrows[room] |= {one.partition(".")[0] for one in inside} - {room}
    return arrows


def test_no_circle_of_files() -> None:
    assert circle({name: imported - {name} for name, imported in IMPORTS.items()}) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_circle_of_rooms(package: str) -> None:
    assert circle(rooms(package)) == []


def test_a_circle_for_the_type_checker_alone_is_found() -> None:
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ostiary.mcp.names import Names\n"
    assert imports_of(text) == {"ostiary.mcp.names"}
    assert circle({"a": {"b"}, "b": {"a"}}) != []


def mapped(docstring: str) -> set[str]:
    """The names that a package's map begins its lines with."""
    lines = (MAPPED.match(line) for line in docstring.splitlines())
    return {name.rstrip("/") for line in lines if line for name in line[1].split(", ")}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_map_of_a_package_is_true(package: str) -> None:
    tree = ast.parse(MODULES[package].read_text("utf-8"))
    names = mapped(ast.get_docstring(tree) or "")
    public = {alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    public |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    there = set(rooms(package)) - {"__main__"}
    assert there - names == set(), "not on the map"
    assert names - there - public == set(), "on the map, and not there"
