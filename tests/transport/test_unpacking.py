"""Compressed content, unpacked in pieces of a bounded length."""

from __future__ import annotations

import gzip
import random
import sys
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import pytest

from ostiary.transport.unpacking import NotUnpacked, Unpacker, unpacker
from ostiary.transport.upstream.unpacked import PIECE, UnpackedTooLong, Unpacking

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def bare_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


Pack = Callable[[bytes], bytes]
PACKED: dict[str, tuple[str, Pack]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZIP", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "bare deflate": ("deflate", bare_deflate),
    "br": ("br", brotli.compress),
    "zstd": (" zstd ", zstd.compress),
}
CONTENT = b"".join(b'{"name":"tool_%d"},' % number for number in range(20_000))


def made(coding: str) -> Unpacker:
    found = unpacker(coding)
    assert found is not None
    return found


def all_of(unpacking: Unpacking) -> bytes:
    while unpacking.goes_on():
        pass
    return bytes(unpacking.content)


@pytest.mark.parametrize(("coding", "pack"), PACKED.values(), ids=PACKED)
@pytest.mark.parametrize("content", [b"", b"x", CONTENT, random.Random(1).randbytes(100_000)], ids=len)
def test_what_was_packed_comes_out(coding: str, pack: Pack, content: bytes) -> None:
    assert all_of(Unpacking(made(coding), pack(content), len(content))) == content


@pytest.mark.parametrize(("coding", "pack"), PACKED.values(), ids=PACKED)
def test_it_comes_out_however_it_is_cut(coding: str, pack: Pack) -> None:
    found, packed, content = made(coding), pack(CONTENT), bytearray()
    for at in range(len(packed)):
        content += found.feed(packed[at : at + 1], PIECE)
        while not found.needs_input and not found.is_finished:
            content += found.feed(b"", PIECE)
    assert content == CONTENT
    assert found.is_finished


@pytest.mark.parametrize(("coding", "pack"), PACKED.values(), ids=PACKED)
def test_a_bomb_comes_out_in_pieces_and_no_further_than_it_may(coding: str, pack: Pack) -> None:
    bomb = pack(bytes(10_000_000))
    unpacking = Unpacking(made(coding), bomb, 1_000_000)
    unpacking.goes_on()
    assert 0 < len(unpacking.content) <= 4 * PIECE
    with pytest.raises(UnpackedTooLong):
        all_of(unpacking)
    assert len(unpacking.content) <= 1_000_000 + 4 * PIECE


@pytest.mark.parametrize(("coding", "pack"), PACKED.values(), ids=PACKED)
def test_what_is_cut_off_is_refused(coding: str, pack: Pack) -> None:
    with pytest.raises(NotUnpacked) as told:
        all_of(Unpacking(made(coding), pack(CONTENT)[:-1], len(CONTENT)))
    assert str(told.value) == "its compressed answer ends before its end"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_what_is_not_compressed_is_refused(coding: str) -> None:
    with pytest.raises(NotUnpacked):
        all_of(Unpacking(made(coding), b'{"jsonrpc":"2.0","id":1,"result":{}}' * 100, 10_000))


def test_a_window_that_holds_more_than_rfc_9659_allows_is_refused() -> None:
    options: Any = {zstd.CompressionParameter.window_log: 27}
    with pytest.raises(NotUnpacked):
        all_of(Unpacking(made("zstd"), zstd.compress(bytes(1 << 25), options=options), 1 << 26))


@pytest.mark.parametrize("coding", ["", "identity", "compress", "gzip, gzip", "a secret that comes back"])
def test_other_codings_are_not_known(coding: str) -> None:
    assert unpacker(coding) is None
