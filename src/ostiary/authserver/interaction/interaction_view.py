"""A walk, found and looked at: what it asks for, where its legs stand, what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from ostiary.authserver.http.page_door import PageRefused
from ostiary.authserver.interaction.account_steps import Leg, legs_of
from ostiary.authserver.interaction.browser_request import Visit
from ostiary.authserver.interaction.interaction_state import WalkRecord
from ostiary.authserver.interaction.interaction_store import Walk, find_walk
from ostiary.authserver.interaction.known_accounts import Known, what_is_known
from ostiary.authserver.interaction.next_step import Step, next_step
from ostiary.authserver.resources import Target
from ostiary.authserver.services import Parts
from ostiary.oauth.server.errors import ServerError


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a walk stands."""

    walk: Walk
    target: Target
    known: Known
    legs: Sequence[Leg]

    @property
    def record(self) -> WalkRecord:
        """What is remembered of it."""
        return self.walk.record

    @property
    def step(self) -> Step:
        """What comes next."""
        return next_step(self.record, self.legs)


async def standing_of(visit: Visit, walk_id: str) -> Standing:
    """The walk of this browser. Raises PageRefused when it has ended, ServerError, StorageError."""
    return await visit.parts.store.read(lambda connection: find_standing(connection, visit, walk_id))


def find_standing(connection: Connection, visit: Visit, walk_id: str) -> Standing:
    """The same, inside a transaction."""
    walk = find_walk(connection, visit.parts.store, walk_id, browser_hash=visit.browser.hash, now=visit.now)
    if walk is None:
        raise PageRefused(
            "This sign-in has ended",
            "It was finished, it has expired, or it was begun in another browser.",
            detail="the walk is unknown, ended, expired, or another browser's",
        )
    return look_at(connection, visit.parts, walk)


def look_at(connection: Connection, parts: Parts, walk: Walk) -> Standing:
    """Where a walk stands. Raises ServerError when the configuration has its resource no more."""
    asked = walk.record.asked
    target = parts.resources.find(asked.resource)
    if target is None or target.settings.owner != asked.owner:
        raise ServerError("the resource is not served here any more", detail=f"{asked.resource} is gone")
    known = what_is_known(connection, parts.store, walk.record.identity, asked.owner)
    return Standing(walk, target, known, legs_of(target.settings.uses, walk.record, known))
