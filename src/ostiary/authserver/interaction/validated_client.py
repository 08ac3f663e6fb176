"""Whose request it is, and where its answer goes: what has to be known before a client is told anything."""

from __future__ import annotations

from dataclasses import dataclass

from ostiary.authserver.interaction.authorization_request import Asked, settled
from ostiary.authserver.pages import DestinationRefused, destination
from ostiary.authserver.services import Parts
from ostiary.oauth.server.authorization_request import read_authorization
from ostiary.oauth.server.client import AUTHORIZATION_CODE, Client
from ostiary.oauth.server.errors import (
    ConsentRequired,
    InvalidRedirectUri,
    InvalidRequest,
    UnauthorizedClient,
)
from ostiary.oauth.server.parameters import Parameters
from ostiary.oauth.server.redirect_uri import RedirectKind, check_registrable, match_redirect, redirect_kind


@dataclass(frozen=True, slots=True)
class Proven:
    """A request whose client and redirect URI are known to belong together."""

    client: Client
    redirect_uri: str
    parameters: Parameters
    was_pushed: bool


def prove(client: Client, parameters: Parameters, *, was_pushed: bool) -> Proven:
    """Raises InvalidRequest, which is never told by a redirect."""
    uri = match_redirect(parameters.get("redirect_uri"), client.redirect_uris)
    try:
        destination(uri)
    except DestinationRefused as refused:
        raise InvalidRequest(f"no answer goes to the redirect_uri: {refused}") from None
    if not client.is_verified:
        _still_registrable(uri, client)
    if not (uri.isascii() and uri.isprintable()) or " " in uri:
        raise InvalidRequest("the redirect_uri has a character that no URI has")
    return Proven(client, uri, parameters, was_pushed)


def _still_registrable(uri: str, client: Client) -> None:
    """A rule that came later holds for who registered before, too."""
    try:
        check_registrable(uri, client.application_type)
    except InvalidRedirectUri as refused:
        raise InvalidRequest(f"no answer goes to the redirect_uri: {refused.description}") from None


def settle(proven: Proven, parts: Parts) -> Asked:
    """What is asked for. Raises OAuthError, for the client."""
    client = proven.client
    if not client.may_use(AUTHORIZATION_CODE):
        raise UnauthorizedClient("this client may not use the grant authorization_code")
    if client.require_pushed_requests and not proven.was_pushed:
        raise InvalidRequest("this client has to push its requests (RFC 9126)")
    asked = settled(read_authorization(proven.parameters), client, proven.redirect_uri, parts)
    if asked.is_silent and not may_skip_consent(client, asked):
        raise ConsentRequired("the person has to agree, and prompt is none")
    return asked


def may_skip_consent(client: Client, asked: Asked) -> bool:
    """Whether the operator answers for the client, and it does not want the person asked.

    A public client at a redirect URI on the person's machine may be any program there that knows its name
    (RFC 8252 section 8.6), so its person is asked whoever registered it.
    """
    if not client.is_verified or "consent" in asked.prompt:
        return False
    return not client.is_public or redirect_kind(asked.redirect_uri or "") is RedirectKind.HTTPS
