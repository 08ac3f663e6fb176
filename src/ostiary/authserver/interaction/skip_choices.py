"""Legs that were skipped, refused or failed are remembered, and shown at the page of connected accounts."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, delete, insert, select

from ostiary.authserver.interaction.interaction_state import Choice, Chosen
from ostiary.storage.schema import idp_choices

LONGEST_REASON = 300

_row = idp_choices.c


def remembered_choices(connection: Connection, user_id: str, owner: str) -> dict[str, Choice]:
    """By the providers' names."""
    rows = connection.execute(
        select(_row.idp, _row.choice, _row.reason).where(_row.user_id == user_id, _row.owner == owner)
    )
    return {row.idp: Choice(row.idp, Chosen(row.choice), row.reason) for row in rows}


def remember_choices(
    connection: Connection, user_id: str, owner: str, choices: Iterable[Choice], *, now: float
) -> None:
    """In place of what was remembered of the same legs."""
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
