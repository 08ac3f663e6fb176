"""One account after the other is connected, and none is swapped for another without asking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from ostiary.authserver.pages.page import Form, Page


@dataclass(frozen=True, slots=True)
class AccountProgress:
    """One account of a sign-in."""

    idp: str
    """The name that people know it by."""
    state: Literal["done", "now", "later", "skipped", "failed"]
    """`failed` is also now: it is tried again, skipped, or given up."""
    is_optional: bool = False
    account: str = ""
    """Whose it is there, once connected."""
    reason: str = ""
    """Why it failed, in a sentence."""


@dataclass(frozen=True, slots=True)
class ConnectAccounts(Page):
    """Posts `step`: `connect`, `skip` or `cancel`; `continue` when nothing is left to connect."""

    template: ClassVar[str] = "connect_accounts.html"
    client_name: str
    accounts: Sequence[AccountProgress]
    form: Form

    @property
    def current(self) -> AccountProgress | None:
        """The account that the buttons are about."""
        return next((account for account in self.accounts if account.state in {"now", "failed"}), None)


@dataclass(frozen=True, slots=True)
class ReplaceAccount(Page):
    """Another account than the connected one came back. Posts `decision`: `replace` or `keep`."""

    template: ClassVar[str] = "replace_account.html"
    idp: str
    connected: str
    offered: str
    form: Form
