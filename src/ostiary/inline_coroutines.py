"""Coroutines driven by the bytes themselves, without a task.

An asyncio task costs several microseconds and a turn of the event loop at each wait. A call that is
relayed waits once, for one answer, so it goes on right where that answer is read.

An inline coroutine may await an `InlineFuture` (resumed in place) or any asyncio future (resumed by its
callback). What needs a current task, such as a time-out, or must not be left half done, is a `hopping`
function, which may be awaited anywhere. All inline coroutines of a process run in one thread.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
InlineCoroutine = Coroutine[Any, Any, T]


class _Running:
    """What runs now: the one of its kind, as an attribute is set in half the time of a global."""

    __slots__ = ("is_inline",)

    def __init__(self) -> None:
        self.is_inline = False
        """Whether it is an inline coroutine. A current task tells nothing, as one goes on inside whichever
        task answers what it waits for."""


_running = _Running()


class InlineFuture(Generic[T]):
    """Something awaited once by one inline coroutine, which goes on inside `set` or `fail`."""

    __slots__ = ("_abandoned", "_done", "_error", "_value", "resume")

    def __init__(self, abandoned: Callable[[], None] | None = None) -> None:
        """abandoned: called when the coroutine that waits is cancelled."""
        self._abandoned = abandoned
        self.resume: Callable[[object], None] | None = None
        self._done = False
        self._value: T | None = None
        self._error: BaseException | None = None

    @property
    def done(self) -> bool:
        """Whether it has been answered."""
        return self._done

    def set(self, value: T) -> None:
        """Answer; whoever waits goes on before this returns. A second answer is ignored."""
        if not self._done:
            self._done, self._value = True, value
            if self.resume is not None:
                self.resume(self)

    def fail(self, error: BaseException) -> None:
        """Raise in whoever waits."""
        if not self._done:
            self._done, self._error = True, error
            if self.resume is not None:
                self.resume(self)

    def __await__(self) -> Generator[Any, None, T]:
        if not self._done:
            try:
                yield self
            except GeneratorExit:
                self._done, self.resume = True, None  # a later answer is ignored
                if self._abandoned is not None:
                    self._abandoned()
                raise
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # done without an error means set


class InlineRunner(Generic[T]):
    """Runs one coroutine from `start` on, and hands its outcome to `finished(value, error)`.

    A coroutine that never waits is finished before `start` returns.
    """

    __slots__ = ("_coroutine", "_finished", "_waiting")

    def __init__(
        self, coroutine: InlineCoroutine[T], finished: Callable[[T | None, BaseException | None], None]
    ) -> None:
        self._coroutine = coroutine
        self._finished = finished
        self._waiting: object = None

    def start(self) -> None:
        """Run until the first wait."""
        self._step(None)

    def cancel(self) -> None:
        """Stop waiting: its `finally` blocks run (they may not await), and `finished` is not called."""
        self._waiting = None
        self._coroutine.close()

    def _step(self, source: object) -> None:
        if source is not self._waiting:  # a late answer for a coroutine that was cancelled
            return
        self._waiting = None  # it knows us: if we kept it, both would be there until the collector comes
        running = _running
        outer = running.is_inline
        running.is_inline = True
        try:
            self._waiting = waiting = self._coroutine.send(None)
        except StopIteration as stop:  # how each ends: a `finally` around it would raise it once more
            running.is_inline = outer
            self._finished(stop.value, None)
        except BaseException as error:  # noqa: BLE001 - handed on, never swallowed
            running.is_inline = outer
            self._fail(error)
        else:
            running.is_inline = outer
            if type(waiting) is InlineFuture:
                waiting.resume = self._step
            else:
                self._wait_for_future(waiting)

    def _fail(self, error: BaseException) -> None:
        finished, self._finished = self._finished, _finished_before  # likewise: the error knows our frames
        finished(None, error)

    def _wait_for_future(self, waiting: Any) -> None:
        if isinstance(waiting, asyncio.Future):
            waiting._asyncio_future_blocking = False  # what a task does: the future was awaited properly
            waiting.add_done_callback(self._step)
        else:
            self.cancel()
            remedy = "make what awaits it a `hopping` function"
            self._finished(None, RuntimeError(f"an inline coroutine may not await {waiting!r}: {remedy}"))


def hopping(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """A coroutine function that runs in a task of its own where an inline coroutine awaits it.

    Whoever awaits it decides, and not whoever calls it, so it may be handed to `create_task` or `gather`.
    When the inline coroutine is cancelled meanwhile, the task still runs to its end.
    """

    @functools.wraps(function)
    async def hopped(*arguments: P.args, **options: P.kwargs) -> T:
        coroutine = function(*arguments, **options)
        return await (in_task(coroutine) if _running.is_inline else coroutine)

    return hopped


def in_task(coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A task for what goes on whoever waits for it. Nobody has to hear how it ends."""
    task = asyncio.get_running_loop().create_task(coroutine)
    task.add_done_callback(_retrieve)
    return task


