"""Each import contract is seen to fail: on a copy of the source with violations planted in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.house import CONTRACTS, ROOT, floors_of

EXHAUSTIVE = [contract for contract in CONTRACTS if contract.get("exhaustive")]
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


@dataclass(frozen=True)
class Plant:
    """An import that a contract forbids."""

    contract: str
    importer: str
    imported: str
    kind: str = "up"

    @property
    def line(self) -> str:
        plain = f"import {self.imported}\n"
        return (
            f"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    {plain}"
            if "types" in self.kind
            else plain
        )


def plants(contract: Mapping[str, Any]) -> Iterator[Plant]:
    name = contract["name"]
    if contract["type"] == "forbidden":
        for source in contract["source_modules"]:
            yield Plant(name, source, contract["forbidden_modules"][0])
            yield Plant(name, source, contract["forbidden_modules"][-1], "up, for types alone")
        return
    floors = floors_of(contract)
    for container in contract["containers"]:
        rooms = [[f"{container}.{room}" for room in floor] for floor in floors]
        yield Plant(name, rooms[-1][0], rooms[0][0])
        yield Plant(name, rooms[1][0], rooms[0][-1], "up, for types alone")
        several = next(
            floor for floor, written in zip(rooms, contract["layers"], strict=True) if "|" in written
        )
        yield Plant(name, several[0], several[1], "aside")


PLANTS = [plant for contract in CONTRACTS for plant in plants(contract)]


def file_of(module: str) -> Path:
    path = Path("src", *module.split("."))
    return path / "__init__.py" if (ROOT / path).is_dir() else path.with_suffix(".py")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What the linter says of each contract, where all is planted at once."""
    copy = tmp_path_factory.mktemp("planted")
    shutil.copy(ROOT / "pyproject.toml", copy)
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for contract in EXHAUSTIVE:
        for container in contract["containers"]:
            (copy / file_of(f"{container}.attic")).touch()
    for plant in PLANTS:
        with (copy / file_of(plant.importer)).open("a", encoding="utf-8") as file:
            file.write(plant.line)
    linted = subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache", "--no-logo"],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy / "src"), "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert linted.returncode == 1, linted
    broken = linted.stdout.partition("\nBroken contracts\n")[2]
    starts = [broken.index(f"\n{contract['name']}\n") for contract in CONTRACTS]
    ends = [*starts[1:], len(broken)]
    return {
        contract["name"]: broken[start:end]
        for contract, start, end in zip(CONTRACTS, starts, ends, strict=True)
    }


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: f"{plant.importer}, {plant.kind}")
def test_an_import_that_a_contract_forbids_is_named(told: Mapping[str, str], plant: Plant) -> None:
    assert f"{plant.importer} -> {plant.imported} (l." in told[plant.contract]


@pytest.mark.parametrize("contract", EXHAUSTIVE, ids=lambda contract: contract["name"])
def test_a_module_that_no_contract_lists_is_named(
    told: Mapping[str, str], contract: Mapping[str, Any]
) -> None:
    for container in contract["containers"]:
        assert f"- {container}.attic\n" in told[contract["name"]].partition("not listed as layers:")[2]
