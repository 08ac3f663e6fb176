"""How the tables came to be as they are: Alembic's environment, and a file a step in `versions/`."""
