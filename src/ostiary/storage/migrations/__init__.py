"""How the tables came to be as they are: Alembic.

upgrade   a new store, and one of an earlier version
env       its environment
versions  a file a step
"""

NEWEST = "0004"
"""The last step."""
