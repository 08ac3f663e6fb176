"""Every combination of workload, resource, session, server and provider, and what comes of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from ostiary.oauth.server.entitlement import (
    NoEntitlement,
    NotEntitled,
    ResourceFacts,
    SessionFacts,
    TokenFacts,
    choose_idp,
    require_owner,
    require_session,
)
from ostiary.oauth.server.errors import InvalidRequest, InvalidTarget, OAuthError

ME = "default/gateway"
AUDIENCE = "https://mcp.example.com/mcp"
TOKEN = TokenFacts("alice", "editor", AUDIENCE)

RESOURCES = {
    "gone": None,
    "another's": ResourceFacts("default/other", "default/other", ["google", "github"]),
    "same name, other namespace": ResourceFacts("evil/gateway", "evil/gateway", ["google", "github"]),
    "mine alone": ResourceFacts(ME, ME, ["google", "github"]),
    "mine with one provider": ResourceFacts(ME, ME, ["google"]),
    "mine, created again": ResourceFacts(ME, f"{ME}#new", ["google", "github"]),
    "mine with servers": ResourceFacts(
        ME, ME, ["google", "github"], {"github": ["github"], "zoo": [], "both": ["google", "github"]}
    ),
}
SESSIONS = {
    "ended": None,
    "mine": SessionFacts("alice", "editor", AUDIENCE, ME),
    "mine, created again": SessionFacts("alice", "editor", AUDIENCE, f"{ME}#new"),
    "of an earlier object": SessionFacts("alice", "editor", AUDIENCE, f"{ME}#old"),
    "another workload's": SessionFacts("alice", "editor", AUDIENCE, "default/other"),
    "another person's": SessionFacts("bob", "editor", AUDIENCE, ME),
    "another client's": SessionFacts("alice", "chat", AUDIENCE, ME),
    "for another resource": SessionFacts("alice", "editor", f"{AUDIENCE}/b", ME),
}
SERVERS = (None, "github", "zoo", "both", "weather", AUDIENCE)
IDPS = (None, "google", "github", "gitlab")


def asked(resource: str, session: str, server: str | None, idp: str | None) -> str:
    """What the rule says: a provider's name, or the error's."""
    try:
        mine = require_owner(ME, RESOURCES[resource])
        require_session(TOKEN, SESSIONS[session], mine)
        return choose_idp(mine, TOKEN, server=server, idp=idp)
    except NotEntitled as refused:
        return refused.reason.value
    except OAuthError as refused:
        return refused.error


def allowed(resource: str, server: str | None) -> list[str] | None:
    """Whose tokens the server may have, written down by hand; None for a server that is not there."""
    match resource, server:
        case "mine with servers", "github":
            return ["github"]
        case "mine with servers", "zoo":
            return []
        case "mine with servers", "both":
            return ["google", "github"]
        case "mine with one provider", None | "https://mcp.example.com/mcp":
            return ["google"]
        case "mine alone" | "mine, created again", None | "https://mcp.example.com/mcp":
            return ["google", "github"]
    return None


def expected(resource: str, session: str, server: str | None, idp: str | None) -> str:  # noqa: PLR0911
    """The table, said again in another way."""
    if resource == "gone":
        return "unknown_resource"
    if not resource.startswith("mine"):
        return "other_owner"
    if session == "ended":
        return "no_session"
    whose = "mine, created again" if resource == "mine, created again" else "mine"
    if session in {"mine", "mine, created again", "of an earlier object", "another workload's"}:
        if session != whose:
            return "session_of_other_owner"
    elif resource == "mine, created again":
        return "session_of_other_owner"
    else:
        return "session_of_others"
    may = allowed(resource, server)
    if may is None:
        return "invalid_target"
    if idp is None:
        return may[0] if len(may) == 1 else "invalid_request"
    return idp if idp in may else "idp_not_allowed"


def combinations() -> Iterator[tuple[str, str, str | None, str | None]]:
    return itertools.product(RESOURCES, SESSIONS, SERVERS, IDPS)


def test_every_combination_of_resource_session_server_and_provider() -> None:
    outcomes = {case: asked(*case) for case in combinations()}
    assert outcomes == {case: expected(*case) for case in combinations()}
    assert {"google", "github", *(reason.value for reason in NoEntitlement)} - {"not_delegated"} <= set(
        outcomes.values()
    )


def test_owner_is_never_derived_from_a_host() -> None:
    """`gateway.evil.example` in a resource makes nobody the owner `default/gateway`."""
    entry = ResourceFacts("evil/gateway", "evil/gateway", ["github"])
    with pytest.raises(NotEntitled, match="opens no such account"):
        require_owner("default/gateway", entry)


def test_same_name_other_namespace_refused() -> None:
    with pytest.raises(NotEntitled) as refused:
        require_owner("default/github", ResourceFacts("evil/github", "evil/github", ["github"]))
    assert refused.value.reason is NoEntitlement.OTHER_OWNER


def test_errors_of_owner_session_and_provider_are_one_text() -> None:
    assert len({str(NotEntitled(reason)) for reason in NoEntitlement}) == 1


def test_an_unknown_server_is_told_only_to_the_owner() -> None:
    with pytest.raises(InvalidTarget):
        choose_idp(RESOURCES["mine with servers"], TOKEN, server="weather", idp="github")  # type: ignore[arg-type]
    assert asked("another's", "mine", "weather", "github") == "other_owner"


def test_several_providers_have_to_be_told_apart() -> None:
    with pytest.raises(InvalidRequest, match="audience"):
        choose_idp(RESOURCES["mine alone"], TOKEN, server=None, idp=None)  # type: ignore[arg-type]
