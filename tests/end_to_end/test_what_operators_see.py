"""Metrics, status and audit tell of the same calls, and agree with what was done."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
from prometheus_client.parser import text_string_to_metric_families
from tests.gateway.conftest import request_for

from ostiary.cli.running import running
from ostiary.config import load
from ostiary.settings import Listen
from ostiary.transport.serving import address_of, bind, serving
from ostiary.zoo.server import zoo_app

FILE = """
gateway:
  listen: 127.0.0.1:{gateway}
  allow_unauthenticated: true
  policy: policies
  servers:
    zoo: {{url: "{zoo}"}}
    away: {{url: "http://127.0.0.1:9/mcp"}}
telemetry: {{listen: "127.0.0.1:{telemetry}", audit: audit.jsonl}}
"""
POLICY = """
permit (principal, action, resource);
@id("no_names") forbid (principal, action == Action::"call_tool", resource == Tool::"zoo/get_animal_details");
"""
ANIMALS = ("zoo_get_animals_by_species", {"species": "penguin"})
DETAILS = ("zoo_get_animal_details", {"name": "Skipper"})
GONE: tuple[str, dict[str, str]] = ("away_anything", {})


class Ports(NamedTuple):
    """Where both listen."""

    gateway: int
    telemetry: int


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@asynccontextmanager
async def ostiary_up(folder: Path) -> AsyncIterator[Ports]:
    """What `ostiary up` runs, in this process, in front of the zoo."""
    ports, zoo = Ports(free_port(), free_port()), bind(Listen("127.0.0.1", 0))
    (folder / "policies").mkdir()
    (folder / "policies" / "all.cedar").write_text(POLICY)
    file = folder / "ostiary.yaml"
    file.write_text(FILE.format(zoo=f"http://{address_of(zoo)}/mcp", **ports._asdict()))
    async with serving(zoo_app(), zoo), running(load(file)):
        yield ports


async def call(http: httpx2.AsyncClient, ports: Ports, tool: tuple[str, dict[str, str]]) -> int:
    body, headers = request_for("tools/call", {"name": tool[0], "arguments": tool[1]})
    headers.append(("content-type", "application/json"))
    answer = await http.post(f"http://127.0.0.1:{ports.gateway}/mcp", content=body, headers=headers)
    return answer.status_code


def counted(text: str) -> Counter[tuple[str, str]]:
    """(server, outcome) → calls, as `/metrics` has them."""
    found: Counter[tuple[str, str]] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "ostiary_gateway_calls_total":
                found[sample.labels.get("server", ""), sample.labels["outcome"]] += int(sample.value)
    return found


async def test_metrics_status_and_audit_agree(tmp_path: Path) -> None:
    async with ostiary_up(tmp_path) as ports, httpx2.AsyncClient(trust_env=False) as http:
        answered = [await call(http, ports, ANIMALS) for _ in range(3)]
        denied = [await call(http, ports, DETAILS) for _ in range(2)]
        failed = await call(http, ports, GONE)
        telemetry = f"http://127.0.0.1:{ports.telemetry}"
        metrics = counted((await http.get(f"{telemetry}/metrics")).text)
        status: dict[str, Any] = (await http.get(f"{telemetry}/status")).json()["gateway"]
    assert (answered, denied, failed) == ([200, 200, 200], [403, 403], 502)
    done = Counter({("zoo", "ok"): 3, ("zoo", "not_permitted"): 2, ("away", "server_unavailable"): 1})
    assert metrics == done
    written = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text("utf-8").splitlines()]
    assert Counter((one["server"], one["outcome"]) for one in written) == done
    assert Counter(one.get("decision") for one in written) == {"permitted": 4, "denied": 2}
    servers = {one["name"]: (one["calls"], one["failures"], one["health"]) for one in status["servers"]}
    assert servers == {"zoo": (5, 0, "up"), "away": (1, 1, "unreachable")}
    assert status["refusals"] == {"not_permitted": 2}


async def test_dns_rebinding_to_the_telemetry_port(tmp_path: Path) -> None:
    async with ostiary_up(tmp_path) as ports, httpx2.AsyncClient(trust_env=False) as http:
        for path in ("/status", "/metrics"):
            url = f"http://127.0.0.1:{ports.telemetry}{path}"
            rebound = await http.get(url, headers={"host": f"evil.example:{ports.telemetry}"})
            elsewhere = await http.get(url, headers={"origin": "https://evil.example"})
            assert (rebound.status_code, elsewhere.status_code) == (400, 403)
