"""An OpenID provider, OpenID Connect Core section 3.1."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from joserfc.jwk import OKPKey
from tests.authserver.conftest import Clock
from tests.authserver.idps.conftest import CALLBACK, Provider, signed_in
from tests.authserver.idps.little_idp import CLIENT_SECRET, LittleIdp, s256

from ostiary.authserver.idps.idp import GrantDead, IdpAnswerRefused, IdpUnavailable, LoginOptions
from ostiary.authserver.upstream_account import Identity, UpstreamAccount, UpstreamTokens


async def test_a_person_signs_in(provider: Provider, idp: LittleIdp, clock: Clock) -> None:
    connected = await signed_in(provider(), idp, clock)
    tokens = connected.tokens
    assert connected == UpstreamAccount(
        idp="corp",
        issuer=idp.url,
        account="248289761001",
        client_id="ostiary",
        tokens=UpstreamTokens(
            "access-2", "refresh-2", tokens.id_token, clock() + 300, ("openid", "profile", "email")
        ),
        label="alice@example.com",
        identity=Identity(
            issuer=idp.url,
            subject="248289761001",
            name="Alice Adler",
            email="alice@example.com",
            email_verified=True,
            auth_time=int(clock()),
        ),
    )


async def test_the_browser_carries_state_nonce_and_a_challenge_of_its_own(
    provider: Provider, idp: LittleIdp
) -> None:
    at = provider(authorization_params={"access_type": "offline", "prompt": "consent"})
    left = await at.begin(state="the-state", redirect_uri=CALLBACK, options=LoginOptions())
    again = await at.begin(state="the-state", redirect_uri=CALLBACK, options=LoginOptions())
    asked = parse_qs(urlsplit(left.url).query)
    assert left.url.startswith(f"{idp.url}/authorize?")
    assert asked == {
        "access_type": ["offline"],
        "prompt": ["consent"],
        "response_type": ["code"],
        "client_id": ["ostiary"],
        "redirect_uri": [CALLBACK],
        "scope": ["openid profile email"],
        "state": ["the-state"],
        "nonce": [left.memory.nonce],
        "code_challenge": [s256(left.memory.code_verifier or "")],
        "code_challenge_method": ["S256"],
    }
    assert left.memory.nonce != again.memory.nonce
    assert left.memory.code_verifier != again.memory.code_verifier


async def test_what_the_client_wishes_is_passed_on(provider: Provider, idp: LittleIdp, clock: Clock) -> None:
    options = LoginOptions(prompt=("login", "consent"), max_age=60, login_hint="alice@example.com")
    await signed_in(provider(), idp, clock, options=options)
    asked = idp.departures[0]
    assert (asked["prompt"], asked["max_age"], asked["login_hint"]) == (
        "login consent",
        "60",
        "alice@example.com",
    )


async def test_openid_is_asked_for_whatever_is_configured(
    provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    await signed_in(provider(scopes=["email"]), idp, clock)
    assert idp.departures[0]["scope"] == "openid email"


async def test_scopes_are_what_the_provider_says_it_gave(
    provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    idp.answer = {"scope": "openid"}
    assert (await signed_in(provider(), idp, clock)).tokens.scopes == ("openid",)


BASIC = "Basic " + base64.b64encode(f"ostiary:{CLIENT_SECRET}".encode()).decode()


@pytest.mark.parametrize(
    ("offered", "configured", "in_header"),
    [
        (["client_secret_post", "client_secret_basic"], None, True),
        (["client_secret_post"], None, False),
        (None, None, True),
        (["client_secret_basic"], "client_secret_post", False),
        (["client_secret_post"], "client_secret_basic", True),
    ],
)
async def test_we_prove_ourselves_as_the_provider_takes_it(
    offered: list[str] | None,
    configured: str | None,
    in_header: bool,
    provider: Provider,
    idp: LittleIdp,
    clock: Clock,
) -> None:
    idp.metadata = {"token_endpoint_auth_methods_supported": offered}
    await signed_in(provider(auth_method=configured), idp, clock)
    sent = idp.redeemed[0]
    if in_header:
        assert idp.authorizations == [BASIC]
        assert "client_secret" not in sent
    else:
        assert idp.authorizations == [None]
        assert (sent["client_id"], sent["client_secret"]) == ("ostiary", CLIENT_SECRET)


async def test_a_public_client_says_only_its_name(provider: Provider, idp: LittleIdp, clock: Clock) -> None:
    await signed_in(provider(client_secret=None), idp, clock)
    assert idp.authorizations == [None]
    assert idp.redeemed[0]["client_id"] == "ostiary"
    assert "client_secret" not in idp.redeemed[0]


async def test_a_secret_that_is_not_there_is_told_by_its_place(
    provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    at = provider(client_secret={"env": "NO_SUCH_SECRET"})
    with pytest.raises(IdpUnavailable) as refused:
        await signed_in(at, idp, clock)
    assert str(refused.value) == (
        "our secret at identity provider corp: environment variable NO_SUCH_SECRET is not set"
    )
    assert idp.redeemed == []


async def test_metadata_is_asked_for_once_an_hour(provider: Provider, idp: LittleIdp, clock: Clock) -> None:
    at = provider()
    await signed_in(at, idp, clock)
    await signed_in(at, idp, clock)
    assert idp.paths.count("/.well-known/openid-configuration") == 1
    clock.advance(3601)
    idp.metadata = {"authorization_endpoint": f"{idp.url}/elsewhere"}
    left = await at.begin(state="s", redirect_uri=CALLBACK, options=LoginOptions())
    assert left.url.startswith(f"{idp.url}/elsewhere?")


async def test_metadata_that_cannot_be_had_again_is_believed_for_a_day(
    provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    at = provider()
    await signed_in(at, idp, clock)
    idp.metadata = {"issuer": "https://somebody-else.example.com"}
    clock.advance(3601)
    assert (await at.begin(state="s", redirect_uri=CALLBACK, options=LoginOptions())).url.startswith(idp.url)
    clock.advance(24 * 3600)
    with pytest.raises(IdpAnswerRefused):
        await at.begin(state="s", redirect_uri=CALLBACK, options=LoginOptions())


async def test_metadata_of_another_issuer_is_refused(provider: Provider, idp: LittleIdp) -> None:
    idp.metadata = {"issuer": f"{idp.url}/"}
    with pytest.raises(IdpAnswerRefused) as refused:
        await provider().begin(state="s", redirect_uri=CALLBACK, options=LoginOptions())
    assert str(refused.value) == (
        f"identity provider corp: the metadata is of issuer '{idp.url}/', not '{idp.url}', "
        f"letter for letter; if that is the one, write `issuer: {idp.url}/`"
    )


async def test_a_provider_that_is_down_is_unavailable(provider: Provider) -> None:
    with pytest.raises(IdpUnavailable) as refused:
        await provider(issuer="http://127.0.0.1:1").begin(
            state="s", redirect_uri=CALLBACK, options=LoginOptions()
        )
    assert str(refused.value) == (
        "identity provider corp: http://127.0.0.1:1/.well-known/openid-configuration: "
        "no connection (Connection refused)"
    )
    assert not refused.value.may_have_spent


async def test_an_id_token_with_hundreds_of_groups_is_read(
    provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    """It comes by the back channel, where no header bounds it: 300 object ids of Entra ID, and 17 KB."""
    groups = [f"{number:08x}-7a4b-4f0e-9c1d-2f6f3c1b5a{number % 256:02x}" for number in range(330)]
    idp.claims = {"groups": groups}
    connected = await signed_in(provider(claims={"groups": {"claim": "groups"}}), idp, clock)
    assert len(connected.tokens.id_token or "") > 17_000
    assert connected.identity is not None
    assert connected.identity.claims == {"groups": groups}


@pytest.mark.parametrize("alg", ["EdDSA", "Ed25519"])
async def test_an_id_token_is_signed_with_ed25519_by_either_of_its_names(
    alg: str, provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    key = OKPKey.generate_key("Ed25519", {"kid": "one"})
    idp.key, idp.header = key, {"alg": alg}
    assert (await signed_in(provider(), idp, clock)).account == "248289761001"


async def test_a_name_is_kept_as_people_write_it(provider: Provider, idp: LittleIdp, clock: Clock) -> None:
    name = "\u0646\u06cc\u200c\u0645\u0627\u00a0Adler"
    idp.person |= {"name": name, "preferred_username": name, "email": None}
    connected = await signed_in(provider(), idp, clock)
    assert connected.identity is not None
    assert (connected.identity.name, connected.label) == (name, name)


async def test_tokens_are_renewed_and_the_id_token_with_them(
    provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    at = provider()
    before = (await signed_in(at, idp, clock)).tokens
    clock.advance(100)
    after = await at.renew(before, issuer=idp.url, client_id="ostiary", now=clock())
    assert (after.access_token, after.refresh_token) == ("access-3", "refresh-3")
    assert after.expires_at == clock() + 300
    assert after.id_token not in {None, before.id_token}
    assert idp.renewed[0] == {
        "grant_type": "refresh_token",
        "refresh_token": "refresh-2",
        "scope": "openid profile email",
    }


@pytest.mark.parametrize("error", ["invalid_request", "invalid_scope"])
async def test_a_provider_that_renews_nothing_when_scopes_are_named_is_asked_without(
    error: str, provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    """Salesforce; RFC 6749 section 6 leaves them out as well."""
    at = provider()
    before = (await signed_in(at, idp, clock)).tokens
    idp.refuses_scopes = error
    after = await at.renew(before, issuer=idp.url, client_id="ostiary", now=clock())
    assert (after.access_token, after.scopes, idp.reuses) == ("access-3", before.scopes, 0)
    assert [form.get("scope") for form in idp.renewed] == ["openid profile email", None]


async def test_what_a_renewal_does_not_name_stays(provider: Provider, idp: LittleIdp, clock: Clock) -> None:
    at = provider()
    before = (await signed_in(at, idp, clock)).tokens
    idp.answer = {"refresh_token": None, "id_token": None, "scope": None}
    after = await at.renew(before, issuer=idp.url, client_id="ostiary", now=clock())
    assert (after.refresh_token, after.id_token, after.scopes) == (
        before.refresh_token,
        before.id_token,
        before.scopes,
    )


async def test_an_id_token_that_cannot_be_verified_costs_nobody_the_new_tokens(
    provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    at = provider()
    before = (await signed_in(at, idp, clock)).tokens
    idp.claims = {"aud": "somebody-else"}
    after = await at.renew(before, issuer=idp.url, client_id="ostiary", now=clock())
    assert (after.access_token, after.refresh_token) == ("access-3", "refresh-3")
    assert after.id_token == before.id_token


async def test_another_person_s_tokens_are_never_a_renewal(
    provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    at = provider()
    before = (await signed_in(at, idp, clock)).tokens
    idp.claims = {"sub": "bob"}
    with pytest.raises(IdpAnswerRefused) as refused:
        await at.renew(before, issuer=idp.url, client_id="ostiary", now=clock())
    assert str(refused.value) == "identity provider corp renewed another person's tokens"


@pytest.mark.parametrize(
    "error", ["invalid_grant", "interaction_required", "login_required", "consent_required"]
)
async def test_a_refresh_token_that_has_ended_is_told_apart(
    error: str, provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    at = provider()
    before = (await signed_in(at, idp, clock)).tokens
    idp.refuses = {"error": error, "error_description": "AADSTS50173: sign in again"}
    with pytest.raises(GrantDead) as refused:
        await at.renew(before, issuer=idp.url, client_id="ostiary", now=clock())
    assert str(refused.value) == f"identity provider corp says {error}"


async def test_a_provider_that_repeats_our_secrets_is_not_quoted(
    provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    at = provider()
    before = (await signed_in(at, idp, clock)).tokens
    assert before.refresh_token is not None
    encoded = base64.b64encode(before.refresh_token.encode()).decode()
    said = f"refresh_token={quote(before.refresh_token)}, {encoded}"
    idp.refuses = {"error": "invalid_client", "error_description": said}
    with pytest.raises(IdpAnswerRefused) as refused:
        await at.renew(before, issuer=idp.url, client_id="ostiary", now=clock())
    assert str(refused.value) == (
        "identity provider corp gives no tokens: invalid_client (*** (its words repeat what we sent))"
    )


async def test_a_refusal_that_is_our_fault_does_not_end_the_grant(
    provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    at = provider()
    before = (await signed_in(at, idp, clock)).tokens
    idp.refuses = {"error": "invalid_client", "error_description": "the secret is wrong"}
    with pytest.raises(IdpAnswerRefused) as refused:
        await at.renew(before, issuer=idp.url, client_id="ostiary", now=clock())
    assert str(refused.value) == (
        "identity provider corp gives no tokens: invalid_client (the secret is wrong)"
    )
    assert not refused.value.may_have_spent


async def test_a_refresh_token_goes_to_nobody_but_who_gave_it(
    provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    at = provider()
    tokens = (await signed_in(at, idp, clock)).tokens
    with pytest.raises(GrantDead) as refused:
        await at.renew(tokens, issuer="https://before.example.com", client_id="ostiary", now=clock())
    assert str(refused.value) == "identity provider corp is not https://before.example.com any more"
    with pytest.raises(GrantDead) as refused:
        await at.renew(tokens, issuer=idp.url, client_id="before", now=clock())
    assert str(refused.value) == "we are not client before at identity provider corp any more"
    await at.revoke(tokens, issuer="https://before.example.com", client_id="ostiary")
    assert (idp.renewed, idp.revoked) == ([], [])


async def test_both_tokens_are_ended_at_the_provider(
    provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    at = provider()
    tokens = (await signed_in(at, idp, clock)).tokens
    await at.revoke(tokens, issuer=idp.url, client_id="ostiary")
    assert idp.revoked == [
        {"token": "refresh-2", "token_type_hint": "refresh_token"},
        {"token": "access-2", "token_type_hint": "access_token"},
    ]


async def test_a_provider_that_cannot_revoke_is_left_alone(
    provider: Provider, idp: LittleIdp, clock: Clock
) -> None:
    idp.metadata = {"revocation_endpoint": None}
    at = provider()
    await at.revoke((await signed_in(at, idp, clock)).tokens, issuer=idp.url, client_id="ostiary")
    assert idp.revoked == []


async def test_nothing_secret_shows(provider: Provider, idp: LittleIdp, clock: Clock) -> None:
    at = provider()
    left = await at.begin(state="s", redirect_uri=CALLBACK, options=LoginOptions())
    connected = await signed_in(at, idp, clock)
    shown = f"{at!r} {left.memory!r} {connected!r}"
    for secret in ("access-", "refresh-", CLIENT_SECRET, left.memory.nonce, left.memory.code_verifier):
        assert secret is not None
        assert secret not in shown
