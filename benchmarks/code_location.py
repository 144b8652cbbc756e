"""How long the Dagster code location takes to import, beside Dagster itself, and which heavy libraries it drags in.

Baseline: `import dagster` alone, in a fresh process of the same run.
"""

import json
import statistics
import subprocess
import sys

HEAVY = ("torch", "transformers", "mlflow", "great_expectations", "dagster_aws", "skia", "matplotlib", "peft")
PROBE = """
import json, sys, time
started = time.perf_counter()
import {module}
print(json.dumps([time.perf_counter() - started, [name for name in {heavy!r} if name in sys.modules]]))
"""


def import_seconds(module: str, runs: int = 5) -> tuple[float, list[str]]:
    """Median seconds over fresh processes, and the heavy libraries found loaded afterwards."""
    seconds, loaded = [], set()
    for _ in range(runs):
        code = PROBE.format(module=module, heavy=HEAVY)
        finished = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        took, heavy = json.loads(finished.stdout)
        seconds.append(took)
        loaded.update(heavy)
    return statistics.median(seconds), sorted(loaded)


def main() -> None:
    baseline, _ = import_seconds("dagster")
    ours, heavy = import_seconds("orchestration.definitions")
    print("code location import, fresh process, median of 5")
    print(f"  import dagster                   {baseline:5.2f} s")
    print(f"  import orchestration.definitions {ours:5.2f} s  {ours / baseline:.2f}x")
    print(f"  heavy libraries loaded: {', '.join(heavy) or 'none'}")


if __name__ == "__main__":
    main()
