"""`/device`: a person types a device's code, compares what it asks for, and decides. RFC 8628 section 3.3.

    GET  /device           the code is typed, or filled in from the device's address
    POST /device           what the device asks for
    POST /device/decide    deny; or allow, and then sign in: the interaction ends in the device being let in

The code of an address only fills in the form, so that a link decides nothing. Codes are short, so guessing is
slowed: by browser, and by address for who throws the cookie away.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver import device_codes
from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.described_scopes import described_scopes
from ostiary.authserver.device_codes import WaitingDevice
from ostiary.authserver.http.page_door import PageRefused, read_form
from ostiary.authserver.interaction.authorization_request import AuthorizationRequest, name_of
from ostiary.authserver.interaction.browser import give_cookie
from ostiary.authserver.interaction.browser_request import BrowserRequest
from ostiary.authserver.interaction.consent import asking_client
from ostiary.authserver.interaction.context import InteractionContext
from ostiary.authserver.interaction.start import start_interaction
from ostiary.authserver.pages import DeviceCode, DeviceConfirm, DeviceDone, Form, page_response
from ostiary.oauth.server.device_code import normal_user_code
from ostiary.oauth.server.endpoint_url import endpoint_path
from ostiary.oauth.server.errors import InvalidRequest, TooManyRequests
from ostiary.oauth.server.parameters import read_parameters

CODE = "/device"
DECIDE = "/device/decide"
LONGEST_TYPED = 40
"""Characters that are shown again of what was typed."""


async def enter(http_request: Request, context: InteractionContext) -> Response:
    """`GET /device`. Raises InvalidRequest."""
    request = BrowserRequest.of(http_request, context)
    typed = read_parameters(http_request.scope["query_string"]).get("user_code") or ""
    page = DeviceCode(_form(request, CODE), typed[:LONGEST_TYPED])
    return give_cookie(page_response(page), request.browser, context.issuer)


async def look_up(http_request: Request, context: InteractionContext) -> Response:
    """`POST /device`: a code was typed. Raises PageRefused, OAuthError, StorageError."""
    form = await read_form(http_request)
    request = BrowserRequest.again(http_request, context)
    request.browser.check_csrf(form.get("csrf"), CODE)
    typed = form.get("user_code") or ""
    device = await _waiting(request, typed)
    if device is None:
        fault = "No device waits for this code. Look at the device again: codes last a few minutes."
        return page_response(DeviceCode(_form(request, CODE), typed[:LONGEST_TYPED], fault), status=400)
    code = normal_user_code(typed) or ""
    authorization = await _authorization(request, device)
    page = DeviceConfirm(
        user_code=code,
        client=asking_client(authorization),
        resource=authorization.resource,
        scopes=described_scopes(authorization.scopes, context.resources.find(authorization.resource)),
        form=_form(request, DECIDE, about=f"{DECIDE} {code}", user_code=code),
    )
    return page_response(page)


async def decide(http_request: Request, context: InteractionContext) -> Response:
    """`POST /device/decide`: allow or deny. Raises PageRefused, OAuthError, StorageError."""
    form = await read_form(http_request)
    request = BrowserRequest.again(http_request, context)
    code = form.require("user_code")
    request.browser.check_csrf(form.get("csrf"), f"{DECIDE} {code}")
    decision = form.require("decision")
    if decision not in {"allow", "deny"}:
        raise InvalidRequest("the decision is allow or deny")
    device = await _waiting(request, code)
    if device is None:
        raise _waits_no_more()
    authorization = await _authorization(request, device)
    if decision == "deny":
        return await _deny(request, authorization, device)
    _write(request, AuditEvent.CONSENTED, authorization, scopes=list(authorization.scopes))
    return await start_interaction(request, authorization, is_consented=True)


async def _deny(
    request: BrowserRequest, authorization: AuthorizationRequest, device: WaitingDevice
) -> Response:
    denied = await request.context.store.transaction(
        lambda connection: device_codes.deny(connection, device.device_hash, now=request.now)
    )
    if not denied:
        raise _waits_no_more()
    _write(request, AuditEvent.DEVICE_DENIED, authorization)
    return page_response(DeviceDone(authorization.client_name, is_allowed=False))


async def _waiting(request: BrowserRequest, typed: str) -> WaitingDevice | None:
    """Every look is a guess."""
    rates = request.context.rates
    try:
        rates.code_guesses_of_address.take(request.address, now=request.now)
        rates.code_guesses_of_browser.take(request.browser.hash, now=request.now)
    except TooManyRequests:
        request.context.audit.write(AuditEvent.RATE_LIMITED, endpoint=CODE, address=request.address)
        raise
    return await request.context.store.read(
        lambda connection: device_codes.find_waiting(
            connection, request.context.store, typed, now=request.now
        )
    )


async def _authorization(request: BrowserRequest, device: WaitingDevice) -> AuthorizationRequest:
    """What the device asks for, as an interaction knows it."""
    wanted, context = device.request, request.context
    client = await context.clients.find(wanted.client_id, asked_from=request.address)
    target = context.resources.find(wanted.resource)
    if client is None or target is None:
        raise _waits_no_more()
    return AuthorizationRequest(
        client_id=client.client_id,
        client_name=name_of(client),
        client_kind=client.kind,
        resource=wanted.resource,
        owner=target.settings.owner_identity,
        scopes=wanted.scopes,
        device_hash=device.device_hash,
    )


def _waits_no_more() -> PageRefused:
    return PageRefused(
        "This device waits no more",
        "Its code has expired, or somebody has decided already.",
        "Look at the device again, and start from there.",
        status=404,
    )


def _form(request: BrowserRequest, path: str, *, about: str | None = None, **hidden: str) -> Form:
    return Form(endpoint_path(request.context.issuer, path), request.browser.csrf(about or path), hidden)


def _write(
    request: BrowserRequest, event: AuditEvent, authorization: AuthorizationRequest, **particulars: object
) -> None:
    request.context.audit.write(
        event,
        client=authorization.client_id,
        resource=authorization.resource,
        owner=authorization.owner,
        address=request.address,
        **particulars,
    )
