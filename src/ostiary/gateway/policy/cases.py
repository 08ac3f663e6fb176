"""What policies should decide, written down: the cases of `ostiary policy test`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

import msgspec
from pydantic import Field, model_validator

from ostiary.gateway.policy.access import UNSAID, Access, Action, Kind, read_hints
from ostiary.gateway.policy.policy_set import Decision, PolicySet
from ostiary.identity.principal import Principal
from ostiary.oauth.jwt_claims import client_of, scopes_of
from ostiary.secrets import Secret
from ostiary.settings import Fault, Settings, refuse
from ostiary.suggestions import suggestion

_KINDS = {"tool": Kind.TOOL, "prompt": Kind.PROMPT, "resource": Kind.RESOURCE}
_ACTIONS = {Kind.TOOL: Action.CALL_TOOL, Kind.PROMPT: Action.GET_PROMPT, Kind.RESOURCE: Action.READ_RESOURCE}


class PolicyCase(Settings):
    """Who asks for what, and what should come of it. The thing is named by its server's own name."""

    name: str | None = None
    """What the case is about, for people. Default: what is asked for."""
    principal: str | dict[str, Any] | None = None
    """Who asks: one of `principals`, or the claims of a token. Default: nobody in particular."""
    action: Literal["call_tool", "read_resource", "get_prompt", "complete", "list"] | None = None
    """What is done. Default: a tool is called, a prompt got, a resource read. With `list`, whether lists show
    the thing; of a server alone, whether it is asked for lists."""
    server: str
    """The server, by its name under `gateway.servers`."""
    tool: str | None = None
    """The tool that it is about."""
    prompt: str | None = None
    """The prompt that it is about."""
    resource: str | None = None
    """The URI of the resource that it is about."""
    hints: dict[str, bool] = {}
    """What the server says of its tool, such as `readOnlyHint: true`. Default: nothing, as of a tool
    that destroys."""
    arguments: dict[str, Any] = {}
    """With which arguments."""
    expect: Literal["allow", "deny"]
    """What should come of it."""
    by: str | None = None
    """By which policy: its `@id`, or FILE:LINE."""
    scopes: list[str] | None = None
    """The scopes that a token is said to lack."""

    @model_validator(mode="after")
    def _is_about_one_thing(self) -> Self:
        refuse(self._faults())
        return self

    def _faults(self) -> Iterator[Fault]:
        named = [name for name in _KINDS if getattr(self, name) is not None]
        if len(named) > 1:
            yield (named[1],), f"a case is about one thing, and has {named[0]} already"
        if not named and self.action != "list":
            yield (), "say what it is about: tool, prompt or resource"
        for hint in self.hints.keys() - UNSAID.told().keys():
            yield ("hints", hint), f"MCP has no such hint; {suggestion(hint, UNSAID.told())}"

    @property
    def access(self) -> Access:
        """What is asked for; of a list, what is done with what it shows."""
        for name, kind in _KINDS.items():
            own = getattr(self, name)
            if own is not None:
                said = None if self.action in {None, "list"} else self.action
                action = _ACTIONS[kind] if said is None else Action(said)
                return Access(action, kind, self.server, own, read_hints(self.hints))
        return Access(Action.LIST, Kind.SERVER, self.server)

    @property
    def title(self) -> str:
        """In words."""
        thing = self.access
        return self.name or f'{self.action or thing.action} {thing.kind}::"{thing.entity_id}"'

    def decision(self, policies: PolicySet, principal: Principal | None) -> Decision:
        """What comes of it."""
        if self.action == "list":
            return Decision(policies.shows(principal, self.access))
        foreseen = policies.foresee(principal, self.access)
        return policies.settle(foreseen, principal, self.access, msgspec.json.encode(self.arguments))

    def misses(self, decision: Decision) -> str | None:
        """What is otherwise than it should be."""
        came = "allow" if decision.is_allowed else "deny"
        if came != self.expect:
            return f"it came to {came}{'' if decision.fault is None else f': {decision.fault}'}"
        if self.by is not None and self.by not in decision.policies:
            return f"it came so by {', '.join(decision.policies) or 'no policy'}"
        if self.scopes is not None and set(self.scopes) != set(decision.scopes):
            return f"it lacks {' '.join(decision.scopes) or 'no scopes'}"
        return None


class PolicyCases(Settings):
    """What the policies of a gateway should decide."""

    principals: dict[str, dict[str, Any]] = {}
    """Callers, by a name for them: the claims of their tokens."""
    cases: Annotated[list[PolicyCase], Field(min_length=1)]
    """Each is decided by itself."""

    @model_validator(mode="after")
    def _principals_are_there(self) -> Self:
        refuse(
            (
                (("cases", number, "principal")),
                f"there is no such principal; {suggestion(who, self.principals)}",
            )
            for number, case in enumerate(self.cases)
            if isinstance(who := case.principal, str) and who not in self.principals
        )
        return self

    def principal_of(self, case: PolicyCase) -> Principal | None:
        """Who asks in this case."""
        said = case.principal
        claims = self.principals[said] if isinstance(said, str) else said
        return None if claims is None else principal_of_claims(claims)


def principal_of_claims(claims: Mapping[str, Any]) -> Principal:
    """Who has a token with these claims, once it was verified."""
    issuer, subject = claims.get("iss"), claims.get("sub")
    return Principal(
        issuer if isinstance(issuer, str) else "",
        subject if isinstance(subject, str) else "",
        client_of(claims),
        scopes_of(claims),
        MappingProxyType(dict(claims)),
        float("inf"),
        Secret(""),
    )
