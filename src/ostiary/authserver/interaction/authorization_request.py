"""What a client asks a person for, once client, redirect URI, resource and scopes are settled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ostiary.authserver.idps.idp import LoginOptions
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.server.client import Client, ClientKind

if TYPE_CHECKING:
    from ostiary.authserver.interaction.context import InteractionContext
    from ostiary.oauth.server.authorization_request import RequestedAuthorization


class AuthorizationRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """Part of the interaction's sealed state: nothing of it is read from a request again."""

    client_id: str
    client_name: str
    """As it calls itself, or its id."""
    client_kind: ClientKind
    resource: str
    """Canonical."""
    owner: str
    scopes: tuple[str, ...]
    redirect_uri: str | None = None
    """Proven; None for a device."""
    device_hash: str | None = None
    """The device that waits (RFC 8628); None for a client that is answered by a redirect."""
    state: str | None = None
    code_challenge: str | None = None
    nonce: str | None = None
    dpop_jkt: str | None = None
    prompt: tuple[str, ...] = ()
    max_age: int | None = None
    login_hint: str | None = None

    def __repr__(self) -> str:
        return f"AuthorizationRequest({self.client_id!r}, {self.resource!r})"

    __str__ = __repr__

    @property
    def is_silent(self) -> bool:
        """Whether no page may be shown (`prompt=none`)."""
        return "none" in self.prompt

    @property
    def options(self) -> LoginOptions:
        """What goes on to the identity provider that says who somebody is. To agree is a matter of ours."""
        passed_on = tuple(sorted(set(self.prompt) - {"consent"}))
        return LoginOptions(prompt=passed_on, max_age=self.max_age, login_hint=self.login_hint)


def choose_resource_and_scopes(
    requested: RequestedAuthorization, client: Client, redirect_uri: str, context: InteractionContext
) -> AuthorizationRequest:
    """Choose resource and scopes. Raises InvalidTarget, InvalidScope."""
    target = context.resources.choose_for_people(requested.resources, client)
    return AuthorizationRequest(
        client_id=client.client_id,
        client_name=name_of(client),
        client_kind=client.kind,
        resource=str(target.resource),
        owner=target.settings.owner_identity,
        scopes=target.scopes(requested.scopes, client, common=context.common_scopes),
        redirect_uri=redirect_uri,
        state=requested.state,
        code_challenge=requested.code_challenge,
        nonce=requested.nonce,
        dpop_jkt=requested.dpop_jkt,
        prompt=tuple(sorted(requested.prompt)),
        max_age=requested.max_age,
        login_hint=requested.login_hint,
    )


def name_of(client: Client) -> str:
    """What people read: its name, else the host of its document, else its id."""
    if client.name:
        return client.name
    return host_of(client.client_id) if client.kind is ClientKind.DOCUMENT else client.client_id


def host_of(client_id: str) -> str:
    """The host that a Client ID Metadata Document comes from."""
    return canonical_url(client_id).authority
