"""`/oauth/authorize`. RFC 6749 section 4.1.1, RFC 9126 section 4, OpenID Connect Core section 3.1.2.

Read, then prove whose request it is and where its answer goes; whatever fails until then is told on a page.
What fails after that is told to the client. A walk is made of what is left.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.http.page_door import read_form
from ostiary.authserver.interaction.authorization_request import Asked, name_of
from ostiary.authserver.interaction.browser_request import Visit
from ostiary.authserver.interaction.consent import asking_client
from ostiary.authserver.interaction.finish import let_person_tell, tell
from ostiary.authserver.interaction.pushed_requests import is_pushed, unfold
from ostiary.authserver.interaction.redirect import see_other
from ostiary.authserver.interaction.start import start_walk
from ostiary.authserver.interaction.validated_client import Proven, may_skip_consent, prove, settle
from ostiary.authserver.services import Parts
from ostiary.oauth.errors import OAuthError
from ostiary.oauth.server.authorization_request import read_state
from ostiary.oauth.server.client_authentication import check_client_id
from ostiary.oauth.server.errors import InvalidRequest, TooManyRequests, Unavailable
from ostiary.oauth.server.parameters import Parameters, read_parameters
from ostiary.oauth.server.redirect_uri import RedirectKind, redirect_kind
from ostiary.storage.errors import StorageError

LONGEST_QUERY = 16_384
"""What fits into an address when a posted request is made one."""


async def authorize(request: Request, parts: Parts) -> Response:
    """Raises PageRefused, OAuthError, StorageError: for a page."""
    if request.method == "POST":
        return await _as_get(request, parts)
    visit = Visit.of(request, parts)
    proven = await _prove(visit, read_parameters(request.scope["query_string"]))
    try:
        asked = settle(proven, parts)
        return await start_walk(visit, asked, is_consented=may_skip_consent(proven.client, asked))
    except OAuthError as error:
        return _refused(visit, proven, error)
    except StorageError as error:
        return _refused(visit, proven, Unavailable("the server cannot reach its store", detail=str(error)))


def _refused(visit: Visit, proven: Proven, error: OAuthError) -> Response:
    """The client is told; by its person, when nobody vouches for where that leads (RFC 9700 4.11.2)."""
    asked = _as_far_as_known(proven)
    if proven.client.is_verified or redirect_kind(proven.redirect_uri) is RedirectKind.LOOPBACK:
        return tell(visit, asked, error)
    return let_person_tell(visit, asked, asking_client(asked), error)


async def _as_get(request: Request, parts: Parts) -> Response:
    """A post from another site comes without our cookie; the GET that follows it does not."""
    query = (await read_form(request)).encoded().decode("ascii")
    if len(query) > LONGEST_QUERY:
        raise InvalidRequest(f"the request has more than {LONGEST_QUERY} bytes: push it (RFC 9126)")
    return see_other(f"{parts.url('/oauth/authorize')}?{query}")


async def _prove(visit: Visit, parameters: Parameters) -> Proven:
    parts, client_id = visit.parts, parameters.require("client_id")
    check_client_id(client_id)
    try:
        asked = parts.rates.authorize.ask(client_id, visit.address, now=visit.now)
        proven = await _prove_client(visit, client_id, parameters)
        asked.is_of(client_id, now=visit.now)
    except TooManyRequests:
        where = "/oauth/authorize"
        parts.audit.write(AuditEvent.RATE_LIMITED, client=client_id, endpoint=where, address=visit.address)
        raise
    except OAuthError as error:
        parts.audit.write(
            AuditEvent.SIGN_IN_REFUSED,
            client=client_id,
            error=error.error,
            reason=error.detail or error.description,
            address=visit.address,
        )
        raise
    return proven


async def _prove_client(visit: Visit, client_id: str, parameters: Parameters) -> Proven:
    client = await visit.parts.clients.find(client_id, asked_from=visit.address)
    if client is None:
        raise InvalidRequest("the client is unknown here")
    was_pushed = is_pushed(parameters)
    if was_pushed:
        parameters = await unfold(visit.parts, parameters, now=visit.now)
    return prove(client, parameters, was_pushed=was_pushed)


def _as_far_as_known(proven: Proven) -> Asked:
    """Enough to answer the client with. A state that is no state is not given back."""
    try:
        state = read_state(proven.parameters)
    except InvalidRequest:
        state = None
    client = proven.client
    return Asked(
        client_id=client.client_id,
        client_name=name_of(client),
        client_kind=client.kind,
        resource="",
        owner="",
        scopes=(),
        redirect_uri=proven.redirect_uri,
        state=state,
    )
