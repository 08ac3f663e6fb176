"""Connected accounts: what a person gave to whom, and how to end it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from ostiary.authserver.pages.consent import Scope
from ostiary.authserver.pages.page import Client, Form, Page


@dataclass(frozen=True, slots=True)
class OfflineAccessPermission:
    """A client may use the account while the person is away. `revoke` posts nothing but its hidden fields."""

    client: Client
    until: datetime
    revoke: Form


@dataclass(frozen=True, slots=True)
class OfflineAccessOffer:
    """The form that gives such a permission. Posts `client` (an id) and `days`: `1`, `7` or `30`."""

    clients: Sequence[tuple[str, str]]
    """Client id and name."""
    form: Form


@dataclass(frozen=True, slots=True)
class ConnectedAccount:
    """What one user gave one owner at one provider. The forms post nothing but their hidden fields."""

    idp: str
    state: Literal["connected", "needs_reconnect", "skipped", "refused", "absent"]
    account: str = ""
    scopes: Sequence[str] = ()
    since: datetime | None = None
    """When this state began; None where there is nothing to date."""
    connect: Form | None = None
    """Connects, or connects again."""
    disconnect: Form | None = None
    offline_access: Sequence[OfflineAccessPermission] = ()
    offline_access_offer: OfflineAccessOffer | None = None
    reason: str = ""
    """Why it was refused, in a sentence."""


@dataclass(frozen=True, slots=True)
class ClientAccess:
    """A token session: a client that may act for the person at this resource."""

    client: Client
    scopes: Sequence[Scope]
    since: datetime
    last_used: datetime | None
    end: Form


@dataclass(frozen=True, slots=True)
class ResourceConnections:
    """All that is kept for one owner: which servers it runs, its accounts, its clients."""

    owner: str
    resource: str
    accounts: Sequence[ConnectedAccount]
    clients: Sequence[ClientAccess]


@dataclass(frozen=True, slots=True)
class Connections(Page):
    """The page of the signed-in person. `sign_out` posts nothing but its hidden fields."""

    template: ClassVar[str] = "connections.html"
    signed_in_as: str
    resources: Sequence[ResourceConnections]
    sign_out: Form
    notice: str = ""
    """What was just done, in a sentence."""


@dataclass(frozen=True, slots=True)
class ConfirmConnection(Page):
    """A link led here: nothing begins before the person says so. Forms post hidden fields alone."""

    template: ClassVar[str] = "confirm_connection.html"
    idp: str
    resource: str
    owner: str
    scopes: Sequence[str]
    """What the provider will be asked for."""
    signed_in_as: str
    form: Form
    sign_out: Form
    connected: str = ""
    """The account that is connected now."""
