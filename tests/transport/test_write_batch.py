"""Writes of one turn of the loop, made together at its end."""

from __future__ import annotations

import asyncio
from typing import cast

from ostiary.transport.write_batch import WriteBatch


class Wire:
    """A transport that notes what is written to it."""

    def __init__(self, log: list[tuple[str, bytes]], name: str) -> None:
        self.log = log
        self.name = name
        self.closing = False

    def write(self, data: bytes) -> None:
        self.log.append((self.name, data))

    def is_closing(self) -> bool:
        return self.closing


def wire(log: list[tuple[str, bytes]], name: str) -> asyncio.WriteTransport:
    return cast("asyncio.WriteTransport", Wire(log, name))


async def test_what_is_handed_over_is_written_in_order_before_the_loop_waits_again() -> None:
    log: list[tuple[str, bytes]] = []
    write_batch = WriteBatch(asyncio.get_running_loop())
    one, other = wire(log, "one"), wire(log, "other")
    write_batch.write(one, b"1")
    write_batch.write(other, b"2")
    write_batch.write(one, b"3")
    assert log == []
    await asyncio.sleep(0)
    assert log == [("one", b"1"), ("other", b"2"), ("one", b"3")]


async def test_a_flush_writes_at_once_and_only_once() -> None:
    log: list[tuple[str, bytes]] = []
    write_batch = WriteBatch(asyncio.get_running_loop())
    write_batch.write(wire(log, "one"), b"1")
    write_batch.flush()
    assert log == [("one", b"1")]
    await asyncio.sleep(0)
    assert log == [("one", b"1")]


async def test_a_transport_that_closed_meanwhile_gets_nothing() -> None:
    log: list[tuple[str, bytes]] = []
    write_batch = WriteBatch(asyncio.get_running_loop())
    gone = Wire(log, "gone")
    write_batch.write(cast("asyncio.WriteTransport", gone), b"1")
    write_batch.write(wire(log, "here"), b"2")
    gone.closing = True
    await asyncio.sleep(0)
    assert log == [("here", b"2")]
