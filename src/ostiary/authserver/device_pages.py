"""`/device`: a person types a device's code, compares what it asks for, and decides. RFC 8628 section 3.3.

    GET  /device           the code is typed, or filled in from the device's address
    POST /device           what the device asks for
    POST /device/decide    deny; or allow, and then sign in: the walk ends in the device being let in

The code of an address only fills in the form, so that a link decides nothing. Codes are short, so guessing is
slowed: by browser, and by address for who throws the cookie away.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver import devices
from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.described_scopes import described_scopes
from ostiary.authserver.devices import WaitingDevice
from ostiary.authserver.http.page_door import PageRefused, read_form
from ostiary.authserver.interaction.authorization_request import Asked, name_of
from ostiary.authserver.interaction.browser import give_cookie
from ostiary.authserver.interaction.browser_request import Visit
from ostiary.authserver.interaction.consent import asking_client
from ostiary.authserver.interaction.start import start_walk
from ostiary.authserver.pages import DeviceCode, DeviceConfirm, DeviceDone, Form, page_response
from ostiary.authserver.services import Parts
from ostiary.oauth.server.device_code import normal_user_code
from ostiary.oauth.server.endpoint_url import endpoint_path
from ostiary.oauth.server.errors import InvalidRequest, TooManyRequests
from ostiary.oauth.server.parameters import read_parameters

CODE = "/device"
DECIDE = "/device/decide"
LONGEST_TYPED = 40
"""Characters that are shown again of what was typed."""


async def enter(request: Request, parts: Parts) -> Response:
    """`GET /device`. Raises InvalidRequest."""
    visit = Visit.of(request, parts)
    typed = read_parameters(request.scope["query_string"]).get("user_code") or ""
    page = DeviceCode(_form(visit, CODE), typed[:LONGEST_TYPED])
    return give_cookie(page_response(page), visit.browser, parts.issuer)


async def look_up(request: Request, parts: Parts) -> Response:
    """`POST /device`: a code was typed. Raises PageRefused, OAuthError, StorageError."""
    form = await read_form(request)
    visit = Visit.again(request, parts)
    visit.browser.check_csrf(form.get("csrf"), CODE)
    typed = form.get("user_code") or ""
    device = await _waiting(visit, typed)
    if device is None:
        fault = "No device waits for this code. Look at the device again: codes last a few minutes."
        return page_response(DeviceCode(_form(visit, CODE), typed[:LONGEST_TYPED], fault), status=400)
    code = normal_user_code(typed) or ""
    asked = await _asked(visit, device)
    page = DeviceConfirm(
        user_code=code,
        client=asking_client(asked),
        resource=asked.resource,
        scopes=described_scopes(asked.scopes, parts.resources.find(asked.resource)),
        form=_form(visit, DECIDE, about=f"{DECIDE} {code}", user_code=code),
    )
    return page_response(page)


async def decide(request: Request, parts: Parts) -> Response:
    """`POST /device/decide`: allow or deny. Raises PageRefused, OAuthError, StorageError."""
    form = await read_form(request)
    visit = Visit.again(request, parts)
    code = form.require("user_code")
    visit.browser.check_csrf(form.get("csrf"), f"{DECIDE} {code}")
    decision = form.require("decision")
    if decision not in {"allow", "deny"}:
        raise InvalidRequest("the decision is allow or deny")
    device = await _waiting(visit, code)
    if device is None:
        raise _waits_no_more()
    asked = await _asked(visit, device)
    if decision == "deny":
        return await _deny(visit, asked, device)
    _write(visit, AuditEvent.CONSENTED, asked, scopes=list(asked.scopes))
    return await start_walk(visit, asked, is_consented=True)


async def _deny(visit: Visit, asked: Asked, device: WaitingDevice) -> Response:
    denied = await visit.parts.store.transaction(
        lambda connection: devices.deny(connection, device.device_hash, now=visit.now)
    )
    if not denied:
        raise _waits_no_more()
    _write(visit, AuditEvent.DEVICE_DENIED, asked)
    return page_response(DeviceDone(asked.client_name, is_allowed=False))


async def _waiting(visit: Visit, typed: str) -> WaitingDevice | None:
    """Every look is a guess."""
    rates = visit.parts.rates
    try:
        rates.code_guesses_of_address.take(visit.address, now=visit.now)
        rates.code_guesses_of_browser.take(visit.browser.hash, now=visit.now)
    except TooManyRequests:
        visit.parts.audit.write(AuditEvent.RATE_LIMITED, endpoint=CODE, address=visit.address)
        raise
    return await visit.parts.store.read(
        lambda connection: devices.find_waiting(connection, visit.parts.store, typed, now=visit.now)
    )


async def _asked(visit: Visit, device: WaitingDevice) -> Asked:
    """What the device asks for, as a walk knows it."""
    request, parts = device.request, visit.parts
    client = await parts.clients.find(request.client_id, asked_from=visit.address)
    target = parts.resources.find(request.resource)
    if client is None or target is None:
        raise _waits_no_more()
    return Asked(
        client_id=client.client_id,
        client_name=name_of(client),
        client_kind=client.kind,
        resource=request.resource,
        owner=target.settings.owner,
        scopes=request.scopes,
        device_hash=device.device_hash,
    )


def _waits_no_more() -> PageRefused:
    return PageRefused(
        "This device waits no more",
        "Its code has expired, or somebody has decided already.",
        "Look at the device again, and start from there.",
        status=404,
    )


def _form(visit: Visit, path: str, *, about: str | None = None, **hidden: str) -> Form:
    return Form(endpoint_path(visit.parts.issuer, path), visit.browser.csrf(about or path), hidden)


def _write(visit: Visit, event: AuditEvent, asked: Asked, **particulars: object) -> None:
    visit.parts.audit.write(
        event,
        client=asked.client_id,
        resource=asked.resource,
        owner=asked.owner,
        address=visit.address,
        **particulars,
    )
