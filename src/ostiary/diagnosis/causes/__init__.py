"""The rules, read from the way there to the call itself; the first that fits is the cause.

reach       no answer at all
first_look  the answer says that it is something else
no_token    the credential could not be had
token       what is wrong with the token that was sent
refusal     what the server, or Google before it, has against its holder
answer      let in, and it still does not work
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.diagnosis.causes import answer, first_look, no_token, reach, refusal, token

if TYPE_CHECKING:
    from ostiary.diagnosis.diagnosis import Diagnosis, Rule
    from ostiary.diagnosis.evidence import Evidence

RULES: tuple[Rule, ...] = (
    reach.proxy_refuses,
    reach.name_is_unknown,
    reach.nothing_listens,
    reach.certificate_is_not_trusted,
    reach.tls_fails,
    reach.nobody_answers,
    first_look.people_sign_in_there,
    first_look.server_has_moved,
    first_look.too_many_calls,
    first_look.server_is_broken,
    no_token.clock_is_wrong,
    no_token.credential_is_unavailable,
    no_token.credential_was_only_found_by_us,
    first_look.identity_aware_proxy_is_in_front,
    first_look.front_end_refuses,
    answer.mcp_is_at_another_path,
    answer.nothing_is_at_this_path,
    answer.gateway_cannot_get_further,
    answer.server_speaks_another_era,
    answer.server_answers_with_an_error,
    answer.it_is_no_mcp_server,
    no_token.no_credential_was_sent,
    token.scope_is_missing,
    token.it_is_in_the_wrong_header,
    token.server_reads_no_bearer_token,
    token.its_signature_was_removed,
    token.it_is_not_signed,
    token.our_clock_is_behind,
    token.it_has_expired,
    token.it_is_not_valid_yet,
    token.it_is_an_access_token,
    token.it_is_an_id_token,
    token.it_is_a_persons,
    token.it_is_from_another_issuer,
    token.it_is_for_another_audience,
    token.it_is_opaque,
    refusal.clocks_differ,
    refusal.caller_is_no_invoker,
    refusal.caller_may_not,
    refusal.token_is_not_taken,
    answer.gateway_lacks_servers,
)


def diagnose(evidence: Evidence) -> Diagnosis | None:
    """The cause; None when the call works."""
    return next((found for rule in RULES if (found := rule(evidence)) is not None), None)
