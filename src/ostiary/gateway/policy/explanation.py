"""Why policies decide as they do: what each of them asks for, and what of it is not so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cedarpy

from ostiary.gateway.policy.access import Access, Action
from ostiary.gateway.policy.entities import principal_entity, thing_entity
from ostiary.gateway.policy.expressions import Expression, conjuncts, every, ways
from ostiary.gateway.policy.policy_set import Policy, PolicySet, engine_set
from ostiary.gateway.policy.reading import claims_read
from ostiary.identity.principal import Principal

_CLAIMS = {"groups": "groups", "client": "client_id", "scopes": "scope"}
"""Attribute of a principal → the claim that it comes from."""
_NEEDLESS = re.compile(r"(?<![\w\"])\(([a-z]\w*(?:\.\w+)*)\)")
"""Brackets around a way from a variable, as Cedar writes them."""
_OPEN, _CLOSE = " when { ", " };"


@dataclass(frozen=True, slots=True)
class Considered:
    """One policy that may have a say. failing: what it asks for and is not so; None where it applies.

    lacking: what the caller's token does not say, and the policy asks for there.
    """

    policy: Policy
    failing: str | None
    lacking: tuple[str, ...] = ()


def consider(
    policies: PolicySet, principal: Principal | None, access: Access, arguments: dict[str, Any]
) -> list[Considered]:
    """Each policy whose first line takes this in. arguments: those that policies read."""
    looking = _Looking(policies, principal, access, arguments)
    return [looking.at(policy) for policy in policies.about(access)]


class _Looking:
    def __init__(
        self, policies: PolicySet, principal: Principal | None, access: Access, arguments: dict[str, Any]
    ) -> None:
        self._principal = principal
        self._who = principal_entity(principal, policies.claims)
        self._entities = json.dumps([self._who, thing_entity(access)])
        has_arguments = access.action in {Action.CALL_TOOL, Action.GET_PROMPT}
        self._request = {
            "principal": self._who["uid"],
            "action": {"type": "Action", "id": str(access.action)},
            "resource": {"type": str(access.kind), "id": access.entity_id},
            "context": json.dumps({"arguments": arguments} if has_arguments else {}),
        }

    def at(self, policy: Policy) -> Considered:
        """By the first of what it asks for that is not so: what comes after may rest on it."""
        if not self._holds(policy.cedar["principal"], []):
            who = policy.cedar["principal"]
            lacking = tuple(self._lacking_groups()) if who["op"] == "in" else ()
            return Considered(policy, f"principal {_scope_text(who)}", lacking)
        for condition in policy.cedar["conditions"]:
            parts = conjuncts(condition["body"]) if condition["kind"] == "when" else [condition["body"]]
            for part in parts:
                if not self._holds({"op": "All"}, [{"kind": condition["kind"], "body": part}]):
                    said = _text(part)
                    failing = said if condition["kind"] == "when" else f"unless {said}"
                    return Considered(policy, failing, tuple(dict.fromkeys(self._lacking(part))))
        return Considered(policy, None)

    def _holds(self, who: dict[str, Any], conditions: list[dict[str, Any]]) -> bool:
        policy = {
            "effect": "permit",
            "principal": who,
            "action": {"op": "All"},
            "resource": {"op": "All"},
            "conditions": conditions,
        }
        try:
            answer = cedarpy.is_authorized(self._request, engine_set({"one": policy}), self._entities)
        except ValueError:
            return False
        return answer.allowed

    def _lacking(self, part: Expression) -> Iterator[str]:
        """What the token does not say, of all that is asked for."""
        for claim in sorted(claims_read([part])):
            if claim not in self._who.get("tags", {}):
                yield f"the token has no claim {claim}"
        for name in dict.fromkeys(way[1] for way in ways(part) if way[0] == "principal"):
            if name == "email" and "email" not in self._who["attrs"]:
                yield from self._lacking_email()
            elif name in _CLAIMS and not self._who["attrs"].get(name):
                yield f"the token has no claim {_CLAIMS[name]}"
        if any("in" in one for one in every(part)):
            yield from self._lacking_groups()

    def _lacking_groups(self) -> Iterator[str]:
        if not self._who["attrs"]["groups"]:
            yield "the token has no claim groups"

    def _lacking_email(self) -> Iterator[str]:
        claims = {} if self._principal is None else self._principal.claims
        yield "its claim email_verified is not true" if "email" in claims else "the token has no claim email"


def _scope_text(scope: dict[str, Any]) -> str:
    if scope["op"] == "is":
        return f"is {scope['entity_type']}"
    entity = scope["entity"]
    return f"{scope['op']} {entity['type']}::{json.dumps(entity['id'], ensure_ascii=False)}"


def _text(expression: Expression) -> str:
    """As Cedar writes it."""
    policy = {
        "effect": "permit",
        "principal": {"op": "All"},
        "action": {"op": "All"},
        "resource": {"op": "All"},
        "conditions": [{"kind": "when", "body": expression}],
    }
    whole = {"templates": {}, "templateLinks": [], "staticPolicies": {"one": policy}}
    said = cedarpy.policies_from_json_str(json.dumps(whole)).strip()
    said = said.partition(_OPEN)[2].removesuffix(_CLOSE)
    while (plainer := _NEEDLESS.sub(r"\1", said)) != said:
        said = plainer
    return said
