"""
How the tables came to be as they are (Alembic), from the first one on.

A node migrates its own database at the start, under its lock. A change of a table is a
new file in `versions`; `tests/node/test_migrations.py` fails while the two differ.
"""
