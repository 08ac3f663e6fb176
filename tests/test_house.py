"""The house: no circles, maps that are true, a floor for every room."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.house import (
    CONTRACTS,
    MODULES,
    ROOT,
    SOURCE,
    circle,
    faults_of_map,
    floors_of,
    imports_of,
    open_floors,
    rooms,
)

from ostiary.storage import schema

PACKAGES = sorted(name for name, file in MODULES.items() if file.name == "__init__.py")
EXHAUSTIVE = [
    (container, contract)
    for contract in CONTRACTS
    if contract.get("exhaustive")
    for container in contract["containers"]
]


@cache
def imports() -> dict[str, set[str]]:
    """Of every module. Not as this file is imported, which each process of a run does."""
    return {name: imports_of(file.read_text("utf-8")) for name, file in MODULES.items()}


def test_no_circle_of_files() -> None:
    assert circle({name: imported - {name} for name, imported in imports().items()}) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_circle_of_rooms(package: str) -> None:
    assert circle(rooms(package, imports())) == []


def test_a_circle_for_the_type_checker_alone_is_found() -> None:
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ostiary.mcp.names import Names\n"
    assert imports_of(text) == {"ostiary.mcp.names"}
    assert sorted(set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}))) == ["a", "b", "c"]


def test_a_circle_of_folders_is_found_where_files_have_none() -> None:
    planted = {"ostiary.a.one": {"ostiary.b.one"}, "ostiary.b.two": {"ostiary.a.two"}}
    assert circle({**planted, "ostiary.a.two": set(), "ostiary.b.one": set()}) == []
    assert sorted(set(circle(rooms("ostiary", planted)))) == ["a", "b"]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_map_of_a_package_is_true(package: str) -> None:
    tree = ast.parse(MODULES[package].read_text("utf-8"))
    public = {alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    public |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert faults_of_map(ast.get_docstring(tree) or "", rooms(package, imports()), public) == []


def test_a_map_that_lies_is_found() -> None:
    docstring = "A house.\n\n    hall, attic   there\n    ghost/        not there\n    hall          again\n"
    assert faults_of_map(docstring, ["hall", "attic", "cellar"], frozenset()) == [
        "cellar has no line on the map in its package's docstring",
        "ghost is on the map, and not there",
        "hall is on the map 2 times",
    ]


@pytest.mark.parametrize(
    ("container", "contract"), EXHAUSTIVE, ids=[container for container, _ in EXHAUSTIVE]
)
def test_every_room_has_a_floor(container: str, contract: Mapping[str, Any]) -> None:
    floors, arrows = floors_of(contract), rooms(container, imports())
    listed = {room for floor in floors for room in floor} | set(contract.get("exhaustive_ignores", ()))
    assert [f"{room} may stand {open_floors(room, floors, arrows)}" for room in arrows.keys() - listed] == []


@pytest.mark.parametrize(
    ("arrows", "place"),
    [
        ({}, "beside roof, or beside left | right, or beside cellar"),
        ({"attic": {"cellar"}}, "beside roof, or beside left | right"),
        ({"attic": {"cellar"}, "roof": {"attic"}}, "beside left | right"),
        ({"attic": {"right"}, "roof": {"attic"}}, "between roof and left | right"),
        ({"attic": {"left"}, "right": {"attic"}}, "nowhere before it imports less, or is imported by less"),
    ],
)
def test_a_room_without_a_floor_is_told_where_it_may_stand(arrows: dict[str, set[str]], place: str) -> None:
    assert open_floors("attic", [["roof"], ["left", "right"], ["cellar"]], arrows) == place


def drawn_floors(page: str, container: str) -> list[str]:
    """What a block of the page says stands on each floor; a line that begins with `|` or `:` goes on."""
    block = (
        page.partition(f"\n{container.removeprefix('ostiary.')}/\n")[2]
        .partition("\n\n")[0]
        .partition("```")[0]
    )
    floors: list[str] = []
    for line in block.splitlines():
        rooms_of_line = re.split(r"\s{3,}", line)[-1]
        if rooms_of_line.startswith(("|", ":")):
            floors[-1] += f" {rooms_of_line}"
        else:
            floors.append(rooms_of_line)
    return floors


@pytest.mark.parametrize(("container", "contract"), EXHAUSTIVE[1:], ids=[name for name, _ in EXHAUSTIVE[1:]])
def test_the_floors_are_drawn_as_they_are(container: str, contract: Mapping[str, Any]) -> None:
    assert drawn_floors((ROOT / "ARCHITECTURE.md").read_text("utf-8"), container) == contract["layers"]


def test_the_parts_are_drawn_as_they_stand() -> None:
    picture = (ROOT / "ARCHITECTURE.md").read_text("utf-8").split("```")[1]
    lines = [re.split(r"\s{2,}", line.lstrip(" └├"))[0] for line in picture.strip().splitlines()]
    drawn = [part for line in lines for part in line.split(", ")]
    assert drawn == [room for floor in floors_of(EXHAUSTIVE[0][1]) for room in floor]


NAMED = re.compile(r"`([\w./-]+(?:\.(?:md|py|toml|yaml)|/))`")


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_path_that_a_page_names_is_there(page: str) -> None:
    named = NAMED.findall((ROOT / page).read_text("utf-8"))
    assert named
    assert [path for path in named if not any((place / path).exists() for place in (ROOT, SOURCE))] == []


def doubled(text: str) -> list[str]:
    """Headings that a page has twice, and links that one of its sections has twice."""
    sections = re.split(r"^#+ ", text, flags=re.MULTILINE)[1:]
    headings = Counter(section.partition("\n")[0] for section in sections)
    links = (Counter(re.findall(r"\]\((\S+?)\)", section)) for section in sections)
    return [entry for found in (headings, *links) for entry, times in found.items() if times > 1]


def test_the_readme_says_nothing_twice() -> None:
    assert doubled("# A\n[x](a.md) [y](a.md)\n## B\n[x](a.md)\n## B\n") == ["B", "a.md"]
    assert doubled((ROOT / "README.md").read_text("utf-8")) == []


TABLES = set(schema.__all__) - {"metadata"}
TOUCHED_FROM_AFAR = {
    ("authserver/upstream_grants/disconnect.py", "token_sessions"): (
        "one statement looks whether a live session points to a grant, and deletes it"
    ),
    ("authserver/clients/registration_limit.py", "token_sessions"): (
        "one statement looks whether a client has a session, and says that it was let in"
    ),
}
"""What touches another folder's table, and why that is one statement."""


