"""Networks, losses, loaders and training loops. Runs on a bare machine with torch: no Dagster, MLflow or AWS here."""
