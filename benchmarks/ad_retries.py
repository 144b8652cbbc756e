"""The routed retry against a blind re-roll, on the pipeline itself: `python -m benchmarks.ad_retries [--requests 60]`.

Of requests whose first nine plans all fail, how many pass after at most two retries that change what the failed
guidelines name, and how many after two further sets of nine plans of other seeds. Both paint the same number of
pictures of the same cut-out; a flexible guideline is never let go. Every guideline that a retry can mend is asked for
by a brand of its own: the preset `lifestyle`, and this guideline strictly, with a limit of `LIMITS`.

The limits were fixed before any retry was run: each is the median, over 40 requests (products from 31,000), of the best
value among nine plans, rounded; about half of all requests fail them. Results do not depend on `--workers`.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.stats import binomtest

from benchmarks.ad_pictures import PALETTE
from benchmarks.ad_speed import pipeline, request_of
from catalog.workers import map_in_order, usable_cores
from inference.ad_images.adjustments import Adjustment
from inference.ad_images.brief import write_brief
from inference.ad_images.cutout import Cutout
from inference.ad_images.feedback import RETRIES, holds_back, next_attempt
from inference.ad_images.finding import Finding, Strictness
from inference.ad_images.pipeline import AdPipeline, _Clock, _Work
from inference.ad_images.quality.brand import Brand, Guideline, read_brand
from inference.ad_images.quality.control import findings_of
from inference.ad_images.quality.measurements import measure
from inference.ad_images.refusal import AdRefused
from inference.ad_images.request import AdRequest

LIMITS: dict[str, float] = {
    "frame_share": 71,
    "thirds": 11.7,
    "horizon": 26,
    "contact_shadow": 40,
    "shadow_side": 0.99,
    "brightness": 78,
    "palette": 7.9,
    "contrast": 34,
    "halo": 1.5,
    "sharpness": 2.7,
    "clutter": 4.2,
}
REROLL = 7919  # added to the seed of a request, times the re-roll
RESAMPLES = 2000
Values = list[dict[str, float]]
"""Measurements of the nine pictures of an attempt."""


def brands() -> dict[str, Brand]:
    """The preset itself, and one brand for each guideline of `LIMITS`."""
    preset = read_brand("lifestyle")
    made = {"as shipped": preset}
    for name, limit in LIMITS.items():
        rules = [rule for rule in preset.guidelines if rule.name != name]
        asked = Guideline(name, Strictness.STRICT, limit)
        made[name] = Brand(name, PALETTE if name == "palette" else (), (*rules, asked))
    return made


@dataclass
class Request:
    """One request's pictures, measured once for all brands that lead to the same ones."""

    request: AdRequest
    cutout: Cutout
    _seen: dict[tuple[object, ...], Values] = field(default_factory=dict)

    def values(self, maker: AdPipeline, work: _Work, change: Adjustment) -> Values:
        key = (maker.brand.palette, work.brief.request.seed, work.brief.theme, work.caption, change)
        if key not in self._seen:
            bare = replace(maker, brand=Brand("", maker.brand.palette))  # judged by nobody: all is measured below
            made = bare._attempted(work, change, _Clock())  # noqa: SLF001 - the retry's own stages
            self._seen[key] = [measure(each.picture, maker.brand) for each in made]
        return self._seen[key]

    def begun(self, maker: AdPipeline, seed: int) -> _Work:
        brief = write_brief(replace(self.request, seed=seed))
        return maker._prepared(brief, self.cutout, Adjustment(), _Clock())  # noqa: SLF001

    def attempt(self, maker: AdPipeline, reroll: int) -> bool:
        """Whether a plan passes without any retry; 0 is the request's own seed."""
        work = self.begun(maker, self.request.seed + REROLL * reroll)
        return passes(judged(self.values(maker, work, Adjustment()), maker.brand))

    def routed(self, maker: AdPipeline) -> bool:
        """Whether a plan passes after the retries, as the pipeline makes them."""
        work, change = self.begun(maker, self.request.seed), Adjustment()
        for number in range(RETRIES):
            step = next_attempt(judged(self.values(maker, work, change), maker.brand), number, maker.brand.relaxing)
            if step is None or step.relaxed:
                return False
            change = change.then(step)
            work = maker._changed(work, step, change, _Clock())  # noqa: SLF001
            if passes(judged(self.values(maker, work, change), maker.brand)):
                return True
        return False


