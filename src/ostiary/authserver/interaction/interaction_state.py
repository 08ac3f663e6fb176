"""What is remembered of a walk. Only ever sealed: the tokens of its legs are in it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ostiary.authserver.interaction.authorization_request import Asked
from ostiary.authserver.upstream_account import Connected, Identity


class Chosen(StrEnum):
    """Why an account is not connected."""

    SKIPPED = "skipped"
    """Its person skipped it."""
    REFUSED = "refused"
    """The provider, or the person there, said no."""
    FAILED = "failed"
    """The provider was down, or answered nonsense: asked again next time."""
    KEPT = "kept"
    """Another account came back, and the person kept the one that is connected."""


class Choice(msgspec.Struct, frozen=True):
    """What became of a leg that brought nothing."""

    idp: str
    chosen: Chosen
    reason: str = ""
    """For people, in a sentence."""


class WalkRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A walk. Every change makes another one."""

    asked: Asked
    is_consented: bool = False
    connected: tuple[Connected, ...] = ()
    """What the legs brought, the identity's first."""
    signed_in_at: int | None = None
    """Seconds since the epoch: when the person proved themselves."""
    choices: tuple[Choice, ...] = ()
    offered: Connected | None = None
    """Another account than the one that is connected: the person is asked whether to replace it."""
    replaced: tuple[str, ...] = ()
    """Providers at which the person did."""

    def __repr__(self) -> str:
        return f"WalkRecord({self.asked!r})"

    __str__ = __repr__

    @property
    def identity(self) -> Identity | None:
        """Who signed in; None while nobody has."""
        return self.connected[0].identity if self.connected else None

    def account(self, idp: str) -> Connected | None:
        """What this walk brought from a provider."""
        return next((one for one in self.connected if one.idp == idp), None)

    def choice(self, idp: str) -> Choice | None:
        """What was chosen in this walk instead of connecting."""
        return next((one for one in self.choices if one.idp == idp), None)

    def connecting(self, account: Connected) -> WalkRecord:
        """With one account more, in place of another one of that provider."""
        if self.account(account.idp) is None:
            connected = (*self.connected, account)
        else:
            connected = tuple(account if one.idp == account.idp else one for one in self.connected)
        return msgspec.structs.replace(
            self, connected=connected, choices=self._choices_but(account.idp), offered=None
        )

    def choosing(self, choice: Choice) -> WalkRecord:
        """With a leg that brought nothing."""
        choices = (*self._choices_but(choice.idp), choice)
        return msgspec.structs.replace(self, choices=choices, offered=None)

    def _choices_but(self, idp: str) -> tuple[Choice, ...]:
        return tuple(one for one in self.choices if one.idp != idp)
