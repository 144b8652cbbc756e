"""The ledger's history: how a database of an earlier version comes to have today's tables. See database.py."""
