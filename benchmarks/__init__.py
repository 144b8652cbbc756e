"""Measurements: each prints a figure beside a named baseline of the same run. `python -m benchmarks` runs them."""
