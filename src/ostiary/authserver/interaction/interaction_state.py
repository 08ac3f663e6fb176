"""What is remembered of an interaction. Only ever sealed: the tokens of its logins are in it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ostiary.authserver.interaction.authorization_request import AuthorizationRequest
from ostiary.authserver.upstream_account import Identity, UpstreamAccount


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
    """What became of an account that is not connected."""

    idp: str
    chosen: Chosen
    reason: str = ""
    """For people, in a sentence."""


class InteractionState(msgspec.Struct, frozen=True, omit_defaults=True):
    """An interaction. Every change makes another one."""

    authorization: AuthorizationRequest = msgspec.field(name="asked")
    is_consented: bool = False
    accounts: tuple[UpstreamAccount, ...] = msgspec.field(default=(), name="connected")
    """What the logins brought, the identity's first."""
    signed_in_at: int | None = None
    """Seconds since the epoch: when the person proved themselves."""
    choices: tuple[Choice, ...] = ()
    offered: UpstreamAccount | None = None
    """Another account than the one that is connected: the person is asked whether to replace it."""
    replaced: tuple[str, ...] = ()
    """Providers at which the person did."""

    def __repr__(self) -> str:
        return f"InteractionState({self.authorization!r})"

    __str__ = __repr__

    @property
    def identity(self) -> Identity | None:
        """Who signed in; None while nobody has."""
        return self.accounts[0].identity if self.accounts else None

    def account(self, idp: str) -> UpstreamAccount | None:
        """What this interaction brought from a provider."""
        return next((one for one in self.accounts if one.idp == idp), None)

    def choice(self, idp: str) -> Choice | None:
        """What was chosen in this interaction instead of connecting."""
        return next((one for one in self.choices if one.idp == idp), None)

    def connecting(self, account: UpstreamAccount) -> InteractionState:
        """With one account more, in place of another one of that provider."""
        if self.account(account.idp) is None:
            accounts = (*self.accounts, account)
        else:
            accounts = tuple(account if one.idp == account.idp else one for one in self.accounts)
        return msgspec.structs.replace(
            self, accounts=accounts, choices=self._choices_but(account.idp), offered=None
        )

    def choosing(self, choice: Choice) -> InteractionState:
        """With an account that is not connected."""
        choices = (*self._choices_but(choice.idp), choice)
        return msgspec.structs.replace(self, choices=choices, offered=None)

    def _choices_but(self, idp: str) -> tuple[Choice, ...]:
        return tuple(one for one in self.choices if one.idp != idp)
