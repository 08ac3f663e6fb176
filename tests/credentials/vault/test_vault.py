"""What a person's sign-ins leave behind."""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import null
from keyring.errors import KeyringLocked

from ostiary.credentials.vault.file_vault import FileVault
from ostiary.credentials.vault.keyring_vault import KeyringVault
from ostiary.credentials.vault.records import Grant, UserRecords
from ostiary.credentials.vault.system_vault import system_vault
from ostiary.credentials.vault.vault import TokenVault, VaultError

SERVER = "https://mcp.example.com/mcp"
GRANT = Grant("https://a.example", SERVER, "client", "https://a.example/token", "t0ken", scopes=("read",))
ANOTHER_KEY = (
    "{0}/tokens.sealed cannot be opened with {0}/tokens.key: "
    "it was made with another key or is damaged; delete it, and sign in again"
)
NO_KEY = (
    "{0}/tokens.key cannot be read: No such file or directory; "
    "restore it, or delete {0}/tokens.sealed and sign in again"
)
SHORT_KEY = (
    "{0}/tokens.key does not hold 32 bytes in base64url; "
    "restore it, or delete it and {0}/tokens.sealed and sign in again"
)
MANY = """
import asyncio, sys
from pathlib import Path
from ostiary.credentials.vault.file_vault import FileVault

async def main():
    vault = FileVault(Path(sys.argv[1]))
    for number in range(20):
        await vault.put(f"{sys.argv[2]} {number}", b"x")

asyncio.run(main())
"""


class MemoryKeyring(KeyringBackend):
    """A keyring like a desktop's, in memory."""

    priority = 5.0
    name = "memory"

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked("it is locked")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


@pytest.fixture
def system_keyring() -> Iterator[MemoryKeyring]:
    """The user's keyring, while the test runs."""
    before, own = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(own)
    yield own
    keyring.set_keyring(before)


@pytest.fixture(params=["file", "keyring"])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> TokenVault:
    return FileVault(tmp_path) if request.param == "file" else KeyringVault(MemoryKeyring(), tmp_path)


async def test_a_record_is_kept_until_it_is_deleted(vault: TokenVault) -> None:
    assert await vault.get("a") is None
    await vault.put("a", b"\0one")
    before = vault.version()
    await vault.put("b", b"two")
    assert await vault.get("a") == b"\0one"
    assert vault.version() != before
    await vault.delete("a")
    await vault.delete("a")
    assert (await vault.get("a"), await vault.get("b")) == (None, b"two")


async def test_grants_are_kept_by_issuer_and_server(vault: TokenVault) -> None:
    records = UserRecords(vault)
    await records.keep_grant(SERVER, GRANT)
    assert await records.issuer(SERVER) == "https://a.example"
    assert await records.grant("https://a.example", SERVER) == GRANT
    assert await records.grant("https://b.example", SERVER) is None
    assert await records.grant("https://a.example", "https://other.example/mcp") is None
    await records.forget_grant("https://a.example", SERVER)
    assert await records.issuer(SERVER) is None


async def test_a_record_of_another_version_counts_for_nothing(vault: TokenVault) -> None:
    await vault.put(f"grant https://a.example {SERVER}", b'{"issuer": 1}')
    assert await UserRecords(vault).grant("https://a.example", SERVER) is None


async def test_only_one_has_its_turn_at_a_time(vault: TokenVault) -> None:
    told: list[str] = []

    async def take(name: str) -> None:
        async with vault.turn("grant"):
            told.append(f"{name} in")
            await asyncio.sleep(0.01)
            told.append(f"{name} out")

    async with asyncio.timeout(10):
        await asyncio.gather(take("a"), take("b"))
    assert told in (["a in", "a out", "b in", "b out"], ["b in", "b out", "a in", "a out"])


async def test_the_file_is_sealed_and_its_user_s_alone(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    await UserRecords(FileVault(directory)).keep_grant(SERVER, GRANT)
    assert _modes(directory) == {0}
    sealed = (directory / "tokens.sealed").read_bytes()
    assert not any(secret in sealed for secret in (b"t0ken", b"mcp.example.com", b"client"))
    key = (directory / "tokens.key").read_text()
    assert len(base64.urlsafe_b64decode(key.strip() + "=")) == 32


async def test_two_processes_do_not_lose_each_other_s_records(tmp_path: Path) -> None:
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", MANY, tmp_path, name) for name in "ab"
    ]
    async with asyncio.timeout(60):
        assert [await process.wait() for process in processes] == [0, 0]
    vault = FileVault(tmp_path)
    kept = [await vault.get(f"{name} {number}") for name in "ab" for number in range(20)]
    assert kept == [b"x"] * 40


@pytest.mark.parametrize(
    ("file", "spoiled", "why"),
    [
        ("tokens.key", b"A" * 43, ANOTHER_KEY),
        ("tokens.sealed", b"junk", ANOTHER_KEY),
        ("tokens.key", None, NO_KEY),
        ("tokens.key", b"short", SHORT_KEY),
    ],
)
async def test_a_file_that_cannot_be_opened_says_what_to_do(
    file: str, spoiled: bytes | None, why: str, tmp_path: Path
) -> None:
    vault = FileVault(tmp_path)
    await vault.put("a", b"x")
    if spoiled is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(spoiled)
    with pytest.raises(VaultError) as refused:
        await vault.get("a")
    assert str(refused.value) == why.format(tmp_path)


def test_the_keyring_is_used_where_there_is_one(system_keyring: MemoryKeyring, tmp_path: Path) -> None:
    assert system_vault(tmp_path).place == "memory"


def test_a_stand_in_for_a_keyring_is_not_used(system_keyring: MemoryKeyring, tmp_path: Path) -> None:
    keyring.set_keyring(null.Keyring())  # type: ignore[no-untyped-call]  # the library's own
    assert system_vault(tmp_path).place == str(tmp_path / "tokens.sealed")


async def test_a_locked_keyring_says_so(system_keyring: MemoryKeyring, tmp_path: Path) -> None:
    system_keyring.locked = True
    with pytest.raises(VaultError) as refused:
        await system_vault(tmp_path).get("a")
    assert str(refused.value) == "the keyring memory does not answer: it is locked; unlock it"


def _modes(directory: Path) -> set[int]:
    return {path.stat().st_mode & 0o077 for path in (directory, *directory.iterdir())}
