"""What a client says of itself, RFC 7591 section 2."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from ostiary.oauth.client.client_registration import registration_request
from ostiary.oauth.server.client import (
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    DEVICE_CODE,
    JWT_BEARER,
    REFRESH_TOKEN,
    TOKEN_EXCHANGE,
    ApplicationType,
    Client,
    ClientKind,
)
from ostiary.oauth.server.client_registration import client_from_metadata, registered_metadata
from ostiary.oauth.server.errors import InvalidClientMetadata, InvalidRedirectUri

REDIRECT = "https://client.example/callback"
PUBLIC = {"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"}
KEY = ECKey.generate_key("P-256", {"kid": "1"})
JWKS = {"keys": [KEY.as_dict(private=False)]}


def registered(**metadata: Any) -> Client:
    return client_from_metadata(PUBLIC | metadata, client_id="c", kind=ClientKind.DYNAMIC)


def described(**metadata: Any) -> Client:
    return client_from_metadata(PUBLIC | metadata, client_id="c", kind=ClientKind.DOCUMENT)


def refusal(**metadata: Any) -> str:
    with pytest.raises(InvalidClientMetadata) as refused:
        registered(**metadata)
    return refused.value.description


def test_everything_a_client_may_say_is_read() -> None:
    client = client_from_metadata(
        {
            "client_name": "Zoo Keeper",
            "client_uri": "https://client.example/",
            "logo_uri": "https://client.example/logo.png",
            "redirect_uris": [REDIRECT, REDIRECT, "https://client.example/other"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": JWKS,
            "scope": "mcp openid",
            "application_type": "web",
            "dpop_bound_access_tokens": True,
            "tls_client_certificate_bound_access_tokens": True,
            "require_pushed_authorization_requests": True,
            "contacts": ["someone@client.example"],
            "something_else": {"is": "ignored"},
        },
        client_id="c",
        kind=ClientKind.DYNAMIC,
    )
    assert client == Client(
        "c",
        ClientKind.DYNAMIC,
        (REDIRECT, "https://client.example/other"),
        frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN}),
        frozenset({"mcp", "openid"}),
        "private_key_jwt",
        jwks=JWKS,
        application_type=ApplicationType.WEB,
        name="Zoo Keeper",
        client_uri="https://client.example",
        dpop_bound=True,
        certificate_bound=True,
        require_pushed_requests=True,
    )


def test_what_a_client_leaves_out_has_the_rfc_s_default() -> None:
    client = client_from_metadata({"redirect_uris": [REDIRECT]}, client_id="c", kind=ClientKind.DYNAMIC)
    assert client == Client(
        "c",
        ClientKind.DYNAMIC,
        (REDIRECT,),
        frozenset({AUTHORIZATION_CODE}),
        auth_method="client_secret_basic",
    )


@pytest.mark.parametrize("nothing", [None, ""])
def test_null_and_nothing_count_as_left_out(nothing: str | None) -> None:
    names = ("client_name", "client_uri", "logo_uri", "scope", "jwks_uri", "application_type")
    assert registered(**dict.fromkeys(names, nothing)) == registered()


def test_null_counts_as_left_out_also_where_something_would_be_refused() -> None:
    """Some clients write every member that they know of; .NET's keys have all parameters."""
    names = ("software_statement", "dpop_bound_access_tokens", "jwks", "grant_types", "response_types")
    assert registered(**dict.fromkeys(names)) == registered()
    key = {"kty": "EC", "crv": "P-256", "x": "a", "y": "b"}
    method = {"token_endpoint_auth_method": "private_key_jwt"}
    assert registered(**method, jwks={"keys": [{**key, "d": None, "oth": None}]}) == registered(
        **method, jwks={"keys": [key]}
    )


def test_a_client_is_told_what_it_was_registered_as() -> None:
    client = registered(client_name="Zoo", grant_types=["refresh_token", "authorization_code"], scope="b a")
    assert registered_metadata(client) == {
        "client_id": "c",
        "client_name": "Zoo",
        "redirect_uris": [REDIRECT],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "web",
        "scope": "a b",
        "dpop_bound_access_tokens": False,
        "tls_client_certificate_bound_access_tokens": False,
        "require_pushed_authorization_requests": False,
    }


