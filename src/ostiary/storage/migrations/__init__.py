"""How the tables came to be as they are: Alembic.

env       its environment
versions  a file a step
"""
