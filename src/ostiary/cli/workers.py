"""`ostiary up --workers N`: processes that answer at the same addresses, and the one that looks after them.

The first one starts alone, so that what is wrong is told once, and the store is brought up to date once. One
that ends is started again, later each time it fails; where none can be, the command ends. Each binds its own
sockets with SO_REUSEPORT, among which the system spreads connections evenly: from one socket, whoever looks
first takes all that have come. Before, each port is tried without, which finds another's process there.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from secrets import token_bytes

from ostiary.event_log import event_log
from ostiary.settings import Listen
from ostiary.transport.serving import ListenRefused, address_of, bind
from ostiary.transport.workers import Worker

log = event_log("ostiary.workers")

STOPPING, ON_CHANGE = (signal.SIGINT, signal.SIGTERM), signal.SIGHUP
HEARD = (*STOPPING, ON_CHANGE, signal.SIGCHLD)
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 30.0
"""Seconds until one that failed is started again."""
LONG_ENOUGH = 60.0
"""Seconds after which one that ends has not failed to start."""
MOST_FAILURES = 5
"""In a row, after which the command ends if nobody is left."""
PATIENCE = 15.0
"""Seconds that all have to end, beside what is under way, until they are made to."""
SECRET_BYTES = 32


@dataclass(slots=True)
class Place:
    """One worker, and what became of those in its place before. Times are of a clock that only goes on."""

    worker: Worker
    pid: int | None = None
    started: float = 0.0
    is_ready: bool = False
    failures: int = 0
    due: float | None = 0.0
    """When it is to be started; None while it runs."""

    def began(self, pid: int, now: float) -> None:
        """Its process has."""
        self.pid, self.started, self.due = pid, now, None

    def ended(self, now: float) -> None:
        """Its process has."""
        lasted = self.is_ready and now - self.started > LONG_ENOUGH
        self.failures = 1 if lasted else self.failures + 1
        pause = min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** (self.failures - 1))
        self.pid, self.is_ready, self.due = None, False, now + pause


@dataclass(frozen=True, slots=True)
class Started:
    """In a worker: which one it is, and how it says that it stands."""

    worker: Worker
    parent: int
    """Can be read when the process that looks after this one is gone."""
    ready: int

    def tell(self) -> None:
        """It stands."""
        os.write(self.ready, b"1")
        os.close(self.ready)


def start_workers(
    count: int,
    listens: Iterable[Listen],
    *,
    stand: Callable[[], None],
    reread: Callable[[], None],
    patience: float,
) -> Started:
    """Start so many processes, and look after them. Returns in each; here it ends with SystemExit.

    stand: called when all answer; reread: when the configuration may be another; patience: seconds for what
    is under way when they are told to end. Raises PortTaken, ListenRefused.
    """
    for listen in listens:
        if not listen.port:
            raise ListenRefused(f"workers cannot share {listen}, where each takes another port: name one")
        bind(listen).close()
    with ExitStack() as held:
        own = [held.enter_context(bind(Listen("127.0.0.1", 0))) for _ in range(count)]
        addresses, secret = tuple(map(address_of, own)), token_bytes(SECRET_BYTES)
        places = [Place(Worker(index, addresses, sock, secret)) for index, sock in enumerate(own)]
        started = _Supervisor(places, stand, reread, PATIENCE + patience).run()
        held.pop_all()
    for sock in own:
        if sock is not started.worker.own:
            sock.close()
    return started


class _Supervisor:
    """Sleeps until a signal comes, a worker stands, or one is due."""

    def __init__(
        self, places: list[Place], stand: Callable[[], None], reread: Callable[[], None], patience: float
    ) -> None:
        self._places = places
        self._patience = patience
        self._stand = stand
        self._reread = reread
        self._has_stood = False
        self._stop_by: float | None = None
        self._woken, self._wake = os.pipe()
        self._parent, self._life = os.pipe()
        self._ready: dict[int, Place] = {}

    def run(self) -> Started:
        """Returns in each worker."""
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake, False)
        for number in HEARD:
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        gc.freeze()  # or looking for garbage would copy what all of them have
        while True:
            started = self._start_those_due()
            if started is not None:
                return started
            self._sleep()
            self._bury()
            if self._stop_by is not None:
                self._end_when_all_have(self._stop_by)

    def _start_those_due(self) -> Started | None:
        for place in self._places if self._stop_by is None else ():
            if place.due is not None and place.due <= time.monotonic():
                started = self._fork(place)
                if started is not None:
                    return started
            if not (self._has_stood or place.is_ready):
                break
        return None

    def _fork(self, place: Place) -> Started | None:
        readable, writable = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            os.close(writable)
            self._ready[readable] = place
            place.began(pid, time.monotonic())
            return None
        os.setpgid(0, 0)  # a terminal's Ctrl-C is for the one that looks after us
        signal.set_wakeup_fd(-1)
        for number in HEARD:
            signal.signal(number, signal.SIG_IGN if number == ON_CHANGE else signal.SIG_DFL)
        for end in (readable, self._woken, self._wake, self._life, *self._ready):
            os.close(end)
        return Started(place.worker, self._parent, writable)

    def _sleep(self) -> None:
        dues = [place.due for place in self._places if place.due is not None and self._has_stood]
        until = self._stop_by if self._stop_by is not None else min(dues, default=None)
        timeout = None if until is None else max(0.0, until - time.monotonic())
        for end in select.select([self._woken, *self._ready], [], [], timeout)[0]:
            if end in self._ready:
                self._ready.pop(end).is_ready = os.read(end, 1) == b"1"
                os.close(end)
            else:
                for number in os.read(end, 512):
                    self._signalled(number)
        if not self._has_stood and all(place.is_ready for place in self._places):
            self._has_stood = True
            self._stand()

    def _signalled(self, number: int) -> None:
        if number in STOPPING:
            self._stop_by = self._stop_by or time.monotonic() + self._patience
            self._pass_on(signal.SIGTERM)
        elif number == ON_CHANGE:
            self._reread()
            self._pass_on(ON_CHANGE)

    def _pass_on(self, number: int) -> None:
        for place in self._places:
            if place.pid is not None:
                os.kill(place.pid, number)

    def _bury(self) -> None:
        for place in self._places:
            if place.pid is not None:
                pid, status = os.waitpid(place.pid, os.WNOHANG)
                if pid:
                    self._ended(place, os.waitstatus_to_exitcode(status))

    def _ended(self, place: Place, code: int) -> None:
        place.ended(time.monotonic())
        if self._stop_by is not None:
            return
        if self._has_stood:
            log.error("worker_ended", worker=place.worker.index, code=code, failures=place.failures)
        is_hopeless = place.failures >= MOST_FAILURES and not any(one.is_ready for one in self._places)
        if is_hopeless or not self._has_stood:
            self._pass_on(signal.SIGTERM)
            for other in self._places:
                if other.pid is not None:
                    os.waitpid(other.pid, 0)
            raise SystemExit(code if code > 0 else 1)

    def _end_when_all_have(self, stop_by: float) -> None:
        if all(place.pid is None for place in self._places):
            raise SystemExit(0)
        if time.monotonic() >= stop_by:
            self._pass_on(signal.SIGKILL)
            self._stop_by = time.monotonic() + PATIENCE
