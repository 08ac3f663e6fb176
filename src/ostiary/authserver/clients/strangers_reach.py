"""How far an address leads that a client wrote whom nobody vouches for: its document's, and its keys'."""

from __future__ import annotations

from ostiary.authserver.config.settings import RegistrationSettings
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.server.client import Client
from ostiary.oauth.server.errors import InvalidClientMetadata
from ostiary.transport.fetch import NotAllowed, check_reach
from ostiary.transport.reach import Reach

KEYS_OUT_OF_REACH = "the client's jwks_uri leads to an address from which no keys are fetched"


def strangers_reach(settings: RegistrationSettings) -> Reach:
    """To public addresses, unless the operator says otherwise."""
    anywhere = settings.documents_private_network
    return Reach(
        settings.documents_ca_file,
        private_network=anywhere,
        loopback=anywhere,
        by_proxy=settings.documents_by_proxy,
    )


def check_keys_location(client: Client, reach: Reach) -> None:
    """Raise InvalidClientMetadata for keys that will never be fetched.

    A name is judged by where it leads when they are, for that may change.
    """
    if client.jwks_uri is None:
        return
    try:
        check_reach(canonical_url(client.jwks_uri), reach)
    except NotAllowed as refused:
        raise InvalidClientMetadata(KEYS_OUT_OF_REACH, detail=str(refused)) from None
