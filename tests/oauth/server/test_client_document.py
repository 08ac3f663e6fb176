"""Client ID Metadata Documents, draft-ietf-oauth-client-id-metadata-document."""

from __future__ import annotations

from email.utils import formatdate
from typing import Any

import pytest

from ostiary.oauth.server.client import AUTHORIZATION_CODE, REFRESH_TOKEN, ApplicationType, Client, ClientKind
from ostiary.oauth.server.client_document import cache_lifetime, client_from_document, document_url
from ostiary.oauth.server.errors import InvalidClientMetadata, InvalidRedirectUri

CLIENT_ID = "https://client.example/oauth/client.json"
DOCUMENT = {
    "client_id": CLIENT_ID,
    "client_name": "Zoo Keeper",
    "redirect_uris": ["http://127.0.0.1/callback", "http://localhost/callback"],
    "grant_types": ["authorization_code", "refresh_token"],
}
NOW = 1_790_000_000.0


def refusal(document: Any, client_id: str = CLIENT_ID) -> str:
    with pytest.raises(InvalidClientMetadata) as refused:
        client_from_document(document, client_id=client_id)
    return refused.value.description


@pytest.mark.parametrize(
    "client_id",
    [
        CLIENT_ID,
        "https://client.example/a/",
        "https://client.example:8443/client",
        "https://client.example/client?v=1",
        "https://xn--zo-0ia.example/client",
        "https://203.0.113.7/client",
    ],
)
def test_an_id_that_leads_to_a_document(client_id: str) -> None:
    assert str(document_url(client_id)) == client_id


@pytest.mark.parametrize(
    "client_id",
    [
        "",
        "ci",
        "5f1c7e0e-9f5a-4f0e-8a53-1f7f2b8c9d10",
        "http://client.example/client",
        "http://localhost/client",
        "https://client.example",
        "https://client.example/",
        "https://client.example?x",
        "HTTPS://client.example/client",
        "https://Client.example/client",
        "https://client.example:443/client",
        "https://client.example/%63lient",
        "https://client.example/a%2fb",
        "https://client.example/a/../client",
        "https://client.example/a/./client",
        "https://client.example/%2e%2e/client",
        "https://client.example/client#x",
        "https://client.example/client#",
        "https://user@client.example/client",
        "https://user:password@client.example/client",
        "https://client.example\\@evil.example/client",
        "https://client.example./client",
        "https://2130706433/client",
        "https://0177.0.0.1/client",
        "https://0x7f.1/client",
        "https://[::ffff:7F00:1]/client",
        "https://clíent.example/client",
        "https://client.example/client ",
        "https://client.example/client\n",
        "ftp://client.example/client",
        "https://client.example/" + "a" * 2000,
    ],
)
def test_an_id_that_is_no_such_url_leads_nowhere(client_id: str) -> None:
    assert document_url(client_id) is None


def test_a_document_describes_a_client() -> None:
    assert client_from_document(DOCUMENT, client_id=CLIENT_ID) == Client(
        CLIENT_ID,
        ClientKind.DOCUMENT,
        ("http://127.0.0.1/callback", "http://localhost/callback"),
        frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN}),
        application_type=ApplicationType.NATIVE,
        name="Zoo Keeper",
    )


def test_a_client_of_a_document_may_prove_itself_by_the_keys_that_it_names() -> None:
    document = DOCUMENT | {
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": "https://client.example/jwks.json",
    }
    client = client_from_document(document, client_id=CLIENT_ID)
    assert (client.auth_method, client.jwks_uri) == ("private_key_jwt", "https://client.example/jwks.json")
    assert not client.is_preregistered


@pytest.mark.parametrize(
    "named",
    [
        None,
        5,
        "https://client.example/oauth/client.json/",
        "https://CLIENT.example/oauth/client.json",
        "https://evil.example/client",
    ],
)
def test_client_id_other_than_the_url(named: object) -> None:
    assert refusal(DOCUMENT | {"client_id": named}) == (
        "the client's document has another client_id than its own URL"
    )


