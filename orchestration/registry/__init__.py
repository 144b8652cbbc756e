"""MLflow and the ledger: registered versions, tracked runs, and moving the champion alias with its record."""
