"""Dagster's daemon, as `python -m orchestration.runtime.daemon run -w FILE`.

Belongs here: starting it with what Dagster offers no setting for. Not here: who starts it and watches it
(infra/local/dagster_services.py, services.py).
"""

from orchestration.runtime.dagster_private import keep_backfills_while_code_loads, run_daemon
from orchestration.runtime.migration_folders import find_migrations_once

if __name__ == "__main__":
    find_migrations_once()
    keep_backfills_while_code_loads()
    run_daemon()
