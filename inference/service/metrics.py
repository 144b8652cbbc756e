"""Metrics: what the service counts, in Prometheus' text format.

Belongs here: counters, times by address, the format. Not here: who is counted as what (app.py). No label names a
client or a request.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/ (version 0.0.4).
"""

from collections import Counter
from collections.abc import Mapping
from threading import Lock

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
HELP = {
    "selvedge_requests_total": "counter Requests by address, method and status.",
    "selvedge_request_seconds": "histogram Wall seconds of a request by address.",
    "selvedge_batches_total": "counter Passes of the attribute model.",
    "selvedge_batch_photographs_total": "counter Photographs answered in those passes.",
    "selvedge_jobs": "gauge Jobs by state.",
    "selvedge_workers": "gauge Worker processes alive.",
    "selvedge_model_info": "gauge The version that answers, by role.",
}
Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Counters of one process."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, Labels]] = Counter()
        self._seconds: Counter[tuple[str, Labels]] = Counter()
        self._lock = Lock()

    def count(self, name: str, by: int = 1, **labels: str) -> None:
        with self._lock:
            self._counts[name, tuple(sorted(labels.items()))] += by

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """One answered request. route: the address with its parameters' names."""
        name, labels = "selvedge_request_seconds", (("route", route),)
        with self._lock:
            self._counts[
                "selvedge_requests_total", (("method", method), ("route", route), ("status", str(status)))
            ] += 1
            for bound in BOUNDS:
                self._counts[f"{name}_bucket", (*labels, ("le", str(bound)))] += seconds <= bound
            self._counts[f"{name}_bucket", (*labels, ("le", "+Inf"))] += 1
            self._counts[f"{name}_count", labels] += 1
            self._seconds[f"{name}_sum", labels] += seconds  # type: ignore[assignment]  # adds up numbers of any kind

    def text(self, gauges: Mapping[tuple[str, Labels], float]) -> str:
        """Everything counted, and `gauges` as they are now."""
        with self._lock:
            values = {**self._counts, **self._seconds, **gauges}
        lines = []
        for family, described in HELP.items():
            kind, _, help_text = described.partition(" ")
            lines += [f"# HELP {family} {help_text}", f"# TYPE {family} {kind}"]
            names = (family, *(f"{family}_{part}" for part in ("bucket", "count", "sum") if kind == "histogram"))
            lines += [f"{name}{_labels(labels)} {value:g}" for (name, labels), value in values.items() if name in names]
        return "\n".join(lines) + "\n"


def _labels(labels: Labels) -> str:
    escaped = ((name, value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")) for name, value in labels)
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped) + "}" if labels else ""
