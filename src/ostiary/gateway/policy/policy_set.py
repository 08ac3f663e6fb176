"""One whole set of policies, and what it decides.

Nothing is allowed that no policy permits; a policy that forbids has the last word; and where one cannot be
evaluated, which Cedar passes over, all is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import cedarpy

from ostiary.gateway.policy.access import LONGEST_NAME, Access, Action, Kind, is_roundabout
from ostiary.gateway.policy.arguments import ArgumentsRefused, Types, read_values
from ostiary.gateway.policy.entities import principal_entity, thing_entity
from ostiary.gateway.policy.loosening import ARGUMENTS, THINGS, loosened
from ostiary.identity.principal import Principal
from ostiary.mcp.raw_object import Raw

MOST_ENGINES = 1024
"""Choices of policies that are kept ready: what many things have in common is one choice."""
_NO_ARGUMENTS = json.dumps({"arguments": {}})
_WITH_ARGUMENTS = frozenset({Action.CALL_TOOL, Action.GET_PROMPT})
_OF_SERVER = (Action.CALL_TOOL, Action.READ_RESOURCE, Action.GET_PROMPT, Action.COMPLETE)


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy. cedar: in Cedar's JSON; arguments, claims, scopes: those that it reads, by name."""

    id: str
    file: str
    line: int
    text: str
    cedar: dict[str, Any]
    arguments: frozenset[str] = frozenset()
    claims: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    reads_hints: bool = False

    @property
    def is_forbid(self) -> bool:
        """Whether it forbids."""
        return bool(self.cedar["effect"] == "forbid")

    @property
    def reason(self) -> str | None:
        """What its writer wants callers to hear."""
        return self.cedar.get("annotations", {}).get("reason") or None

    @property
    def actions(self) -> frozenset[str] | None:
        """Those that it names; None for all."""
        scope = self.cedar["action"]
        if scope["op"] == "All":
            return None
        named = scope["entities"] if "entities" in scope else [scope["entity"]]
        return frozenset(one["id"] for one in named)

    @property
    def named(self) -> tuple[str, str] | None:
        """Type and id of the thing, or server, that its first line names; None for all."""
        scope = self.cedar["resource"]
        entity = scope.get("entity") or scope.get("in", {}).get("entity")
        return None if entity is None else (entity["type"], entity["id"])

    def is_of(self, action: Action, kind: Kind) -> bool:
        """Whether its first line takes in this action, and things of this kind."""
        if self.actions is not None and action not in self.actions:
            return False
        scope = self.cedar["resource"]
        return bool(scope["op"] != "is" or scope["entity_type"] == kind)


@dataclass(frozen=True, slots=True)
class Decision:
    """policies: the ids of those that decided; none where nothing permits it.

    scopes: all that a token needs for it, where that is all that it lacks; is_for_now: the arguments of each
    call are still to be looked at.
    """

    is_allowed: bool
    policies: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    fault: str | None = None
    """Why nothing could be decided."""
    is_for_now: bool = False


