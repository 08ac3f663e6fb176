"""What comes next in a walk. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from ostiary.authserver.config.resources import Use
from ostiary.authserver.interaction.account_steps import Leg, open_leg
from ostiary.authserver.interaction.interaction_state import WalkRecord


class Step(StrEnum):
    """In this order."""

    CONSENT = "consent"
    """The person is asked whether the client may."""
    SIGN_IN = "sign_in"
    """The browser goes to the identity provider that says who it is."""
    REPLACE = "replace"
    """The person is asked whether another account takes the place of the connected one."""
    LEG = "leg"
    """The person is asked to connect one more account."""
    ACCOUNTS = "accounts"
    """The person is shown which accounts were connected, before a client can use them."""
    FINISH = "finish"
    """Nothing is left to do."""


def next_step(record: WalkRecord, legs: Sequence[Leg]) -> Step:
    """Consent before anything leaves this server; then who it is; then one account after the other."""
    if not record.is_consented:
        return Step.CONSENT
    if record.identity is None:
        return Step.SIGN_IN
    if record.offered is not None:
        return Step.REPLACE
    if open_leg(legs) is not None:
        return Step.LEG
    if any(leg.is_new and leg.use is not Use.IDENTITY for leg in legs):
        return Step.ACCOUNTS
    return Step.FINISH
