"""`ostiary keys`: what an authorization server signs and seals with, which may run or not."""

from __future__ import annotations

import base64
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ostiary.storage.sealing import key_id

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


def put_key_first(key: bytes) -> str:
    """Its id."""
    file = Path("ostiary.key")
    line = base64.urlsafe_b64encode(key).decode().rstrip("=")
    file.write_text(f"{line}\n{file.read_text() if file.exists() else ''}")
    return key_id(key)


def test_all_is_sealed_anew_under_the_newest_key_and_the_old_one_may_go(ostiary: Any) -> None:
    old = put_key_first(bytes(32))
    listed(ostiary, "rotate")
    new = put_key_first(bytes([1] * 32))
    assert [(row["key"], row["state"], row["rows"]) for row in listed(ostiary, "encryption")] == [
        (new, "seals", 0),
        (old, "needed", 1),
    ]
    outcome = ostiary("keys", "reseal")
    assert (outcome.code, outcome.err) == (0, "0 of 1 row was sealed anew\n1 of 1 row was sealed anew\n")
    assert outcome.out.splitlines() == [
        f"All is sealed under {new}; 1 row was sealed anew.",
        f"Nothing needs {old} any more: its line may go from the key file of every replica.",
    ]
    assert [(row["key"], row["state"]) for row in listed(ostiary, "encryption")] == [
        (new, "seals"),
        (old, "not needed"),
    ]
    Path("ostiary.key").write_text(Path("ostiary.key").read_text().splitlines()[0])
    assert [key["state"] for key in listed(ostiary)] == ["active"]
    again = ostiary("keys", "reseal")
    assert again == (0, f"All is sealed under {new}; 0 rows were sealed anew.\n", "")
    assert audited() == ["key_made", "store_resealed", "store_resealed"]


def test_a_key_file_without_a_key_that_rows_need_is_refused_and_the_key_is_named(
    ostiary: Any, tmp_path: Path
) -> None:
    old = put_key_first(bytes(32))
    listed(ostiary, "rotate")
    Path("ostiary.key").unlink()
    put_key_first(bytes([1] * 32))
    what = f"what store sqlite:///{tmp_path}/ostiary.db holds is sealed under encryption key {old}"
    sentence = f"{what}, which the key file does not have: put its line back, in every replica\n"
    for command in ("reseal", "encryption", "list"):
        assert ostiary("keys", command) == (1, "", sentence)


def test_a_row_that_does_not_open_is_told_and_left(ostiary: Any) -> None:
    old = put_key_first(bytes(32))
    [key] = listed(ostiary, "rotate")
    new = put_key_first(bytes([1] * 32))
    with sqlite3.connect("ostiary.db") as connection:
        connection.execute("UPDATE signing_keys SET algorithm = 'EdDSA'")
    connection.close()
    outcome = ostiary("keys", "reseal", "--json")
    assert (outcome.code, json.loads(outcome.out)["left"]) == (1, 1)
    place = f"the row of signing_keys whose kid is {key['kid']}"
    assert outcome.err.splitlines()[1:] == [
        "1 row does not open, and was left:",
        f"{place} does not fit its seal: it was changed past Ostiary, or is damaged",
        "restore or delete those that were changed, or put the line of their key back; then run this again",
    ]
    assert [(row["key"], row["state"], row["rows"]) for row in listed(ostiary, "encryption")] == [
        (new, "seals", 0),
        (old, "needed", 1),
    ]
