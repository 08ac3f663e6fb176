"""Coroutines driven by the bytes themselves: resumed in place, cancelled with their `finally`."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest

from ostiary.inline_coroutines import InlineFuture, InlineRunner, as_future, in_task


class Outcome:
    """What an inline coroutine came to."""

    def __init__(self) -> None:
        self.value: Any = None
        self.error: BaseException | None = None
        self.times = 0

    def __call__(self, value: Any, error: BaseException | None) -> None:
        self.value, self.error, self.times = value, error, self.times + 1


async def test_a_coroutine_that_never_waits_is_done_when_start_returns() -> None:
    async def at_once() -> int:
        return 7

    outcome = Outcome()
    InlineRunner(at_once(), outcome).start()
    assert (outcome.value, outcome.times) == (7, 1)


async def test_an_inline_future_resumes_whoever_waits_before_set_returns() -> None:
    inline_future: InlineFuture[int] = InlineFuture()

    async def waiting() -> int:
        return await inline_future + 1

    outcome = Outcome()
    InlineRunner(waiting(), outcome).start()
    assert outcome.times == 0
    inline_future.set(1)
    inline_future.set(5)
    inline_future.fail(ValueError())
    assert (outcome.value, outcome.error, outcome.times, inline_future.done) == (2, None, 1, True)


async def test_an_inline_future_that_was_set_before_is_not_waited_for() -> None:
    inline_future: InlineFuture[int] = InlineFuture()
    inline_future.set(3)
    assert await as_future(_awaiting(inline_future)) == 3


async def test_a_failed_inline_future_raises_in_whoever_waits() -> None:
    inline_future: InlineFuture[int] = InlineFuture()
    future = as_future(_awaiting(inline_future))
    inline_future.fail(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        await future


async def test_a_future_resumes_too() -> None:
    future = asyncio.get_running_loop().create_future()
    inline = as_future(_awaiting(future))
    future.set_result(4)
    assert await inline == 4


async def test_what_needs_a_task_is_awaited_through_one() -> None:
    async def timed() -> str:
        async with asyncio.timeout(1):
            await asyncio.sleep(0)
            return "done"

    async def inline() -> str:
        return await in_task(timed())

    assert await as_future(inline()) == "done"


async def test_what_cannot_be_awaited_inline_is_an_error_and_no_hang() -> None:
    async def wrong() -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="an inline coroutine may not await None: use in_task"):
        await as_future(wrong())


async def test_cancelling_runs_finally_and_tells_what_was_awaited() -> None:
    told: list[str] = []
    inline_future: InlineFuture[int] = InlineFuture(lambda: told.append("abandoned"))

    async def waiting() -> None:
        try:
            await inline_future
        finally:
            told.append("finally")

    outcome = Outcome()
    runner = InlineRunner(waiting(), outcome)
    runner.start()
    runner.cancel()
    assert told == ["abandoned", "finally"]
    inline_future.set(1)
    assert outcome.times == 0


async def test_cancelling_the_future_cancels_the_coroutine() -> None:
    left = asyncio.Event()

    async def waiting() -> None:
        try:
            await InlineFuture()
        finally:
            left.set()

    future = as_future(waiting())
    future.cancel()
    await asyncio.wait_for(left.wait(), 1)


async def test_a_late_future_does_not_wake_a_cancelled_coroutine() -> None:
    future = asyncio.get_running_loop().create_future()
    outcome = Outcome()
    runner = InlineRunner(_awaiting(future), outcome)
    runner.start()
    runner.cancel()
    future.set_result(1)
    await asyncio.sleep(0)
    assert outcome.times == 0


async def test_what_comes_in_the_turn_of_a_cancellation_does_not_wake_its_coroutine() -> None:
    inline_future: InlineFuture[int] = InlineFuture()
    went_on = []

    async def waiting() -> None:
        went_on.append(await inline_future)

    future = as_future(waiting())
    future.cancel()
    inline_future.set(1)
    await asyncio.sleep(0)
    assert went_on == []


async def _awaiting(awaitable: Any) -> Any:
    return await awaitable


async def test_what_a_coroutine_held_is_free_when_it_ends() -> None:
    class Large:
        pass

    async def waits(inline_future: InlineFuture[Large], *, fails: bool) -> None:
        large = await inline_future
        if fails:
            raise ValueError(type(large))

    gc.disable()
    try:
        for fails in (False, True):
            inline_future: InlineFuture[Large] = InlineFuture()
            future = as_future(waits(inline_future, fails=fails))
            large = Large()
            is_there = weakref.ref(large)
            inline_future.set(large)
            await asyncio.wait([future])
            assert (future.exception() is not None) == fails
            del large, inline_future, future
            assert is_there() is None
    finally:
        gc.enable()
