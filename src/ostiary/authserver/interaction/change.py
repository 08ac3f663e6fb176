"""A walk is changed, whatever other tabs do meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from ostiary.authserver.http.page_door import PageRefused
from ostiary.authserver.interaction.browser_request import Visit
from ostiary.authserver.interaction.interaction_state import WalkRecord
from ostiary.authserver.interaction.interaction_store import change_walk
from ostiary.authserver.interaction.interaction_view import Standing, find_standing, look_at

TRIES = 5
"""Other tabs may be as quick as we are; not for ever."""

Alter = Callable[[Standing], WalkRecord]
"""The record that a walk gets. It may raise, and then nothing is changed."""


async def change(visit: Visit, walk_id: str, alter: Alter) -> Standing:
    """Where the walk stands afterwards; `alter` is asked again when another tab was quicker.

    Raises what `alter` raises, PageRefused, ServerError, StorageError.
    """
    for _ in range(TRIES):
        after = await visit.parts.store.transaction(
            lambda connection: _change(connection, visit, find_standing(connection, visit, walk_id), alter)
        )
        if after is not None:
            return after
    raise PageRefused(
        "This sign-in goes on in another window",
        "Several windows of this browser are at it at once.",
        "Close all of them but one, go back to the program that you came from, and start again.",
        status=409,
    )


async def change_as_seen(visit: Visit, seen: Standing, alter: Alter) -> Standing | None:
    """The same for what a person decided on: None when it is not any more as they saw it."""
    return await visit.parts.store.transaction(lambda connection: _change(connection, visit, seen, alter))


def _change(connection: Connection, visit: Visit, standing: Standing, alter: Alter) -> Standing | None:
    walk = change_walk(connection, visit.parts.store, standing.walk, alter(standing))
    return None if walk is None else look_at(connection, visit.parts, walk)
