"""The report of a home: one HTML page that shows what came in, what was learnt and what was published."""

from pathlib import Path

import dagster as dg

from orchestration.runtime.settings import Settings


def write_report(
    instance: dg.DagsterInstance,
    settings: Settings,
    out: Path,
    seconds: dict[str, float] | None = None,
    peak_memory: float = 0.0,
) -> Path:
    """Gather what the home holds and publish it as one self-contained page.

    Args:
        out: the page's file; its folder is made.
        seconds: wall seconds by step of the run that is reported.
        peak_memory: GiB of the largest process of that run.

    Raises:
        SelvedgeError: no drop was read yet, or the page cannot be written.
    """
    from catalog.tables import publish_bytes
    from orchestration.report.gather import gather
    from orchestration.report.render import render_report

    data = gather(instance, settings, seconds or {}, peak_memory)
    publish_bytes(render_report(data).encode(), out)
    return out