def test_what_a_client_is_told_registers_the_same_client() -> None:
    client = registered(
        token_endpoint_auth_method="private_key_jwt", jwks=JWKS, client_uri="https://a.example"
    )
    told = registered_metadata(replace(client, secret_digest=b"digest"))
    assert client_from_metadata(told, client_id="c", kind=ClientKind.DYNAMIC) == client
    assert "secret" not in repr(told)


def test_our_own_client_can_register_here() -> None:
    request = registration_request("http://127.0.0.1:8000/callback", {})
    client = client_from_metadata(request, client_id="c", kind=ClientKind.DYNAMIC)
    assert client.application_type is ApplicationType.NATIVE
    assert client.is_public


@pytest.mark.parametrize("document", [None, [], "{}", 5])
def test_metadata_that_is_no_object_is_refused(document: Any) -> None:
    with pytest.raises(InvalidClientMetadata) as refused:
        client_from_metadata(document, client_id="c", kind=ClientKind.DYNAMIC)
    assert refused.value.description == "the client's metadata is not a JSON object"


def test_a_software_statement_is_refused_politely() -> None:
    assert refusal(software_statement="eyJ") == (
        "software statements are not taken here: say the same outside of one"
    )


@pytest.mark.parametrize(
    "grant", [CLIENT_CREDENTIALS, TOKEN_EXCHANGE, JWT_BEARER, "password", "implicit", "Authorization_Code"]
)
def test_a_stranger_gets_no_grant_in_which_nobody_decides(grant: str) -> None:
    told = registered_metadata(registered(grant_types=[AUTHORIZATION_CODE, grant]))
    assert told["grant_types"] == [AUTHORIZATION_CODE]
    assert refusal(grant_types=[REFRESH_TOKEN, grant]) == (
        "grant_types has no grant by which this client could get a token here: it may have "
        "authorization_code, refresh_token, urn:ietf:params:oauth:grant-type:device_code"
    )


def test_a_terminal_needs_no_redirect_uri() -> None:
    client = registered(redirect_uris=[], grant_types=[DEVICE_CODE], response_types=[])
    assert client.redirect_uris == ()
    assert registered_metadata(client)["response_types"] == []


def test_a_document_for_many_servers_names_grants_that_we_don_t_have() -> None:
    client = described(grant_types=[AUTHORIZATION_CODE, REFRESH_TOKEN, "implicit", CLIENT_CREDENTIALS])
    assert client.grant_types == {AUTHORIZATION_CODE, REFRESH_TOKEN}
    assert described(response_types=["code", "id_token"]).may_use(AUTHORIZATION_CODE)


def test_id_jag_is_for_a_document_with_a_key() -> None:
    grants = [AUTHORIZATION_CODE, JWT_BEARER]
    with_key = described(grant_types=grants, token_endpoint_auth_method="private_key_jwt", jwks=JWKS)
    assert with_key.may_use(JWT_BEARER)
    assert not described(grant_types=grants).may_use(JWT_BEARER)


@pytest.mark.parametrize("grants", [[REFRESH_TOKEN], ["implicit"]])
def test_a_document_without_any_grant_of_ours_is_refused(grants: list[str]) -> None:
    with pytest.raises(InvalidClientMetadata) as refused:
        described(grant_types=grants)
    assert refused.value.description == (
        "grant_types has no grant by which this client could get a token here: it may have "
        "authorization_code, refresh_token, urn:ietf:params:oauth:grant-type:device_code"
    )


def test_response_types_that_we_lack_are_left_out_of_the_answer() -> None:
    told = registered_metadata(registered(response_types=["code", "id_token", "token"]))
    assert told["response_types"] == ["code"]


@pytest.mark.parametrize("named", [["token"], []])
def test_response_type_other_than_code(named: list[str]) -> None:
    assert refusal(response_types=named) == "response_types has no code: nothing else is answered here"


@pytest.mark.parametrize(
    "method", ["client_secret_jwt", "tls_client_auth", "self_signed_tls_client_auth", "None", "x"]
)
def test_a_method_that_is_not_offered_is_refused(method: str) -> None:
    assert refusal(token_endpoint_auth_method=method) == (
        "token_endpoint_auth_method is none of client_secret_basic, client_secret_post, none, "
        "private_key_jwt, which are taken here"
    )


