"""`ostiary pki`: certificates of workloads, where nobody else issues them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def authority(ostiary: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    made = ostiary("pki", "init", "pki", "--trust-domain", "example.org")
    assert (made.code, made.err) == (0, "")
    return tmp_path / "pki"


def shown(ostiary: Any, place: str) -> list[dict[str, Any]]:
    outcome = ostiary("pki", "show", place, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    found: list[dict[str, Any]] = json.loads(outcome.out)
    return found


def test_an_authority_keeps_its_key_for_itself(ostiary: Any, authority: Path) -> None:
    assert (authority / "ca.key").stat().st_mode & 0o077 == 0
    [said] = shown(ostiary, "pki")
    assert (said["kind"], said["names"], said["oddities"]) == ("authority", ["spiffe://example.org"], [])


def test_an_authority_is_never_made_over_another(ostiary: Any, authority: Path) -> None:
    before = (authority / "ca.key").read_bytes()
    again = ostiary("pki", "init", "pki")
    assert again.code != 0
    assert "name a folder that is not there yet" in again.err
    assert (authority / "ca.key").read_bytes() == before


def test_a_workload_gets_a_certificate_that_names_it(ostiary: Any, authority: Path) -> None:
    outcome = ostiary(
        "pki", "issue", "pki", "default/gateway", "--dns", "gateway.internal", "--ip", "127.0.0.1"
    )
    assert (outcome.code, outcome.err) == (0, "")
    folder = authority / "default" / "gateway"
    assert (folder / "tls.key").stat().st_mode & 0o077 == 0
    _, said = shown(ostiary, "pki/default/gateway")
    assert said["names"] == ["spiffe://example.org/ns/default/mcpserver/gateway"]
    assert (said["kind"], said["owner"], said["oddities"]) == ("workload", "default/gateway", [])
    assert said["hosts"] == ["gateway.internal", "127.0.0.1"]
    assert 86_000 < said["ends_in"] <= 86_400


def test_a_certificate_is_renewed_in_place_and_never_over_another_workloads(
    ostiary: Any, authority: Path
) -> None:
    issue = ("pki", "issue", "pki", "default/gateway", "--out", "here", "--json")
    first, second = json.loads(ostiary(*issue).out), json.loads(ostiary(*issue).out)
    assert first["serial"] != second["serial"]
    other = ostiary("pki", "issue", "pki", "default/other", "--out", "here")
    assert other.code != 0
    assert "name another folder with --out" in other.err
    assert shown(ostiary, "here")[-1]["serial"] == second["serial"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["a/b/c"], "a/b/c is no owner"),
        (["default/gateway", "--lifetime", "91d"], "at most"),
        (["default/gateway", "--lifetime", "soon"], "--lifetime soon"),
        (["default/gateway", "--ip", "localhost"], "--ip localhost"),
        (["default/gateway", "--template", "spiffe://x/{name}"], "--template"),
    ],
)
def test_what_cannot_be_issued_is_told(ostiary: Any, authority: Path, words: list[str], told: str) -> None:
    outcome = ostiary("pki", "issue", "pki", *words)
    assert outcome.code == 2
    assert told in outcome.err


def test_what_is_odd_about_a_certificate_is_told(ostiary: Any, authority: Path) -> None:
    """A key that others can read, a key of another certificate, an authority that signed something else."""
    ostiary("pki", "issue", "pki", "default/gateway", "--out", "one")
    ostiary("pki", "issue", "pki", "default/gateway", "--out", "two")
    ostiary("pki", "init", "other")
    Path("one/tls.key").write_bytes(Path("two/tls.key").read_bytes())
    Path("one/tls.key").chmod(0o644)
    Path("one/ca.crt").write_bytes(Path("other/ca.crt").read_bytes())
    assert shown(ostiary, "one/tls.crt")[0]["oddities"] == [
        "none of the authorities beside it has signed it",
        "tls.key beside it is the key of another certificate",
        "tls.key beside it can be read by others: chmod 600",
    ]
    printed = ostiary("pki", "show", "one/tls.crt").out
    assert "! tls.key beside it can be read by others: chmod 600" in printed


def test_what_is_no_certificate_is_told(ostiary: Any, authority: Path) -> None:
    Path("empty").mkdir()
    nothing = ostiary("pki", "show", "empty")
    assert (nothing.code, nothing.out) == (1, "")
    assert "has no file of certificates" in nothing.err
    key = ostiary("pki", "show", "pki/ca.key")
    assert key.code != 0
    assert "cannot be used" in key.err
