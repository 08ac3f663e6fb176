"""Draw docs/explanation/scale.md again: its table, its sizes and its pictures."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks.report import Row, table
from benchmarks.scale.costs import Costs
from benchmarks.scale.curves import draw
from benchmarks.scale.demands import Demands, demands
from benchmarks.scale.fleet import Fleet
from benchmarks.scale.simulation import herd, remembered_share, renewals
from ostiary.gateway.config import LimitSettings
from ostiary.identity.authenticator import REMEMBERED

MOST = LimitSettings().remembered_tokens
MIB = 1024 * 1024
LARGE = Fleet()
SIZES = {
    "a team": Fleet(servers=20, people=200, replicas=1, calls=20, has_store=False),
    "a company": Fleet(servers=200, people=20_000, replicas=2, calls=2_000),
    "a large one": Fleet(servers=2_000, people=200_000, replicas=10, calls=20_000),
    "a million people": LARGE,
}
MARK = "<!-- {}: drawn by `python -m benchmarks scale` -->"


def write(page: Path, costs: Costs) -> None:
    """Put what follows from these costs into the page, and its pictures beside it."""
    text = page.read_text()
    for name, part in (("costs", _costs(costs)), ("demands", _demands(costs)), ("sizes", _sizes(costs))):
        mark = re.escape(MARK.format(name))
        before, after = re.split(rf"(?<={mark}\n).*?(?=\n<!-- end -->)", text, maxsplit=1, flags=re.DOTALL)
        text = f"{before}\n{part}\n{after}"
    page.write_text(text)
    pictures = page.with_suffix("")
    pictures.mkdir(exist_ok=True)
    _draw_all(pictures, costs)


def _costs(costs: Costs) -> str:
    rows = [
        Row("a call that the gateway passes on", (_us(costs.call),)),
        Row("verifying a token for the first time (ES256)", (_us(costs.verification),)),
        Row("a tool in a list of several servers", (_us(costs.listed_tool),)),
        Row("tokens for a code or a refresh token, each a transaction", (_us(costs.refresh),)),
        Row("an upstream token, over a connection that is kept", (_us(costs.exchange),)),
        Row("a TLS handshake with two certificates", (_us(costs.handshake),)),
        Row("a verified token in memory", (f"{costs.remembered_token:,} bytes",)),
        Row("a token for a server in memory", (f"{costs.held_token:,} bytes",)),
    ]
    return table(["of one core"], rows)


def _demands(costs: Costs) -> str:
    sides = [
        demands(replace(LARGE, is_sticky=is_sticky, has_store=has_store), costs, most_tokens=MOST)
        for is_sticky, has_store in ((True, True), (True, False), (False, True))
    ]
    rows = [Row(name, [cell(one) for one in sides]) for name, cell in _LINES.items()]
    return table(["one replica for each person", "the same without a store", "any replica"], rows)


_LINES: Mapping[str, Callable[[Demands], str]] = {
    "tokens verified anew, a second": lambda one: f"{one.verifications:,.0f}",
    "upstream tokens asked for, a second": lambda one: f"{one.exchanges:,.0f}",
    "access tokens renewed, a second (each a transaction)": lambda one: f"{one.refreshes:,.0f}",
    "tokens fetched at servers' issuers, a second": lambda one: f"{one.fetches:,.1f}",
    "looks of gateways into the store, a second": lambda one: f"{one.looks:,.0f}",
    "key sets fetched, a second": lambda one: f"{one.documents:,.2f}",
    "lists of tools, a second; servers that these ask": lambda one: f"{one.lists:,.0f}; {one.asked:,.0f}",
    "cores of all gateways": lambda one: f"{one.gateway_cores:,.1f}",
    "cores of all authorization servers": lambda one: f"{one.authserver_cores:,.1f}",
    "memory of a gateway's tokens and lists, MiB": lambda one: f"{one.memory / MIB:,.0f}",
}


def _sizes(costs: Costs) -> str:
    rows = []
    for name, fleet in SIZES.items():
        remembered = max(MOST, 2 * fleet.people // fleet.replicas)
        asked = demands(fleet, costs, most_tokens=remembered)
        cells = (
            f"{fleet.people:,}",
            f"{fleet.servers:,}",
            f"{fleet.calls:,.0f}",
            f"{asked.gateway_cores:,.1f} in {fleet.replicas}",
            f"{asked.authserver_cores:,.1f}",
            f"{asked.refreshes:,.1f}",
            f"{remembered:,}",
            _engine(fleet, asked),
        )
        rows.append(Row(name, cells))
    head = ["people", "servers", "calls/s", "gateway cores in replicas", "authorization server cores"]
    return table([*head, "transactions/s", "`remembered_tokens`", "store"], rows)


def _engine(fleet: Fleet, asked: Demands) -> str:
    if fleet.replicas == 1:
        return "SQLite"
    if asked.authserver_cores < 1:
        return "PostgreSQL"
    return "PostgreSQL with a standby, and a pooler in front"


def _draw_all(pictures: Path, costs: Costs) -> None:
    replicas = (1, 2, 5, 10, 20, 50, 100, 200)
    draw(
        pictures / "exchanges.svg",
        "Upstream tokens asked for, a second",
        "gateways",
        {
            name: [(many, _exchanges(many, costs, is_sticky=is_sticky)) for many in replicas]
            for name, is_sticky in (("any replica", False), ("one replica for each person", True))
        },
        marks=(replicas, (100, 1_000, 10_000, 100_000)),
    )
    people = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
    draw(
        pictures / "remembered.svg",
        "Calls whose token was verified before, per cent",
        "people who call one gateway, each every ten seconds",
        {
            f"{most:,} remembered": [(many, 100 * _remembered(many, most)) for many in people]
            for most in (10_000, 100_000)
        },
    )
    hours, step = 4, 60
    tokens = LARGE.servers
    draw(
        pictures / "renewals.svg",
        f"Tokens of {tokens:,} servers fetched, a second",
        "minutes after all were fetched within one",
        {
            "a gateway": [
                (index * step / 60, rate)
                for index, rate in enumerate(
                    renewals(tokens, LARGE.token_life, together=60, seconds=hours * 3600, every=step)
                )
            ]
        },
    )
    draw(
        pictures / "herd.svg",
        "People who wait for an upstream token",
        "seconds after all gateways began anew",
        {
            f"{cores} cores answer": list(
                enumerate(herd(LARGE.people, calls=LARGE.calls, capacity=cores / costs.exchange, seconds=180))
            )
            for cores in (8, 16, 32, 64)
        },
    )


def _exchanges(replicas: int, costs: Costs, *, is_sticky: bool) -> float:
    fleet = replace(LARGE, replicas=replicas, is_sticky=is_sticky)
    return demands(fleet, costs, most_tokens=LARGE.people).exchanges


def _remembered(people: int, most: int) -> float:
    fleet = Fleet(people=people, calls=people / 10, replicas=1)
    return remembered_share(fleet, most, REMEMBERED)


def _us(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f} µs"
