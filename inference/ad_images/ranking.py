"""Ranking: which three of the pictures that pass are shown to a person.

Belongs here: the features, the learned ranker and the choice of three that differ. Not here: which pictures pass
(quality/), people's picks (they become pairs in orchestration), BRISQUE (the benchmark's judge, which the ranker never
sees).

The ranker is a logistic on differences of features, fitted on pairs (picked, not picked). Without picks its weights
are zero and it says so: `trained` is False, and the order is the one that `untrained_order` states.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit

from catalog.errors import SelvedgeError
from inference.ad_images.feedback import holds_back
from inference.ad_images.finding import Finding, Strictness
from inference.ad_images.quality.brand import Brand
from inference.ad_images.quality.guidelines import GUIDELINES
from inference.ad_images.quality.measurements import measure, thumbnail
from inference.ad_images.scene import AdPicture

Array = NDArray[np.float64]

MEASURED = (
    "object_expansion", "halo", "duplicates", "frame_share", "thirds", "text_area", "overlay_area", "contact_shadow",
    "shadow_side", "horizon", "horizon_tilt", "highlights", "blacks", "brightness", "palette", "contrast", "sharpness",
    "clutter",
)  # fmt: skip
UNITS = {name: GUIDELINES[name].unit for name in MEASURED} | {
    "brightness_off": "L* from 60",
    "share_off": "% of frame from 50",
    "off_center": "% of width",
    "turned": "°",
}
FEATURES = tuple(UNITS)
MIDDLE_BRIGHTNESS, MIDDLE_SHARE = 60.0, 50.0
ALIKE = 2.0  # mean ΔE of two thumbnails below which two pictures are one
PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0)
FOLDS = 5
KIND = "ad-ranker"


def features(picture: AdPicture, findings: Sequence[Finding]) -> Array:
    """(len(FEATURES),) measurements in the units of `UNITS`.

    Values of the findings are taken; what the brand did not ask is measured. What does not apply to the picture (a
    horizon seen from above) takes the usual limit, the same for all pictures of a product.
    """
    values = {finding.guideline: finding.value for finding in findings if finding.guideline in MEASURED}
    asked = [name for name in MEASURED if name not in values and name != "palette"]
    values |= measure(picture, Brand(""), asked)
    plan = picture.placed.plan
    row = {name: values.get(name, GUIDELINES[name].limit) for name in MEASURED}
    row["brightness_off"] = abs(row["brightness"] - MIDDLE_BRIGHTNESS)
    row["share_off"] = abs(row["frame_share"] - MIDDLE_SHARE)
    row["off_center"] = 100 * abs(plan.center_x - 0.5)
    row["turned"] = abs(plan.rotation)
    return np.array([row[name] for name in FEATURES])


@dataclass(frozen=True)
class AdRanker:
    """A linear score of features.

    Attributes:
        weights: per feature, after division by `spread`. spread: of each feature in the fitted pairs.
        temperature: that turns a difference of scores into a probability; fitted on held-out pairs.
        pairs: that it was fitted on; 0 is untrained.
    """

    weights: Array
    spread: Array
    temperature: float = 1.0
    pairs: int = 0

    @classmethod
    def untrained(cls) -> "AdRanker":
        return cls(np.zeros(len(FEATURES)), np.ones(len(FEATURES)))

    @property
    def trained(self) -> bool:
        return self.pairs > 0

    @property
    def note(self) -> str:
        """What a report must say beside its order."""
        if self.trained:
            return f"ranked by a model of {self.pairs} pairs of picks"
        return "the ranker is untrained: no picks exist yet; the order is by weighted guidelines passed"

    def scores(self, rows: Array) -> Array:
        """(pictures, features) to (pictures,); a higher one is preferred, 0 for all while untrained."""
        return np.asarray(np.atleast_2d(rows) / self.spread @ self.weights)

    def probability(self, first: Array, second: Array) -> Array:
        """That a person who picks one of two picks the first: (pairs,)."""
        return np.asarray(expit((self.scores(first) - self.scores(second)) / self.temperature))

    @classmethod
    def fit(cls, picked: Array, others: Array, requests: Sequence[str]) -> "AdRanker":
        """A ranker of pairs.

        The L2 penalty and the temperature are chosen on held-out requests (five folds); the weights then see all pairs.

        Args:
            picked, others: (pairs, features) of the picture that was picked and of one that was shown beside it.
            requests: (pairs,) whose pairs stay together in one fold.

        Raises:
            ValueError: no pairs, or not as many rows on both sides.
        """
        if not len(picked) or picked.shape != others.shape or len(requests) != len(picked):
            raise ValueError(
                f"pairs of one shape are needed, not {picked.shape}, {others.shape}, {len(requests)} names"
            )
        both = np.concatenate([picked, others])
        spread = both.std(axis=0)
        spread[spread < 1e-9] = 1.0
        differences = (picked - others) / spread
        folds = _folds(requests)
        held_out = {penalty: _held_out(differences, folds, penalty) for penalty in PENALTIES}
        penalty = min(PENALTIES, key=lambda value: _calibrated(held_out[value])[1])
        return cls(_weights(differences, penalty), spread, _calibrated(held_out[penalty])[0], len(picked))

    def save(self, file: Path) -> str:
        """Written as JSON; returns its digest."""
        body = self._body()
        digest = _digest(body)
        file.write_text(json.dumps(body | {"sha256": digest}, indent=1) + "\n")
        return digest

    def _body(self) -> dict[str, Any]:
        return {
            "kind": KIND,
            "features": list(FEATURES),
            "weights": [float(weight) for weight in self.weights],
            "spread": [float(value) for value in self.spread],
            "temperature": float(self.temperature),
            "pairs": int(self.pairs),
        }

    @property
    def digest(self) -> str:
        return _digest(self._body())

    @classmethod
    def load(cls, file: Path) -> "AdRanker":
        """A saved ranker.

        Raises:
            SelvedgeError: not readable, changed since it was written, or fitted on other features.
        """
        remedy = "fit it again, or take the one that was promoted"
        try:
            body = json.loads(file.read_text())
            stated = body.pop("sha256")
            whole = isinstance(body, dict) and body["kind"] == KIND and _digest(body) == stated
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise SelvedgeError(f"ad ranker {file} cannot be read ({type(error).__name__}); {remedy}.") from error
        if not whole:
            raise SelvedgeError(f"ad ranker {file} was changed after it was written; {remedy}.")
        if body["features"] != list(FEATURES):
            raise SelvedgeError(f"ad ranker {file} was fitted on other features than are measured now; {remedy}.")
        return cls(np.array(body["weights"]), np.array(body["spread"]), body["temperature"], body["pairs"])


def _digest(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _folds(requests: Sequence[str]) -> NDArray[np.int64]:
    """Fold of each pair, by a hash of its request: the same whatever else is fitted."""
    return np.array([int(hashlib.sha256(str(name).encode()).hexdigest(), 16) % FOLDS for name in requests])


def _weights(differences: Array, penalty: float) -> Array:
    def loss(weights: Array) -> tuple[float, Array]:
        margin = differences @ weights
        value = np.logaddexp(0, -margin).sum() + penalty / 2 * weights @ weights
        return float(value), penalty * weights - expit(-margin) @ differences

    return np.asarray(minimize(loss, np.zeros(differences.shape[1]), jac=True, method="L-BFGS-B").x)


def _held_out(differences: Array, folds: NDArray[np.int64], penalty: float) -> Array:
    """Margins of pairs under weights that did not see their fold; of all pairs where there is one fold only."""
    margins = np.empty(len(differences))
    for fold in np.unique(folds):
        rest = folds != fold
        margins[~rest] = differences[~rest] @ _weights(differences[rest], penalty) if rest.any() else 0.0
    return margins


def _calibrated(margins: Array) -> tuple[float, float]:
    """Temperature of least log loss for margins whose first side was picked, and that loss."""
    best = minimize_scalar(lambda log: np.logaddexp(0, -margins / np.exp(log)).mean(), bounds=(-3, 5), method="bounded")
    return float(np.exp(best.x)), float(best.fun)


def pairs_of_pick(rows: Array, pick: int) -> tuple[Array, Array]:
    """One pick as pairs: the picked picture against each of the others that were shown.

    Args:
        rows: (shown, features). pick: position of the picked one.
    """
    others = np.delete(rows, pick, axis=0)
    return np.repeat(rows[pick][None], len(others), axis=0), others


def top_three(
    pictures: Sequence[AdPicture],
    findings: Sequence[Sequence[Finding]],
    ranker: AdRanker,
    relaxed: Sequence[str] = (),
) -> list[int]:
    """Positions of at most three pictures, best first.

    Only pictures that pass; the best first, then the best in another section that does not look like one chosen
    before, and where no section is left, the best with another turn or scene. Two that look alike are never both shown,
    so there may be fewer than three.

    Args:
        findings: of each picture. relaxed: guidelines that were let go.
    """
    passing = [at for at, answers in enumerate(findings) if not any(holds_back(answer, relaxed) for answer in answers)]
    if not passing:
        return []
    order = _order(pictures, findings, passing, ranker)
    looks = {position: thumbnail(pictures[position]) for position in order}
    shown: list[int] = []
    for another_section in (True, False):
        for position in order:
            if len(shown) < 3 and position not in shown:
                plans = [pictures[other].placed.plan for other in shown]
                plan = pictures[position].placed.plan
                same_section = another_section and any(plan.section == other.section for other in plans)
                same_plan = any(_varied(plan) == _varied(other) for other in plans)
                if not (same_section or same_plan or _alike(looks, position, shown)):
                    shown.append(position)
    return sorted(shown, key=order.index)


def _varied(plan: Any) -> tuple[int, float, int]:
    return plan.section, plan.rotation, plan.scene_seed


def _alike(looks: dict[int, np.ndarray], position: int, shown: Sequence[int]) -> bool:
    return any(float(np.linalg.norm(looks[position] - looks[other], axis=-1).mean()) < ALIKE for other in shown)


def _order(
    pictures: Sequence[AdPicture], findings: Sequence[Sequence[Finding]], passing: Sequence[int], ranker: AdRanker
) -> list[int]:
    if not ranker.trained:
        return sorted(passing, key=lambda position: untrained_order(pictures[position], findings[position]))
    rows = np.stack([features(pictures[position], findings[position]) for position in passing])
    scores = dict(zip(passing, ranker.scores(rows), strict=True))
    return sorted(passing, key=lambda position: (-scores[position], _neutral(pictures[position])))


def untrained_order(picture: AdPicture, findings: Sequence[Finding]) -> tuple[int, str]:
    """What an untrained ranker sorts by: failed weighted guidelines, then a hash of product and plan."""
    failed = sum(not finding.passed and finding.strictness is Strictness.WEIGHTED for finding in findings)
    return failed, _neutral(picture)


def _neutral(picture: AdPicture) -> str:
    placed = picture.placed
    return hashlib.sha256(f"{placed.cutout_digest}:{placed.plan.number}".encode()).hexdigest()
