"""Whose request it is, and where its answer goes: what has to be known before a client is told anything."""

from __future__ import annotations

from dataclasses import dataclass

from ostiary.authserver.interaction.authorization_request import (
    AuthorizationRequest,
    choose_resource_and_scopes,
)
from ostiary.authserver.interaction.context import InteractionContext
from ostiary.authserver.pages import DestinationRefused, destination
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
class ValidatedRequest:
    """A request whose client and redirect URI are known to belong together."""

    client: Client
    redirect_uri: str
    parameters: Parameters
    was_pushed: bool


def validate_request(client: Client, parameters: Parameters, *, was_pushed: bool) -> ValidatedRequest:
    """Raises InvalidRequest, which is never told by a redirect."""
    uri = match_redirect(parameters.get("redirect_uri"), client.redirect_uris)
    try:
        destination(uri)
    except DestinationRefused as refused:
        raise InvalidRequest(f"no answer goes to the redirect_uri: {refused}") from None
    if not client.is_preregistered:
        _still_registrable(uri, client)
    if not (uri.isascii() and uri.isprintable()) or " " in uri:
        raise InvalidRequest("the redirect_uri has a character that no URI has")
    return ValidatedRequest(client, uri, parameters, was_pushed)


def _still_registrable(uri: str, client: Client) -> None:
    """A rule that came later holds for who registered before, too."""
    try:
        check_registrable(uri, client.application_type)
    except InvalidRedirectUri as refused:
        raise InvalidRequest(f"no answer goes to the redirect_uri: {refused.description}") from None


def validate_authorization(validated: ValidatedRequest, context: InteractionContext) -> AuthorizationRequest:
    """What is asked for. Raises OAuthError, for the client."""
    client = validated.client
    if not client.may_use(AUTHORIZATION_CODE):
        raise UnauthorizedClient("this client may not use the grant authorization_code")
    if client.require_pushed_requests and not validated.was_pushed:
        raise InvalidRequest("this client has to push its requests (RFC 9126)")
    authorization = choose_resource_and_scopes(
        read_authorization(validated.parameters), client, validated.redirect_uri, context
    )
    if authorization.is_silent and not may_skip_consent(client, authorization):
        raise ConsentRequired("the person has to agree, and prompt is none")
    return authorization


def may_skip_consent(client: Client, authorization: AuthorizationRequest) -> bool:
    """Whether the operator answers for the client, and it does not want the person asked.

    A public client at a redirect URI on the person's machine may be any program there that knows its name
    (RFC 8252 section 8.6), so its person is asked whoever registered it.
    """
    if not client.is_preregistered or "consent" in authorization.prompt:
        return False
    return not client.is_public or redirect_kind(authorization.redirect_uri or "") is RedirectKind.HTTPS
