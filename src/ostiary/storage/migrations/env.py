"""Alembic runs this: take the steps on the connection that it was given. Whoever gave it commits."""

from __future__ import annotations

from alembic import context

from ostiary.storage.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
