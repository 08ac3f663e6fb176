"""`ostiary keys`: the signing keys of an authorization server that may run or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

FILE = """\
authserver:
  issuer: https://auth.example.com
  upstream_idps: [{name: corp, issuer: "https://corp.example.com", client_id: x, client_secret: {env: UNSET}}]
  resources: [{resource: "https://mcp.example.com/mcp", owner: default/gateway, idps: [corp]}]
telemetry: {audit: audit.jsonl}
"""


@pytest.fixture(autouse=True)
def file(ostiary: Any, tmp_path: Path) -> None:
    """An administrator needs none of the secrets that the server needs."""
    (tmp_path / "ostiary.yaml").write_text(FILE)


def listed(ostiary: Any, *words: str) -> list[dict[str, Any]]:
    command, *rest = words or ("list",)
    outcome = ostiary("keys", command, "--json", *rest)
    assert (outcome.code, outcome.err) == (0, "")
    rows: list[dict[str, Any]] = json.loads(outcome.out)
    return rows


def audited() -> list[str]:
    return [json.loads(line)["event"] for line in Path("audit.jsonl").read_text().splitlines()]


def test_there_is_no_key_before_the_server_or_its_operator_makes_one(ostiary: Any) -> None:
    assert ostiary("keys", "list").out == "There is no key yet; the server makes one when it starts.\n"
    assert listed(ostiary) == []


def test_a_rotation_makes_the_next_key_and_only_one(ostiary: Any) -> None:
    assert [key["state"] for key in listed(ostiary, "rotate")] == ["active"]
    active, waiting = listed(ostiary, "rotate")
    assert [active["state"], waiting["state"]] == ["active", "next"]
    again = ostiary("keys", "rotate")
    assert (again.code, again.err) == (
        1,
        f"the next key {waiting['kid']} is made already, and signs from {waiting['signs from']}\n",
    )
    assert listed(ostiary) == [active, waiting]
    assert audited() == ["key_made", "key_made"]


def test_a_key_that_others_know_is_withdrawn_and_another_signs_at_once(ostiary: Any) -> None:
    [known] = listed(ostiary, "rotate")
    gone, new = listed(ostiary, "retire", "--", known["kid"][:10])
    assert (gone["kid"], gone["state"], new["state"]) == (known["kid"], "gone", "active")
    assert gone["withdrawn"] is not None
    assert audited() == ["key_made", "key_retired", "key_made"]


def test_a_key_that_nobody_has_is_told(ostiary: Any) -> None:
    assert ostiary("keys", "retire", "nobody") == (
        1,
        "",
        "no key begins with nobody; `ostiary keys list` shows them\n",
    )


def test_for_a_person_it_is_a_table_without_anything_private(ostiary: Any) -> None:
    table = ostiary("keys", "rotate").out
    assert " active " in table
    assert "PRIVATE" not in table


def test_a_file_without_an_authserver_is_told(ostiary: Any) -> None:
    Path("gateway.yaml").write_text("gateway: {allow_unauthenticated: true}\n")
    assert ostiary("keys", "list", "-c", "gateway.yaml") == (2, "", "gateway.yaml has no authserver\n")


def test_a_store_that_is_away_is_one_sentence(ostiary: Any, tmp_path: Path) -> None:
    (tmp_path / "ostiary.db").mkdir()
    assert ostiary("keys", "list") == (
        1,
        "",
        f"store sqlite:///{tmp_path}/ostiary.db: unable to open database file\n",
    )
