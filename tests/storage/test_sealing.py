"""Nothing secret at rest in the clear: AES-256-GCM under a ring of keys."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from ostiary.storage.errors import KeyFileUnusable
from ostiary.storage.sealing import HEADER_BYTES, DoesNotFit, KeyRing, UnknownKey, key_id

OLD, NEW = bytes(32), bytes([1] * 32)


def test_what_is_sealed_opens_and_does_not_show() -> None:
    ring = KeyRing([OLD])
    sealed = ring.seal(b"hunter2", covered=b"a row")
    assert b"hunter2" not in sealed
    assert ring.open(sealed, covered=b"a row") == b"hunter2"


def test_the_same_is_sealed_differently_each_time() -> None:
    ring = KeyRing([OLD])
    assert ring.seal(b"hunter2", covered=b"a row") != ring.seal(b"hunter2", covered=b"a row")


@pytest.mark.parametrize("covered", [b"", b"a ro", b"a row ", b"another row"])
def test_it_opens_beside_nothing_else(covered: bytes) -> None:
    ring = KeyRing([OLD])
    with pytest.raises(DoesNotFit):
        ring.open(ring.seal(b"hunter2", covered=b"a row"), covered=covered)


def test_no_bit_of_it_can_be_changed() -> None:
    ring = KeyRing([OLD])
    sealed = ring.seal(b"hunter2", covered=b"a row")
    for bit in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises((DoesNotFit, UnknownKey)):
            ring.open(bytes(changed), covered=b"a row")


@pytest.mark.parametrize("length", range(37))
def test_what_was_cut_off_does_not_open(length: int) -> None:
    ring = KeyRing([OLD])
    sealed = ring.seal(b"", covered=b"a row")
    assert len(sealed) == 37
    with pytest.raises(DoesNotFit):
        ring.open(sealed[:length], covered=b"a row")


@pytest.mark.parametrize("never", [b"", b"\x01", b"\x01short", b"\x01" + bytes(40), b"\x03" + bytes(40)])
def test_what_was_never_sealed_does_not_open(never: bytes) -> None:
    with pytest.raises(DoesNotFit):
        KeyRing([OLD]).open(never, covered=b"a row")


def test_a_rotated_ring_opens_the_old_and_seals_with_the_new() -> None:
    sealed = KeyRing([OLD]).seal(b"hunter2", covered=b"a row")
    rotated = KeyRing([NEW, OLD])
    assert rotated.open(sealed, covered=b"a row") == b"hunter2"
    sealed_anew = rotated.seal(b"hunter2", covered=b"a row")
    assert KeyRing([NEW]).open(sealed_anew, covered=b"a row") == b"hunter2"
    with pytest.raises(UnknownKey) as refused:
        KeyRing([OLD]).open(sealed_anew, covered=b"a row")
    assert refused.value.key_id == key_id(NEW)


def test_whatever_is_sealed_says_under_which_key() -> None:
    ring = KeyRing([NEW, OLD])
    assert ring.key_ids == [key_id(NEW), key_id(OLD)] == ["83b66fcf6a820838", "7fe325666a1480a1"]
    assert ring.seal(b"hunter2", covered=b"a row")[1:HEADER_BYTES].hex() == key_id(NEW)


def test_a_missing_key_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "ostiary.key"
    sealed = KeyRing.from_file(path).seal(b"hunter2", covered=b"a row")
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(base64.urlsafe_b64decode(path.read_text().strip() + "=")) == 32
    assert KeyRing.from_file(path).open(sealed, covered=b"a row") == b"hunter2"
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