class PolicySet:
    """Policies that were validated together.

    arguments: those that any of them reads, and as what; generation: how many sets there were before.
    """

    def __init__(
        self, policies: Sequence[Policy], arguments: Types, schema: cedarpy.Schema, generation: int = 0
    ) -> None:
        self.policies = policies
        self.arguments = arguments
        self.generation = generation
        self._schema = schema
        self._by_id = {policy.id: policy for policy in policies}
        self._by_named: dict[tuple[str, str] | None, list[Policy]] = {}
        for policy in policies:
            self._by_named.setdefault(policy.named, []).append(policy)
        self._engine = lru_cache(maxsize=MOST_ENGINES)(self._engine_of)

    def __getitem__(self, policy_id: str) -> Policy:
        return self._by_id[policy_id]

    @cached_property
    def claims(self) -> frozenset[str]:
        """The claims that any policy reads."""
        return frozenset(claim for policy in self.policies for claim in policy.claims)

    @cached_property
    def speaks_of_lists(self) -> bool:
        """Whether any policy is about listing by name."""
        return bool(self._listing)

    def about(self, access: Access) -> list[Policy]:
        """The policies whose first line takes this in: only these may have a say."""
        places = (None, (str(Kind.SERVER), access.server), (str(access.kind), access.entity_id))
        return [
            policy
            for place in dict.fromkeys(places)
            for policy in self._by_named.get(place, ())
            if policy.is_of(access.action, access.kind)
        ]

    def arguments_of(self, access: Access) -> Types:
        """The arguments that these read, and as what."""
        names = {name for policy in self.about(access) for name in policy.arguments}
        return {name: kind for name, kind in self.arguments.items() if name in names} if names else {}

    def reads_hints(self, access: Access) -> bool:
        """Whether a policy about it reads what the server says of its tool."""
        return access.kind is Kind.TOOL and any(policy.reads_hints for policy in self.about(access))

    def decide(self, principal: Principal | None, access: Access, arguments: Mapping[str, Any]) -> Decision:
        """Whether this is allowed, with these arguments of `arguments_of`."""
        context = json.dumps({"arguments": arguments}) if access.action in _WITH_ARGUMENTS else "{}"
        engine = self._engine(frozenset(), *self._ids_about(access))
        return self._decide(_Question(engine, self._schema, principal, access, context))

    def foresee(self, principal: Principal | None, access: Access) -> Decision:
        """Whether this could be allowed, whatever the arguments."""
        if access.kind is Kind.SERVER:
            return self._foresee_server(principal, access)
        context = _NO_ARGUMENTS if access.action in _WITH_ARGUMENTS else "{}"
        engine = self._engine(ARGUMENTS, *self._ids_about(access))
        decision = self._decide(_Question(engine, self._schema, principal, access, context))
        return replace(decision, is_for_now=bool(self.arguments_of(access)))

    def settle(
        self, foreseen: Decision, principal: Principal | None, access: Access, arguments: Raw
    ) -> Decision:
        """The decision on one call of which this was foreseen. arguments: as it has them, in JSON."""
        if not (foreseen.is_allowed and foreseen.is_for_now):
            return foreseen
        try:
            values = read_values(arguments, self.arguments_of(access))
        except ArgumentsRefused as refused:
            return Decision(is_allowed=False, fault=str(refused))
        return self.decide(principal, access, values)

    def shows(self, principal: Principal | None, access: Access) -> bool:
        """Whether lists have it: what could be used, also with more scopes, unless a policy says otherwise.

        access: its use. For a server, whether it is asked for lists at all.
        """
        if self.speaks_of_lists:
            listing = access._replace(action=Action.LIST)
            engine = self._engine(frozenset(), *self._listing)
            said = self._ask(_Question(engine, self._schema, principal, listing, "{}"))
            if said.is_allowed or said.policies or said.fault:
                return said.is_allowed
        foreseen = self.foresee(principal, access)
        return foreseen.is_allowed or bool(foreseen.scopes)

    def _foresee_server(self, principal: Principal | None, access: Access) -> Decision:
        decision = Decision(is_allowed=False)
        for action in _OF_SERVER:
            asked = access._replace(action=action)
            engine = self._engine(THINGS, *self._by_id)
            decision = self._decide(_Question(engine, None, principal, asked, "{}"))
            if decision.is_allowed or decision.scopes:
                break
        return decision

    def _decide(self, question: _Question) -> Decision:
        decision = self._ask(question)
        if decision.is_allowed or decision.fault or question.principal is None:
            return decision
        return replace(decision, scopes=self._lacking(question))

    def _lacking(self, question: _Question) -> tuple[str, ...]:
        """The scopes with which it would be allowed, none of them needless; nothing where none would help."""
        named = {scope for policy in self._named_in(question.access) for scope in policy.scopes}
        assert question.principal is not None  # noqa: S101 - for the type checker
        own = question.principal.scopes
        if named <= own or not self._ask(replace(question, scopes=own | named)).is_allowed:
            return ()
        others = own - named
        for scope in sorted(named):
            if self._ask(replace(question, scopes=others | named - {scope})).is_allowed:
                named.discard(scope)
        return tuple(sorted(named))

    def _named_in(self, access: Access) -> Iterable[Policy]:
        if access.kind is Kind.SERVER:
            return self.policies
        return self.about(access)

    def _ask(self, question: _Question) -> Decision:
        if len(question.access.name) > LONGEST_NAME:
            return Decision(is_allowed=False, fault=f"its name has more than {LONGEST_NAME} characters")
        if question.access.kind is Kind.RESOURCE and is_roundabout(question.access.name):
            return Decision(is_allowed=False, fault="write its URI without . and .. on the way")
        who = principal_entity(question.principal, self.claims, question.scopes)
        try:
            answer = cedarpy.is_authorized(
                {
                    "principal": who["uid"],
                    "action": {"type": "Action", "id": str(question.access.action)},
                    "resource": {"type": str(question.access.kind), "id": question.access.entity_id},
                    "context": question.context,
                },
                question.policies,
                json.dumps([who, thing_entity(question.access)]),
                question.schema,
            )
        except ValueError:  # half characters, which Cedar's text cannot have, are an error of this kind, too
            return Decision(is_allowed=False, fault="it has characters that no policy can compare")
        errors = answer.diagnostics.errors
        if errors or answer.decision is cedarpy.Decision.NoDecision:
            return Decision(is_allowed=False, fault="a policy could not be evaluated")
        return Decision(answer.allowed, tuple(answer.diagnostics.reasons))

    def _ids_about(self, access: Access) -> Iterable[str]:
        return (policy.id for policy in self.about(access))

    @cached_property
    def _listing(self) -> list[str]:
        return [policy.id for policy in self.policies if Action.LIST in (policy.actions or ())]

    def _engine_of(self, unknown: frozenset[str], *ids: str) -> cedarpy.PolicySet:
        """Some of the policies, for Cedar's engine, while these variables are not known."""
        loose = {name: loosened(self._by_id[name].cedar, unknown) for name in ids}
        return engine_set({name: cedar for name, cedar in loose.items() if cedar is not None})


@dataclass(frozen=True, slots=True)
class _Question:
    """One that Cedar is asked. scopes: as if the token had these."""

    policies: cedarpy.PolicySet
    schema: cedarpy.Schema | None
    principal: Principal | None
    access: Access
    context: str
    scopes: frozenset[str] | None = None


def engine_set(policies: Mapping[str, dict[str, Any]]) -> cedarpy.PolicySet:
    """Policies in Cedar's JSON, by their ids, for its engine. Raises ValueError."""
    whole = {"templates": {}, "templateLinks": [], "staticPolicies": policies}
    return cedarpy.PolicySet.from_json_str(json.dumps(whole))
