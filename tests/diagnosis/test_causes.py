"""The doctor's rules: evidence in, a cause out; for what no server on this machine can be."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from ostiary.diagnosis.causes import diagnose
from ostiary.diagnosis.diagnosis import Cause, Diagnosis
from ostiary.diagnosis.evidence import Evidence, NoToken, Sent
from ostiary.diagnosis.server_answer import ResourceMetadata, ServerAnswer
from ostiary.diagnosis.wanted_credential import WantedCredential, wanted
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.inspection.token_explanation import explain

NOW = 1_800_000_000.0
ZOO = canonical_url("https://zoo-123456789012.europe-west1.run.app/mcp")
REFUSED = ServerAnswer(
    401,
    {"content-type": "text/html; charset=UTF-8"},
    "<h2>Your client does not have permission to the requested URL <code>/mcp</code>.</h2>",
    NOW,
)
WORKS = ServerAnswer(200, {"content-type": "application/json"}, '{"jsonrpc":"2.0","id":1,"result":{}}', NOW)
EVIDENCE = Evidence(ZOO, "google_id_token", WantedCredential.GOOGLE_ID_TOKEN, probe=REFUSED, call=REFUSED)


def sent(**claims: Any) -> Sent:
    all_claims = {"iss": "https://accounts.google.com", "iat": NOW, "exp": NOW + 3600, **claims}
    parts = ({"alg": "RS256", "kid": "k"}, all_claims)
    token = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts
    )
    return Sent(("authorization",), fetched=True, at=NOW, token=explain(f"{token}.c2ln", now=NOW))


def test_an_audience_with_the_path_of_the_server_is_told_to_leave_it_out() -> None:
    assert diagnose(replace(EVIDENCE, sent=sent(aud=str(ZOO)))) == Diagnosis(
        Cause.AUDIENCE_MISMATCH,
        f"The token is for another audience: it says {ZOO}, and {ZOO} takes {ZOO.origin}, or a custom "
        "audience of the service.",
        f"Set audience: {ZOO.origin} in the credential: leave the path out.",
    )


def test_an_assertion_that_was_signed_at_another_time() -> None:
    problem = (
        "invalid_grant: Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
        "timeframe. Check your iat and exp values in the JWT claim"
    )
    missing = NoToken(problem, "see whether the key still exists", ZOO.origin)
    assert diagnose(replace(EVIDENCE, call=None, no_token=missing)) == Diagnosis(
        Cause.OUR_CLOCK,
        f"The issuer of credential google_id_token finds that our time is wrong: {problem}.",
        "Set this machine's clock (NTP); a token is only given to who knows what time it is.",
    )


def test_a_credential_that_the_doctor_found_by_itself_is_named() -> None:
    found = replace(EVIDENCE, chosen_by_us=True, sent=sent(aud=ZOO.origin), call=WORKS)
    assert diagnose(found) == Diagnosis(
        Cause.NO_CREDENTIAL,
        f"No credential is named for {ZOO}, which wants a Google ID token; with credential google_id_token, "
        "tried just now, the call works.",
        "Say --credential google_id_token, or name the server in an ostiary.yaml with "
        "credential: {type: google_id_token}.",
    )


def test_a_call_that_works_has_no_cause() -> None:
    assert diagnose(replace(EVIDENCE, sent=sent(aud=ZOO.origin), call=WORKS)) is None


def test_a_good_token_that_cloud_run_refuses_is_told_as_it_is() -> None:
    diagnosis = diagnose(replace(EVIDENCE, sent=sent(aud=ZOO.origin)))
    assert diagnosis is not None
    assert diagnosis.cause is Cause.TOKEN_REFUSED


BEARER = ServerAnswer(401, {"www-authenticate": "Bearer"}, "", NOW)


@pytest.mark.parametrize(
    ("probe", "issuers", "kind"),
    [
        (None, (), WantedCredential.UNTOLD),
        (WORKS, (), WantedCredential.NOTHING),
        (REFUSED, (), WantedCredential.GOOGLE_ID_TOKEN),
        (BEARER, ("https://auth.example.com",), WantedCredential.OAUTH),
        (BEARER, ("https://accounts.google.com",), WantedCredential.GOOGLE_ID_TOKEN),
        (BEARER, (), WantedCredential.BEARER),
        (replace(BEARER, headers={"www-authenticate": "Negotiate"}), (), WantedCredential.OTHER_SCHEME),
        (replace(BEARER, headers={}), (), WantedCredential.UNKNOWN),
        (replace(BEARER, headers={}, body="Invalid IAP credentials: empty token"), (), WantedCredential.IAP),
        (replace(BEARER, status=404), (), WantedCredential.UNTOLD),
    ],
)
def test_how_a_server_refuses_says_what_it_wants(
    probe: ServerAnswer | None, issuers: tuple[str, ...], kind: WantedCredential
) -> None:
    assert wanted(probe, ResourceMetadata("https://mcp.example.com", issuers=issuers)) is kind
