"""Access tokens told from all else that an issuer signs: RFC 9068 section 2.1, RFC 8725 section 3.11."""

from __future__ import annotations

from typing import Any

import pytest

from ostiary.oauth.errors import InvalidToken
from ostiary.oauth.resource_server.access_token import require_access_token
from ostiary.oauth.server.access_token import access_token_claims
from ostiary.oauth.server.id_token import id_token_claims

RESOURCE, NOW = "https://mcp.example/mcp", 1_800_000_000
TIMES = {"iat": NOW, "nbf": NOW, "exp": NOW + 3600}
TENANT, API, APP = (
    "aaaabbbb-0000-cccc-1111-dddd2222eeee",
    "00001111-aaaa-2222-bbbb-3333cccc4444",
    "11112222-bbbb-3333-cccc-4444dddd5555",
)
ENTRA_2 = {
    "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0", "tid": TENANT, "ver": "2.0", "sub": "h4",
    "oid": "o", "name": "Ada", "preferred_username": "ada@contoso.com", "uti": "u", **TIMES,
}  # fmt: skip
ENTRA_1 = {
    "iss": f"https://sts.windows.net/{TENANT}/", "tid": TENANT, "ver": "1.0", "sub": "h4",
    "oid": "o", "amr": ["pwd"], "name": "Ada", "upn": "ada@contoso.com", "uti": "u", **TIMES,
}  # fmt: skip
OKTA = {"ver": 1, "iss": "https://dev-1.okta.com/oauth2/default", "sub": "00u1", "auth_time": NOW, **TIMES}
AUTH0: dict[str, Any] = {"iss": "https://dev-1.us.auth0.com/", "sub": "auth0|65", **TIMES}
KEYCLOAK = {
    "iss": "https://sso.example/realms/r", "sub": "f:1:ada", "jti": "j", "azp": "web", "auth_time": NOW,
    "acr": "1", "sid": "s", "session_state": "s", "email": "ada@example.com", "email_verified": True, **TIMES,
}  # fmt: skip
COGNITO = {
    "iss": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_a", "sub": "aaaa", "jti": "j",
    "origin_jti": "o", "event_id": "e", "auth_time": NOW, "cognito:groups": ["zoo"], **TIMES,
}  # fmt: skip
GOOGLE = {
    "iss": "https://accounts.google.com",
    "sub": "1045",
    "email": "ada@example.com",
    "email_verified": True,
    **TIMES,
}
ROBOT = "robot@project.iam.gserviceaccount.com"
ZITADEL = {"iss": "https://zoo.zitadel.cloud", "sub": "2819", **TIMES}
AUTHENTIK = {
    "iss": "https://sso.example/application/o/zoo/", "sub": "5f", "aud": "zoo", "auth_time": NOW,
    "acr": "goauthentik.io/providers/oauth2/default", "nonce": "n", "email": "ada@example.com", **TIMES,
}  # fmt: skip
KUBERNETES = {
    "iss": "https://kubernetes.default.svc", "sub": "system:serviceaccount:ci:runner", "aud": [RESOURCE],
    "jti": "j", "kubernetes.io": {"namespace": "ci"}, **TIMES,
}  # fmt: skip

OURS: dict[str, Any] = access_token_claims(
    issuer="https://auth.example", subject="ada", audience=RESOURCE, client_id="web", scopes=["mcp"], jti="j",
    now=NOW, lifetime=300,
)  # fmt: skip
OUR_ID_TOKEN: dict[str, Any] = id_token_claims(
    issuer="https://auth.example", subject="ada", client_id="web", now=NOW, lifetime=300, nonce="n",
    access_token="t",
)  # fmt: skip


def refusal(claims: dict[str, Any], typ: object = "JWT", required: str | None = None) -> tuple[str, str]:
    with pytest.raises(InvalidToken) as refused:
        require_access_token(claims, typ, required_typ=required)
    assert refused.value.reason == "wrong_kind"
    return refused.value.description, refused.value.detail


