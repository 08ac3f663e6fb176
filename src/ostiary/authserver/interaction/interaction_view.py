"""An interaction, found and looked at: what it asks for, where its accounts stand, what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from ostiary.authserver.http.page_door import PageRefused
from ostiary.authserver.interaction.account_steps import AccountStep, account_steps
from ostiary.authserver.interaction.browser_request import BrowserRequest
from ostiary.authserver.interaction.context import InteractionContext
from ostiary.authserver.interaction.interaction_state import InteractionState
from ostiary.authserver.interaction.interaction_store import Interaction, find_interaction
from ostiary.authserver.interaction.known_accounts import KnownAccounts, find_known_accounts
from ostiary.authserver.interaction.next_step import NextStep, next_step
from ostiary.authserver.resources import Target
from ostiary.oauth.server.errors import ServerError


@dataclass(frozen=True, slots=True)
class InteractionView:
    """Where an interaction stands."""

    interaction: Interaction
    target: Target
    known: KnownAccounts
    account_steps: Sequence[AccountStep]

    @property
    def state(self) -> InteractionState:
        """What is remembered of it."""
        return self.interaction.state

    @property
    def next_step(self) -> NextStep:
        """What comes next."""
        return next_step(self.state, self.account_steps)


async def load_view(request: BrowserRequest, interaction_id: str) -> InteractionView:
    """The interaction of this browser. Raises PageRefused when it has ended, ServerError, StorageError."""
    return await request.context.store.read(lambda connection: find_view(connection, request, interaction_id))


def find_view(connection: Connection, request: BrowserRequest, interaction_id: str) -> InteractionView:
    """The same, inside a transaction."""
    interaction = find_interaction(
        connection, request.context.store, interaction_id, browser_hash=request.browser.hash, now=request.now
    )
    if interaction is None:
        raise PageRefused(
            "This sign-in has ended",
            "It was finished, it has expired, or it was begun in another browser.",
            detail="the walk is unknown, ended, expired, or another browser's",
        )
    return view_of(connection, request.context, interaction)


def view_of(connection: Connection, context: InteractionContext, interaction: Interaction) -> InteractionView:
    """Where an interaction stands. Raises ServerError when the configuration has its resource no more."""
    authorization = interaction.state.authorization
    target = context.resources.find(authorization.resource)
    if target is None or target.settings.owner_identity != authorization.owner:
        raise ServerError(
            "the resource is not served here any more", detail=f"{authorization.resource} is gone"
        )
    known = find_known_accounts(connection, context.store, interaction.state.identity, authorization.owner)
    return InteractionView(
        interaction, target, known, account_steps(target.settings.uses, interaction.state, known)
    )
