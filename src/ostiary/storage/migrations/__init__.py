"""How the tables came to be as they are: Alembic.

env       its environment
versions  a file a step
"""

NEWEST = "0003"
"""The last step."""
