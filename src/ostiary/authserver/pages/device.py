"""The device grant's pages: a code is typed in, compared, and decided on. RFC 8628 section 3.3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ostiary.authserver.pages.consent import Scope
from ostiary.authserver.pages.page import Client, Form, Page


@dataclass(frozen=True, slots=True)
class DeviceCode(Page):
    """Posts `user_code`, as typed."""

    template: ClassVar[str] = "device_code.html"
    form: Form
    user_code: str = ""
    """What was typed, or came with `verification_uri_complete`; it is checked by the person all the same."""
    fault: str = ""
    """What was wrong with it, in a sentence."""


@dataclass(frozen=True, slots=True)
class DeviceConfirm(Page):
    """Posts `decision`: `allow` or `deny`. Warns of remote phishing (RFC 8628 section 5.4)."""

    template: ClassVar[str] = "device_confirm.html"
    user_code: str
    client: Client
    resource: str
    scopes: Sequence[Scope]
    form: Form
    signed_in_as: str | None = None


@dataclass(frozen=True, slots=True)
class DeviceDone(Page):
    """The device was given access, or not."""

    template: ClassVar[str] = "device_done.html"
    client_name: str
    is_allowed: bool
