"""The report of a home: one HTML page that shows what came in, what was learnt and what was published."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import dagster as dg

from orchestration.families.contract import Family
from orchestration.runtime.settings import Settings


def write_report(
    instance: dg.DagsterInstance,
    settings: Settings,
    families: Sequence[Family],
    out: Path,
    seconds: Mapping[str, float] | None = None,
    peak_memory: float = 0.0,
) -> Path:
    """Gather what the home holds and publish it as one self-contained page.

    Args:
        families: whose sections the page has, in their order.
        out: the page's file; its folder is made.
        seconds: wall seconds by step of the run that is reported.
        peak_memory: GiB of the largest process of that run.

    Raises:
        SelvedgeError: no drop was read yet, or the page cannot be written.
    """
    from catalog.tables import publish_bytes
    from orchestration.report.gather import gather
    from orchestration.report.render import render_report

    data = gather(instance, settings, families, seconds or {}, peak_memory)
    publish_bytes(render_report(data).encode(), out)
    return out
