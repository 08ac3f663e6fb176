"""Child processes that are spoken to in lines: real ones, many of them hostile."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from ostiary.secrets import Secret
from ostiary.transport.child_process import ChildNotStarted, ChildProcess, Children, Command
from ostiary.transport.child_process.lines import LineReader, LineTooLong
from ostiary.transport.child_process.process import ERROR_BYTES
from ostiary.transport.child_process.standard_error import LINES, LONGEST, WINDOW_SECONDS, StandardError
from ostiary.transport.upstream.held import LARGE, HeldAnswers, Room
from ostiary.transport.upstream.loop_share import LoopShare

HANGS = 20
"""Seconds after which a test is sure that nothing will come."""
LONGEST_LINE = 1024 * 1024
ECHO = "import sys\nfor line in sys.stdin: print(line.strip(), flush=True)"
FORKS = "import os, time\nif os.fork() == 0: time.sleep(600)\n"


class Heard:
    """What one child said."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.rooms: list[Room | None] = []
        self.log: list[str] = []
        self.why: str | None = None
        self._news = asyncio.Event()

    def heard(self, line: bytes, room: Room | None) -> None:
        self.lines.append(line)
        self.rooms.append(room)
        self._news.set()

    def said(self, text: str) -> None:
        self.log.append(text)
        self._news.set()

    def ended(self, why: str) -> None:
        self.why = why
        self._news.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(HANGS):
            while not is_so():
                self._news.clear()
                await self._news.wait()


Start = Callable[..., Awaitable[tuple[ChildProcess, Heard]]]


@pytest.fixture
async def children() -> AsyncIterator[Children]:
    children = Children()
    yield children
    await children.close()


@pytest.fixture
async def start(children: Children) -> Start:
    """Starts a child that runs this code."""
    return starter(children)


def starter(children: Children) -> Start:
    held = HeldAnswers(2 * LONGEST_LINE)
    loop_share = LoopShare(asyncio.get_running_loop())

    async def starting(code: str, **environment: str | Secret) -> tuple[ChildProcess, Heard]:
        heard = Heard()
        command = Command((sys.executable, "-c", code), environment)
        child = await children.start(
            command, heard, most_bytes=LONGEST_LINE, held=held, loop_share=loop_share
        )
        return child, heard

    return starting


async def gone(child: ChildProcess) -> None:
    async with asyncio.timeout(HANGS):
        await child.gone


