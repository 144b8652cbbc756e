"""Memory of the ad pipeline over many products: `python -m benchmarks.ad_memory [--products 2000]`.

Resident memory after every product, and its slope over the last two thirds, when textures and caches are full (all of
them are bounded). `--workers` makes as many processes, each of which makes all of `--products`, of ranges of its own.
"""

import argparse
import sys
import time

import numpy as np
import psutil

from benchmarks.ad_speed import made, request_of
from catalog.workers import map_in_order
from training.reporting import TimeLeft

FIRST = 100_001
Growth = tuple[list[float], int]
"""MiB after each product, and how many were refused."""


def growth(part: tuple[int, int, int]) -> Growth:
    """Of one process.

    Args:
        part: the first product, how many, pixels a side.
    """
    first, products, size = part
    process, memory, refused, left = psutil.Process(), [], 0, TimeLeft()
    for number in range(products):
        refused += made([request_of(first + number, size)])[1]
        memory.append(process.memory_info().rss / 2**20)
        if number % 50 == 0:
            said = left.words(number, products, "products")
            print(f"products {number}/{products}, {memory[-1]:.0f} MiB {said}", file=sys.stderr, flush=True)
    return memory, refused


def slope(memory: list[float]) -> tuple[float, float]:
    """MiB per 100 products over the last two thirds, and its standard error.

    The error is that of ten blocks' slopes against the whole: memory that stays where it was is no independent error.
    """
    late = np.array(memory[len(memory) // 3 :])
    whole = float(np.polyfit(np.arange(len(late)), late, 1)[0] * 100)
    blocks = np.array_split(np.arange(len(late)), 10)
    without = [
        np.polyfit(kept, late[kept], 1)[0] * 100
        for kept in (np.setdiff1d(np.arange(len(late)), block) for block in blocks)
    ]
    return whole, float(np.sqrt(0.9 * np.square(np.array(without) - np.mean(without)).sum()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=400, help="at least 30")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    began = time.monotonic()
    count = max(30, arguments.products)
    parts = [(FIRST + count * number, count, arguments.size) for number in range(arguments.workers)]
    for number, (memory, refused) in enumerate(map_in_order(growth, parts, workers=arguments.workers)):
        steepness, error = slope(memory)
        third = count // 3
        print(
            f"process {number}: {count} products at {arguments.size} px, {refused} refused; {memory[0]:.0f} MiB after "
            f"the first, {memory[third]:.0f} after {third}, {memory[-1]:.0f} after the last, {max(memory):.0f} max; "
            f"{steepness:+.1f} MiB per 100 products (standard error {error:.1f}) over the last two thirds",
            flush=True,
        )
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
