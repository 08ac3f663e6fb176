"""What comes next in an interaction. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from ostiary.authserver.config.resources import Use
from ostiary.authserver.interaction.account_steps import AccountStep, open_step
from ostiary.authserver.interaction.interaction_state import InteractionState


class NextStep(StrEnum):
    """In this order."""

    CONSENT = "consent"
    """The person is asked whether the client may."""
    SIGN_IN = "sign_in"
    """The browser goes to the identity provider that says who it is."""
    REPLACE = "replace"
    """The person is asked whether another account takes the place of the connected one."""
    CONNECT = "connect"
    """The person is asked to connect one more account."""
    ACCOUNTS = "accounts"
    """The person is shown which accounts were connected, before a client can use them."""
    FINISH = "finish"
    """Nothing is left to do."""


def next_step(state: InteractionState, steps: Sequence[AccountStep]) -> NextStep:
    """Consent before anything leaves this server; then who it is; then one account after the other."""
    if not state.is_consented:
        return NextStep.CONSENT
    if state.identity is None:
        return NextStep.SIGN_IN
    if state.offered is not None:
        return NextStep.REPLACE
    if open_step(steps) is not None:
        return NextStep.CONNECT
    if any(step.is_new and step.use is not Use.IDENTITY for step in steps):
        return NextStep.ACCOUNTS
    return NextStep.FINISH
