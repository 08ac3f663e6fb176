"""What operators ask: healthz, readyz, metrics."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from ostiary.secrets import Secret
from ostiary.settings import Listen
from ostiary.telemetry.endpoints import Check, telemetry_app
from ostiary.telemetry.metrics import Count, Metrics, known
from ostiary.telemetry.operators import Operators
from ostiary.transport.serving import address_of, bind, serving

Open = Callable[..., AbstractAsyncContextManager[httpx2.AsyncClient]]


@pytest.fixture
def telemetry() -> Open:
    """A listener, and a client that speaks to it."""

    @asynccontextmanager
    async def opened(
        *counts: Count, checks: Mapping[str, Check] | None = None
    ) -> AsyncIterator[httpx2.AsyncClient]:
        sock = bind(Listen("127.0.0.1", 0))
        app = telemetry_app(Metrics(counts), checks or {})
        origin = f"http://{address_of(sock)}"
        async with serving(app, sock), httpx2.AsyncClient(base_url=origin, trust_env=False) as client:
            yield client

    return opened


async def test_it_is_alive_although_it_cannot_serve(telemetry: Open) -> None:
    async def storage() -> str:
        return "store sqlite:///x.db: it did not answer within 2 seconds"

    async def keys() -> None:
        return None

    async with telemetry(checks={"storage": storage, "signing keys": keys}) as client:
        alive, ready = await client.get("/healthz"), await client.get("/readyz")
    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
    assert (ready.status_code, ready.json()) == (
        503,
        {
            "status": "not ready",
            "reasons": {"storage": "store sqlite:///x.db: it did not answer within 2 seconds"},
        },
    )


async def test_with_nothing_to_wait_for_it_is_ready(telemetry: Open) -> None:
    async with telemetry() as client:
        ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})


async def test_counts_are_in_the_format_of_prometheus(telemetry: Open) -> None:
    plain, labelled = Count("knocks", "Knocks."), Count("calls", "Calls.", ["tool", "outcome"])
    labelled.add("zoo", "ok")
    labelled.add("zoo", "ok")
    async with telemetry(plain, labelled) as client:
        answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = answer.text.splitlines()
    assert lines[lines.index("# HELP knocks_total Knocks.") :] == [
        "# HELP knocks_total Knocks.",
        "# TYPE knocks_total counter",
        "knocks_total 0.0",
        "# HELP calls_total Calls.",
        "# TYPE calls_total counter",
        'calls_total{outcome="ok",tool="zoo"} 2.0',
    ]
    assert any(line.startswith("process_resident_memory_bytes ") for line in lines)


def test_what_is_not_known_is_no_label() -> None:
    names = frozenset({"google"})
    assert [known("google", names), known("evil\n", names), known(None, names)] == [
        "google",
        "other",
        "other",
    ]


@asynccontextmanager
async def for_operators(token: Secret | None, *, is_local: bool) -> AsyncIterator[httpx2.AsyncClient]:
    sock = bind(Listen("127.0.0.1", 0))
    operators = Operators(token, is_local)
    app = telemetry_app(Metrics(), {}, state=lambda: {"gateway": {}}, operators=operators)
    origin = f"http://{address_of(sock)}"
    async with serving(app, sock), httpx2.AsyncClient(base_url=origin, trust_env=False) as client:
        yield client


async def test_status_without_a_token_is_for_this_machine() -> None:
    async with for_operators(None, is_local=True) as client:
        here = await client.get("/status")
    assert (here.status_code, here.json()) == (200, {"gateway": {}})
    async with for_operators(None, is_local=False) as client:
        elsewhere = await client.get("/status")
    assert elsewhere.status_code == 403
    assert elsewhere.json()["error_description"] == "to see it from elsewhere, set telemetry.status_token"


async def test_status_without_the_token_is_refused() -> None:
    async with for_operators(Secret("sésame"), is_local=False) as client:
        for header in (b"", b"Bearer wrong", b"Basic !", b"Basic bm9uZQ==", b"Bearer", "sésame".encode()):
            answer = await client.get("/status", headers={b"authorization": header})
            assert (answer.status_code, answer.headers["www-authenticate"]) == (
                401,
                'Basic realm="ostiary", charset="UTF-8"',
            )
        for given in ("Bearer sésame".encode(), b"Basic " + b64encode("anna:sésame".encode())):
            assert (await client.get("/status", headers={b"authorization": given})).status_code == 200
        assert (await client.get("/metrics")).status_code == 200


async def test_a_token_that_is_not_where_it_should_be_lets_nobody_in(tmp_path: Path) -> None:
    async with for_operators(Secret.from_file(tmp_path / "gone"), is_local=True) as client:
        answer = await client.get("/status", headers={"authorization": "Bearer x"})
    assert answer.status_code == 403
