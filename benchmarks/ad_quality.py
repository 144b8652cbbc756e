"""Quality control of ad images against planted faults: `python -m benchmarks.ad_quality [--each 160]`.

For every guideline that code answers: pictures that break it by a known amount (ad_faults.py), and clean pictures.
Recall is over the severities that count, with the 95 % lower bound of Clopper and Pearson; precision is that of as many
faulty as clean pictures. Numbers of planted faults on plain scenes say that the measurements measure; how often a
clean picture of the real painters is refused is measured beside them.
"""

import argparse
import math
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import binomtest

from benchmarks.ad_faults import FAULTS, PRODUCTS
from benchmarks.ad_pictures import PALETTE, assemble, clean_parts
from inference.ad_images.quality.brand import Brand
from inference.ad_images.quality.guidelines import GUIDELINES
from inference.ad_images.quality.measurements import measure
from inference.ad_images.scene import AdPicture

HFPC = 0.964  # precision of HFPC (arXiv 2412.17504) at filtering inpainted product backgrounds, on its own pictures
BRAND = Brand("planted", PALETTE)


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


def plant_all(name: str, each: int, start: int = 1_000) -> Count:
    """`each` planted faults of the severities that count, and a quarter as many of each that does not."""
    fault, count = FAULTS[name], Count()
    counted = [severity for severity in fault.severities if fault.counted(severity)]
    plans = [(severity, math.ceil(each / len(counted))) for severity in counted]
    plans += [(severity, math.ceil(each / 4)) for severity in fault.severities if severity not in counted]
    for severity, repeats in plans:
        for index in range(repeats):
            seed = start + index
            rng = np.random.default_rng((seed, round(1000 * severity), len(name)))
            picture = fault.plant((7 * index) % PRODUCTS, seed, severity, rng)
            alarm = fails(name, measure(picture, BRAND, [name]).get(name))
            count.by_severity[severity][0] += alarm
            count.by_severity[severity][1] += 1
            if severity in counted:
                count.found += alarm
                count.planted += 1
    return count


def alarms_on(pictures: Iterable[AdPicture], brand: Brand = BRAND) -> dict[str, tuple[int, int]]:
    """Guideline → (alarms, pictures that it applies to), on pictures that are as they should be: any painter's."""
    alarms: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for picture in pictures:
        for name, value in measure(picture, brand, [name for name in FAULTS if name != "white_background"]).items():
            alarms[name][0] += fails(name, value)
            alarms[name][1] += 1
    return {name: (pair[0], pair[1]) for name, pair in alarms.items()}


def clean_pictures(each: int, start: int = 50_000) -> Iterator[AdPicture]:
    """Plain scenes without a fault; of every fourth the shadow is the backend's own."""
    for index in range(each):
        yield assemble(clean_parts((11 * index) % PRODUCTS, start + index), shadow_is_known=index % 4 != 3)


def white_alarms(each: int) -> tuple[int, int]:
    """Alarms about the white of main images whose white is pure."""
    fault, rng = FAULTS["white_background"], np.random.default_rng(0)
    pictures = (fault.plant((11 * index) % PRODUCTS, 50_000 + index, 0, rng) for index in range(each))
    return sum(
        fails("white_background", measure(p, BRAND, ["white_background"])["white_background"]) for p in pictures
    ), each


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=160, help="planted faults per guideline")
    parser.add_argument("--only", nargs="*", default=list(FAULTS), help="guidelines")
    arguments = parser.parse_args()
    started = time.monotonic()
    alarms = alarms_on(clean_pictures(arguments.each))
    alarms["white_background"] = white_alarms(arguments.each)
    print(f"{'guideline':18} {'planted':>7} {'recall':>7} {'95 % low':>8} {'precision':>9} {'alarms':>9}  by severity")
    for name in arguments.only:
        count = plant_all(name, arguments.each)
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
