"""`/oauth/authorize`. RFC 6749 section 4.1.1, RFC 9126 section 4, OpenID Connect Core section 3.1.2.

Read, then prove whose request it is and where its answer goes; whatever fails until then is told on a page.
What fails after that is told to the client. An interaction is made of what is left.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.http.page_door import read_form
from ostiary.authserver.interaction.authorization_request import AuthorizationRequest, name_of
from ostiary.authserver.interaction.browser_redirect import see_other
from ostiary.authserver.interaction.browser_request import BrowserRequest
from ostiary.authserver.interaction.consent import asking_client
from ostiary.authserver.interaction.context import InteractionContext
from ostiary.authserver.interaction.finish import offer_way_back, tell_client
from ostiary.authserver.interaction.pushed_requests import is_pushed, resolve_request_uri
from ostiary.authserver.interaction.request_validation import (
    ValidatedRequest,
    may_skip_consent,
    validate_authorization,
    validate_request,
)
from ostiary.authserver.interaction.start import start_interaction
from ostiary.oauth.errors import OAuthError
from ostiary.oauth.server.authorization_request import read_state
from ostiary.oauth.server.client_authentication import check_client_id
from ostiary.oauth.server.errors import InvalidRequest, TooManyRequests, Unavailable
from ostiary.oauth.server.parameters import Parameters, read_parameters
from ostiary.oauth.server.redirect_uri import RedirectKind, redirect_kind
from ostiary.storage.errors import StorageError

LONGEST_QUERY = 16_384
"""What fits into an address when a posted request is made one."""


async def authorize(http_request: Request, context: InteractionContext) -> Response:
    """Raises PageRefused, OAuthError, StorageError: for a page."""
    if http_request.method == "POST":
        return await _as_get(http_request, context)
    request = BrowserRequest.of(http_request, context)
    validated = await _validate(request, read_parameters(http_request.scope["query_string"]))
    try:
        authorization = validate_authorization(validated, context)
        return await start_interaction(
            request, authorization, is_consented=may_skip_consent(validated.client, authorization)
        )
    except OAuthError as error:
        return _refused(request, validated, error)
    except StorageError as error:
        return _refused(
            request, validated, Unavailable("the server cannot reach its store", detail=str(error))
        )


def _refused(request: BrowserRequest, validated: ValidatedRequest, error: OAuthError) -> Response:
    """The client is told; by its person, when nobody vouches for where that leads (RFC 9700 4.11.2)."""
    authorization = _as_far_as_known(validated)
    if validated.client.is_preregistered or redirect_kind(validated.redirect_uri) is RedirectKind.LOOPBACK:
        return tell_client(request, authorization, error)
    return offer_way_back(request, authorization, asking_client(authorization), error)


async def _as_get(http_request: Request, context: InteractionContext) -> Response:
    """A post from another site comes without our cookie; the GET that follows it does not."""
    query = (await read_form(http_request)).encoded().decode("ascii")
    if len(query) > LONGEST_QUERY:
        raise InvalidRequest(f"the request has more than {LONGEST_QUERY} bytes: push it (RFC 9126)")
    return see_other(f"{context.url('/oauth/authorize')}?{query}")


async def _validate(request: BrowserRequest, parameters: Parameters) -> ValidatedRequest:
    context, client_id = request.context, parameters.require("client_id")
    check_client_id(client_id)
    try:
        counted = context.rates.authorize.ask(client_id, request.address, now=request.now)
        validated = await _validate_client(request, client_id, parameters)
        counted.is_of(client_id, now=request.now)
    except TooManyRequests:
        where = "/oauth/authorize"
        context.audit.write(
            AuditEvent.RATE_LIMITED, client=client_id, endpoint=where, address=request.address
        )
        raise
    except OAuthError as error:
        context.audit.write(
            AuditEvent.SIGN_IN_REFUSED,
            client=client_id,
            error=error.error,
            reason=error.detail or error.description,
            address=request.address,
        )
        raise
    return validated


async def _validate_client(
    request: BrowserRequest, client_id: str, parameters: Parameters
) -> ValidatedRequest:
    client = await request.context.clients.find(client_id, asked_from=request.address)
    if client is None:
        raise InvalidRequest("the client is unknown here")
    was_pushed = is_pushed(parameters)
    if was_pushed:
        parameters = await resolve_request_uri(request.context, parameters, now=request.now)
    return validate_request(client, parameters, was_pushed=was_pushed)


def _as_far_as_known(validated: ValidatedRequest) -> AuthorizationRequest:
    """Enough to answer the client with. A state that is no state is not given back."""
    try:
        state = read_state(validated.parameters)
    except InvalidRequest:
        state = None
    client = validated.client
    return AuthorizationRequest(
        client_id=client.client_id,
        client_name=name_of(client),
        client_kind=client.kind,
        resource="",
        owner="",
        scopes=(),
        redirect_uri=validated.redirect_uri,
        state=state,
    )
