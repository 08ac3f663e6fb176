"""One endpoint's: is this call let through, and what do lists show?"""

from __future__ import annotations

from dataclasses import dataclass

from ostiary.gateway import record
from ostiary.gateway.call import Call
from ostiary.gateway.errors import Forbidden, NotPermitted, ScopesLacking
from ostiary.gateway.policy.access import USES, Access, Action, Kind
from ostiary.gateway.policy.decisions import Decisions
from ostiary.gateway.policy.live_policies import LivePolicies
from ostiary.gateway.policy.policy_set import Decision, PolicySet
from ostiary.identity.principal import Principal
from ostiary.oauth.challenge import bearer_challenge
from ostiary.secrets import Secret

NOBODY = Principal("", "", None, frozenset(), {}, float("inf"), Secret(""))
"""By whom decisions are kept about whoever calls where nobody has to say who they are."""
_NONE = b"{}"
_KINDS = dict(USES.values())
"""Action → what it is done with."""
_WORDS = {
    Action.CALL_TOOL: "call this tool",
    Action.READ_RESOURCE: "read this resource",
    Action.GET_PROMPT: "get this prompt",
    Action.COMPLETE: "ask for completions here",
    Action.LIST: "list this",
}


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a caller is told who lacks scopes. scopes: those that every token has to have here."""

    resource_metadata: str
    scopes: tuple[str, ...]


class Authorizer:
    """By the policies at hand. decisions: of all endpoints together; challenge: None without tokens."""

    def __init__(self, policies: LivePolicies, decisions: Decisions, challenge: Challenge | None) -> None:
        self._policies = policies
        self._decisions = decisions
        self._challenge = challenge

    def lets_through(self, principal: Principal | None, access: Access) -> bool:
        """Whether it was decided before that this is allowed, whatever the arguments."""
        decided = (principal or NOBODY).worked_out.get(self._decisions)
        if decided is None or decided.by is not self._policies.current():
            return False
        decision: Decision | None = decided.get(access)
        return decision is not None and decision.is_allowed and not decision.is_for_now

    def reads_hints(self, access: Access) -> bool:
        """Whether what the server says of this tool has to be known first."""
        return self._policies.current().reads_hints(access)

    def require(self, call: Call, access: Access) -> None:
        """Let this through, with the arguments that it has. Raises NotPermitted, ScopesLacking."""
        policies = self._policies.current()
        foreseen = self._foreseen(policies, call.principal, access)
        arguments = call.message.params.get("arguments", _NONE)
        decision = policies.settle(foreseen, call.principal, access, arguments)
        if not decision.is_allowed:
            raise self._refusal(access, decision, policies)

    def require_task(self, call: Call, server: str, permitted: tuple[str, str] | None) -> None:
        """Let this ask for what a call has become, whose arguments were looked at. Raises as `require`.

        permitted: as of the call that it was.
        """
        action, name = permitted or (Action.CALL_TOOL, "")
        access = Access(Action(action), _KINDS[Action(action)], server, name)
        policies = self._policies.current()
        decision = self._foreseen(policies, call.principal, access)
        if not decision.is_allowed:
            raise self._refusal(access, decision, policies)

    def allows(self, principal: Principal | None, access: Access) -> bool:
        """Whether this could be let through."""
        return self._foreseen(self._policies.current(), principal, access).is_allowed

    def shows(self, principal: Principal | None, access: Access) -> bool:
        """Whether lists have it. access: its use."""
        policies = self._policies.current()
        if not policies.speaks_of_lists and access.kind is not Kind.SERVER:
            foreseen = self._foreseen(policies, principal, access)
            return foreseen.is_allowed or bool(foreseen.scopes)
        decided = self._decisions.of(principal or NOBODY, policies)
        listing = access._replace(action=Action.LIST)
        shown: bool | None = decided.get(listing)
        if shown is None:
            shown = policies.shows(principal, access)
            self._decisions.keep(decided, listing, shown)
        return shown

    def _foreseen(self, policies: PolicySet, principal: Principal | None, access: Access) -> Decision:
        decided = self._decisions.of(principal or NOBODY, policies)
        decision: Decision | None = decided.get(access)
        if decision is None:
            decision = policies.foresee(principal, access)
            self._decisions.keep(decided, access, decision)
        return decision

    def _refusal(self, access: Access, decision: Decision, policies: PolicySet) -> Forbidden:
        error = self._told(access, decision, policies)
        error.policies = tuple(decision.policies)
        return error

    def _told(self, access: Access, decision: Decision, policies: PolicySet) -> Forbidden:
        detail = decision.fault or ("" if decision.policies else "no policy permits it")
        record.not_permitted(access.action, access.server, decision.policies, detail)
        if decision.scopes and self._challenge is not None:
            return self._lacking(decision.scopes, self._challenge)
        reasons = [reason for name in decision.policies if (reason := policies[name].reason) is not None]
        reason = "; ".join(reasons) or decision.fault
        said = f"you may not {_WORDS[access.action]}"
        return NotPermitted(
            f"{said}: {reason}" if reason else f"{said}: no policy lets you",
            data={"reason": reason} if reason else None,
        )

    def _lacking(self, scopes: tuple[str, ...], challenge: Challenge) -> ScopesLacking:
        wanted = tuple(dict.fromkeys((*challenge.scopes, *scopes)))
        error = ScopesLacking(
            f"your token lacks scopes: this needs {' '.join(wanted)}", data={"scopes": wanted}
        )
        header = bearer_challenge(
            resource_metadata=challenge.resource_metadata,
            scopes=wanted,
            error="insufficient_scope",
            description="the token lacks scopes for this",
        )
        error.headers = b"www-authenticate: %s\r\n" % header.encode("latin-1")
        return error
