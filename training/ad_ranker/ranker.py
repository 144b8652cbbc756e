"""The ranker itself: a logistic on differences of features, fitted on pairs (picked, not picked).

Belongs here: the fit, its calibration, its file. Not here: what the features are (features.py), where pairs come from
(picks.py), measuring pictures and choosing three of them (inference/ad_images/ranking.py).

Without picks its weights are zero and it says so: `trained` is False.
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
from catalog.files import publish_text
from training.ad_ranker.features import FEATURES

Array = NDArray[np.float64]

PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0)
FOLDS = 5
KIND = "ad-ranker"


@dataclass(frozen=True)
class AdRanker:
    """A linear score of features.

    Attributes:
        weights: per feature, after division by `spread`. spread: of each feature in the fitted pairs.
        temperature: that turns a difference of scores into a probability; fitted on held-out pairs.
        pairs: that it was fitted on; 0 is untrained. simulated: some of them are of scripted annotators.
    """

    weights: Array
    spread: Array
    temperature: float = 1.0
    pairs: int = 0
    simulated: bool = False

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
            whose = "SIMULATED picks, which are nobody's preference" if self.simulated else "picks"
            return f"ranked by a model of {self.pairs} pairs of {whose}"
        return "the ranker is untrained: no picks exist yet; the order is by weighted guidelines passed"

    def scores(self, rows: Array) -> Array:
        """(pictures, features) to (pictures,); a higher one is preferred, 0 for all while untrained."""
        return np.asarray(np.atleast_2d(rows) / self.spread @ self.weights)

    def probability(self, first: Array, second: Array) -> Array:
        """That a person who picks one of two picks the first: (pairs,)."""
        return np.asarray(expit((self.scores(first) - self.scores(second)) / self.temperature))

    @classmethod
    def fit(cls, picked: Array, others: Array, requests: Sequence[str], simulated: bool = False) -> "AdRanker":
        """A ranker of pairs.

        The L2 penalty and the temperature are chosen on held-out requests (five folds); the weights then see all pairs.

        Args:
            picked, others: (pairs, features) of the picture that was picked and of one that was shown beside it.
            requests: (pairs,) whose pairs stay together in one fold. simulated: scripted annotators picked, too.

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
        temperature = _calibrated(held_out[penalty])[0]
        return cls(_weights(differences, penalty), spread, temperature, len(picked), simulated)

    def save(self, file: Path) -> str:
        """Written as JSON; returns its digest."""
        body = self._body()
        digest = _digest(body)
        publish_text(json.dumps(body | {"sha256": digest}, indent=1) + "\n", file)
        return digest

    def _body(self) -> dict[str, Any]:
        return {
            "kind": KIND,
            "features": list(FEATURES),
            "weights": [float(weight) for weight in self.weights],
            "spread": [float(value) for value in self.spread],
            "temperature": float(self.temperature),
            "pairs": int(self.pairs),
            "simulated": bool(self.simulated),
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
        numbers = np.array(body["weights"]), np.array(body["spread"])
        return cls(*numbers, body["temperature"], body["pairs"], body["simulated"])


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