async def kept_if_awaited(coroutine: Coroutine[Any, Any, T], let_go: Callable[[T], None]) -> T:
    """What a coroutine gives that goes on in a task. For an inline coroutine, which may be cancelled.

    let_go: given what comes when nobody waits for it any more.
    """
    task = in_task(coroutine)
    try:
        return await task
    except GeneratorExit:
        task.add_done_callback(lambda done: _let_go(done, let_go))
        raise


async def taken(coroutine: InlineCoroutine[T], let_go: Callable[[T], None]) -> T:
    """What an inline coroutine gives, for somebody who awaits in a task, which may be cancelled.

    let_go: given what came in the very turn of the cancellation.
    """
    future = as_future(coroutine)
    try:
        return await future
    except asyncio.CancelledError:
        if not future.cancel():
            _let_go(future, let_go)
        raise


def _let_go(done: asyncio.Future[T], let_go: Callable[[T], None]) -> None:
    if not done.cancelled() and done.exception() is None:
        let_go(done.result())


class _Outcome(asyncio.Future[T]):
    """Of an inline coroutine. Cancelling stops it at once, or what comes in the same turn would wake it."""

    def __init__(self) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self.stop: Callable[[], None] | None = None

    def cancel(self, msg: Any | None = None) -> bool:
        is_cancelled = super().cancel(msg)
        stop, self.stop = self.stop, None  # it knows us: likewise
        if is_cancelled and stop is not None:
            stop()
        return is_cancelled


def as_future(coroutine: InlineCoroutine[T]) -> asyncio.Future[T]:
    """Step a coroutine for somebody who awaits in a task."""
    future: _Outcome[T] = _Outcome()

    def finished(value: T | None, error: BaseException | None) -> None:
        future.stop = None
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(value)  # type: ignore[arg-type]  # no error means a value

    runner = InlineRunner(coroutine, finished)
    future.stop = runner.cancel
    runner.start()
    return future


class InlineStep(Generic[T]):
    """A coroutine that an inline one awaits, and that somebody else may stop meanwhile.

    As a future of `as_future` for who is inline: whoever awaits it goes on in place, and not a turn later.
    """

    __slots__ = ("_outcome", "_runner")

    def __init__(self, coroutine: InlineCoroutine[T]) -> None:
        self._outcome: InlineFuture[T] = InlineFuture()
        self._runner: InlineRunner[T] | None = InlineRunner(coroutine, self._finished)
        self._runner.start()

    def cancel(self) -> None:
        """Stop it at once. Whoever awaits it gets a CancelledError."""
        runner, self._runner = self._runner, None  # it knows us: likewise
        if runner is not None:
            runner.cancel()
            self._outcome.fail(asyncio.CancelledError())

    def __await__(self) -> Generator[Any, None, T]:
        return self._outcome.__await__()

    def _finished(self, value: T | None, error: BaseException | None) -> None:
        self._runner = None
        if error is not None:
            self._outcome.fail(error)
        else:
            self._outcome.set(value)  # type: ignore[arg-type]  # no error means a value


def step(coroutine: InlineCoroutine[T]) -> InlineStep[T] | asyncio.Future[T]:
    """Begin a coroutine that can be stopped, to be awaited by whoever calls this, inline or in a task."""
    return InlineStep(coroutine) if _running.is_inline else as_future(coroutine)


def next_turn() -> asyncio.Future[None]:
    """Done when all that waits for the event loop has had its turn."""
    loop = asyncio.get_running_loop()
    turn: asyncio.Future[None] = loop.create_future()
    loop.call_soon(_come, turn)
    return turn


def _come(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)


def _finished_before(_value: object, _error: BaseException | None) -> None:
    """Whom a coroutine that has finished tells."""


def _retrieve(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
