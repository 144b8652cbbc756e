"""Drawing a catalogue: pictures a second on all cores, beside the same work in one process.

Belongs here: timing whole catalogues (pictures, masks, JSON, truth on disk). Not here: what is drawn.

Run: `python -m benchmarks.drawing`.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from catalog.drawn import VERSION, draw_catalogue
from catalog.workers import usable_cores


def images_per_second(products: int, size: int, workers: int) -> float:
    """Wall-clock rate of drawing a whole catalogue, start of the processes included."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        draw_catalogue(Path(folder), products, seed=1, size=size, workers=workers)
        return products / (time.perf_counter() - begin)


def measure(products: int, size: int, workers: int) -> dict[str, float | int | str]:
    """Rates of one process and of `workers` processes, and their ratio."""
    images_per_second(min(products, 48), size, 1)  # textures are made once per process; leave that out of the baseline
    alone = images_per_second(products, size, 1)
    together = images_per_second(products, size, workers)
    return {
        "drawing_version": VERSION,
        "products": products,
        "size": size,
        "workers": workers,
        "one_process": alone,
        "all_processes": together,
        "ratio": together / alone,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=1500)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--workers", type=int, default=usable_cores())
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure(arguments.products, arguments.size, arguments.workers)
    if arguments.json:
        print(json.dumps(figures))
        return
    print(f"drawing, {arguments.products} products at {arguments.size} px with masks, JSON and truth")
    print(f"  one process      {figures['one_process']:8.1f} images/s")
    print(f"  {arguments.workers} processes      {figures['all_processes']:8.1f} images/s   {figures['ratio']:.2f}x")


if __name__ == "__main__":
    main()
