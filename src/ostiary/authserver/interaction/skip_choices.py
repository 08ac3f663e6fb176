"""Accounts that were skipped or refused are remembered, and shown at the page of connected accounts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from ostiary.authserver.interaction.interaction_state import Choice, Chosen
from ostiary.storage.schema import idp_choices

LONGEST_REASON = 300

_row = idp_choices.c


@dataclass(frozen=True, slots=True)
class MadeChoice:
    """An account that was not connected, and why."""

    owner: str
    idp: str
    chosen: Chosen
    reason: str
    made_at: float


def remembered_choices(connection: Connection, user_id: str, owner: str) -> dict[str, Choice]:
    """By the providers' names."""
    rows = connection.execute(
        select(_row.idp, _row.choice, _row.reason).where(_row.user_id == user_id, _row.owner == owner)
    )
    return {row.idp: Choice(row.idp, Chosen(row.choice), row.reason) for row in rows}


def choices_of_user(connection: Connection, user_id: str) -> list[MadeChoice]:
    """All that somebody made, the oldest first."""
    query = select(idp_choices).where(_row.user_id == user_id).order_by(_row.made_at)
    return [
        MadeChoice(row.owner, row.idp, Chosen(row.choice), row.reason, row.made_at)
        for row in connection.execute(query)
    ]


def remember_choices(
    connection: Connection, user_id: str, owner: str, choices: Iterable[Choice], *, now: float
) -> None:
    """In place of what was remembered of the same accounts."""
    for choice in choices:
        forget_choice(connection, user_id, owner, choice.idp)
        connection.execute(
            insert(idp_choices).values(
                user_id=user_id,
                owner=owner,
                idp=choice.idp,
                choice=choice.chosen.value,
                reason=choice.reason[:LONGEST_REASON],
                made_at=now,
            )
        )


def forget_choice(connection: Connection, user_id: str, owner: str, idp: str) -> None:
    """Its account is connected now, or is to be asked for again."""
    connection.execute(
        delete(idp_choices).where(_row.user_id == user_id, _row.owner == owner, _row.idp == idp)
    )
