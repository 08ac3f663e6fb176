"""Who we are at a provider, and how we prove it. RFC 6749 section 2.3.1."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ostiary.oauth.client.client_authentication import (
    ClientAuthentication,
    client_name,
    client_secret_basic,
    client_secret_post,
)
from ostiary.secrets import Secret

OurMethod = Literal["client_secret_basic", "client_secret_post", "none"]


@dataclass(frozen=True, slots=True)
class IdpClient:
    """One client of ours. method: as configured; None leaves it to the provider's metadata."""

    client_id: str
    client_secret: Secret | None = None
    method: OurMethod | None = None

    async def prove(self, metadata: Mapping[str, Any]) -> ClientAuthentication:
        """What goes into one request. Reads the secret where it is. Raises SecretUnavailable."""
        method = self.method or self._chosen(metadata.get("token_endpoint_auth_methods_supported"))
        if self.client_secret is None or method == "none":
            return client_name(self.client_id)
        secret = await asyncio.to_thread(self.client_secret.reveal)
        prove = client_secret_post if method == "client_secret_post" else client_secret_basic
        return prove(self.client_id, secret)

    def _chosen(self, offered: Any) -> OurMethod:
        """Basic is what a silent provider takes (OpenID Connect Discovery section 3)."""
        if self.client_secret is None:
            return "none"
        listed = offered if isinstance(offered, list) else []
        only_post = "client_secret_post" in listed and "client_secret_basic" not in listed
        return "client_secret_post" if only_post else "client_secret_basic"
