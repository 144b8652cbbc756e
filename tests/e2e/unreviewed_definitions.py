"""The definitions of tests/e2e/demo_process.py, for a daemon that goes on over what such a demo left."""

import dagster as dg

from orchestration.graph.build import build_defs
from tests.e2e.demo_process import LENIENT


@dg.definitions
def defs() -> dg.Definitions:
    return build_defs(families=[LENIENT])
