"""What alembic runs: all steps on the connection, and in the transaction, that database.py hands over."""

from alembic import context

from labeling.review.ledger.tables import METADATA

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=METADATA, version_table="ledger_version")
context.run_migrations()
