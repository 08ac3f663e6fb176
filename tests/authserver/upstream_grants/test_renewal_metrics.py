"""What operators see of renewals: how they end, how long one waits for another's, and the grants' states."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest
from aiohttp import web
from tests.authserver.conftest import Clock
from tests.authserver.idps.little_idp import LittleIdp
from tests.authserver.upstream_grants.conftest import Replica, connect

from ostiary.authserver.idps.idp import GrantDead, IdpError
from ostiary.authserver.server.metrics import AuthServerMetrics
from ostiary.authserver.server.services import Services
from ostiary.telemetry.metrics import Metrics


def heard(services: Services) -> AuthServerMetrics:
    metrics = AuthServerMetrics(["corp"])
    metrics.listen(services)
    return metrics


def exposed(metrics: AuthServerMetrics, name: str) -> dict[str, float]:
    """What is told of that metric, by all that follows its name."""
    prefix = f"ostiary_authserver_{name}"
    lines = Metrics(metrics.all).exposition().decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if line.startswith(prefix))
    return {
        said.removeprefix(prefix): float(value) for said, _, value in pairs if not said.endswith("_created")
    }


async def test_who_waits_for_a_claim_is_seen_and_who_has_it_is_not(
    replica: Replica, idp: LittleIdp, clock: Clock
) -> None:
    replicas = await replica(), await replica()
    grant_id = await connect(replicas[0], idp)
    metrics = [heard(services) for services in replicas]
    clock.advance(301)
    idp.pauses = 0.3
    wanted = [services.renewals.fresh_tokens(grant_id, now=clock()) for services in replicas * 2]
    await asyncio.gather(*wanted)
    waits: Counter[str] = Counter()
    for one in metrics:
        waits.update(exposed(one, "upstream_claim_wait_seconds"))
    assert waits['_count{idp="corp"}'] == waits['_bucket{idp="corp",le="+Inf"}'] == len(wanted) - 1
    assert waits['_bucket{idp="corp",le="0.05"}'] == 0
    assert waits['_sum{idp="corp"}'] > 0.3
    by_bound = [value for name, value in waits.items() if name.startswith("_bucket")]
    assert by_bound == sorted(by_bound)


@pytest.mark.parametrize(
    ("status", "state", "outcome"),
    [
        (503, "active", "failed"),
        (200, "in_doubt", "in_doubt"),
    ],
)
async def test_a_renewal_that_fails_is_told_with_the_state_it_leaves(
    replica: Replica, idp: LittleIdp, clock: Clock, tmp_path: Path, status: int, state: str, outcome: str
) -> None:
    services = await replica()
    metrics = heard(services)
    grant_id = await connect(services, idp)
    clock.advance(301)
    idp.raw = lambda: web.Response(status=status, text="what?")
    with pytest.raises(IdpError):
        await services.renewals.fresh_tokens(grant_id, now=clock())
    said = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    (failed,) = [event for event in said if event["event"] == "account_renewal_failed"]
    assert (failed["idp"], failed["state"]) == ("corp", state)
    assert "identity provider corp" in failed["reason"]
    assert exposed(metrics, "upstream_renewals_total") == {f'{{idp="corp",outcome="{outcome}"}}': 1}
    await services.grant_states.count()
    assert exposed(metrics, "upstream_grants") == {f'{{idp="corp",state="{state}"}}': 1}


async def test_grants_are_counted_by_their_state_and_only_when_somebody_hears(
    replica: Replica, idp: LittleIdp, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = await replica()
    grant_id = await connect(services, idp)
    with monkeypatch.context() as patch:
        patch.setattr(services.store, "read", None)
        await services.grant_states.count()
    metrics = heard(services)
    assert exposed(metrics, "upstream_grants") == {}
    await services.grant_states.count()
    assert exposed(metrics, "upstream_grants") == {'{idp="corp",state="active"}': 1}
    clock.advance(301)
    idp.families[0].revoked = True
    with pytest.raises(GrantDead):
        await services.renewals.fresh_tokens(grant_id, now=clock())
    await services.grant_states.count()
    assert exposed(metrics, "upstream_grants") == {'{idp="corp",state="needs_reconnect"}': 1}


def test_a_provider_that_the_configuration_has_no_more_is_other() -> None:
    metrics = AuthServerMetrics(["corp"])
    metrics.counted({("gone", "active"): 2, ("lost", "active"): 1, ("corp", "active"): 4})
    assert exposed(metrics, "upstream_grants") == {
        '{idp="corp",state="active"}': 4,
        '{idp="other",state="active"}': 3,
    }
