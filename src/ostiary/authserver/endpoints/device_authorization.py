"""A device that cannot show a browser asks for its two codes. RFC 8628 sections 3.1 and 3.2."""

from __future__ import annotations

from urllib.parse import urlencode

from ostiary.authserver.devices import DeviceRequest, new_device
from ostiary.authserver.http.json_answer import json_answer
from ostiary.authserver.requests.client_request import ClientRequest
from ostiary.authserver.services import Services
from ostiary.oauth.server.client import DEVICE_CODE
from ostiary.oauth.server.device_code import INTERVAL
from ostiary.oauth.server.errors import UnauthorizedClient
from ostiary.oauth.server.scope import read_scope
from ostiary.transport.direct import Answer
from ostiary.transport.stepping import in_task

VERIFICATION_PATH = "/device"
"""Where its person types the code: short, as it is typed too."""


async def authorize_device(request: ClientRequest, services: Services) -> Answer:
    """`POST /oauth/device_authorization`. Raises OAuthError, StorageError."""
    client, now = request.client, request.now
    if not client.may_use(DEVICE_CODE):
        raise UnauthorizedClient(f"this client may not use the grant {DEVICE_CODE}")
    target = services.resources.choose_for_people(request.parameters.all("resource"), client)
    asked = read_scope(request.parameters.get("scope"))
    scopes = target.scopes(asked, client, common=services.common_scopes)
    wanted = DeviceRequest(client.client_id, str(target.resource), scopes)
    lifetime = services.settings.tokens.device.total_seconds()
    new = await in_task(
        services.store.transaction(
            lambda connection: new_device(connection, services.store, wanted, now=now, lifetime=lifetime)
        )
    )
    page = services.url(VERIFICATION_PATH)
    return json_answer(
        {
            "device_code": new.device_code,
            "user_code": new.user_code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?{urlencode({'user_code': new.user_code})}",
            "expires_in": int(lifetime),
            "interval": int(INTERVAL),
        }
    )
