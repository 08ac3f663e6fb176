"""An interaction is changed, whatever other tabs do meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from ostiary.authserver.http.page_door import PageRefused
from ostiary.authserver.interaction.browser_request import BrowserRequest
from ostiary.authserver.interaction.interaction_state import InteractionState
from ostiary.authserver.interaction.interaction_store import replace_state
from ostiary.authserver.interaction.interaction_view import InteractionView, find_view, view_of

TRIES = 5
"""Other tabs may be as quick as we are; not for ever."""

Alter = Callable[[InteractionView], InteractionState]
"""The state that an interaction gets. It may raise, and then nothing is changed."""


async def change(request: BrowserRequest, interaction_id: str, alter: Alter) -> InteractionView:
    """Where the interaction stands afterwards; `alter` is asked again when another tab was quicker.

    Raises what `alter` raises, PageRefused, ServerError, StorageError.
    """
    for _ in range(TRIES):
        after = await request.context.store.transaction(
            lambda connection: _change(
                connection, request, find_view(connection, request, interaction_id), alter
            )
        )
        if after is not None:
            return after
    raise PageRefused(
        "This sign-in goes on in another window",
        "Several windows of this browser are at it at once.",
        "Close all of them but one, go back to the program that you came from, and start again.",
        status=409,
    )


async def change_as_seen(
    request: BrowserRequest, seen: InteractionView, alter: Alter
) -> InteractionView | None:
    """The same for what a person decided on: None when it is not any more as they saw it."""
    return await request.context.store.transaction(
        lambda connection: _change(connection, request, seen, alter)
    )


def _change(
    connection: Connection, request: BrowserRequest, view: InteractionView, alter: Alter
) -> InteractionView | None:
    interaction = replace_state(connection, request.context.store, view.interaction, alter(view))
    return None if interaction is None else view_of(connection, request.context, interaction)
