"""The command line, in this process: quick, and every exit as the shell would see it."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import httpx2
import pytest

from ostiary.cli.app import run
from ostiary.cloudrun.emulator import Emulator, EmulatorSettings
from ostiary.gateway import Gateway, GatewaySettings
from ostiary.settings import Listen
from ostiary.telemetry.logs import set_up_logs
from ostiary.transport.listeners import answering
from ostiary.transport.serving import address_of, bind, serving
from ostiary.zoo.server import zoo_app

T = TypeVar("T")


class Outcome(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


Ostiary = Callable[..., Outcome]


@pytest.fixture
def ostiary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Ostiary]:
    """Run a command line in an empty directory, with a state directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OSTIARY_STATE_DIR", str(tmp_path / "state"))
    root, ours = logging.getLogger(), logging.getLogger("ostiary")
    before = (root.handlers[:], root.level, ours.level)
    set_up_logs(io.StringIO())  # of servers that run beside the command, in the same process

    def command(*words: str) -> Outcome:
        code = run(words)
        printed = capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    yield command
    root.handlers[:], root.level, ours.level = before


@contextmanager
def in_background(running: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """What runs in an event loop of its own, in a thread, beside commands that have theirs."""
    started: Future[tuple[T, Callable[[], object]]] = Future()

    async def run() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with running as value:
                started.set_result((value, lambda: loop.call_soon_threadsafe(stop.set)))
                await stop.wait()
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    with ThreadPoolExecutor(1) as thread:
        ended = thread.submit(asyncio.run, run())
        value, stop = started.result(20)
        try:
            yield value
        finally:
            stop()
            ended.result(20)


@dataclass
class House:
    """A local Google, the zoo behind Cloud Run's front end, and gateways that let different callers in."""

    google: Emulator
    directory: Path
    for_google: str = ""
    """The URL of a gateway for the visitor's Google ID tokens."""
    for_oauth: str = ""
    """The URL of a gateway for tokens of https://auth.example.com with the scope animals.read."""

    @property
    def zoo(self) -> str:
        """The zoo's URL, at the front end."""
        return f"{self.google.service_url('zoo')}/mcp"

    def key(self, account: str, **settings: str) -> str:
        """A credential by an account's key, as JSON."""
        key_file = str(self.directory / f"{account}.json")
        return json.dumps({"type": "google_id_token", "key_file": key_file, **settings})

    def sign(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token that no flow gives, signed with Google's key."""
        times = {"iat": int(time.time()), "exp": int(time.time()) + 3600}
        wish = {"claims": times | {"sub": "1", **claims}, "header": header or {}}
        answer = httpx2.post(f"{self.google.google_url}/emulator/sign", json=wish)
        return str(answer.json()["token"])

    def move_clock(self, offset: str) -> None:
        """Google's, and with it the front end's."""
        httpx2.post(f"{self.google.google_url}/emulator/clock", json={"offset": offset}).raise_for_status()


@asynccontextmanager
async def open_house(directory: Path) -> AsyncIterator[House]:
    """The gateway's account may call the zoo; the visitor may call the first gateway."""
    accounts = ("gateway", "visitor")
    sock = bind(Listen("127.0.0.1", 0))
    async with AsyncExitStack() as running:
        await running.enter_async_context(serving(zoo_app(), sock))
        settings = {
            "listen": "127.0.0.1:0",
            "metadata": {"service_account": "gateway"},
            "service_accounts": {name: {"key_file": directory / f"{name}.json"} for name in accounts},
            "services": {
                "zoo": {
                    "listen": "127.0.0.1:0",
                    "url": f"http://{address_of(sock)}",
                    "invokers": ["serviceAccount:gateway@demo-project.iam.gserviceaccount.com"],
                }
            },
        }
        google = await running.enter_async_context(Emulator(EmulatorSettings.model_validate(settings)))
        house = House(google, directory)
        visitor = {"email": "visitor@demo-project.iam.gserviceaccount.com"}
        jwks = {"jwks_url": google.jwks_url}
        door = {"type": "google_id_token", "allow": [visitor], **jwks}
        house.for_google = await _gateway(running, house, door)
        issuer = {"issuer": "https://auth.example.com", "required_scopes": ["animals.read"], **jwks}
        house.for_oauth = await _gateway(running, house, issuer)
        yield house


async def _gateway(running: AsyncExitStack, house: House, inbound: dict[str, Any]) -> str:
    sock = bind(Listen("127.0.0.1", 0))
    nowhere = {"type": "bearer", "token": {"env": "TOKEN_THAT_IS_NOT_SET"}}
    servers = {
        "zoo": {"url": house.zoo, "credential": json.loads(house.key("gateway"))},
        "shut": {"url": house.zoo, "credential": nowhere},
    }
    settings = {"listen": str(address_of(sock)), "inbound": [inbound], "servers": servers}
    gateway = Gateway(GatewaySettings.model_validate(settings))
    await running.enter_async_context(gateway)
    await running.enter_async_context(answering(gateway.listeners(), {"gateway.listen": sock}))
    return f"http://{address_of(sock)}/mcp"


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One for all tests, since its keys take long to make. Whoever moves its clock moves it back."""
    root, ours = logging.getLogger(), logging.getLogger("ostiary")
    before = (root.handlers[:], root.level, ours.level)
    set_up_logs(io.StringIO())  # parts of it choose their logger as they start
    with in_background(open_house(tmp_path_factory.mktemp("house"))) as house:
        root.handlers[:], root.level, ours.level = before
        yield house
