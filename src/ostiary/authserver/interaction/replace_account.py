"""Another account than the connected one came back: the person says which one it shall be."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.interaction.advance import go_on
from ostiary.authserver.interaction.browser_request import Visit
from ostiary.authserver.interaction.change import change_as_seen
from ostiary.authserver.interaction.form_submission import read_posted, undecided, walk_form
from ostiary.authserver.interaction.interaction_state import Choice, Chosen, WalkRecord
from ostiary.authserver.interaction.interaction_view import Standing
from ostiary.authserver.interaction.login_result import label_before
from ostiary.authserver.interaction.next_step import Step
from ostiary.authserver.pages import ReplaceAccount
from ostiary.authserver.services import Parts
from ostiary.oauth.server.errors import ServerError


async def replace(request: Request, parts: Parts) -> Response:
    """`POST /oauth/replace`. Raises PageRefused, OAuthError, StorageError."""
    posted = await read_posted(request, parts, field="decision")
    if not posted.is_about(Step.REPLACE):
        return posted.shown_again()
    if posted.decision not in {"replace", "keep"}:
        raise undecided("decision")
    alter = _replaced if posted.decision == "replace" else _kept
    after = await change_as_seen(posted.visit, posted.standing, alter)
    return posted.shown_again() if after is None else await go_on(posted.visit, after)


def replace_page(visit: Visit, standing: Standing) -> ReplaceAccount:
    """Both accounts, by the names that people know."""
    offered = standing.record.offered
    if offered is None:
        raise ServerError("no account is offered", detail="the page was asked for at another step")
    idp = visit.parts.idps.get(offered.idp)
    return ReplaceAccount(
        idp=idp.display_name if idp else offered.idp,
        connected=label_before(standing.record, offered.idp, standing.known),
        offered=offered.label or offered.account,
        form=walk_form(visit, standing, "/oauth/replace"),
    )


def _replaced(standing: Standing) -> WalkRecord:
    record, offered = standing.record, standing.record.offered
    if offered is None:
        return record
    replaced = record.replaced
    if offered.idp in standing.known.accounts:
        replaced = tuple(dict.fromkeys([*replaced, offered.idp]))
    return msgspec.structs.replace(record.connecting(offered), replaced=replaced)


def _kept(standing: Standing) -> WalkRecord:
    """What came back is dropped; an account that works no more is asked for again."""
    record, offered = standing.record, standing.record.offered
    if offered is None:
        return record
    if record.account(offered.idp) is not None:
        return msgspec.structs.replace(record, offered=None)
    before = label_before(record, offered.idp, standing.known)
    return record.choosing(Choice(offered.idp, Chosen.KEPT, f"You kept {before}. Sign in with that account."))
