"""The code location: what `dagster dev` and the daemon load."""

import dagster as dg

from orchestration.graph.build import build_defs


@dg.definitions
def defs() -> dg.Definitions:
    """All of Selvedge."""
    return build_defs()