def judged(values: Values, brand: Brand) -> list[list[Finding]]:
    return [findings_of(each, brand) for each in values]


def passes(findings: Sequence[Sequence[Finding]]) -> bool:
    return any(not any(holds_back(finding) for finding in of_plan) for of_plan in findings)


Outcome = dict[str, tuple[bool, bool] | None]
"""Brand → (routed, blind) mended; None where the first nine plans had one that passes."""


def outcome(product: int) -> Outcome | None:
    """Of one drawn product; None where it is refused."""
    maker, request = pipeline(), request_of(product, 512)
    try:
        asked = Request(request, maker._cut(request))  # noqa: SLF001
    except AdRefused:
        return None
    result: Outcome = {}
    for name, brand in brands().items():
        own = replace(maker, brand=brand)
        if asked.attempt(own, 0):
            result[name] = None
        else:
            result[name] = asked.routed(own), any(asked.attempt(own, number) for number in range(1, RETRIES + 1))
    return result


def line(name: str, pairs: Sequence[tuple[bool, bool]], requests: int) -> str:
    """Shares with Wilson's intervals, and McNemar's exact test."""
    if not pairs:
        return f"{name:16}{0:6} of {requests}"
    shares = []
    for mended in (sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)):
        interval = binomtest(mended, len(pairs)).proportion_ci(method="wilson")
        shares.append(f"{mended / len(pairs):.2f} [{interval.low:.2f}, {interval.high:.2f}]")
    only = sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)
    p = binomtest(only[0], sum(only)).pvalue if sum(only) else 1.0
    return f"{name:16}{len(pairs):6} of {requests:<5}{shares[0]:>20}{shares[1]:>20}{only[0]:8}{only[1]:8}  {p:.2g}"


def difference(outcomes: Sequence[Outcome]) -> tuple[float, float, float]:
    """Routed less blind over all brands but the shipped one: share, 2.5 % and 97.5 % of resampled requests."""
    rows = [[pair for name, pair in each.items() if pair and name in LIMITS] for each in outcomes]
    gains = np.array([sum(int(a) - int(b) for a, b in row) for row in rows], float)
    failed = np.array([len(row) for row in rows], float)
    draws = np.random.default_rng(0).integers(0, len(rows), (RESAMPLES, len(rows)))
    resampled = gains[draws].sum(axis=1) / np.maximum(failed[draws].sum(axis=1), 1)
    low, high = np.quantile(resampled, (0.025, 0.975))
    return float(gains.sum() / max(failed.sum(), 1)), float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=60)
    parser.add_argument("--start", type=int, default=70_001, help="the first drawn product")
    parser.add_argument("--workers", type=int, default=usable_cores())
    arguments = parser.parse_args()
    began = time.monotonic()
    products = list(range(arguments.start, arguments.start + arguments.requests))
    answers = list(map_in_order(outcome, products, workers=arguments.workers))
    outcomes = [answer for answer in answers if answer is not None]
    print(f"{len(outcomes)} requests of drawn products from {arguments.start}, {len(answers) - len(outcomes)} refused")
    print(
        f"{'guideline':16}{'first nine fail':>14}{'routed mends':>20}{'blind mends':>20}{'only r.':>8}{'only b.':>8}  p"
    )
    for name in brands():
        print(line(name, [pair for each in outcomes if (pair := each[name])], len(outcomes)))
    pooled = [pair for each in outcomes for name, pair in each.items() if pair and name in LIMITS]
    print(line("all harder ones", pooled, len(LIMITS) * len(outcomes)))
    share, low, high = difference(outcomes)
    print(f"routed less blind over all harder ones: {share:+.2f} [{low:+.2f}, {high:+.2f}], requests resampled")
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
