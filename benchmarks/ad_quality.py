"""Quality control of ad images against planted faults: `python -m benchmarks.ad_quality [--each 160] [--start N]`.

For every guideline that code answers: pictures that break it by a known amount (ad_faults.py), and clean pictures.
Recall is over the severities that count, with the 95 % lower bound of Clopper and Pearson; precision is that of as many
faulty as clean pictures. Numbers of planted faults on plain scenes say that the measurements measure; how often a
clean picture of the real painters is refused is measured beside them.

The limits were set while faults of the seeds from 1,000 and clean pictures from 50,000 were seen: another `--start`
takes other seeds and other drawn products for both. Results do not depend on `--workers`.
"""

import argparse
import math
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import binomtest

from benchmarks.ad_faults import FAULTS, PRODUCTS
from benchmarks.ad_pictures import PALETTE, assemble, clean_parts
from catalog.workers import map_in_order, usable_cores
from inference.ad_images.quality.brand import Brand
from inference.ad_images.quality.guidelines import GUIDELINES
from inference.ad_images.quality.measurements import measure
from inference.ad_images.scene import AdPicture

HFPC = 0.964  # precision of HFPC (arXiv 2412.17504) at filtering inpainted product backgrounds, on its own pictures
BRAND = Brand("planted", PALETTE)
START, CLEAN = 1_000, 49_000  # the first seed; how far behind it those of clean pictures begin


@dataclass
class Count:
    """Answers about one guideline. by_severity: severity → [found, planted]."""

    found: int = 0
    planted: int = 0
    alarms: int = 0
    clean: int = 0
    by_severity: dict[float, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))

    @property
    def recall(self) -> float:
        return self.found / self.planted

    @property
    def recall_bound(self) -> float:
        return float(binomtest(self.found, self.planted).proportion_ci(0.95, "exact").low)

    @property
    def precision(self) -> float:
        hits, alarms = self.recall, self.alarms / max(1, self.clean)
        return hits / (hits + alarms) if hits + alarms else math.nan


def fails(name: str, value: float | None) -> bool:
    kind = GUIDELINES[name]
    return value is not None and not kind.passes(value, kind.limit)


@dataclass(frozen=True)
class Batch:
    """Planted faults of one severity: the seeds from `start`, whether a miss counts."""

    name: str
    severity: float
    repeats: int
    start: int
    counted: bool


def product_of(start: int, number: int) -> int:
    """A drawn product; a thousand seeds further on there are others."""
    return PRODUCTS * (start // 1_000 - 1) + number % PRODUCTS


def batches(name: str, each: int, start: int) -> list[Batch]:
    """`each` planted faults of the severities that count, and a quarter as many of each that does not."""
    fault = FAULTS[name]
    counted = [severity for severity in fault.severities if fault.counted(severity)]
    batches = [Batch(name, severity, math.ceil(each / len(counted)), start, True) for severity in counted]
    return batches + [
        Batch(name, severity, math.ceil(each / 4), start, False)
        for severity in fault.severities
        if severity not in counted
    ]


def found(batch: Batch) -> int:
    """How many of a batch raise an alarm."""
    fault, alarms = FAULTS[batch.name], 0
    for index in range(batch.repeats):
        seed = batch.start + index
        rng = np.random.default_rng((seed, round(1000 * batch.severity), len(batch.name)))
        picture = fault.plant(product_of(batch.start, 7 * index), seed, batch.severity, rng)
        alarms += fails(batch.name, measure(picture, BRAND, [batch.name]).get(batch.name))
    return alarms


def plant_all(name: str, each: int, start: int = START, workers: int = 1) -> Count:
    """The answers about one guideline's planted faults."""
    count, planned = Count(), batches(name, each, start)
    for batch, alarms in zip(planned, map_in_order(found, planned, workers=workers), strict=True):
        count.by_severity[batch.severity][0] += alarms
        count.by_severity[batch.severity][1] += batch.repeats
        if batch.counted:
            count.found += alarms
            count.planted += batch.repeats
    return count


Alarms = dict[str, tuple[int, int]]
"""Guideline → (alarms, pictures that it applies to)."""


def alarms_on(pictures: Iterable[AdPicture], names: Sequence[str] = tuple(FAULTS), brand: Brand = BRAND) -> Alarms:
    """Alarms about pictures that are as they should be, and no main images: any painter's."""
    values = (measure(picture, brand, [name for name in names if name != "white_background"]) for picture in pictures)
    return summed([{name: (int(fails(name, value)), 1) for name, value in each.items()} for each in values])


def summed(counts: Sequence[Alarms]) -> Alarms:
    names = dict.fromkeys(name for count in counts for name in count)
    pairs = {name: [count[name] for count in counts if name in count] for name in names}
    return {name: (sum(pair[0] for pair in of), sum(pair[1] for pair in of)) for name, of in pairs.items()}


def clean_pictures(each: int, start: int = START, first: int = 0) -> Iterator[AdPicture]:
    """Plain scenes without a fault, from the `first` one on; of every fourth the shadow is the backend's own."""
    for index in range(first, first + each):
        parts = clean_parts(product_of(start, 11 * index), start + CLEAN + index)
        yield assemble(parts, shadow_is_known=index % 4 != 3)


def clean_alarms(part: tuple[int, int, int, Sequence[str]]) -> Alarms:
    """Alarms about clean pictures, and about the white of main images whose white is pure.

    Args:
        part: how many, the start of the seeds, the first picture, guidelines.
    """
    each, start, first, names = part
    alarms = alarms_on(clean_pictures(each, start, first), names)
    if "white_background" not in names:
        return alarms
    plant, rng = FAULTS["white_background"].plant, np.random.default_rng(0)
    white = (
        plant(product_of(start, 11 * index), start + CLEAN + index, 0, rng) for index in range(first, first + each)
    )
    values = [measure(picture, BRAND, ["white_background"])["white_background"] for picture in white]
    return alarms | {"white_background": (sum(fails("white_background", value) for value in values), each)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=160, help="planted faults per guideline")
    parser.add_argument("--only", nargs="*", default=list(FAULTS), help="guidelines")
    parser.add_argument("--start", type=int, default=START, help="first seed, from 1,000")
    parser.add_argument("--workers", type=int, default=usable_cores())
    arguments = parser.parse_args()
    started = time.monotonic()
    parts = [
        (min(10, arguments.each - first), arguments.start, first, tuple(arguments.only))
        for first in range(0, arguments.each, 10)
    ]
    alarms = summed(list(map_in_order(clean_alarms, parts, workers=arguments.workers)))
    print(f"{arguments.each} clean pictures; seeds from {arguments.start}")
    print(f"{'guideline':18} {'planted':>7} {'recall':>7} {'95 % low':>8} {'precision':>9} {'alarms':>9}  by severity")
    for name in arguments.only:
        count = plant_all(name, arguments.each, arguments.start, arguments.workers)
        count.alarms, count.clean = alarms.get(name, (0, 0))
        sweep = ", ".join(
            f"{severity:g}: {hit / total:.2f}" for severity, (hit, total) in sorted(count.by_severity.items())
        )
        print(
            f"{name:18} {count.planted:7} {count.recall:7.3f} {count.recall_bound:8.3f} {count.precision:9.3f} "
            f"{count.alarms:4}/{count.clean:<4}  {FAULTS[name].unit}: {sweep}",
            flush=True,
        )
    print(f"{'HFPC, published':18} {'':7} {'':7} {'':8} {HFPC:9.3f}  (on its own pictures and labels)")
    print(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
