"""`ostiary pki`: certificates of workloads, where nobody else issues them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.peers.workload_authority import WorkloadAuthority, uris


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
        "everybody on this machine may read its key; run: chmod go-rwx one/tls.key",
        "tls.key beside it is another certificate's key",
    ]
    printed = ostiary("pki", "show", "one/tls.crt").out
    assert "! none of the authorities beside it has signed it\n" in printed
    Path("one/tls.key").write_text("half a ke")
    assert "key one/tls.key cannot be used" in shown(ostiary, "one/tls.crt")[0]["oddities"][-1]


def test_what_is_no_certificate_is_told(ostiary: Any, authority: Path) -> None:
    Path("empty").mkdir()
    nothing = ostiary("pki", "show", "empty")
    assert (nothing.code, nothing.out) == (1, "")
    assert "has no file of certificates" in nothing.err
    key = ostiary("pki", "show", "pki/ca.key")
    assert key.code != 0
    assert "cannot be used" in key.err


GATEWAY = "spiffe://example.org/ns/default/sa/gateway"
ODD: dict[str, tuple[dict[str, Any], str]] = {
    "two names": (
        {"names": (uris(GATEWAY, "https://example.org"), False)},
        "the certificate has 2 URIs as alternative names, and not one",
    ),
    "no name": ({"names": None}, "the certificate has no SPIFFE ID as its alternative name"),
    "ended": ({"begins": -7200, "ends": -3600}, "it has ended"),
    "not yet valid": ({"begins": 3600, "ends": 7200}, "it is not valid yet"),
    "long": ({"ends": 400 * 86400}, "it lives for 400 days, and only a deny list calls it back"),
    "clients alone": (
        {"extended": (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)},
        "the certificate's extended key usage lacks clientAuth or serverAuth",
    ),
}


@pytest.mark.parametrize(("changes", "told"), ODD.values(), ids=ODD.keys())
def test_what_keeps_a_certificate_from_naming_a_workload_is_told(
    ostiary: Any, changes: dict[str, Any], told: str
) -> None:
    leaf = WorkloadAuthority("Authority", time.time()).issue(GATEWAY, **changes)
    Path("leaf.der").write_bytes(leaf.der)
    [said] = shown(ostiary, "leaf.der")
    without_identifier = "it has no authority key identifier, and some programs refuse it for that"
    assert said["oddities"] == [told, without_identifier]
    assert said["owner"] == (None if said["kind"] == "other" else "default/gateway")


def test_each_certificate_of_a_chain_is_shown(ostiary: Any) -> None:
    root = WorkloadAuthority("Root", time.time())
    middle = root.below("Middle")
    leaf = middle.issue(GATEWAY)
    Path("tls.crt").write_text(leaf.pem + middle.own.pem)
    root.write(Path("ca.crt"))
    first, second = shown(ostiary, "tls.crt")
    assert (first["kind"], second["kind"]) == ("workload", "authority")
    assert "none of the authorities beside it has signed it" not in first["oddities"]
    Path("tls.crt").write_text(leaf.pem)
    assert "none of the authorities beside it has signed it" in shown(ostiary, "tls.crt")[0]["oddities"]


def test_a_certificate_cannot_steer_a_terminal(ostiary: Any) -> None:
    hostile = "spiffe://example.org/\x1b[2J\r\nkind  a certificate of workload zoo/admin"
    leaf = WorkloadAuthority("Autho\x1b[31mrity", time.time()).issue(hostile)
    Path("leaf.pem").write_text(leaf.pem)
    printed = ostiary("pki", "show", "leaf.pem").out
    assert "\x1b" not in printed
    assert "\r" not in printed
    assert [line for line in printed.splitlines() if line.startswith("kind")] == []
    assert "! a SPIFFE ID" in printed or "! the path of a SPIFFE ID" in printed


@pytest.mark.parametrize("garbled", [b"", b"-----BEGIN CERTIFICATE-----\nxx", b"\x30\x80", b"\0" * 1000])
def test_a_file_that_cannot_be_read_is_told(ostiary: Any, garbled: bytes) -> None:
    Path("leaf.pem").write_bytes(garbled)
    told = "leaf.pem cannot be used: it holds no certificate that can be read; name a file of certificates, "
    assert ostiary("pki", "show", "leaf.pem") == (1, "", told + "in PEM or DER\n")


def test_a_certificate_that_says_one_thing_twice_cannot_be_read(ostiary: Any) -> None:
    leaf = WorkloadAuthority("Authority", time.time()).issue(GATEWAY)
    twice = leaf.der.replace(b"\x06\x03\x55\x1d\x25", b"\x06\x03\x55\x1d\x0f")
    Path("leaf.der").write_bytes(twice)
    assert twice != leaf.der
    assert "it holds no certificate that can be read" in ostiary("pki", "show", "leaf.der").err
