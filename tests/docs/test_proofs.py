"""Each row of a page of proofs names the tests that prove it, and they are there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["authorization-standards.md", "attacks.md"]
LEVELS = {"MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"}
PROOF = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def rows(page: str) -> list[list[str]]:
    """The cells of all tables, without their heads."""
    lines = (ROOT / "docs" / "reference" / page).read_text("utf-8").splitlines()
    heads = {number for number, line in enumerate(lines, -1) if line.startswith("|---")}
    table = [line for number, line in enumerate(lines) if line.startswith("|") and number not in heads]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table if line[:4] != "|---"]


@cache
def functions_of(file: str) -> frozenset[str]:
    if not (ROOT / file).exists():
        return frozenset()
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, kinds))


@pytest.mark.parametrize("page", PAGES)
def test_every_row_has_a_proof(page: str) -> None:
    assert [row for row in rows(page) if not PROOF.search(row[-1])] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_proof_is_a_test(page: str) -> None:
    named = [found for row in rows(page) for found in PROOF.findall(row[-1])]
    assert len(named) > len(rows(page)) - 1
    assert [f"{file}::{name}" for file, name in named if name not in functions_of(file)] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_cell_of_proofs_has_nothing_else(page: str) -> None:
    assert [row for row in rows(page) if PROOF.sub("", row[-1]).strip()] == []


def test_every_requirement_has_its_level() -> None:
    assert {row[0] for row in rows(PAGES[0])} == LEVELS
    assert {len(row) for row in rows(PAGES[0])} == {5}
