"""Presets, each against the shape of what its provider answers.

The shapes are those that the providers document; people, tokens and numbers in them are made up.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from pydantic import TypeAdapter, ValidationError
from tests.authserver.conftest import Clock
from tests.authserver.idps.conftest import CALLBACK, INLINE, signed_in
from tests.authserver.idps.little_idp import LittleIdp
from tests.authserver.idps.recorded import Recorded, recorded

from ostiary.authserver.config.idps import IdpSettings, OAuth2Idp, OidcIdp
from ostiary.authserver.config.presets import PRESETS
from ostiary.authserver.idps.idp import GrantDead, IdpAnswerRefused, LoginOptions
from ostiary.authserver.idps.oauth2 import OAuth2Provider
from ostiary.authserver.idps.oidc import OidcProvider
from ostiary.authserver.idps.tools import Tools
from ostiary.authserver.upstream_account import UpstreamAccount, UpstreamTokens

ENTRY: TypeAdapter[Any] = TypeAdapter(IdpSettings)
CLIENT = {"client_id": "ostiary", "client_secret": "hunter2"}


def entry(preset: str, **more: Any) -> Any:
    return ENTRY.validate_python({"preset": preset, **CLIENT, **more}, context=INLINE)


@pytest.fixture
async def there() -> AsyncIterator[Recorded]:
    async with recorded() as provider:
        yield provider


def oauth2(preset: str, there: Recorded, tools: Tools) -> OAuth2Provider:
    """The preset as it is, but for where its endpoints are."""
    settings = entry(preset)
    assert isinstance(settings, OAuth2Idp)
    moved: dict[str, Any] = {"token_endpoint": f"{there.url}/token"}
    if settings.userinfo is not None:
        moved["userinfo"] = {"url": f"{there.url}/userinfo"}
    if settings.revocation_endpoint is not None:
        moved["revocation_endpoint"] = f"{there.url}/revoke"
    return OAuth2Provider(entry(preset, **moved), tools)


def oidc(preset: str, idp: LittleIdp, tools: Tools, **more: Any) -> OidcProvider:
    settings = entry(preset, issuer=idp.url, **more)
    assert isinstance(settings, OidcIdp)
    return OidcProvider(settings, tools)


async def arrived(provider: OAuth2Provider, clock: Clock) -> UpstreamAccount:
    left = await provider.begin(state="s", redirect_uri=CALLBACK, options=LoginOptions())
    return await provider.complete(b"code=c&state=s", left.memory, now=clock())


def test_each_preset_names_itself_for_people() -> None:
    labels = {name: preset["label"] for name, preset in PRESETS.items()}
    assert labels == {
        "google": "Google",
        "github": "GitHub",
        "entra": "Microsoft",
        "okta": "Okta",
        "slack": "Slack",
        "atlassian": "Atlassian",
        "gitlab": "GitLab",
        "keycloak": "Keycloak",
    }


@pytest.mark.parametrize(
    ("preset", "looks"),
    [
        (
            "entra",
            "https://login.microsoftonline.com/TENANT/v2.0, or with {tenantid} for accounts of any tenant",
        ),
        ("okta", "https://COMPANY.okta.com, or that of one of its authorization servers"),
        ("keycloak", "https://HOST/realms/REALM"),
    ],
)
def test_an_issuer_that_nobody_can_know_is_asked_for(preset: str, looks: str) -> None:
    with pytest.raises(ValidationError) as refused:
        entry(preset)
    assert [error["msg"] for error in refused.value.errors()] == [
        f"Value error, preset {preset} needs an issuer: {looks}"
    ]


def test_a_preset_that_does_not_exist() -> None:
    with pytest.raises(ValidationError) as refused:
        entry("facebook")
    assert refused.value.errors()[0]["msg"] == (
        "Value error, preset 'facebook' does not exist; "
        "choose from atlassian, entra, github, gitlab, google, keycloak, okta, slack"
    )


def test_one_more_parameter_takes_none_of_the_preset_s_away() -> None:
    google = entry("google", authorization_params={"hd": "example.com"})
    assert google.authorization_params == {"access_type": "offline", "hd": "example.com"}


GITHUB_TOKENS = {"access_token": "gho_16C7e42F292c6912E7710c838347Ae178B4a", "token_type": "bearer"}
GITHUB_USER = {
    "login": "octocat",
    "id": 583231,
    "node_id": "MDQ6VXNlcjU4MzIzMQ==",
    "type": "User",
    "name": None,
    "company": "@github",
    "email": None,
    "two_factor_authentication": True,
}


async def test_github(there: Recorded, tools: Tools, clock: Clock) -> None:
    there.says("/token", GITHUB_TOKENS | {"scope": "repo,gist"})
    there.says("/userinfo", GITHUB_USER)
    connected = await arrived(oauth2("github", there, tools), clock)
    assert (connected.account, connected.label) == ("583231", "octocat")
    assert connected.tokens == UpstreamTokens(GITHUB_TOKENS["access_token"], scopes=("repo", "gist"))
    assert connected.identity is not None
    assert (connected.identity.name, connected.identity.email) == ("octocat", None)


async def test_github_says_its_errors_with_status_200(there: Recorded, tools: Tools, clock: Clock) -> None:
    said = "The code passed is incorrect or expired."
    there.says("/token", {"error": "bad_verification_code", "error_description": said})
    with pytest.raises(IdpAnswerRefused) as refused:
        await arrived(oauth2("github", there, tools), clock)
    assert str(refused.value) == (
        "identity provider github gives no tokens: bad_verification_code "
        "(The code passed is incorrect or expired)"
    )


async def test_github_answers_a_form_when_it_does_not_look_at_accept(
    there: Recorded, tools: Tools, clock: Clock
) -> None:
    there.answers["/token"] = [
        web.Response(
            text="access_token=gho_1&scope=repo%2Cgist&token_type=bearer",
            content_type="application/x-www-form-urlencoded",
        )
    ]
    there.says("/userinfo", GITHUB_USER)
    assert (await arrived(oauth2("github", there, tools), clock)).tokens.scopes == ("repo", "gist")


async def test_github_apps_have_tokens_that_end(there: Recorded, tools: Tools, clock: Clock) -> None:
    given = {"expires_in": 28800, "refresh_token": "ghr_1", "refresh_token_expires_in": 15811200, "scope": ""}
    there.says("/token", GITHUB_TOKENS | given, {"error": "bad_refresh_token"})
    there.says("/userinfo", GITHUB_USER)
    at = oauth2("github", there, tools)
    tokens = (await arrived(at, clock)).tokens
    assert (tokens.refresh_token, tokens.expires_at, tokens.scopes) == ("ghr_1", clock() + 28800, ())
    with pytest.raises(GrantDead) as dead:
        await at.renew(tokens, issuer=at.issuer, client_id="ostiary", now=clock())
    assert str(dead.value) == "identity provider github says bad_refresh_token"


SLACK_TOKENS = {
    "ok": True,
    "access_token": "xoxb-a-bot-s",
    "token_type": "bot",
    "scope": "commands,incoming-webhook",
    "bot_user_id": "U0KRQLJ9H",
    "app_id": "A0KRD7HC3",
    "team": {"name": "Slack Softball Team", "id": "T9TK3CUKW"},
    "enterprise": None,
    "authed_user": {
        "id": "U1234",
        "scope": "chat:write,search:read",
        "access_token": "xoxe.xoxp-a-person-s",
        "token_type": "user",
        "expires_in": 43200,
        "refresh_token": "xoxe-1-a-person-s",
    },
}
SLACK_TEST = {
    "ok": True,
    "url": "https://softball.slack.com/",
    "team": "Slack Softball Team",
    "user": "grace",
    "team_id": "T9TK3CUKW",
    "user_id": "U1234",
}


async def test_slack(there: Recorded, tools: Tools, clock: Clock) -> None:
    there.says("/token", SLACK_TOKENS)
    there.says("/userinfo", SLACK_TEST)
    connected = await arrived(oauth2("slack", there, tools), clock)
    assert (connected.account, connected.label) == ("U1234", "grace")
    assert connected.tokens == UpstreamTokens(
        "xoxe.xoxp-a-person-s",
        "xoxe-1-a-person-s",
        None,
        clock() + 43200,
        ("chat:write", "search:read"),
    )
    assert there.asked[1] == {"to": "POST /userinfo", "authorization": "Bearer xoxe.xoxp-a-person-s"}


async def test_slack_is_asked_for_a_person_s_scopes(tools: Tools) -> None:
    at = OAuth2Provider(entry("slack", scopes=["chat:write", "search:read"]), tools)
    left = await at.begin(state="s", redirect_uri=CALLBACK, options=LoginOptions())
    asked = parse_qs(urlsplit(left.url).query)
    assert left.url.startswith("https://slack.com/oauth/v2/authorize?")
    assert asked["user_scope"] == ["chat:write,search:read"]
    assert "scope" not in asked


async def test_a_bot_s_token_is_never_a_person_s(there: Recorded, tools: Tools, clock: Clock) -> None:
    there.says("/token", SLACK_TOKENS | {"authed_user": {"id": "U1234"}})
    with pytest.raises(IdpAnswerRefused) as refused:
        await arrived(oauth2("slack", there, tools), clock)
    assert str(refused.value) == "identity provider slack: its answer has no access_token"


async def test_slack_says_no_with_status_200(there: Recorded, tools: Tools, clock: Clock) -> None:
    there.says("/token", {"ok": False, "error": "invalid_code"})
    with pytest.raises(IdpAnswerRefused) as refused:
        await arrived(oauth2("slack", there, tools), clock)
    assert str(refused.value) == "identity provider slack gives no tokens: invalid_code"


async def test_slack_renews_a_person_s_tokens_at_the_top(there: Recorded, tools: Tools, clock: Clock) -> None:
    renewed = {
        "ok": True,
        "access_token": "xoxe.xoxp-new",
        "token_type": "user",
        "refresh_token": "xoxe-1-new",
        "expires_in": 43200,
        "scope": "chat:write",
    }
    there.says("/token", renewed, {"ok": False, "error": "invalid_refresh_token"})
    there.says("/revoke", {"ok": True, "revoked": True}, {"ok": True, "revoked": True})
    at = oauth2("slack", there, tools)
    ours = {"issuer": at.issuer, "client_id": "ostiary"}
    new = await at.renew(UpstreamTokens("old", "xoxe-1-old"), **ours, now=clock())
    assert new == UpstreamTokens("xoxe.xoxp-new", "xoxe-1-new", None, clock() + 43200, ("chat:write",))
    with pytest.raises(GrantDead):
        await at.renew(new, **ours, now=clock())
    await at.revoke(new, **ours)
    assert there.asked[-1] == {
        "to": "POST /revoke",
        "token": "xoxe.xoxp-new",
        "token_type_hint": "access_token",
        **CLIENT,
    }


ATLASSIAN_TOKENS = {
    "access_token": "a",
    "expires_in": 3600,
    "refresh_token": "r",
    "scope": "read:me offline_access",
}
ATLASSIAN_ME = {
    "account_type": "atlassian",
    "account_id": "112233aa-bb11-cc22-33dd-445566abcabc",
    "email": "mia@example.com",
    "name": "Mia Krystof",
    "picture": "https://avatar.example.com/mia",
    "account_status": "active",
    "nickname": "mkrystof",
    "zoneinfo": "Australia/Sydney",
    "locale": "en-US",
    "extended_profile": {"job_title": "Designer", "department": "Design team"},
}


async def test_atlassian(there: Recorded, tools: Tools, clock: Clock) -> None:
    there.says("/token", ATLASSIAN_TOKENS)
    there.says("/userinfo", ATLASSIAN_ME)
    at = oauth2("atlassian", there, tools)
    left = await at.begin(state="s", redirect_uri=CALLBACK, options=LoginOptions())
    connected = await at.complete(b"code=c&state=s", left.memory, now=clock())
    assert (connected.account, connected.label) == ("112233aa-bb11-cc22-33dd-445566abcabc", "mia@example.com")
    asked = parse_qs(urlsplit(left.url).query)
    assert (asked["audience"], asked["prompt"], asked["scope"]) == (
        ["api.atlassian.com"],
        ["consent"],
        ["read:me offline_access"],
    )


@pytest.mark.parametrize(
    "said",
    [
        {"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."},
        {"error": "unauthorized_client", "error_description": "refresh_token is invalid"},
    ],
)
async def test_atlassian_ends_refresh_tokens_with_403(
    said: dict[str, str], there: Recorded, tools: Tools, clock: Clock
) -> None:
    there.says("/token", said, status=403)
    at = oauth2("atlassian", there, tools)
    with pytest.raises(GrantDead):
        await at.renew(UpstreamTokens("a", "r"), issuer=at.issuer, client_id="ostiary", now=clock())


async def test_google(idp: LittleIdp, tools: Tools, clock: Clock) -> None:
    """A refresh token comes only when it is asked for; scopes come back by their long names."""
    idp.person = {
        "sub": "110169484474386276334",
        "azp": "ostiary",
        "hd": "example.com",
        "email": "alice@example.com",
        "email_verified": True,
        "name": "Alice Adler",
        "picture": "https://lh3.example.com/a",
    }
    idp.answer = {"scope": "openid https://www.googleapis.com/auth/userinfo.email"}
    connected = await signed_in(oidc("google", idp, tools), idp, clock)
    assert idp.departures[0]["access_type"] == "offline"
    assert (connected.account, connected.label) == ("110169484474386276334", "alice@example.com")
    assert connected.tokens.scopes == ("openid", "https://www.googleapis.com/auth/userinfo.email")


ENTRA_PERSON = {
    "ver": "2.0",
    "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
    "oid": "00000000-0000-0000-66f3-3332eca7ea81",
    "tid": "9122040d-6c67-4c5b-b112-36a304b66dad",
    "name": "Abe Lincoln",
    "preferred_username": "AbeLi@example.com",
    "groups": ["7d2c4b9e-0000-4000-8000-000000000001"],
    "email_verified": None,
    "email": None,
}


async def test_entra(idp: LittleIdp, tools: Tools, clock: Clock) -> None:
    idp.person = ENTRA_PERSON
    at = oidc("entra", idp, tools, claims={"groups": {"claim": "groups"}})
    connected = await signed_in(at, idp, clock)
    assert connected.identity is not None
    assert connected.identity.subject == "00000000-0000-0000-66f3-3332eca7ea81"
    assert connected.identity.claims == {"groups": ["7d2c4b9e-0000-4000-8000-000000000001"]}
    assert connected.label == "AbeLi@example.com"
    assert idp.departures[0]["scope"] == "openid profile email offline_access"


async def test_entra_without_oid_is_refused(idp: LittleIdp, tools: Tools, clock: Clock) -> None:
    idp.person = ENTRA_PERSON | {"oid": None}
    with pytest.raises(IdpAnswerRefused) as refused:
        await signed_in(oidc("entra", idp, tools), idp, clock)
    assert str(refused.value) == (
        "identity provider entra: there is no subject at oid; say where this provider has it"
    )


async def test_okta(idp: LittleIdp, tools: Tools, clock: Clock) -> None:
    """The ID token is thin; userinfo has the rest."""
    whole = {
        "sub": "00uid4BxXw6I6TV4m0g3",
        "name": "John Doe",
        "preferred_username": "john.doe@example.com",
        "email": "john.doe@example.com",
        "email_verified": True,
        "groups": ["Everyone"],
    }
    idp.person = whole
    thin = dict.fromkeys(["name", "preferred_username", "email", "email_verified", "groups"])
    idp.claims = {**thin, "amr": ["pwd"], "idp": "00ok1u7AsAkrwdZL3z0g3", "ver": 1}
    at = oidc("okta", idp, tools, claims={"groups": {"from": "userinfo", "claim": "groups"}})
    connected = await signed_in(at, idp, clock)
    assert connected.identity is not None
    assert (connected.identity.email, connected.identity.email_verified) == ("john.doe@example.com", True)
    assert connected.identity.claims == {"groups": ["Everyone"]}
    assert idp.departures[0]["scope"] == "openid profile email offline_access"


async def test_gitlab(idp: LittleIdp, tools: Tools, clock: Clock) -> None:
    """Groups are told by userinfo alone; the ID token has only the direct ones."""
    idp.person = {
        "sub": "1",
        "name": "Alice Adler",
        "nickname": "alice",
        "preferred_username": "alice",
        "email": "alice@example.com",
        "email_verified": True,
        "profile": "https://gitlab.example.com/alice",
        "groups": ["animals", "animals/penguins"],
    }
    idp.claims = {"groups": None, "groups_direct": ["animals"], "sub_legacy": "0b3a"}
    at = oidc("gitlab", idp, tools, claims={"groups": {"from": "userinfo", "claim": "groups"}})
    connected = await signed_in(at, idp, clock)
    assert connected.identity is not None
    assert connected.identity.claims == {"groups": ["animals", "animals/penguins"]}


async def test_keycloak(idp: LittleIdp, tools: Tools, clock: Clock) -> None:
    """More in its token answer than anybody asked for; roles inside objects."""
    idp.person = {
        "sub": "f1b6a3f0-6e1c-4f5c-9a57-0d0a8d4d7b52",
        "typ": "ID",
        "azp": "ostiary",
        "sid": "c5d5d0b0-6d4f-4c4f-9f35-0a9f3a1d1d1d",
        "acr": "1",
        "preferred_username": "alice",
        "email": "alice@example.com",
        "email_verified": False,
        "realm_access": {"roles": ["keepers"]},
    }
    idp.answer = {"refresh_expires_in": 1800, "not-before-policy": 0, "session_state": "c5d5d0b0"}
    at = oidc("keycloak", idp, tools, claims={"roles": {"claim": "realm_access.roles"}})
    connected = await signed_in(at, idp, clock)
    assert connected.identity is not None
    assert connected.identity.email_verified is False
    assert connected.identity.claims == {"roles": ["keepers"]}
