"""google-auth's HTTP transport, with no request longer than ours may be, on the one road that ours take.

google-auth is imported on first use, in the thread that runs it: importing it is slow, and it reads
GCE_METADATA_HOST as it is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from ostiary.oauth.canonical_url import UrlRefused, canonical_url
from ostiary.oauth.client.echoed_secrets import secrets_of
from ostiary.transport.content_coding import compression
from ostiary.transport.proxies import ProxyUnusable
from ostiary.transport.reach import PUBLIC

if TYPE_CHECKING:
    from ostiary.transport.proxies import Proxies

REQUEST_TIMEOUT = 10.0
"""Seconds for one request; google-auth would wait two minutes."""

HttpRequest = Callable[..., Any]
"""google.auth.transport.Request: url, method, body, headers → response."""


@contextmanager
def google_requests(proxies: Proxies, sent: list[str]) -> Iterator[HttpRequest]:
    """The transport while its block runs; not for more than one thread. sent: takes the secrets it sends."""
    import requests  # noqa: PLC0415 - see the module's first lines
    from google.auth.transport.requests import Request  # noqa: PLC0415

    with requests.Session() as session:
        session.trust_env = False
        session.headers["accept-encoding"] = "identity"
        session.hooks["response"] = [_refuse_compressed]
        session.mount("https://", _system_trust())
        transport = Request(session)

        def request(url: str, method: str = "GET", timeout: float | None = None, **options: Any) -> Any:
            options["proxies"] = _by(proxies, url)
            sent.extend(_secrets(options.get("body"), options.get("headers")))
            return transport(url, method, timeout=min(timeout or REQUEST_TIMEOUT, REQUEST_TIMEOUT), **options)

        yield request


def _secrets(body: Any, headers: Mapping[str, str] | None) -> tuple[str, ...]:
    """Of a form to a token endpoint, and of who asks; whatever else is posted has none."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    named = {name.lower(): str(value) for name, value in (headers or {}).items()}
    return secrets_of(dict(parse_qsl(text)), named)


def _system_trust() -> Any:
    """Whom all of us trust; requests would bring authorities of its own."""
    from requests.adapters import HTTPAdapter  # noqa: PLC0415

    class SystemTrust(HTTPAdapter):
        def init_poolmanager(self, *sizes: Any, **options: Any) -> None:
            super().init_poolmanager(*sizes, ssl_context=PUBLIC.trust.context, **options)

        def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
            return super().proxy_manager_for(proxy, ssl_context=PUBLIC.trust.context, **options)

    return SystemTrust()


def _by(proxies: Proxies, url: str) -> dict[str, str]:
    """As requests wants it. Raises OSError for a proxy that cannot be used."""
    try:
        asked = canonical_url(url.partition("#")[0])
        proxy = proxies.to(asked)
    except UrlRefused:
        return {}
    except ProxyUnusable as error:
        raise OSError(str(error)) from None
    return {} if proxy is None else {asked.scheme: proxy.url_with_user}


def _refuse_compressed(response: Any, **_: Any) -> None:
    if compression(response.headers.get("content-encoding", "")) is not None:
        from requests.exceptions import ContentDecodingError  # noqa: PLC0415

        raise ContentDecodingError("the answer is compressed although we asked for it plain")
