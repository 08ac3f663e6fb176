"""What is counted, and whether the server can serve: heard from the audit, asked by operators."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.authserver.conftest import SECRET, Start

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.server.metrics import AuthServerMetrics
from ostiary.authserver.server.readiness import readiness
from ostiary.telemetry.metrics import Metrics


def counted(counts: AuthServerMetrics) -> dict[str, float]:
    lines = Metrics(counts.all).exposition().decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if line.startswith("ostiary_authserver_"))
    return {name.removeprefix("ostiary_authserver_"): float(value) for name, _, value in pairs}


async def test_counts_are_what_the_audit_tells(start: Start) -> None:
    async with start() as server:
        counts = AuthServerMetrics(["corp"])
        server.server.services.audit.hear(counts.heard)
        for more in ({}, {"scope": "everything"}, {}):
            await server.token({"grant_type": "client_credentials", **more}, auth=("ci", SECRET))
        lines = server.audit_file.read_text().splitlines()
    made, *events = [json.loads(line)["event"] for line in lines]
    assert made == "key_made"  # before anybody listened
    found = counted(counts)
    assert found['tokens_issued_total{grant="client_credentials"}'] == 2
    assert found['tokens_refused_total{error="invalid_scope",grant="client_credentials"}'] == 1
    told = {name: value for name, value in found.items() if name.startswith("audit_events")}
    assert told == {f'audit_events_total{{event="{name}"}}': events.count(name) for name in set(events)}


@pytest.mark.parametrize(
    ("event", "said", "name"),
    [
        (AuditEvent.SIGNED_IN, {"idp": "corp"}, 'sign_ins_total{idp="corp",outcome="signed_in"}'),
        (AuditEvent.SIGN_IN_REFUSED, {"idp": "corp"}, 'sign_ins_total{idp="corp",outcome="refused"}'),
        (AuditEvent.SIGN_IN_REFUSED, {}, 'sign_ins_total{idp="none",outcome="refused"}'),
        (AuditEvent.TOKEN_REFRESHED, {}, 'refreshes_total{outcome="rotated"}'),
        (AuditEvent.TOKEN_REFRESHED, {"grace": True}, 'refreshes_total{outcome="grace"}'),
        (AuditEvent.REFRESH_REUSED, {}, 'refreshes_total{outcome="reused"}'),
        (
            AuditEvent.ACCOUNT_RENEWED,
            {"idp": "corp"},
            'upstream_renewals_total{idp="corp",outcome="renewed"}',
        ),
    ],
)
def test_each_outcome_has_a_count(event: AuditEvent, said: dict[str, Any], name: str) -> None:
    counts = AuthServerMetrics(["corp"])
    counts.heard(event, said)
    assert counted(counts) == {name: 1, f'audit_events_total{{event="{event.value}"}}': 1}


def test_a_stranger_makes_no_series() -> None:
    counts = AuthServerMetrics(["corp"])
    for number in range(100):
        counts.heard(
            AuditEvent.TOKEN_REFUSED,
            {"grant": f"grant-{number}", "error": f"error-{number}", "client": f"https://{number}.example"},
        )
        counts.heard(AuditEvent.SIGN_IN_REFUSED, {"idp": f"idp-{number}"})
    assert counted(counts) == {
        'tokens_refused_total{error="other",grant="other"}': 100,
        'sign_ins_total{idp="other",outcome="refused"}': 100,
        'audit_events_total{event="token_refused"}': 100,
        'audit_events_total{event="sign_in_refused"}': 100,
    }


async def test_a_server_that_works_is_ready(start: Start) -> None:
    async with start() as server:
        assert [await check() for check in readiness(server.server.services).values()] == [None, None, None]


async def test_a_store_that_is_away_is_told(start: Start, tmp_path: Path) -> None:
    async with start() as server:
        checks = readiness(server.server.services)
        await server.server.services.store.close()
        (tmp_path / "ostiary.db").rename(tmp_path / "elsewhere.db")
        (tmp_path / "ostiary.db").mkdir()
        assert await checks["storage"]() == (
            f"store sqlite:///{tmp_path}/ostiary.db: unable to open database file"
        )
        assert await checks["signing keys"]() is None