def test_an_operator_may_offer_less() -> None:
    with pytest.raises(InvalidClientMetadata) as refused:
        client_from_metadata(
            {"redirect_uris": [REDIRECT]}, client_id="c", kind=ClientKind.DYNAMIC, offered={"none"}
        )
    assert refused.value.description == ("token_endpoint_auth_method is none of none, which are taken here")


def test_of_several_methods_the_one_that_is_named_goes_first_and_then_the_strongest() -> None:
    both = {"token_endpoint_auth_methods_supported": ["none", "private_key_jwt"], "jwks": JWKS}
    unnamed = {"redirect_uris": [REDIRECT], **both}

    def method(document: dict[str, Any], *offered: Any) -> str:
        return client_from_metadata(
            document, client_id="c", kind=ClientKind.DOCUMENT, offered=offered
        ).auth_method

    assert method(unnamed, "none", "private_key_jwt") == "private_key_jwt"
    assert method(unnamed | {"token_endpoint_auth_method": "none"}, "none", "private_key_jwt") == "none"
    assert method(unnamed | {"token_endpoint_auth_method": "private_key_jwt"}, "none") == "none"


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ({"redirect_uris": None}, "redirect_uris is missing: a code has to be sent somewhere"),
        ({"redirect_uris": []}, "redirect_uris is missing: a code has to be sent somewhere"),
        ({"redirect_uris": REDIRECT}, "redirect_uris is not a list of strings"),
        ({"redirect_uris": [5]}, "redirect_uris is not a list of strings"),
        (
            {"redirect_uris": [f"https://client.example/{number}" for number in range(21)]},
            "a client has at most 20 redirect URIs",
        ),
        (
            {"redirect_uris": ["https://client.example/" + "a" * 2000]},
            "a redirect URI has at most 2000 characters",
        ),
        (
            {"redirect_uris": [REDIRECT, "javascript:alert(1)"]},
            "a redirect URI has not the scheme javascript",
        ),
        (
            {"redirect_uris": ["http://localhost/cb"], "application_type": "web"},
            "a web application has redirect URIs with https alone: this one is for application_type native",
        ),
    ],
)
def test_redirect_uris_that_nobody_may_have_are_refused(metadata: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidRedirectUri) as refused:
        registered(**metadata)
    assert refused.value.description == why


@pytest.mark.parametrize(
    ("uris", "application_type"),
    [
        (["http://localhost/callback", "http://127.0.0.1/callback"], ApplicationType.NATIVE),
        (["https://vscode.dev/redirect", "http://127.0.0.1:33418/"], ApplicationType.NATIVE),
        (["cursor://anysphere.cursor-mcp/oauth/callback"], ApplicationType.NATIVE),
        ([REDIRECT], ApplicationType.WEB),
    ],
)
def test_a_client_that_forgets_its_application_type_is_taken_for_what_it_is(
    uris: list[str], application_type: ApplicationType
) -> None:
    assert registered(redirect_uris=uris).application_type is application_type


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        (
            "javascript:alert(1)",
            "is refused: it is not an absolute http or https URL with a plain host name",
        ),
        (
            "data:image/svg+xml,x",
            "is refused: it is not an absolute http or https URL with a plain host name",
        ),
        ("http://client.example/", "is not https"),
        ("https://bank.example@evil.example/", "is refused: it has a user name or password in it"),
        ("https://client.example/" + "a" * 2000, "has more than 2000 characters"),
        (5, "is not a string"),
    ],
)
def test_javascript_and_other_addresses_that_nobody_should_follow(uri: object, why: str) -> None:
    assert refusal(jwks_uri=uri) == f"jwks_uri {why}"
    for name in ("client_uri", "logo_uri", "policy_uri", "tos_uri"):
        assert registered_metadata(registered(**{name: uri})) == registered_metadata(registered())


