"""What many tests need: the demo, brought up as a person would, and a throw-away PostgreSQL."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest
from tests.clock import Clock
from tests.peers import keycloak
from tests.peers.identity_provider import IdentityProvider
from tests.peers.oidc_provider import idp as oidc_provider
from tests.peers.postgresql import PostgreSql, running_postgresql
from tests.peers.unavailable import FAST, takes_time
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from ostiary.storage.config import StorageSettings
from ostiary.storage.database import Database

OSTIARY = (sys.executable, "-m", "ostiary")
BROWSING = Path(__file__).parent / "cli" / "browsing.py"
"""The browser of whoever uses a demo in a test; she signs in as alice."""
LONG = (
    "tests/end_to_end/",
    "tests/peers/",
    "tests/adapters/",
    "tests/conformance/",
    "tests/docs/",
    "tests/cli/",
    "tests/authserver/replicas/",
    "tests/authserver/idps/test_real_peers.py",
)
"""Where tests start programs, and may go on for a minute; the longest first."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="skip each test that starts a program")


hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("fast"):
        os.environ[FAST] = "1"
        sys.addaudithook(_programs_take_time)


def _programs_take_time(event: str, arguments: tuple[object, ...]) -> None:
    """Whoever starts it: the test itself, the demo, or what is tested."""
    if event == "subprocess.Popen" and "PYTEST_CURRENT_TEST" in os.environ:
        takes_time(Path(str(arguments[0])).name)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One a core: with more, a busy machine is found at fault, and not what is tested."""
    return os.cpu_count() or 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    return Together(config, log)


class Together(LoadFileScheduling):  # type: ignore[misc]  # it has no types
    """In one process: the tests of a file, and all that use Keycloak, which takes half a minute to start."""

    def _split_scope(self, nodeid: str) -> str:
        return "keycloak" if nodeid.endswith("keycloak]") else nodeid.partition("::")[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first, so that nobody waits for it alone in the end."""
    items.sort(
        key=lambda item: next((i for i, long in enumerate(LONG) if item.nodeid.startswith(long)), len(LONG))
    )


def pytest_collection_finish() -> None:
    """Ten thousand tests stay to the end: the collector need not look at them again and again."""
    gc.collect()
    gc.freeze()


@dataclass(frozen=True)
class Demo:
    """A running demo, and a prompt in the directory beside it."""

    process: subprocess.Popen[str]
    directory: Path
    environment: dict[str, str]
    told: str
    """What it printed at its start."""

    @property
    def gateway(self) -> str:
        """Its URL."""
        return self._url(r"^ gateway +(\S+)")

    @property
    def zoo(self) -> str:
        """The URL of the zoo's front end."""
        return self._url(r"^ zoo +(\S+)")

    @property
    def account(self) -> str:
        """The URL of the server that says whose account it was called with."""
        return self._url(r"^ account +(\S+)") + "/mcp"

    @property
    def google(self) -> str:
        """The origin of the local Google."""
        return self._url(r"^ local Google +(\S+)")

    @property
    def authserver(self) -> str:
        """The origin, and the issuer, of the authorization server."""
        return self._url(r"^ authserver +(\S+)")

    @property
    def people(self) -> str:
        """The origin of the provider at which alice and bob sign in."""
        return self._url(r"^ alice and bob +(\S+)")

    @property
    def visitor_key(self) -> Path:
        """The key file of the visitor."""
        return next(self.directory.glob("state/demo-*/visitor.json"))

    def ostiary(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the command `ostiary` as somebody in a second terminal does."""
        return subprocess.run(
            [*OSTIARY, *words],
            cwd=self.directory,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def pasted(self, line: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a line that starts with however `ostiary` is called there."""
        words = shlex.split(line)
        command = next(word for word in words if word in {"call", "login"})
        return self.ostiary(*words[words.index(command) :], **environment)

    def _url(self, pattern: str) -> str:
        found = re.search(pattern, self.told, re.MULTILINE)
        assert found is not None, self.told
        return found[1]

    def stop(self, number: signal.Signals) -> int:
        """Stop it with a signal; its exit code."""
        self.process.send_signal(number)
        try:
            return self.process.wait(timeout=15)
        finally:
            self.kill()

    def kill(self) -> None:
        """End what may be left of it."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def start_demo(directory: Path) -> Demo:
    """Bring a demo up, and wait until it stands."""
    environment = os.environ | {
        "BROWSER": f"{shlex.quote(sys.executable)} {shlex.quote(str(BROWSING))} alice %s",
        "NO_COLOR": "1",
        "OSTIARY_STATE_DIR": str(directory / "state"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }
    log = directory / "log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [*OSTIARY, "up"], cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True
        )
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Ctrl-C"):
            return Demo(process, directory, environment, "".join(lines))
    process.stdout.close()
    pytest.fail(f"the demo ended with {process.wait()}: {log.read_text()}")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One running demo for all tests that look at it and leave it as it is."""
    running = start_demo(tmp_path_factory.mktemp("demo"))
    yield running
    assert running.stop(signal.SIGINT) == 0


@pytest.fixture
def new_demo() -> Iterator[Callable[[Path], Demo]]:
    """Bring up a demo of the test's own, in a directory, to be stopped by the test."""
    running: list[Demo] = []

    def started(directory: Path) -> Demo:
        running.append(start_demo(directory))
        return running[-1]

    yield started
    for one in running:
        one.kill()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file as it is before anything is kept in it, to be copied: to make one takes longer."""
    file = tmp_path_factory.mktemp("store") / "ostiary.db"
    database = Database(StorageSettings.model_validate({"url": f"sqlite:///{file}"}))

    async def make() -> None:
        await database.prepare()
        await database.close()

    asyncio.run(make())
    return file


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    """A throw-away PostgreSQL."""
    with running_postgresql() as server:
        yield server


RunningIdp = Callable[..., AbstractAsyncContextManager[IdentityProvider]]
IDPS = ("oidc-provider", "keycloak")
"""The real identity providers, for `running_idp`."""


@pytest.fixture(scope="session")
def running_keycloak() -> Iterator[keycloak.Keycloak]:
    """One for all tests."""
    with keycloak.running_keycloak() as running:
        yield running


@pytest.fixture
def running_idp(request: pytest.FixtureRequest) -> RunningIdp:
    """Runs one of IDPS, for a client with these redirect URIs."""
    if request.param == "oidc-provider":
        return oidc_provider.running_idp
    running: keycloak.Keycloak = request.getfixturevalue("running_keycloak")
    return running.running_idp
