"""Which identity provider says who this is; and the one for development, which asks nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ostiary.authserver.pages.page import Form, Page


@dataclass(frozen=True, slots=True)
class Provider:
    """An identity provider, by its name in the configuration and by the one that people know."""

    name: str
    display_name: str


@dataclass(frozen=True, slots=True)
class SignInChoice(Page):
    """Posts `idp`: the chosen provider's name."""

    template: ClassVar[str] = "sign_in_choice.html"
    providers: Sequence[Provider]
    form: Form
    purpose: str = "to see and end what is connected"
    """Completes "Sign in ..."."""


@dataclass(frozen=True, slots=True)
class DevelopmentAccount:
    """Somebody who does not exist."""

    name: str
    display_name: str
    email: str


@dataclass(frozen=True, slots=True)
class DevelopmentSignIn(Page):
    """The development identity provider. Posts `account`: the chosen name."""

    template: ClassVar[str] = "development_sign_in.html"
    accounts: Sequence[DevelopmentAccount]
    form: Form