def group_is_there(group: int) -> bool:
    """Whether somebody in it still runs; who only waits to be reaped does not."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    states = subprocess.run(
        ["ps", "-o", "stat=", "-g", str(group)], check=False, capture_output=True, text=True
    )
    return any(not state.startswith("Z") for state in states.stdout.split())


async def until_gone(group: int) -> None:
    async with asyncio.timeout(HANGS):
        while group_is_there(group):  # noqa: ASYNC110 - nobody tells us of another's children
            await asyncio.sleep(0.02)


async def test_a_child_is_sent_lines_and_heard_in_lines(start: Start) -> None:
    child, heard = await start(ECHO)
    child.send(b'{"a":1}')
    child.send(b'{"b":2}')
    await heard.until(lambda: len(heard.lines) == 2)
    assert heard.lines == [b'{"a":1}', b'{"b":2}']


async def test_a_child_that_is_stopped_first_sees_the_end_of_its_input(start: Start) -> None:
    child, heard = await start(ECHO + "\nprint('farewell', file=sys.stderr)")
    child.send(b"x")
    await heard.until(lambda: bool(heard.lines))
    child.stop("it was idle")
    await gone(child)
    assert (heard.why, heard.log) == ("it was idle", ["farewell"])
    assert not child.is_usable


async def test_what_a_child_says_last_is_heard_before_its_end(start: Start) -> None:
    child, heard = await start("print('last words'); raise SystemExit(3)")
    await gone(child)
    assert (heard.lines, heard.why) == ([b"last words"], "it ended with exit status 3")


async def test_a_child_that_ignores_sigterm_is_ended_all_the_same(start: Start) -> None:
    child, heard = await start(
        "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    await heard.until(lambda: bool(heard.lines))
    child.stop("it was idle")
    await gone(child)
    assert not group_is_there(child.group)


async def test_what_a_child_started_ends_with_it(start: Start) -> None:
    child, heard = await start(FORKS + "print('up', flush=True)")
    await gone(child)
    assert heard.lines == [b"up"]
    await until_gone(child.group)


async def test_a_fork_bomb_is_ended_as_a_group(start: Start) -> None:
    bomb = "import os, time\nfor _ in range(5): os.fork()\nprint('up', flush=True)\ntime.sleep(600)"
    child, heard = await start(bomb)
    await heard.until(lambda: len(heard.lines) == 32)
    child.kill("it forks")
    await gone(child)
    await until_gone(child.group)


async def test_a_grandchild_that_left_the_group_and_holds_the_pipes_keeps_nobody_waiting(
    start: Start,
) -> None:
    leaves = (
        "import os, time\nif os.fork() == 0:\n os.setsid(); print(os.getpid(), flush=True); time.sleep(60)"
    )
    child, heard = await start(leaves)
    await gone(child)
    assert heard.why == "it ended with exit status 0"
    os.kill(int(heard.lines[0]), signal.SIGKILL)


async def test_a_line_without_an_end_is_cut_off_with_its_child(start: Start) -> None:
    tracemalloc.start()
    child, heard = await start("while True: print('a' * 100_000, end='')")
    await gone(child)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert heard.why == "a line of its output is longer than 1048576 bytes"
    assert heard.lines == []
    assert most < 6 * LONGEST_LINE


async def test_a_flood_of_lines_leaves_the_event_loop_to_others(start: Start) -> None:
    child, heard = await start("while True: print('{}' + '\\n' * 8000 + '{}')")
    await heard.until(lambda: len(heard.lines) > 1000)
    other, answers = await start(ECHO)
    other.send(b"still here")
    await answers.until(lambda: answers.lines == [b"still here"])
    assert child.is_usable


async def test_a_large_line_waits_for_room_and_brings_it_along(start: Start, children: Children) -> None:
    held, heard = HeldAnswers(LONGEST_LINE), Heard()
    command = Command(
        (sys.executable, "-c", f"print('a' * {LARGE + 100_000})\nprint('b' * {LARGE + 100_000})")
    )
    child = await children.start(
        command,
        heard,
        most_bytes=LONGEST_LINE,
        held=held,
        loop_share=LoopShare(asyncio.get_running_loop()),
    )
    await heard.until(lambda: bool(heard.lines))
    assert isinstance(heard.rooms[0], Room)
    assert len(heard.lines) == 1
    heard.rooms.clear()
    await heard.until(lambda: len(heard.lines) == 2)
    await gone(child)


async def test_what_a_child_does_not_read_is_known(start: Start) -> None:
    child, _ = await start("import time; time.sleep(600)")
    for _ in range(8):
        child.send(b"x" * LONGEST_LINE)
    assert child.unsent > 4 * LONGEST_LINE
    child.stop("it does not read")
    await gone(child)


async def test_a_child_that_closes_its_output_is_stopped(start: Start) -> None:
    child, heard = await start("import os, time; os.close(1); time.sleep(600)")
    await gone(child)
    assert heard.why == "it closed its standard output"


async def test_a_flood_on_standard_error_never_blocks_a_child_and_few_lines_are_told(start: Start) -> None:
    child, heard = await start(
        f"import sys\nsys.stderr.write('flood\\n' * {ERROR_BYTES // 3})\nprint('went on', flush=True)"
    )
    await gone(child)
    assert heard.lines == [b"went on"]
    assert heard.log[:LINES] == ["flood"] * LINES
    assert len(heard.log) <= 2 * LINES


async def test_a_child_has_of_our_environment_only_what_programs_need(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_SECRET", "a secret of ours")
    monkeypatch.setenv("ITS_KEY", "its own key")
    child, heard = await start(
        "from os import environ as e; print(e.get('OUR_SECRET'), e['KEY'], e['MODE'], 'PATH' in e)",
        KEY=Secret.from_env("ITS_KEY"),
        MODE="plain",
    )
    await gone(child)
    assert heard.lines == [b"None its own key plain True"]


async def test_a_secret_that_a_child_prints_is_hidden_in_the_log(start: Start) -> None:
    child, heard = await start(
        "import os, sys; print('key is', os.environ['KEY'], '\\x1b[31mred', file=sys.stderr)",
        KEY=Secret("its-own-key"),
    )
    await gone(child)
    assert heard.log == ["key is ***  [31mred"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (Command(("no-such-program",)), "there is no program no-such-program on PATH"),
        (Command(("/no/such",)), "there is no program /no/such"),
        (
            Command((sys.executable,), directory=Path("/no/folder")),
            "there is no folder /no/folder for it to run in",
        ),
        (
            Command((sys.executable,), {"KEY": Secret.from_file("/no/file")}),
            "its environment lacks KEY: file /no/file cannot be read: No such file or directory",
        ),
    ],
)
async def test_what_cannot_be_started_is_told(children: Children, command: Command, said: str) -> None:
    with pytest.raises(ChildNotStarted) as told:
        await children.start(
            command,
            Heard(),
            most_bytes=1,
            held=HeldAnswers(1),
            loop_share=LoopShare(asyncio.get_running_loop()),
        )
    assert str(told.value) == said


async def test_children_end_with_their_owner_even_when_it_is_killed(tmp_path: Path) -> None:
    told = tmp_path / "group"
    owner = tmp_path / "owner.py"
    owner.write_text(f"""
