"""`GET /internal/revocations?after=`: a workload's own sessions that ended, as soon as they do.

Without `after`, with one too long ago, or where too many ended to be named, the answer is `reset`: whoever
kept something lets all of it go, and goes on from `next`. What ended just now is told more than once.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from ostiary.authserver.http.form_request import FormRequest
from ostiary.authserver.http.json_answer import json_answer
from ostiary.authserver.internal.requests_under_way import RequestsUnderWay
from ostiary.authserver.internal.workload_request import Workloads
from ostiary.authserver.sessions.ended_sessions import EndedSince, ended_since, is_known_since, settled
from ostiary.oauth.server.errors import InvalidRequest
from ostiary.storage.store import Store
from ostiary.transport.inline_http import Answer

LONGEST_WAIT = 25.0
"""Seconds after which nothing is told, so that who asked knows that we are there."""
PAUSE = 1.0
"""Seconds between looks at the store."""
MOST_WAITING = 16
"""Requests of one owner that may wait at once: one for each of its replicas, and some."""


@dataclass(frozen=True, slots=True)
class RevocationFeed:
    """The endpoint."""

    store: Store
    workloads: Workloads
    clock: Callable[[], float]
    _waiting: RequestsUnderWay = field(default_factory=lambda: RequestsUnderWay(MOST_WAITING))

    async def __call__(self, form: FormRequest) -> Answer:
        """Raises InvalidRequest, InvalidClient, TooManyRequests, StorageError."""
        now = self.clock()
        workload = self.workloads.recognise(form)
        after = _moment(form.parameters.get("after"))
        if after is None or not is_known_since(after, now=now):
            return _answer(EndedSince(None, settled(now)))
        with self._waiting.one_more(workload.owner):
            found = await self._found(workload.owner, min(after, now))
        self.workloads.recognise(form)  # once more: it may have ended, or been denied, while it waited
        return _answer(found)

    async def _found(self, owner: str, after: float) -> EndedSince:
        clock = asyncio.get_running_loop().time
        stops = clock() + LONGEST_WAIT
        while True:
            now = self.clock()
            found = await self.store.read(partial(ended_since, owner=owner, after=after, now=now))
            if found.tsid_hashes != () or clock() >= stops:
                return found
            await asyncio.sleep(PAUSE)


def _answer(found: EndedSince) -> Answer:
    ended = found.tsid_hashes
    return json_answer({"reset": ended is None, "ended": ended or (), "next": _written(found.until)})


def _moment(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        moment = float(text)
    except ValueError:
        moment = math.nan
    if not math.isfinite(moment):
        raise InvalidRequest("after is what an earlier answer has as next")
    return moment


def _written(moment: float) -> str:
    return f"{moment:.6f}"
