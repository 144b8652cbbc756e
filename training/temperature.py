"""Temperature scaling: one number that makes a classifier as sure as it is right.

Belongs here: the fit on validation. Not here: measuring calibration (evaluation/classification.py).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from catalog.errors import SelvedgeError

LOWEST, HIGHEST = 0.05, 20.0  # temperatures; beyond, validation holds too little to say


def fit_temperature(log_probabilities: Sequence[NDArray[np.float32]], truths: NDArray[np.int64]) -> float:
    """The temperature with the least negative log-likelihood of the truths. Source: Guo et al., ICML 2017."""
    if len(log_probabilities[0]) < 2:
        return 1.0
    table = np.stack(log_probabilities).astype(np.float64)
    if not np.isfinite(table).all():
        raise SelvedgeError("calibration: a log-probability is not finite; the model's weights are damaged.")

    def loss(log_temperature: float) -> float:
        scaled = table / np.exp(log_temperature)
        highest = scaled.max(axis=1)
        total = highest + np.log(np.exp(scaled - highest[:, None]).sum(axis=1))
        return float((total - scaled[np.arange(len(table)), truths]).mean())

    minimum = minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded")
    return float(np.exp(minimum.x))
