"""`ostiary explain`: a token in, what it is out, and never its signature."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import pytest

GOOGLE = "https://accounts.google.com"


def test_a_good_token_is_explained(ostiary: Any, house: Any) -> None:
    token = house.sign(
        iss=GOOGLE, aud="https://mcp.example.com", email="ada@example.com", email_verified=True
    )
    outcome = ostiary("explain", token)
    assert (outcome.code, outcome.err) == (0, "")
    lines = [line.split(maxsplit=1) for line in outcome.out.splitlines()]
    told = {line[0]: line[1] for line in lines}
    assert list(told) == ["what", "from", "for", "who", "issued", "expires", "signed"]
    assert told["what"] == "Google ID token"
    assert told["from"] == GOOGLE
    assert told["for"] == "https://mcp.example.com"
    assert told["who"] == "ada@example.com (subject 1)"
    assert told["expires"].endswith((" UTC (in 60 minutes)", " UTC (in 1 hour)"))
    assert told["signed"].startswith("RS256, key ")


def test_what_is_odd_stands_below(ostiary: Any, house: Any) -> None:
    token = house.sign(iss=GOOGLE, aud="https://zoo-1.a.run.app/mcp", exp=int(time.time()) - 7205)
    assert ostiary("explain", token).out.splitlines()[-3:] == [
        "",
        "! Its audience https://zoo-1.a.run.app/mcp has a path: Cloud Run wants https://zoo-1.a.run.app.",
        "! It expired 2 hours ago.",
    ]


def test_an_opaque_token_says_no_more(ostiary: Any) -> None:
    assert ostiary("explain", "ya29.a0AfH6SMBx").out == (
        "what        Google access token\n            Only its issuer can say more about it.\n"
    )


def test_json_has_header_and_claims_and_no_signature(ostiary: Any, house: Any) -> None:
    token = house.sign(iss=GOOGLE, aud="https://mcp.example.com")
    outcome = ostiary("explain", token, "--json")
    told = json.loads(outcome.out)
    assert told["kind"] == "Google ID token"
    assert told["header"]["alg"] == "RS256"
    assert told["claims"]["aud"] == "https://mcp.example.com"
    assert told["oddities"] == []
    assert 3590 <= told["expires_in"] <= 3600
    assert token.rpartition(".")[2] not in outcome.out


@pytest.mark.parametrize("before", ["", "Bearer ", "Authorization: Bearer "])
def test_a_token_is_read_from_standard_input(
    ostiary: Any, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{before}ghp_0123456789\n"))
    assert ostiary("explain", "-").out.startswith("what        GitHub token\n")


def test_two_tokens_are_bad_usage(ostiary: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("one\ntwo\nthree\n"))
    assert ostiary("explain", "-") == (
        2,
        "",
        "give one token: as an argument, or with - on standard input\n",
    )


def test_a_hostile_token_cannot_steer_the_terminal(ostiary: Any, house: Any) -> None:
    token = house.sign(iss="https://evil.example\u001b[2J", aud="x\u202e")
    assert "\x1b" not in ostiary("explain", token).out
    assert "\u202e" not in ostiary("explain", token, "--json").out


ISSUER, RESOURCE = "https://auth.example.com", "https://mcp.example.com/mcp"
CONFIGURATION = f"""
authserver:
  issuer: {ISSUER}
  upstream_idps:
    - name: corp
      issuer: https://corp.example.com
      client_id: ostiary
      claims: {{groups: {{from: userinfo, claim: memberOf}}}}
  resources:
    - {{resource: {RESOURCE}, owner: default/gateway, idps: [corp], token_claims: [groups, email, team]}}
"""


def test_what_a_token_of_ours_lacks_is_named(ostiary: Any, house: Any, tmp_path: Path) -> None:
    (tmp_path / "as.yaml").write_text(CONFIGURATION)
    token = house.sign(iss=ISSUER, aud=RESOURCE, scope="mcp")
    groups, email, team = ostiary("explain", token, "-c", str(tmp_path / "as.yaml")).out.splitlines()[-3:]
    assert groups == (
        f"! It lacks the claim groups, which {RESOURCE} asks for: corp did not have it in the userinfo "
        "(claim memberOf) when the person signed in, or it was too large."
    )
    assert email == (
        f"! It lacks the claim email, which {RESOURCE} asks for: corp did not have it in the ID token or "
        "userinfo when the person signed in, or it was too large."
    )
    assert team == (
        f"! It lacks the claim team, which {RESOURCE} asks for: nothing takes it at sign-in; say where it "
        "comes from under claims of corp."
    )


def test_a_token_that_has_all_of_it_lacks_nothing(ostiary: Any, house: Any, tmp_path: Path) -> None:
    (tmp_path / "as.yaml").write_text(CONFIGURATION)
    whole = house.sign(iss=ISSUER, aud=RESOURCE, scope="mcp", groups=[], email="a@example.com", team="x")
    foreign = house.sign(iss="https://other.example.com", aud=RESOURCE, scope="mcp")
    for token in (whole, foreign):
        assert "It lacks" not in ostiary("explain", token, "-c", str(tmp_path / "as.yaml")).out