@pytest.mark.parametrize(
    ("typ", "claims"),
    [
        pytest.param("JWT", ENTRA_2 | {"aud": API, "azp": APP, "azpacr": "1", "scp": "mcp"}, id="Entra 2.0"),
        pytest.param(
            "JWT",
            ENTRA_2 | {"aud": API, "azp": API, "azpacr": "0", "scp": "mcp"},
            id="Entra 2.0, API and client are one",
        ),
        pytest.param(
            "JWT",
            ENTRA_2 | {"aud": API, "azp": APP, "azpacr": "1", "roles": ["mcp"]},
            id="Entra 2.0, an app's own",
        ),
        pytest.param(
            "JWT",
            ENTRA_1 | {"aud": f"api://{API}", "appid": APP, "appidacr": "0", "scp": "mcp"},
            id="Entra 1.0",
        ),
        pytest.param(
            "JWT",
            ENTRA_1 | {"aud": RESOURCE, "appid": APP, "appidacr": "1", "roles": ["mcp"]},
            id="Entra 1.0, an app's own",
        ),
        pytest.param(
            None,
            OKTA | {"jti": "AT.x", "aud": RESOURCE, "cid": "0oa", "uid": "00u1", "scp": ["mcp"]},
            id="Okta",
        ),
        pytest.param(
            "JWT",
            AUTH0 | {"aud": [RESOURCE, AUTH0["iss"] + "userinfo"], "azp": "web", "scope": "openid mcp"},
            id="Auth0",
        ),
        pytest.param(
            "at+jwt",
            AUTH0 | {"aud": RESOURCE, "client_id": "web", "jti": "j", "scope": "mcp"},
            id="Auth0, RFC 9068",
        ),
        pytest.param(
            "JWT",
            AUTH0 | {"aud": RESOURCE, "azp": "m", "sub": "m@clients", "gty": "client-credentials"},
            id="Auth0, a machine's",
        ),
        pytest.param(
            "JWT",
            KEYCLOAK | {"typ": "Bearer", "aud": [RESOURCE, "account"], "scope": "openid"},
            id="Keycloak",
        ),
        pytest.param(
            "JWT",
            KEYCLOAK | {"typ": "Bearer", "aud": RESOURCE, "nonce": "n"},
            id="Keycloak before 24, with nonce",
        ),
        pytest.param(
            "JWT", KEYCLOAK | {"typ": "DPoP", "aud": RESOURCE, "cnf": {"jkt": "k"}}, id="Keycloak, DPoP"
        ),
        pytest.param("at+jwt", KEYCLOAK | {"typ": "Bearer", "aud": RESOURCE}, id="Keycloak, RFC 9068"),
        pytest.param(
            None,
            COGNITO
            | {"token_use": "access", "aud": RESOURCE, "client_id": "web", "version": 2, "scope": "mcp"},
            id="Cognito",
        ),
        pytest.param(
            "JWT",
            {"iss": ROBOT, "sub": ROBOT, "aud": RESOURCE, **TIMES},
            id="Google, signed by a service account",
        ),
        pytest.param(
            "JWT", ZITADEL | {"aud": ["web", "project"], "azp": "web", "jti": "V2_1-at_1"}, id="Zitadel"
        ),
        pytest.param(
            "JWT",
            ZITADEL | {"aud": ["web", "project"], "client_id": "web", "jti": "V2_1-at_1"},
            id="Zitadel, with client_id",
        ),
        pytest.param("JWT", AUTHENTIK | {"azp": "zoo", "uid": "Ot8"}, id="authentik"),
        pytest.param(
            "JWT", AUTHENTIK | {"azp": "zoo", "uid": "Ot8", "scope": "openid mcp"}, id="authentik, newer"
        ),
        pytest.param(None, KUBERNETES, id="Kubernetes"),
        pytest.param("at+jwt", OURS, id="our own"),
    ],
)
def test_access_tokens_in_their_issuers_documented_shapes_are_taken(
    typ: str | None, claims: dict[str, Any]
) -> None:
    require_access_token(claims, typ)


