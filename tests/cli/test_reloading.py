"""`ostiary up` reads its file again: what is taken over, what is refused, and what is said of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from aiohttp import web
from tests.captured_events import captured_events
from tests.gateway.conftest import request_for

from ostiary.cli.reloading import FileWatch, Reloading
from ostiary.cli.up import Part, _read
from ostiary.gateway import Gateway
from ostiary.live_file import file_state
from ostiary.mcp.era_signs import PROBE_ID

if TYPE_CHECKING:
    from collections.abc import Iterator


GOOD = """\
gateway:
  listen: 127.0.0.1:{port}
  allow_unauthenticated: true
  servers:
    s: {{url: "{url}"}}
"""
WANTS_A_SECRET = """\
gateway:
  allow_unauthenticated: true
  servers:
    s: {url: "https://a.example/mcp", credential: {type: bearer, token: {env: NOT_SET_ANYWHERE}}}
"""
MODERN = {"supportedVersions": ["2026-07-28"], "capabilities": {}, "resultType": "complete"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def events() -> Iterator[list[dict[str, Any]]]:
    with captured_events() as found:
        yield found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ostiary.yaml"
    path.write_text(GOOD.format(port=8080, url="http://127.0.0.1:1/mcp"))
    return path


@asynccontextmanager
async def reloading(file: Path, only: Part | None = None) -> AsyncIterator[tuple[Reloading, Gateway]]:
    read = partial(_read, file, only)
    given = read()
    assert given.file.gateway is not None
    async with Gateway(given.file.gateway) as gateway:
        yield Reloading(given, read, gateway), gateway


async def test_a_file_that_is_the_same_changes_nothing(file: Path, events: list[dict[str, Any]]) -> None:
    file.write_text(f"{file.read_text()}storage: {{}}\ntelemetry: {{listen: '127.0.0.1:9464'}}\n")
    async with reloading(file) as (one, gateway):
        assert gateway.plan is not None
        before = gateway.plan.servers
        await one.reload()
        assert gateway.plan.generation == 2
        assert gateway.plan.servers == before
    assert [event["event"] for event in events] == ["configuration_taken"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("gateway: [", "ostiary.yaml:1: this is not YAML"),
        ("", "runs nothing"),
        ("gateway: {servers: {}}", "nobody could call"),
        ("gateway: {allow_unauthenticated: true, servers: {s: {urll: x}}}", "ostiary.yaml:1: "),
        (
            "gateway: {allow_unauthenticated: true, servers: {s: {command: [not-there-at-all]}}}",
            "not-there-at-all",
        ),
        (WANTS_A_SECRET, "NOT_SET_ANYWHERE"),
    ],
)
async def test_a_file_that_is_wrong_is_refused_with_its_place_and_what_ran_runs_on(
    file: Path, events: list[dict[str, Any]], wrong: str, said: str
) -> None:
    async with reloading(file) as (one, gateway):
        file.write_text(wrong)
        await one.reload()
        assert gateway.plan is not None
        assert gateway.plan.generation == 1
    assert [event["event"] for event in events] == ["configuration_refused"]
    assert said in "\n".join(events[0]["faults"])


async def test_a_secret_that_is_wrong_is_not_said(file: Path, events: list[dict[str, Any]]) -> None:
    async with reloading(file) as (one, _):
        credential = "{type: bearer, token: hunter2-and-more}"
        file.write_text(file.read_text().replace('mcp"}', f'mcp", credential: {credential}}}'))
        await one.reload()
    assert events[0]["event"] == "configuration_refused"
    assert "hunter2" not in str(events)


async def test_what_wants_a_restart_is_said_by_name(file: Path, events: list[dict[str, Any]]) -> None:
    async with reloading(file) as (one, gateway):
        text = file.read_text().replace("8080", "8081").replace("    s:", "    t:")
        file.write_text(f"{text}storage: {{}}\nproxy: none\n")
        await one.reload()
        assert gateway.plan is not None
        assert list(gateway.plan.servers) == ["t"]
    assert [event["event"] for event in events] == ["configuration_taken", "restart_wanted"]
    assert events[1]["settings"] == ["storage", "proxy", "gateway.listen"]


def test_a_file_that_is_half_written_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "ostiary.yaml"
    path.write_text("gateway: {}")
    watch = FileWatch(path, file_state(path))
    assert not watch.look()
    with path.open("w") as writing:
        writing.write("gate")
        writing.flush()
        assert not watch.look()
        writing.write("way: {servers: {}}")
    assert not watch.look()
    assert watch.look()
    watch.is_read()
    assert not watch.look()


def test_a_file_that_is_swapped_as_kubernetes_does_it_is_seen(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ostiary.yaml").write_text("gateway: {}")
    (tmp_path / "data").symlink_to("one")
    path = tmp_path / "data" / "ostiary.yaml"
    watch = FileWatch(path, file_state(path))
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").rename(tmp_path / "data")
    assert [watch.look(), watch.look()] == [False, True]
    (tmp_path / "data").unlink()
    assert [watch.look(), watch.look()] == [False, True]


class Slow:
    """A server whose answer is a stream that goes on until it is told to end."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.go_on = asyncio.Event()
        self.called = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.text())
        if body["id"] == PROBE_ID:
            return web.json_response({"jsonrpc": "2.0", "id": PROBE_ID, "result": MODERN})
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        progress = {
            "jsonrpc": "2.0",
            "method": "notifications/message",
            "params": {"level": "info", "data": ""},
        }
        await answer.write(b"data: %s\n\n" % json.dumps(progress).encode())
        self.called.set()
        await self.go_on.wait()
        last = {"jsonrpc": "2.0", "id": body["id"], "result": {"content": [], "from": self.name}}
        await answer.write(b"data: %s\n\n" % json.dumps(last).encode())
        return answer


async def until_nobody_answers(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            return
        writer.close()


@asynccontextmanager
async def slow_server(name: str) -> AsyncIterator[tuple[Slow, str]]:
    slow, app = Slow(name), web.Application()
    app.router.add_post("/mcp", slow.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield slow, "http://{}:{}/mcp".format(*runner.addresses[0][:2])
    await runner.cleanup()


async def test_streams_survive_a_reload_by_signal_and_are_finished_when_the_process_is_told_to_end(
    file: Path,
) -> None:
    port = free_port()
    async with slow_server("one") as (one, first), slow_server("two") as (two, second):
        file.write_text(GOOD.format(port=port, url=first))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ostiary", "up", "-c", str(file)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"OSTIARY_STATE_DIR": str(file.parent)},
        )
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            async with asyncio.timeout(30), httpx2.AsyncClient(trust_env=False) as http:
                while b"Ctrl-C" not in await process.stdout.readline():
                    pass
                body, headers = request_for("tools/call", {"name": "s_get"})
                sent = [("content-type", "application/json"), *headers]
                call = partial(http.post, f"http://127.0.0.1:{port}/mcp", content=body, headers=sent)
                before = asyncio.create_task(call())
                await one.called.wait()
                file.write_text(GOOD.format(port=port, url=second))
                process.send_signal(signal.SIGHUP)
                while b"configuration_taken" not in await process.stderr.readline():
                    pass
                after = asyncio.create_task(call())
                await two.called.wait()
                process.send_signal(signal.SIGTERM)
                await until_nobody_answers(port)
                one.go_on.set()
                two.go_on.set()
                for answered, whose in ((await before, "one"), (await after, "two")):
                    assert f'"from":"{whose}"' in answered.text.replace(" ", "")
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
