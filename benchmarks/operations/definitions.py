"""The code location of a proof's home: everything that `selvedge up` loads, with the quick family alone."""

import os

import dagster as dg

from benchmarks.operations.families import QUICK_FAMILIES
from orchestration.graph.build import build_defs
from orchestration.runtime.private import OWNER_ONLY

os.umask(OWNER_ONLY)  # as orchestration/definitions.py does


@dg.definitions
def defs() -> dg.Definitions:
    return build_defs(families=QUICK_FAMILIES)
