"""The definitions that `selvedge up` loads, with sensors that look more often."""

import dagster as dg

from tests.e2e.brisk import brisk_defs


@dg.definitions
def defs() -> dg.Definitions:
    return brisk_defs()
