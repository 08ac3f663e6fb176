"""What a server says of itself (RFC 9728): where its refusal points to, else at the well-known places."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ostiary.diagnosis.server_answer import ResourceMetadata
from ostiary.oauth.client.echoed_secrets import without_echoes
from ostiary.oauth.client.protected_resource import challenged_url, well_known_urls
from ostiary.oauth.client.server_metadata import MetadataRefused
from ostiary.transport.fetch import Fetcher, FetchError
from ostiary.transport.reach import PUBLIC, strangers

if TYPE_CHECKING:
    from ostiary.diagnosis.server_answer import ServerAnswer
    from ostiary.diagnosis.target import ServerTarget
    from ostiary.oauth.canonical_url import CanonicalUrl


async def find_metadata(
    target: ServerTarget, refusal: ServerAnswer, fetcher: Fetcher
) -> ResourceMetadata | None:
    """The first document that can be had and is one."""
    url = target.url
    for place in _places(url, refusal):
        same_server = place.origin == url.origin
        if place.is_loopback and not same_server:
            continue  # a stranger's word sends us nowhere on this machine
        reach = replace(target.reach, private_network=True, insecure_allow_http=True)
        if not same_server:
            reach = strangers(PUBLIC, place, url)
        try:
            document = await fetcher.get_json(place, reach=reach)
        except FetchError:
            continue
        if isinstance(document, dict) and "resource" in document:
            return _read(place, document, refusal.sent)
    return None


def _places(url: CanonicalUrl, refusal: ServerAnswer) -> list[CanonicalUrl]:
    places: list[CanonicalUrl] = []
    if named := refusal.challenge.get("resource_metadata"):
        with contextlib.suppress(MetadataRefused):
            places.append(challenged_url(named, server=url))
    return list(dict.fromkeys([*places, *well_known_urls(url)]))


def _read(place: CanonicalUrl, document: dict[str, Any], sent: tuple[str, ...]) -> ResourceMetadata:
    """sent: the secrets, which the server may repeat."""

    def strings(value: Any) -> tuple[str, ...]:
        values = value if isinstance(value, list) else ()
        return tuple(without_echoes(one, sent) for one in values if isinstance(one, str))

    return ResourceMetadata(
        str(place),
        next(iter(strings([document["resource"]])), None),
        strings(document.get("authorization_servers")),
        strings(document.get("scopes_supported")),
    )
