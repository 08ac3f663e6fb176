"""`ostiary policy`: cases, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Ostiary

POLICIES = """\
@id("keepers")
permit(principal in Group::"keepers", action, resource in Server::"zoo");

@id("vets") @reason("vets alone operate")
permit(principal, action == Action::"call_tool", resource == Tool::"zoo/operate")
when {
  principal has email && principal.email like "*@vets.example.com" && principal.scopes.contains("operate")
};

@id("gently")
forbid(principal, action == Action::"call_tool", resource == Tool::"zoo/feed")
when { context.arguments has amount && context.arguments.amount > 20 }
unless { principal has client && principal.client == "crane" };
"""
EXAMPLE = Path(__file__).parents[2] / "examples" / "gateway"


@pytest.fixture(autouse=True)
def _files(ostiary: Ostiary) -> None:  # in whose folder
    Path("policies").mkdir()
    Path("policies/all.cedar").write_text(POLICIES)
    servers = "{zoo: {url: http://127.0.0.1:1/mcp}}"
    Path("ostiary.yaml").write_text(
        f"gateway: {{allow_unauthenticated: true, policy: policies, servers: {servers}}}"
    )


def cases(text: str) -> str:
    Path("cases.yaml").write_text(text)
    return "cases.yaml"


def test_cases_that_come_out_as_they_should_are_good(ostiary: Ostiary) -> None:
    file = cases(
        """
        principals: {ada: {sub: ada, groups: [keepers]}}
        cases:
          - {name: it is fed, principal: ada, server: zoo, tool: feed, arguments: {amount: 3}, expect: allow}
          - {principal: ada, server: zoo, tool: feed, arguments: {amount: 30}, expect: deny, by: gently}
          - {principal: {sub: eve}, server: zoo, action: list, expect: deny}
        """
    )
    outcome = ostiary("policy", "test", file, "--json")
    assert outcome.code == 0
    assert [(row["case"], row["by"], row["problem"]) for row in json.loads(outcome.out)] == [
        ("it is fed", "keepers", ""),
        ('call_tool Tool::"zoo/feed"', "gently", ""),
        ('list Server::"zoo"', "", ""),
    ]


@pytest.mark.parametrize(
    ("case", "problem"),
    [
        ("{principal: ada, server: zoo, tool: feed, expect: deny}", "it came to allow"),
        ("{server: zoo, tool: feed, expect: allow}", "it came to deny"),
        ("{principal: ada, server: zoo, tool: feed, expect: allow, by: vets}", "it came so by keepers"),
        ("{server: zoo, tool: feed, expect: deny, by: vets}", "it came so by no policy"),
        ("{server: zoo, tool: feed, expect: deny, scopes: [a]}", "it lacks no scopes"),
        (
            "{principal: ada, server: zoo, tool: feed, arguments: {amount: x}, expect: allow}",
            "it came to deny: argument amount has to be a whole number",
        ),
    ],
)
def test_a_case_that_comes_out_otherwise_fails_and_says_how(
    ostiary: Ostiary, case: str, problem: str
) -> None:
    outcome = ostiary(
        "policy", "test", cases(f"principals: {{ada: {{sub: ada, groups: keepers}}}}\ncases: [{case}]")
    )
    assert outcome.code == 1
    assert problem in outcome.out
    assert "0 of 1 cases came out as they should." in outcome.out
    assert outcome.err == "cases.yaml: 1 of 1 cases came out otherwise\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cases: []", "cases.yaml:1: cases should have at least 1 item after validation, not 0"),
        (
            "cases: [{server: zoo, tol: x, expect: allow}]",
            "cases.yaml:1: cases[0].tol is not a setting of a policy case",
        ),
        (
            "cases:\n- {server: zoo, expect: allow}",
            "cases.yaml:2: cases[0]: say what it is about: tool, prompt or resource",
        ),
        (
            "cases:\n- {server: zoo, tool: a, prompt: b, expect: allow}",
            "cases.yaml:2: cases[0].prompt: a case is about one thing, and has tool already",
        ),
        (
            "principals: {ada: {}}\ncases:\n- {principal: adda, server: zoo, tool: a, expect: allow}",
            "cases.yaml:3: cases[0].principal: there is no such principal; did you mean ada?",
        ),
        (
            "cases:\n- {server: zoo, tool: a, hints: {readOnly: true}, expect: allow}",
            "cases.yaml:2: cases[0].hints.readOnly: MCP has no such hint; did you mean readOnlyHint?",
        ),
    ],
)
def test_a_file_of_cases_that_is_wrong_is_told_with_its_line(ostiary: Ostiary, text: str, said: str) -> None:
    outcome = ostiary("policy", "test", cases(text))
    assert outcome.code == 2
    assert outcome.err.startswith(said)


def test_the_cases_of_the_example_come_out(ostiary: Ostiary) -> None:
    outcome = ostiary(
        "policy", "test", "-c", str(EXAMPLE / "policies.yaml"), str(EXAMPLE / "policies" / "cases.yaml")
    )
    assert (outcome.code, outcome.err) == (0, "")


def explained(ostiary: Ostiary, claims: dict[str, Any], *words: str) -> Any:
    outcome = ostiary("policy", "explain", json.dumps(claims), *words, "--server", "zoo", "--json")
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


@pytest.mark.parametrize(
    ("claims", "failing", "lacking"),
    [
        ({}, "principal has email", ["the token has no claim email"]),
        ({"email": "a@vets.example.com"}, "principal has email", ["its claim email_verified is not true"]),
        (
            {"email": "a@example.com", "email_verified": True},
            'principal.email like "*@vets.example.com"',
            [],
        ),
        (
            {"email": "a@vets.example.com", "email_verified": True},
            'principal.scopes.contains("operate")',
            ["the token has no claim scope"],
        ),
        ({"email": "a@vets.example.com", "email_verified": True, "scope": "operate"}, None, []),
    ],
)
def test_a_claim_that_is_absent_is_named(
    ostiary: Ostiary, claims: dict[str, Any], failing: str | None, lacking: list[str]
) -> None:
    told = explained(ostiary, claims, "--tool", "operate")
    (vets,) = [policy for policy in told["policies"] if policy["id"] == "vets"]
    assert (vets["failing"], vets["lacking"], vets["reason"]) == (failing, lacking, "vets alone operate")
    assert told["decision"] == ("allow" if failing is None else "deny")
    (keepers,) = [policy for policy in told["policies"] if policy["id"] == "keepers"]
    assert keepers["failing"] == 'principal in Group::"keepers"'
    assert keepers["lacking"] == ["the token has no claim groups"]


def test_the_scopes_with_which_it_would_be_allowed_are_told(ostiary: Ostiary) -> None:
    told = explained(ostiary, {"email": "a@vets.example.com", "email_verified": True}, "--tool", "operate")
    assert (told["decision"], told["scopes"]) == ("deny", ["operate"])


def test_arguments_are_read_as_the_policies_read_them(ostiary: Ostiary) -> None:
    keeper = {"groups": ["keepers"]}
    assert explained(ostiary, keeper, "amount=21", "--tool", "feed")["by"] == ["gently"]
    assert explained(ostiary, keeper, "amount=20", "--tool", "feed")["by"] == ["keepers"]
    crane = explained(ostiary, {**keeper, "client_id": "crane"}, "amount=21", "--tool", "feed")
    assert crane["by"] == ["keepers"]
    (gently,) = [policy for policy in crane["policies"] if policy["id"] == "gently"]
    assert gently["failing"] == 'unless (principal has client) && (principal.client == "crane")'


def test_a_token_is_read_as_its_claims_are_and_never_shown(ostiary: Ostiary, house: Any) -> None:
    token = house.sign(iss="https://auth.example.com", sub="ada", groups=["keepers"])
    outcome = ostiary("policy", "explain", token, "--server", "zoo", "--tool", "feed")
    assert outcome.code == 0
    assert outcome.out.startswith(
        'allow       call_tool Tool::"zoo/feed"\nwho         ada of https://auth.example.com\n'
    )
    assert token not in outcome.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["opaque", "--server", "zoo", "--tool", "x"],
            "that is no JWT, so only its issuer can say more about it",
        ),
        (["{", "--server", "zoo", "--tool", "x"], "the claims are no JSON object"),
        (["{}", "--server", "zo", "--tool", "x"], "ostiary.yaml has no server zo; did you mean zoo?"),
        (["{}", "--server", "zoo"], "say what it is about: tool, prompt or resource"),
        (
            ["{}", "--server", "zoo", "--tool", "x", "--action", "frob"],
            "--action: Input should be 'call_tool'",
        ),
        (
            ["{}", "--server", "zoo", "--tool", "x", "--hint", "readOnlyHint=x"],
            "write a hint as NAME=true or NAME=false",
        ),
        (["{}", "amount=x", "--server", "zoo", "--tool", "feed"], "argument amount should be integer"),
    ],
)
def test_what_cannot_be_explained_is_told(ostiary: Ostiary, words: list[str], said: str) -> None:
    outcome = ostiary("policy", "explain", *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(said)


def test_a_gateway_without_policies_has_nothing_to_explain(ostiary: Ostiary) -> None:
    Path("ostiary.yaml").write_text("gateway: {allow_unauthenticated: true}")
    outcome = ostiary("policy", "explain", "{}", "--server", "zoo", "--tool", "x")
    assert (outcome.code, outcome.err) == (2, "ostiary.yaml has no gateway.policy: every caller may do all\n")
