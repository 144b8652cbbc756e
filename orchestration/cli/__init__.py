"""The `selvedge` command, one module a subject. Dagster and MLflow are imported only in commands that need them."""