import asyncio, os, pathlib, signal, sys
from ostiary.transport.child_process import Children, Command
from ostiary.transport.upstream.held import HeldAnswers
from ostiary.transport.upstream.loop_share import LoopShare

class Hearer:
    def heard(self, line, room):
        pathlib.Path({str(told)!r}).write_text(line.decode())
        os.kill(os.getpid(), signal.SIGKILL)
    def said(self, text): ...
    def ended(self, why): ...

STUBBORN = '''import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork():
    print(os.getpgid(0), flush=True)
time.sleep(600)
'''

async def main():
    command = Command((sys.executable, "-c", STUBBORN))
    held, share = HeldAnswers(1), LoopShare(asyncio.get_running_loop())
    await Children().start(command, Hearer(), most_bytes=100, held=held, loop_share=share)
    await asyncio.sleep(60)

asyncio.run(main())
""")
    process = await asyncio.create_subprocess_exec(sys.executable, str(owner))
    async with asyncio.timeout(HANGS):
        assert await process.wait() == -signal.SIGKILL
    await until_gone(int(told.read_text()))


async def test_when_somebody_ends_the_keeper_there_is_another(start: Start, children: Children) -> None:
    await start(ECHO)
    keeper = children._keeper
    assert keeper is not None
    first = keeper._process
    first.kill()
    first.wait()
    child, _ = await start(ECHO)
    assert keeper._process is not first
    assert keeper._process.poll() is None
    assert child.is_usable


def test_children_are_the_same_on_the_event_loop_of_our_processes() -> None:
    async def on_uvloop() -> None:
        children = Children()
        start = starter(children)
        child, heard = await start(ECHO + "\nprint('farewell', file=sys.stderr)")
        child.send(b"hello")
        await heard.until(lambda: heard.lines == [b"hello"])
        child.stop("it was idle")
        await gone(child)
        assert (heard.why, heard.log) == ("it was idle", ["farewell"])
        child, heard = await start(FORKS + "print('last words'); raise SystemExit(3)")
        await gone(child)
        assert (heard.lines, heard.why) == ([b"last words"], "it ended with exit status 3")
        await until_gone(child.group)
        child, heard = await start("while True: print('a' * 100_000, end='')")
        await gone(child)
        assert heard.why == "a line of its output is longer than 1048576 bytes"
        child, heard = await start("import time; time.sleep(600)")
        child.send(b"x" * LONGEST_LINE)
        await children.close()
        assert heard.why == "the gateway has stopped"

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(on_uvloop())


def test_lines_are_the_same_however_they_are_cut() -> None:
    text = b"one\r\n\n two \nthree\n\r\nfour"
    for size in range(1, len(text) + 1):
        reader = LineReader(10)
        lines = [line for at in range(0, len(text), size) for line in reader.feed(text[at : at + size])]
        assert (lines, reader.held) == ([b"one", b" two ", b"three"], 4)


def test_a_line_may_be_as_long_as_is_held_and_no_longer() -> None:
    assert LineReader(4).feed(b"four\n") == [b"four"]
    with pytest.raises(LineTooLong):
        LineReader(4).feed(b"fives")
    with pytest.raises(LineTooLong):
        LineReader(4).feed(b"fives\n")
    with pytest.raises(LineTooLong):
        LineReader(4).feed(b"a\nfives\n")


def test_standard_error_is_told_in_short_lines_and_few_in_a_while() -> None:
    now, told = [0.0], list[str]()
    error = StandardError(told.append, ["short", "a-long-value"], lambda: now[0])
    error.feed(b"a-long-value and short\n\n\xff\x00" + b"y" * 10 * LONGEST + b"\n")
    assert told == ["*** and short", "\ufffd " + "y" * (LONGEST - 2)]
    error.feed(b"x\n" * 1000)
    assert len(told) == LINES
    now[0] += WINDOW_SECONDS
    error.feed(b"later\n")
    assert told[LINES:] == [f"({1000 - LINES + 2} more lines)", "later"]
    error.feed(b"unended")
    error.end()
    assert told[-1] == "unended"
