"""Nothing secret at rest in the clear: AES-256-GCM under a ring of keys."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from ostiary.storage.errors import KeyFileUnusable, SealedOtherwise
from ostiary.storage.sealing import KeyRing

OLD, NEW = bytes(32), bytes([1] * 32)


def test_what_is_sealed_opens_and_does_not_show() -> None:
    ring = KeyRing([OLD])
    sealed = ring.seal(b"hunter2", table="tokens", key=b"one")
    assert b"hunter2" not in sealed
    assert ring.open(sealed, table="tokens", key=b"one") == b"hunter2"


def test_the_same_is_sealed_differently_each_time() -> None:
    ring = KeyRing([OLD])
    assert ring.seal(b"hunter2", table="tokens", key=b"one") != ring.seal(
        b"hunter2", table="tokens", key=b"one"
    )


@pytest.mark.parametrize(("table", "key"), [("tokens", b"two"), ("others", b"one")])
def test_it_does_not_open_in_another_place(table: str, key: bytes) -> None:
    ring = KeyRing([OLD])
    with pytest.raises(SealedOtherwise):
        ring.open(ring.seal(b"hunter2", table="tokens", key=b"one"), table=table, key=key)


@pytest.mark.parametrize("damaged", [b"", b"\x01", b"\x01short", b"\x02" + bytes(40)])
def test_what_was_never_sealed_does_not_open(damaged: bytes) -> None:
    with pytest.raises(SealedOtherwise):
        KeyRing([OLD]).open(damaged, table="tokens", key=b"one")


def test_a_rotated_ring_opens_the_old_and_seals_with_the_new() -> None:
    sealed = KeyRing([OLD]).seal(b"hunter2", table="tokens", key=b"one")
    rotated = KeyRing([NEW, OLD])
    assert rotated.open(sealed, table="tokens", key=b"one") == b"hunter2"
    sealed_anew = rotated.seal(b"hunter2", table="tokens", key=b"one")
    assert KeyRing([NEW]).open(sealed_anew, table="tokens", key=b"one") == b"hunter2"
    with pytest.raises(SealedOtherwise):
        KeyRing([OLD]).open(sealed_anew, table="tokens", key=b"one")


def test_a_missing_key_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "ostiary.key"
    sealed = KeyRing.from_file(path).seal(b"hunter2", table="tokens", key=b"one")
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(base64.urlsafe_b64decode(path.read_text().strip() + "=")) == 32
    assert KeyRing.from_file(path).open(sealed, table="tokens", key=b"one") == b"hunter2"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", ["", "c2hvcnQ", "not base64url!", f"{'A' * 43}\nc2hvcnQ"])
def test_a_file_without_a_key_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "ostiary.key"
    path.write_text(content)
    with pytest.raises(KeyFileUnusable) as refused:
        KeyRing.from_file(path)
    assert str(refused.value) == (
        f"encryption key file {path} does not hold 32 bytes in base64url on each line: restore it, or delete "
        "it to have a new one made"
    )


def test_a_key_file_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "ostiary.key"
    with pytest.raises(KeyFileUnusable) as refused:
        KeyRing.from_file(path)
    assert str(refused.value) == (
        f"encryption key file {path} cannot be read or made: No such file or directory"
    )
