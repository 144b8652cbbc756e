"""`python -m benchmarks`: every measurement of minutes, one after the other, each in a process of its own.

Left out, because they take long or want another machine: `python -m benchmarks.real_photographs` (25 minutes, needs
photographs), `python -m benchmarks.drift` (a quarter of an hour), `python -m benchmarks.restgan_runs` and then
`python -m benchmarks.restgan_ladder` (hours of training), `benchmarks.ad_retries`, `benchmarks.ad_gains` and
`benchmarks.ad_memory` (ten minutes and more on two cores), `benchmarks.service` (three quarters of an hour), and
`benchmarks/gpu.sh OUT` (an accelerator).
"""

import subprocess
import sys
import time

MODULES = (
    "code_location",
    "flops",
    "drawing",
    "reading",
    "dhash_threshold",
    "attributes_speed",
    "lora_step",
    "refinement_speed",
    "restgan_words",
    "preference",
    "round_order",
    "interval_coverage",
    "gate_power",
    "abstention",
    "blindness",
    "cutouts",
    "ad_speed",
    "ad_quality",
    "ad_ranking",
)


def main() -> None:
    failed = []
    for module in MODULES:
        print(f"\n=== python -m benchmarks.{module}", flush=True)
        started = time.monotonic()
        finished = subprocess.run([sys.executable, "-m", f"benchmarks.{module}"], check=False)
        print(f"({time.monotonic() - started:.0f} s)", flush=True)
        if finished.returncode:
            failed.append(module)
    if failed:
        raise SystemExit(f"benchmarks that failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