@pytest.mark.parametrize(
    ("typ", "claims"),
    [
        pytest.param("JWT", ENTRA_2 | {"aud": API, "nonce": "n"}, id="Entra 2.0"),
        pytest.param(
            "JWT", ENTRA_2 | {"aud": API, "roles": ["mcp"]}, id="Entra 2.0, code flow without nonce"
        ),
        pytest.param("JWT", ENTRA_2 | {"aud": API, "c_hash": "h"}, id="Entra 2.0, hybrid flow"),
        pytest.param("JWT", ENTRA_1 | {"aud": API, "nonce": "n"}, id="Entra 1.0"),
        pytest.param("JWT", ENTRA_1 | {"aud": API}, id="Entra 1.0, without nonce"),
        pytest.param(
            None, OKTA | {"jti": "ID.x", "aud": "0oa", "amr": ["pwd"], "idp": "00o", "nonce": "n"}, id="Okta"
        ),
        pytest.param(
            None,
            OKTA | {"jti": "ID.x", "aud": "0oa", "amr": ["pwd"], "idp": "00o", "at_hash": "h"},
            id="Okta, without nonce",
        ),
        pytest.param("JWT", AUTH0 | {"aud": "web", "sid": "s", "name": "Ada", "nonce": "n"}, id="Auth0"),
        pytest.param(
            "JWT", KEYCLOAK | {"typ": "ID", "aud": "web", "nonce": "n", "at_hash": "h"}, id="Keycloak"
        ),
        pytest.param(
            "JWT", KEYCLOAK | {"typ": "ID", "aud": [RESOURCE, "web"]}, id="Keycloak, with an audience of ours"
        ),
        pytest.param(
            "JWT",
            KEYCLOAK | {"typ": "Refresh", "aud": RESOURCE, "scope": "openid"},
            id="Keycloak, to refresh",
        ),
        pytest.param(
            "JWT", KEYCLOAK | {"typ": "Offline", "aud": RESOURCE, "scope": "openid"}, id="Keycloak, offline"
        ),
        pytest.param("JWT", KEYCLOAK | {"typ": "Logout", "aud": "web"}, id="Keycloak, logout"),
        pytest.param(
            None, COGNITO | {"token_use": "id", "aud": "web", "cognito:username": "ada"}, id="Cognito"
        ),
        pytest.param(
            "JWT",
            GOOGLE
            | {
                "aud": "1-x.apps.googleusercontent.com",
                "azp": "1-x.apps.googleusercontent.com",
                "at_hash": "h",
            },
            id="Google",
        ),
        pytest.param("JWT", GOOGLE | {"aud": RESOURCE, "azp": "1045"}, id="Google, a service account's"),
        pytest.param(
            "JWT",
            {"iss": "https://cloud.google.com/iap", "sub": "a:1", "aud": RESOURCE, **TIMES},
            id="Google IAP",
        ),
        pytest.param(
            "JWT",
            ZITADEL | {"aud": ["web", "project"], "azp": "web", "at_hash": "h", "auth_time": NOW},
            id="Zitadel",
        ),
        pytest.param("JWT", AUTHENTIK | {"at_hash": "h"}, id="authentik"),
        pytest.param("JWT", AUTHENTIK | {"uid": "ada"}, id="authentik, with a claim of the operator's"),
        pytest.param(
            "JWT", AUTHENTIK | {"azp": "zoo", "uid": "u", "at_hash": "h"}, id="authentik, and more of them"
        ),
        pytest.param(
            "JWT",
            AUTHENTIK | {"iss": "https://sso.example/zoo/", "azp": "zoo", "uid": "ada"},
            id="another's, with the same claims",
        ),
        pytest.param("JWT", OUR_ID_TOKEN, id="our own"),
        pytest.param(
            "JWT",
            {"iss": "https://sso.example", "sub": "ada", "aud": "web", "azp": "web"},
            id="OpenID, for its client alone",
        ),
        pytest.param(
            "JWT",
            {"iss": "https://sso.example", "sub": "ada", "aud": ["web"], "client_id": "web"},
            id="OpenID, the same in a list",
        ),
    ],
)
def test_an_id_token_is_no_access_token(typ: str | None, claims: dict[str, Any]) -> None:
    assert refusal(claims, typ)[0] == "the token is not an access token"


@pytest.mark.parametrize(
    "typ",
    [
        *("id+jwt", "logout+jwt", "secevent+jwt", "oauth-id-jag+jwt", "dpop+jwt", "token-introspection+jwt"),
        *(
            "oauth-authz-req+jwt",
            "client-authentication+jwt",
            "statuslist+jwt",
            "application/logout+jwt",
            "ID+JWT",
        ),
        *("okta-internal-at+jwt", "jose", "", "at+jwt ", 7, ["at+jwt"], {"at+jwt": 1}, True),
    ],
)
def test_a_jwt_whose_header_says_that_it_is_something_else_is_refused(typ: object) -> None:
    assert refusal(OURS, typ) == ("the token is another kind of JWT", f"typ {typ!r}")


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_what_the_header_says_of_an_access_token_is_not_doubted(typ: str) -> None:
    require_access_token(OURS | {"nonce": "n", "typ": "custom"}, typ)
    require_access_token(OURS, typ, required_typ="at+jwt")


@pytest.mark.parametrize("mark", ["nonce", "at_hash", "c_hash", "s_hash", "events"])
def test_a_plain_jwt_with_the_mark_of_another_kind_is_refused(mark: str) -> None:
    for typ in (None, "JWT", "application/jwt"):
        for value in ("", "x", None):
            description, detail = refusal({**OURS, mark: value}, typ)
            assert description == "the token is not an access token"
            assert detail.startswith(f"it has {mark}, as a")


@pytest.mark.parametrize(
    "said",
    [
        {"typ": "ID"},
        {"typ": "Whatever"},
        {"typ": 7},
        {"typ": ["Bearer"]},
        {"token_use": "id"},
        {"token_use": ""},
    ],
)
def test_a_payload_that_says_that_it_is_something_else_is_refused(said: dict[str, Any]) -> None:
    name, value = next(iter(said.items()))
    assert refusal(OURS | said) == ("the token is not an access token", f"its {name} claim is {value!r}")
    assert refusal(OURS | {"typ": "Bearer", "token_use": "id"})[1] == "its token_use claim is 'id'"


@pytest.mark.parametrize("typ", [None, "JWT", "jwt", "id+jwt", 7])
def test_a_type_that_is_demanded_is_enforced(typ: object) -> None:
    sentence = "the token is not an access token: its typ is not at+jwt"
    assert refusal(OURS, typ, "at+jwt") == (sentence, f"typ {typ!r}")
    assert refusal(OURS | {"typ": "Bearer"}, typ, "at+jwt") == (sentence, f"typ {typ!r}")