def test_a_document_is_an_object_with_a_name_and_redirect_uris() -> None:
    assert refusal([]) == "the client's document is not a JSON object"
    assert refusal(DOCUMENT | {"client_name": ""}) == "the client's document has no client_name"
    with pytest.raises(InvalidRedirectUri) as refused:
        client_from_document(DOCUMENT | {"redirect_uris": []}, client_id=CLIENT_ID)
    assert refused.value.description == "redirect_uris is missing: a code has to be sent somewhere"


@pytest.mark.parametrize(
    "method", ["client_secret_basic", "client_secret_post", "client_secret_jwt", "tls_client_auth"]
)
def test_a_document_rests_on_no_shared_secret(method: str) -> None:
    assert refusal(DOCUMENT | {"token_endpoint_auth_method": method}) == (
        "token_endpoint_auth_method is none of none, private_key_jwt, which are taken here"
    )


@pytest.mark.parametrize("member", ["client_secret", "client_secret_expires_at"])
def test_a_document_with_a_secret_is_refused(member: str) -> None:
    assert refusal(DOCUMENT | {member: 0}) == (
        "the client's document has a client_secret, which everybody can read"
    )


def test_a_document_may_offer_a_choice_of_methods() -> None:
    document = DOCUMENT | {
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
        "token_endpoint_auth_signing_alg": "RS256",
        "jwks_uri": "https://client.example/jwks.json",
        "redirect_uris": ["https://client.example/callback"],
    }
    assert client_from_document(document, client_id=CLIENT_ID).auth_method == "private_key_jwt"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 300),
        ({"Cache-Control": "public"}, 300),
        ({"Cache-Control": "max-age=3600"}, 3600),
        ({"cache-control": "PUBLIC, Max-Age=3600"}, 3600),
        ({"Cache-Control": 'max-age="3600"'}, 3600),
        ({"Cache-Control": "max-age=3600, s-maxage=600"}, 600),
        ({"Cache-Control": "max-age=600, max-age=3600"}, 600),
        ({"Cache-Control": "max-age=3600", "Age": "3000"}, 600),
        ({"Cache-Control": "max-age=3600", "Age": "soon"}, 3600),
        ({"Cache-Control": "max-age=3600", "Age": "5000"}, 60),
        ({"Cache-Control": "max-age=5"}, 60),
        ({"Cache-Control": "max-age=0"}, 60),
        ({"Cache-Control": "max-age=-1"}, 60),
        ({"Cache-Control": "max-age=soon"}, 60),
        ({"Cache-Control": "max-age"}, 60),
        ({"Cache-Control": "max-age=31536000"}, 86400),
        ({"Cache-Control": "max-age=" + "9" * 400}, 60),
        ({"Cache-Control": "no-store"}, 60),
        ({"Cache-Control": "no-cache, max-age=3600"}, 60),
        ({"Cache-Control": "private, max-age=3600"}, 60),
        ({"Cache-Control": 'extension="a, max-age=9", max-age=3600'}, 3600),
        ({"Expires": formatdate(NOW + 7200, usegmt=True)}, 7200),
        ({"Expires": formatdate(NOW + 7200, usegmt=True), "Date": formatdate(NOW + 3600, usegmt=True)}, 3600),
        ({"Expires": formatdate(NOW - 7200, usegmt=True)}, 60),
        ({"Expires": "0"}, 60),
        ({"Expires": formatdate(NOW + 7200, usegmt=True), "Cache-Control": "max-age=600"}, 600),
    ],
)
def test_a_document_is_kept_as_long_as_its_answer_says_within_our_bounds(
    headers: dict[str, str], seconds: float
) -> None:
    assert cache_lifetime(headers, now=NOW) == seconds


def test_the_bounds_are_the_caller_s() -> None:
    assert cache_lifetime({}, now=NOW, default=7) == 7
    assert cache_lifetime({"Cache-Control": "no-store"}, now=NOW, minimum=5) == 5
    assert cache_lifetime({"Cache-Control": "max-age=100"}, now=NOW, maximum=50, minimum=5) == 50
