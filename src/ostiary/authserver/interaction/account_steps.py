"""Where each account of an interaction stands. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ostiary.authserver.config.resources import Use
from ostiary.authserver.interaction.interaction_state import Choice, Chosen, InteractionState
from ostiary.authserver.interaction.known_accounts import KnownAccounts


class AccountState(StrEnum):
    """What can be said of an account."""

    DONE = "done"
    """Its account is connected: in this interaction, or before it."""
    OPEN = "open"
    """It has to be connected, or skipped."""
    SKIPPED = "skipped"
    """It is passed over, for a choice in this interaction or one that is remembered."""


@dataclass(frozen=True, slots=True)
class AccountStep:
    """One identity provider of the resource."""

    idp: str
    use: Use
    state: AccountState
    account: str = ""
    """What the person calls the account that is connected."""
    is_new: bool = False
    """Whether this interaction connected it."""
    reason: str = ""
    """Why it brought nothing."""

    @property
    def is_optional(self) -> bool:
        """Whether it may be skipped."""
        return self.use is Use.OPTIONAL


def account_steps(
    uses: Mapping[str, Use], state: InteractionState, known: KnownAccounts
) -> list[AccountStep]:
    """In the order of the interaction, the identity's first. uses: by the providers' names."""
    return [_step(idp, use, state, known) for idp, use in uses.items() if use is not Use.ON_DEMAND]


def open_step(steps: Sequence[AccountStep]) -> AccountStep | None:
    """The account whose turn it is."""
    return next((step for step in steps if step.state is AccountState.OPEN), None)


def _step(idp: str, use: Use, state: InteractionState, known: KnownAccounts) -> AccountStep:
    if account := state.account(idp):
        return AccountStep(idp, use, AccountState.DONE, account.label or account.account, is_new=True)
    if use is Use.IDENTITY:
        return AccountStep(idp, use, AccountState.OPEN)
    before = known.accounts.get(idp)
    if before is not None and before.is_active:
        return AccountStep(idp, use, AccountState.DONE, before.label)
    choice = state.choice(idp)
    if use is Use.OPTIONAL and _is_passed_over(choice, known.choices.get(idp), state):
        return AccountStep(idp, use, AccountState.SKIPPED, reason="" if choice is None else choice.reason)
    return AccountStep(idp, use, AccountState.OPEN, reason="" if choice is None else choice.reason)


def _is_passed_over(choice: Choice | None, before: Choice | None, state: InteractionState) -> bool:
    """A choice of this time counts; one of an earlier time unless the client wants the person asked again.

    Without a page nobody can be asked, so nothing is remembered of it either.
    """
    if state.authorization.is_silent:
        return True
    if choice is not None:
        return choice.chosen is not Chosen.KEPT
    is_remembered = before is not None and before.chosen in {Chosen.SKIPPED, Chosen.REFUSED}
    return is_remembered and "consent" not in state.authorization.prompt
