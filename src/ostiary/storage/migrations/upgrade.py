"""Bring a store up to date.

A new one is made as the tables are now, and one that is up to date is found so; Alembic is not even imported
there, for it takes longer than all the rest of a start.
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    insert,
    inspect,
    select,
)

from ostiary.storage.migrations import NEWEST
from ostiary.storage.schema import metadata

_steps_taken = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""As Alembic makes it."""


def upgrade(connection: Connection) -> None:
    """On a connection of whoever commits."""
    if not inspect(connection).has_table(_steps_taken.name):
        metadata.create_all(connection, checkfirst=False)
        _steps_taken.create(connection)
        connection.execute(insert(_steps_taken).values(version_num=NEWEST))
    elif connection.execute(select(_steps_taken)).scalar() != NEWEST:
        take_steps(connection, NEWEST)


def take_steps(connection: Connection, last: str) -> None:
    """Those that are left, up to this one."""
    import alembic.command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415

    if not connection.in_transaction():
        connection.begin()  # else Alembic would, and commit what is not its own
    config = Config()
    config.set_main_option("script_location", "ostiary.storage:migrations")
    config.attributes["connection"] = connection
    alembic.command.upgrade(config, last)
