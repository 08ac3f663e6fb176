"""A provider of the test's own, and an entry that names it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.authserver.conftest import Clock
from tests.authserver.idps.little_idp import CLIENT_ID, CLIENT_SECRET, LittleIdp, little_idp

from ostiary.authserver.config.idps import OidcIdp
from ostiary.authserver.idps.idp import LoginOptions, UpstreamIdp
from ostiary.authserver.idps.oidc import OidcProvider
from ostiary.authserver.idps.tools import Tools
from ostiary.authserver.upstream_account import UpstreamAccount
from ostiary.identity.key_sets import KeySets
from ostiary.storage.config import StorageSettings
from ostiary.storage.store import Store
from ostiary.transport.fetch import Fetcher

CALLBACK = "https://auth.example.com/oauth/callback/corp"
INLINE = {"insecure_inline_secrets": True}


@pytest.fixture
async def idp(clock: Clock) -> AsyncIterator[LittleIdp]:
    async with little_idp(clock) as running:
        yield running


@pytest.fixture
def tools(clock: Clock) -> Tools:
    fetcher = Fetcher(timeout=5)
    return Tools(fetcher, KeySets(fetcher, clock), clock)


Provider = Callable[..., OidcProvider]


@pytest.fixture
def provider(idp: LittleIdp, tools: Tools, tmp_path: Path) -> Provider:
    """The entry `corp`, with these settings."""

    def made(**settings: Any) -> OidcProvider:
        values = {"name": "corp", "issuer": idp.url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        context = INLINE | {"base_directory": tmp_path}
        return OidcProvider(OidcIdp.model_validate(values | settings, context=context), tools)

    return made


async def signed_in(
    provider: UpstreamIdp, idp: LittleIdp, clock: Clock, *, options: LoginOptions | None = None, **answer: str
) -> UpstreamAccount:
    """A whole login. answer: what the browser brings back else."""
    left = await provider.begin(state="the-state", redirect_uri=CALLBACK, options=options or LoginOptions())
    return await provider.complete(idp.approve(left.url, **answer), left.memory, now=clock())


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    context = {"base_directory": tmp_path}
    settings = {"url": "sqlite:///ostiary.db", "encryption_key": {"file": "ostiary.key"}}
    opened = Store.of(StorageSettings.model_validate(settings, context=context))
    yield opened
    await opened.close()