def tables_of(text: str) -> set[str]:
    """Tables of the store that it imports, wherever it does."""
    found = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom))
    return {
        alias.name
        for node in found
        if node.module is not None and node.module.startswith("ostiary.storage.schema")
        for alias in node.names
    } & TABLES


def shared_tables(files: Mapping[str, str]) -> dict[str, set[str]]:
    """The tables that more than one folder touches, and the folders. files: texts, by path in `ostiary/`.

    A file beside the folders of a part is a folder of its own.
    """
    folders: dict[str, set[str]] = defaultdict(set)
    for path, text in files.items():
        for table in tables_of(text):
            if (path, table) not in TOUCHED_FROM_AFAR:
                folders[table].add("/".join(Path(path).parts[:2]))
    return {table: touching for table, touching in folders.items() if len(touching) > 1}


def test_each_table_is_touched_in_one_folder() -> None:
    files = {file.relative_to(SOURCE).as_posix(): file.read_text("utf-8") for file in MODULES.values()}
    outside = {path: text for path, text in files.items() if not path.startswith("storage/")}
    assert shared_tables(outside) == {}
    assert {(path, table) for path, table in TOUCHED_FROM_AFAR if table in tables_of(outside[path])} == set(
        TOUCHED_FROM_AFAR
    )


def test_a_table_that_a_second_folder_touches_is_found() -> None:
    touching = "def find() -> None:\n    from ostiary.storage.schema import walks\n"
    files = {"authserver/interaction/a.py": touching, "authserver/interaction/b.py": touching}
    assert shared_tables(files) == {}
    files["authserver/authorization_codes.py"] = "from ostiary.storage.schema import codes, walks"
    assert shared_tables(files) == {"walks": {"authserver/interaction", "authserver/authorization_codes.py"}}
