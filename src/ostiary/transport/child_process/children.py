"""All child processes of one owner, and the keeper that ends them when the owner no longer can."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ostiary.inline_coroutines import hopping
from ostiary.transport.child_process import keeper
from ostiary.transport.child_process.command import ChildNotStarted, Command
from ostiary.transport.child_process.process import (
    FAREWELL_SECONDS,
    GRACE_SECONDS,
    ChildProcess,
    Hearer,
)
from ostiary.transport.upstream.errors import in_the_systems_words
from ostiary.transport.upstream.held import HeldAnswers
from ostiary.transport.upstream.loop_share import LoopShare

OWNER_HAS_STOPPED = "the gateway has stopped"


class Children:
    """Starts them, and stops them all. The first one starts the keeper, too."""

    def __init__(self) -> None:
        self._running: dict[int, ChildProcess] = {}
        self._keeper: _Keeper | None = None
        self._is_closed = False

    def __len__(self) -> int:
        """How many run."""
        return len(self._running)

    @hopping
    async def start(
        self, command: Command, hearer: Hearer, *, most_bytes: int, held: HeldAnswers, loop_share: LoopShare
    ) -> ChildProcess:
        """One more. As of ChildProcess. Raises ChildNotStarted."""
        if self.is_closed():
            raise ChildNotStarted(OWNER_HAS_STOPPED)
        prepared = command.prepare()
        try:
            if self._keeper is None:
                self._keeper = _Keeper()
            _, child = await asyncio.get_running_loop().subprocess_exec(
                lambda: ChildProcess(
                    prepared, hearer, most_bytes=most_bytes, held=held, loop_share=loop_share
                ),
                *prepared.arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=str(prepared.directory),
                env=dict(prepared.environment),
                start_new_session=True,
            )
        except OSError as error:
            raise ChildNotStarted(f"{prepared.arguments[0]}: {in_the_systems_words(error)}") from None
        self._running[child.group] = child
        self._keeper.keep(child.group, self._running)
        child.gone.add_done_callback(lambda _: self._let_go(child.group))
        if self.is_closed():  # meanwhile
            child.kill(OWNER_HAS_STOPPED)
        return child

    def is_closed(self) -> bool:
        """Whether no more are started."""
        return self._is_closed

    async def close(self) -> None:
        """Stop all, and wait until they are gone."""
        self._is_closed = True
        children = list(self._running.values())
        for child in children:
            child.stop(OWNER_HAS_STOPPED)
        if children:
            most = FAREWELL_SECONDS + 2 * GRACE_SECONDS
            await asyncio.wait([child.gone for child in children], timeout=most)
        for child in children:
            child.close()
        if self._keeper is not None:
            await asyncio.to_thread(self._keeper.close)
            self._keeper = None

    def _let_go(self, group: int) -> None:
        del self._running[group]
        if self._keeper is not None:
            self._keeper.let_go(group, self._running)


class _Keeper:
    """The program in `keeper`, as long as we are there."""

    def __init__(self) -> None:
        self._start()

    def keep(self, group: int, groups: Iterable[int]) -> None:
        """End this group with us. groups: all of them, should the keeper itself be gone."""
        self._tell(b"+%d\n" % group, groups)

    def let_go(self, group: int, groups: Iterable[int]) -> None:
        """It has ended."""
        self._tell(b"-%d\n" % group, groups)

    def close(self) -> None:
        """Wait until it has ended what is left."""
        self._process.communicate()

    def _start(self) -> None:
        program = [sys.executable, "-I", "-S", str(Path(keeper.__file__))]
        self._process = subprocess.Popen(  # noqa: S603 - a program of ours
            program, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            bufsize=0, env={}, cwd="/", start_new_session=True,
        )  # fmt: skip

    def _tell(self, line: bytes, groups: Iterable[int]) -> None:
        assert self._process.stdin is not None  # noqa: S101 - we asked for a pipe
        try:
            self._process.stdin.write(line)
        except BrokenPipeError:  # somebody ended it
            with suppress(BrokenPipeError):
                self._process.communicate()
            self._start()
            assert self._process.stdin is not None  # noqa: S101 - likewise
            self._process.stdin.write(b"".join(b"+%d\n" % one for one in groups))
