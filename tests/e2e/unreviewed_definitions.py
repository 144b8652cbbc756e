"""The definitions of tests/e2e/demo_process.py, for a daemon that goes on over what such a demo left."""

import dagster as dg

from tests.e2e.brisk import brisk_defs
from tests.e2e.demo_process import LENIENT


@dg.definitions
def defs() -> dg.Definitions:
    return brisk_defs(families=[LENIENT])
