"""The ad ranker and the retries of ad images, measured: `python -m benchmarks.ad_ranking`.

Two measurements, both on pictures that are drawn here:

- the ranker on simulated picks of a stated taste (what a fit can learn, never what people like): share of held-out
  requests whose taste's favourite is among the three shown, against three at random and BRISQUE alone;
- `mended`: of requests that fail, how many pass after the routed retry and after a blind re-roll with the same number
  of pictures. It takes the pipeline as a function, so that any backend can be measured.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from benchmarks.ad_pictures import assemble, clean_parts
from inference.ad_images.adjustments import Adjustment
from inference.ad_images.feedback import holds_back, next_attempt
from inference.ad_images.finding import Finding
from inference.ad_images.quality.brand import Brand
from inference.ad_images.quality.control import judge
from inference.ad_images.ranking import features
from inference.ad_images.scene import AdPicture
from training.ad_ranker.features import FEATURES
from training.ad_ranker.ranker import AdRanker, pairs_of_pick

PLANS = 9
SHOWN = 3
TASTE = {"contrast": 0.08, "off_center": -0.05, "share_off": -0.06, "contact_shadow": 0.02, "thirds": -0.05}
NOISE = 1.0  # of a person's choice, logistic, in units of the taste's score


def taste_of(rows: np.ndarray) -> np.ndarray:
    """The stated taste's score of (pictures, features)."""
    weights = np.array([TASTE.get(name, 0.0) for name in FEATURES])
    return np.asarray(rows @ weights)


@dataclass(frozen=True)
class Requests:
    """Simulated requests: (requests, plans, features), the taste's favourite plan, BRISQUE (lower is better)."""

    rows: np.ndarray
    favourite: np.ndarray
    brisque: np.ndarray


def simulate(count: int, seed: int, with_brisque: bool) -> Requests:
    """`count` requests of nine plain pictures each, of one product in nine places and scenes."""
    rng = np.random.default_rng(seed)
    rows = np.empty((count, PLANS, len(FEATURES)))
    brisque = np.full((count, PLANS), np.nan)
    for request in range(count):
        for plan in range(PLANS):
            scale = float(rng.uniform(0.3, 0.62))
            picture = assemble(clean_parts(request % 40, seed + 100 * request + 2 * plan + request % 2, scale=scale))
            rows[request, plan] = features(picture, judge(picture, Brand("")))
            if with_brisque:
                brisque[request, plan] = brisque_of(picture)
    return Requests(rows, taste_of(rows).argmax(axis=1), brisque)


def brisque_of(picture: AdPicture) -> float:
    """Its BRISQUE, lower is better; from the extra `bench`."""
    from brisque import BRISQUE

    score = float(BRISQUE(url=False).score(picture.pixels))
    return score if np.isfinite(score) else 100.0  # flat pictures have none


def fit_on_picks(requests: Requests, seed: int) -> AdRanker:
    """A ranker of one noisy pick among three random plans of each request."""
    rng = np.random.default_rng(seed)
    picked, others, names = [], [], []
    for number, rows in enumerate(requests.rows):
        shown = rows[rng.choice(PLANS, SHOWN, replace=False)]
        pick = int((taste_of(shown) + rng.gumbel(0, NOISE, SHOWN)).argmax())
        first, second = pairs_of_pick(shown, pick)
        picked.append(first)
        others.append(second)
        names += [str(number)] * len(first)
    return AdRanker.fit(np.concatenate(picked), np.concatenate(others), names)


def shows_favourite(scores: np.ndarray, favourite: np.ndarray) -> np.ndarray:
    """(requests,) whether the favourite is among the three of highest score."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :SHOWN]
    return np.asarray((best == favourite[:, None]).any(axis=1))


Make = Callable[[int, Adjustment, int], Sequence[tuple[AdPicture, Sequence[Finding]]]]
"""request, change, seed → its judged pictures. A pipeline's attempt."""


@dataclass(frozen=True)
class Mended:
    """Of `failed` requests: how many the routed retries mended, how many blind re-rolls, and how often only one did."""

    failed: int
    routed: int
    blind: int
    only_routed: int
    only_blind: int

    def sentence(self) -> str:
        if not self.failed:
            return "no request failed its first pass"
        shares = []
        for name, count in (("routed", self.routed), ("blind", self.blind)):
            interval = binomtest(count, self.failed).proportion_ci(method="wilson")
            shares.append(
                f"{name} {count}/{self.failed} = {count / self.failed:.2f} [{interval.low:.2f}, {interval.high:.2f}]"
            )
        differ = self.only_routed + self.only_blind
        p = binomtest(self.only_routed, differ).pvalue if differ else 1.0
        apart = f"only routed {self.only_routed}, only blind {self.only_blind} (McNemar, exact: p = {p:.3g})"
        return f"{', '.join(shares)}; {apart}"


def mended(requests: Sequence[int], make: Make, retries: int = 2) -> Mended:
    """The routed retry against a blind re-roll of the same number of pictures, on requests that fail their first pass.

    Args:
        make: with no change and seed 0 the first attempt; a blind re-roll is no change with another seed.
    """
    failed = routed = blind = only_routed = only_blind = 0
    for request in requests:
        first = make(request, Adjustment(), 0)
        if _passes(first):
            continue
        failed += 1
        by_route, by_chance = _routed(request, make, first, retries), _rerolled(request, make, retries)
        routed, blind = routed + by_route, blind + by_chance
        only_routed += by_route and not by_chance
        only_blind += by_chance and not by_route
    return Mended(failed, routed, blind, only_routed, only_blind)


def _passes(judged: Sequence[tuple[AdPicture, Sequence[Finding]]]) -> bool:
    return any(not any(holds_back(finding) for finding in findings) for _, findings in judged)


def _routed(request: int, make: Make, first: Sequence[tuple[AdPicture, Sequence[Finding]]], retries: int) -> bool:
    judged, change = first, Adjustment()
    for attempt in range(retries):
        step = next_attempt([findings for _, findings in judged], attempt)
        if step is None or step.relaxed:
            return False
        change = change.then(step)
        judged = make(request, change, 0)
        if _passes(judged):
            return True
    return False


def _rerolled(request: int, make: Make, retries: int) -> bool:
    return any(_passes(make(request, Adjustment(), seed)) for seed in range(1, retries + 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=60, help="to fit on, and as many held out")
    arguments = parser.parse_args()
    fitted = simulate(arguments.requests, 1, with_brisque=False)
    held_out = simulate(arguments.requests, 900_001, with_brisque=True)
    ranker = fit_on_picks(fitted, 3)
    rng = np.random.default_rng(4)
    ways = {
        "ad-ranker": ranker.scores(held_out.rows.reshape(-1, len(FEATURES))).reshape(-1, PLANS),
        "BRISQUE alone": -held_out.brisque,
        "three at random": rng.random((arguments.requests, PLANS)),
    }
    print(
        f"simulated picks of one stated taste, {ranker.pairs} pairs from {arguments.requests} requests; never people's"
    )
    print(f"{'three shown by':16} {'favourite is among them':>24}  95 % interval (Wilson)")
    for name, scores in ways.items():
        hits = int(shows_favourite(scores, held_out.favourite).sum())
        interval = binomtest(hits, arguments.requests).proportion_ci(method="wilson")
        print(f"{name:16} {hits / arguments.requests:24.2f}  [{interval.low:.2f}, {interval.high:.2f}]")
    order = np.argsort(-np.abs(ranker.weights))[:5]
    print("heaviest weights:", ", ".join(f"{FEATURES[at]} {ranker.weights[at]:+.2f}" for at in order))


if __name__ == "__main__":
    main()
