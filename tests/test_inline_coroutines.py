"""Coroutines driven by the bytes themselves: resumed in place, cancelled with their `finally`.

What needs a current task has one wherever it is awaited.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from ostiary.inline_coroutines import (
    InlineFuture,
    InlineRunner,
    InlineStep,
    as_future,
    hopping,
    kept_if_awaited,
    step,
    taken,
)


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


@hopping
async def its_task() -> asyncio.Task[Any] | None:
    """The task in which it ran; it waits as only a task can."""
    async with asyncio.timeout(1):
        await asyncio.sleep(0)
        return asyncio.current_task()


async def test_a_hopping_function_has_a_task_of_its_own_in_an_inline_coroutine() -> None:
    ran_in = await as_future(its_task())
    assert ran_in not in {None, asyncio.current_task()}


async def test_a_hopping_function_is_a_plain_coroutine_in_a_task() -> None:
    assert await its_task() is asyncio.current_task()


async def test_a_hopping_function_hops_for_whoever_awaits_it_and_not_for_whoever_calls_it() -> None:
    called_in_a_task = its_task()
    assert await as_future(_awaiting(called_in_a_task)) is not asyncio.current_task()

    async def calls() -> tuple[Any, Any]:
        return asyncio.create_task(its_task()), asyncio.gather(its_task(), its_task())

    given, gathered = await as_future(calls())
    assert await given is given
    assert len({asyncio.current_task(), *await gathered}) == 3


async def test_a_hopping_function_inside_another_stays_in_its_task() -> None:
    @hopping
    async def outer() -> tuple[Any, Any]:
        return asyncio.current_task(), await its_task()

    first, second = await as_future(outer())
    assert first is second
    assert first not in {None, asyncio.current_task()}


@pytest.mark.parametrize("fails", [False, True])
async def test_an_inline_coroutine_inside_another_leaves_it_inline(fails: bool) -> None:
    inline_future: InlineFuture[None] = InlineFuture()

    async def inner() -> None:
        await inline_future
        if fails:
            raise ValueError

    async def outer() -> tuple[Any, Any]:
        waiting = as_future(inner())
        began = await its_task()
        inline_future.set(None)
        assert (waiting.exception() is not None) == fails
        return began, await its_task()

    ours = asyncio.current_task()
    tasks = await as_future(outer())
    assert len({*tasks, None, ours}) == 4
    assert await its_task() is ours


@pytest.mark.parametrize(
    "wake",
    [lambda future: future.set(None), lambda future: future.fail(ValueError())],
    ids=["set", "fail"],
)
async def test_what_goes_on_inside_the_task_that_answers_it_is_inline(
    wake: Callable[[InlineFuture[None]], None],
) -> None:
    """It must not take that task's time-out for its own."""
    inline_future: InlineFuture[None] = InlineFuture()

    async def waits() -> Any:
        with contextlib.suppress(ValueError):
            await inline_future
        return await its_task()

    waiting = as_future(waits())
    wake(inline_future)
    assert await its_task() is asyncio.current_task()
    assert await waiting not in {None, asyncio.current_task()}


async def test_what_a_hopping_function_raises_is_raised_inline_and_in_a_task() -> None:
    error = ValueError("no")

    @hopping
    async def fails() -> None:
        await asyncio.sleep(0)
        raise error

    for awaited in (fails(), as_future(fails())):
        with pytest.raises(ValueError, match="no") as raised:
            await awaited
        assert raised.value is error
    assert await its_task() is asyncio.current_task()


async def test_a_hopping_function_runs_to_its_end_when_the_inline_coroutine_leaves() -> None:
    come, ended = asyncio.Event(), asyncio.Event()

    @hopping
    async def goes_on() -> None:
        await come.wait()
        ended.set()
        raise ValueError("nobody has to hear of it")

    future = as_future(goes_on())
    future.cancel()
    come.set()
    await asyncio.wait_for(ended.wait(), 1)
    assert future.cancelled()


async def test_a_hopping_function_is_cancelled_with_the_task_that_awaits_it() -> None:
    began, told = asyncio.Event(), []

    @hopping
    async def waits() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.append("cancelled")
            raise

    task = asyncio.create_task(waits())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told == ["cancelled"]


async def test_a_task_that_is_cancelled_is_told_to_the_inline_coroutine_that_hopped_into_it() -> None:
    @hopping
    async def gives_up() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await as_future(gives_up())


async def test_a_hopping_function_keeps_its_name_and_words() -> None:
    assert (its_task.__name__, its_task.__doc__) == (
        "its_task",
        "The task in which it ran; it waits as only a task can.",
    )


async def test_what_cannot_be_awaited_inline_is_an_error_and_no_hang() -> None:
    async def wrong() -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="may not await None: make what awaits it a `hopping` function"):
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


async def test_a_step_goes_on_in_place_inline_and_is_a_future_in_a_task() -> None:
    answer: InlineFuture[int] = InlineFuture()
    outcome = Outcome()

    async def inline() -> int:
        return await step(_awaiting(answer))

    InlineRunner(inline(), outcome).start()
    answer.set(7)
    assert (outcome.value, outcome.times) == (7, 1)
    assert await step(_awaiting(answer)) == 7


async def test_a_step_that_is_stopped_ends_at_once_and_tells_whoever_awaits_it() -> None:
    ended: list[str] = []
    answer: InlineFuture[int] = InlineFuture()
    steps: list[InlineStep[int]] = []

    async def stopped() -> int:
        try:
            return await answer
        finally:
            ended.append("inside")

    async def inline() -> str:
        begun = step(stopped())
        assert isinstance(begun, InlineStep)
        steps.append(begun)
        try:
            await begun
        except asyncio.CancelledError:
            ended.append("outside")
        return "told"

    outcome = Outcome()
    InlineRunner(inline(), outcome).start()
    steps[0].cancel()
    steps[0].cancel()
    answer.set(7)
    assert ended == ["inside", "outside"]
    assert (outcome.value, outcome.times) == ("told", 1)


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


@pytest.mark.parametrize("is_left", [False, True])
async def test_what_comes_after_an_inline_coroutine_has_left_is_let_go(is_left: bool) -> None:
    come: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    let_go: list[str] = []
    future = as_future(kept_if_awaited(_awaiting(come), let_go.append))
    await asyncio.sleep(0)
    if is_left:
        future.cancel()
    come.set_result("what is open")
    await asyncio.wait([future])
    for _ in range(3):
        await asyncio.sleep(0)
    assert (future.cancelled(), let_go) == ((True, ["what is open"]) if is_left else (False, []))


@pytest.mark.parametrize("is_left", [False, True])
async def test_what_comes_in_the_turn_of_a_cancellation_is_let_go(is_left: bool) -> None:
    come: InlineFuture[str] = InlineFuture()
    let_go: list[str] = []
    task = asyncio.create_task(taken(_awaiting(come), let_go.append))
    await asyncio.sleep(0)
    come.set("what is open")
    if is_left:
        task.cancel()
    await asyncio.wait([task])
    assert (task.cancelled(), let_go) == ((True, ["what is open"]) if is_left else (False, []))
