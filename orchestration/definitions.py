"""The code location: what `dagster dev` and the daemon load."""

import os

import dagster as dg

from orchestration.graph.build import build_defs
from orchestration.runtime.migration_folders import find_migrations_once
from orchestration.runtime.private import OWNER_ONLY

os.umask(OWNER_ONLY)  # whoever starts the process that loads this
find_migrations_once()


@dg.definitions
def defs() -> dg.Definitions:
    """All of Selvedge."""
    return build_defs()