def test_the_address_of_a_program_on_its_developer_s_machine_is_no_reason_to_refuse_it() -> None:
    assert registered(client_uri="http://localhost:3000").client_uri is None
    assert registered(client_uri="https://client.example").client_uri == "https://client.example"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("  Zoo \r\n Keeper\t", "Zoo Keeper"),
        ("Zoo\u202egnp.exe", "Zoognp.exe"),
        ("Zoo\u200b\u2066\ufeff\x00\x1b[31m", "Zoo[31m"),
        ("Zoo\u0308", "Zoö"),
        ("x" * 200, "x" * 200),
        ("x" * 1000, "x" * 199 + "…"),
    ],
)
def test_homograph_names_have_nothing_invisible_in_them(written: str, shown: str) -> None:
    assert registered(client_name=written).name == shown


def test_a_name_without_end_is_refused() -> None:
    assert refusal(client_name="x" * 1001) == "client_name has more than 1000 characters"


def test_a_name_that_nobody_can_see_is_none() -> None:
    assert registered(client_name="\u200b \u2060").name is None


@pytest.mark.parametrize(
    ("jwks", "why"),
    [
        ([], "jwks is not a JSON Web Key Set"),
        ({"keys": {}}, "jwks is not a JSON Web Key Set"),
        ({"keys": ["k"]}, "jwks is not a JSON Web Key Set"),
        ({"keys": []}, "jwks has 1 to 20 keys, in 32 KiB"),
        ({"keys": JWKS["keys"] * 21}, "jwks has 1 to 20 keys, in 32 KiB"),
        ({"keys": [{"kty": "EC", "x": "a" * 32768}]}, "jwks has 1 to 20 keys, in 32 KiB"),
    ],
)
def test_keys_that_are_none_are_refused(jwks: Any, why: str) -> None:
    assert refusal(token_endpoint_auth_method="private_key_jwt", jwks=jwks) == why


@pytest.mark.parametrize(
    "key",
    [
        KEY.as_dict(private=True),
        RSAKey.generate_key(2048, auto_kid=False).as_dict(private=True),
        OctKey.generate_key(256, auto_kid=False).as_dict(private=True),
        {"kty": "oct"},
        {"kty": "RSA", "n": "x", "e": "AQAB", "p": "x"},
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "x", "priv": "x"},
    ],
)
def test_private_and_shared_keys_are_refused_unseen(key: dict[str, Any]) -> None:
    why = refusal(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [*JWKS["keys"], key]})
    assert why == "jwks has a private or a shared key: make a new one, this one is known"


@pytest.mark.parametrize("key", [{"kty": "AKP", "pub": "x"}, {"kty": []}, {"kty": None}, {"n": "x"}])
def test_keys_of_types_that_we_don_t_know_are_passed_over(key: dict[str, Any]) -> None:
    both = registered(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [key, *JWKS["keys"]]})
    assert both.jwks == JWKS
    assert refusal(jwks={"keys": [key]}) == "jwks has no key of type RSA, EC, OKP"


def test_keys_stand_in_one_place() -> None:
    both = {"jwks": JWKS, "jwks_uri": "https://client.example/jwks.json"}
    assert refusal(**both) == "jwks and jwks_uri exclude each other"
    assert refusal(token_endpoint_auth_method="private_key_jwt") == "private_key_jwt needs jwks or jwks_uri"
    at = registered(token_endpoint_auth_method="private_key_jwt", jwks_uri="https://client.example/jwks.json")
    assert (at.jwks, at.jwks_uri) == (None, "https://client.example/jwks.json")


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ({"scope": 'a"b'}, "a scope has a character that RFC 6749 section 3.3 does not allow"),
        ({"scope": ["mcp"]}, "scope is not a string"),
        ({"grant_types": "authorization_code"}, "grant_types is not a short list of strings"),
        ({"grant_types": [AUTHORIZATION_CODE] * 21}, "grant_types is not a short list of strings"),
        ({"grant_types": [None]}, "grant_types is not a short list of strings"),
        ({"response_types": [5]}, "response_types is not a short list of strings"),
        ({"application_type": "desktop"}, "application_type is neither web nor native"),
        ({"client_name": {"de": "Zoo"}}, "client_name is not a string"),
        ({"token_endpoint_auth_method": 5}, "token_endpoint_auth_method is not a string"),
        ({"dpop_bound_access_tokens": "true"}, "dpop_bound_access_tokens is neither true nor false"),
    ],
)
def test_a_member_of_the_wrong_type_is_named(metadata: dict[str, Any], why: str) -> None:
    assert refusal(**metadata) == why
