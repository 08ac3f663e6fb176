"""Where each leg of a walk stands. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ostiary.authserver.config.resources import Use
from ostiary.authserver.interaction.interaction_state import Choice, Chosen, WalkRecord
from ostiary.authserver.interaction.known_accounts import Known


class LegState(StrEnum):
    """What can be said of a leg."""

    DONE = "done"
    """Its account is connected: in this walk, or before it."""
    OPEN = "open"
    """It has to be walked, or skipped."""
    SKIPPED = "skipped"
    """It is passed over, for a choice in this walk or one that is remembered."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One identity provider of the resource."""

    idp: str
    use: Use
    state: LegState
    account: str = ""
    """What the person calls the account that is connected."""
    is_new: bool = False
    """Whether this walk connected it."""
    reason: str = ""
    """Why it brought nothing."""

    @property
    def is_optional(self) -> bool:
        """Whether it may be skipped."""
        return self.use is Use.OPTIONAL


def legs_of(uses: Mapping[str, Use], record: WalkRecord, known: Known) -> list[Leg]:
    """The legs in the order of the walk, the identity's first. uses: by the providers' names."""
    return [_leg(idp, use, record, known) for idp, use in uses.items() if use is not Use.ON_DEMAND]


def open_leg(legs: Sequence[Leg]) -> Leg | None:
    """The leg whose turn it is."""
    return next((leg for leg in legs if leg.state is LegState.OPEN), None)


def _leg(idp: str, use: Use, record: WalkRecord, known: Known) -> Leg:
    if account := record.account(idp):
        return Leg(idp, use, LegState.DONE, account.label or account.account, is_new=True)
    if use is Use.IDENTITY:
        return Leg(idp, use, LegState.OPEN)
    before = known.accounts.get(idp)
    if before is not None and before.is_active:
        return Leg(idp, use, LegState.DONE, before.label)
    choice = record.choice(idp)
    if use is Use.OPTIONAL and _is_passed_over(choice, known.choices.get(idp), record):
        return Leg(idp, use, LegState.SKIPPED, reason="" if choice is None else choice.reason)
    return Leg(idp, use, LegState.OPEN, reason="" if choice is None else choice.reason)


def _is_passed_over(choice: Choice | None, before: Choice | None, record: WalkRecord) -> bool:
    """A choice of this walk counts; one of an earlier walk unless the client wants the person asked again.

    Without a page nobody can be asked, so nothing is remembered of it either.
    """
    if record.asked.is_silent:
        return True
    if choice is not None:
        return choice.chosen is not Chosen.KEPT
    is_remembered = before is not None and before.chosen in {Chosen.SKIPPED, Chosen.REFUSED}
    return is_remembered and "consent" not in record.asked.prompt
