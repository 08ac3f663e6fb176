"""A device that cannot show a browser asks for its two codes. RFC 8628 sections 3.1 and 3.2."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from ostiary.authserver.device_codes import DeviceRequest, new_device
from ostiary.authserver.http.json_answer import json_answer
from ostiary.authserver.requests.client_request import ClientRequest
from ostiary.authserver.resources import Resources
from ostiary.oauth.server.client import DEVICE_CODE
from ostiary.oauth.server.device_code import INTERVAL
from ostiary.oauth.server.errors import UnauthorizedClient
from ostiary.oauth.server.scope import read_scope
from ostiary.storage.store import Store
from ostiary.transport.inline_http import Answer

VERIFICATION_PATH = "/device"
"""Where its person types the code: short, as it is typed too."""


@dataclass(frozen=True, slots=True)
class DeviceAuthorization:
    """`POST /oauth/device_authorization`. page: where codes are typed; lifetime: of codes."""

    page: str
    store: Store
    resources: Resources
    common_scopes: frozenset[str]
    lifetime: timedelta

    async def __call__(self, request: ClientRequest) -> Answer:
        """Raises OAuthError, StorageError."""
        client = request.client
        if not client.may_use(DEVICE_CODE):
            raise UnauthorizedClient(f"this client may not use the grant {DEVICE_CODE}")
        target = self.resources.choose_for_people(request.parameters.all("resource"), client)
        asked = read_scope(request.parameters.get("scope"))
        scopes = target.scopes(asked, client, common=self.common_scopes)
        wanted = DeviceRequest(client.client_id, str(target.resource), scopes)
        lifetime = self.lifetime.total_seconds()
        new = await self.store.transaction(
            lambda connection: new_device(connection, self.store, wanted, now=request.now, lifetime=lifetime)
        )
        return json_answer(
            {
                "device_code": new.device_code,
                "user_code": new.user_code,
                "verification_uri": self.page,
                "verification_uri_complete": f"{self.page}?{urlencode({'user_code': new.user_code})}",
                "expires_in": int(lifetime),
                "interval": int(INTERVAL),
            }
        )
