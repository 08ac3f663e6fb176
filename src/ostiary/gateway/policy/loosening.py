"""A policy while something is not known yet: what it would allow at most.

A list is shown before anybody says with which arguments they will call, and a server is asked for its lists
before anybody knows what is in them. What could be allowed then is shown; each call is decided by itself.
"""

from __future__ import annotations

from typing import Any

from ostiary.gateway.policy.expressions import Expression, conjuncts, is_about

ARGUMENTS = frozenset({"context"})
"""Unknown in a list."""
THINGS = frozenset({"context", "resource"})
"""Unknown before a list."""


def loosened(policy: dict[str, Any], unknown: frozenset[str]) -> dict[str, Any] | None:
    """The policy in Cedar's JSON without what depends on these variables; None where it may never apply.

    A permit permits all that it could; a forbid forbids what it forbids in any case.
    """
    if not unknown:
        return policy
    conditions = policy["conditions"]
    if policy["effect"] == "forbid" and any(is_about(one["body"], unknown) for one in conditions):
        return None
    resource = _of_server(policy) if "resource" in unknown else policy["resource"]
    if resource is None:
        return None
    kept = [known for one in conditions if (known := _known(one, unknown)) is not None]
    return {**policy, "resource": resource, "conditions": kept}


def _known(condition: dict[str, Any], unknown: frozenset[str]) -> dict[str, Any] | None:
    if not is_about(condition["body"], unknown):
        return condition
    if condition["kind"] == "unless":
        return None
    known = [one for one in conjuncts(condition["body"]) if not is_about(one, unknown)]
    return {"kind": "when", "body": _all_of(known)} if known else None


def _all_of(expressions: list[Expression]) -> Expression:
    whole, *others = expressions
    for one in others:
        whole = {"&&": {"left": whole, "right": one}}
    return whole


def _of_server(policy: dict[str, Any]) -> dict[str, Any] | None:
    """The resource that a policy is about, as a server with it; None where that forbids only a part of it."""
    resource: dict[str, Any] = policy["resource"]
    is_part = resource["op"] == "is" or resource.get("entity", {}).get("type") not in {None, "Server"}
    if not is_part:
        return resource
    if policy["effect"] == "forbid":
        return None
    if resource["op"] == "is":
        return {"op": "in", **resource["in"]} if "in" in resource else {"op": "All"}
    server = resource["entity"]["id"].partition("/")[0]
    return {"op": "==", "entity": {"type": "Server", "id": server}}
