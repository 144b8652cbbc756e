"""The linear probe: how much of the attributes a straight line can read from the frozen features. A ceiling for LoRA.

Belongs here: multinomial logistic regression on frozen features for every attribute, and its answers for the test
rows. Not here: computing features (training/blip2/features.py), scoring the answers (scores.py).

Features of thousands of dimensions are first reduced to their leading principal components, once for all attributes;
what remains is a small convex problem for each attribute and each strength of the L2 penalty, each started from the
one before. The strength is chosen by macro-F1 on the validation rows.

Written out, not scikit-learn's LogisticRegression: that stops at another point of the same loss, which turned a near
tie between two strengths at the size of the demo (5 of 2,094 answers, mean macro-F1 0.826 to 0.822). The ceilings that
were published stay as they are; a test holds both to each other at convergence.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from catalog.errors import SelvedgeError
from evaluation.classification import encode, macro_f1

LINEAR_PROBE = "ceiling:linear_probe"

Floats32 = NDArray[np.float32]


@dataclass(frozen=True)
class ProbeSettings:
    """components: principal components kept. l2: strengths tried, strongest first. iterations: of L-BFGS at each."""

    components: int = 384
    l2: tuple[float, ...] = (0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)
    iterations: int = 60
    seed: int = 0


@dataclass(frozen=True)
class Probe:
    """A fitted probe of one attribute. weights: (components + 1, classes), the bias last; l2: the strength chosen."""

    attribute: str
    classes: tuple[str, ...]
    weights: Floats32
    l2: float
    validation_macro_f1: float

    def probabilities(self, components: Floats32) -> Floats32:
        """(rows, classes) from (rows, components)."""
        return np.asarray(softmax(components @ self.weights[:-1] + self.weights[-1], axis=1), dtype=np.float32)


@dataclass(frozen=True)
class Projection:
    """Standardisation and principal components, learnt on the training rows."""

    mean: Floats32
    scale: Floats32
    directions: Floats32

    def __call__(self, features: Floats32) -> Floats32:
        """(rows, components) float32, one scale for all so that the mean variance is 1 on the training rows."""
        return np.asarray(((features - self.mean) / self.scale) @ self.directions, dtype=np.float32)


def probe_predictions(
    features: ArrayLike,
    product_ids: Sequence[int],
    train: pd.DataFrame,
    validation: pd.DataFrame,
    test: pd.DataFrame,
    settings: ProbeSettings | None = None,
) -> tuple[pd.DataFrame, dict[str, Probe]]:
    """Fit one probe for each attribute on the training rows and answer the test rows.

    Args:
        features: (products, …) float; queries and dimensions are flattened.
        product_ids: the product of every row of `features`.
        train, validation, test: labelled rows (`scores.labelled_rows`): product_id, attribute, truth.

    Returns:
        Predictions of the test rows (value, confidence, abstained, in_vocabulary added), and each attribute's probe.

    Raises:
        SelvedgeError: a product has no features, a feature is not finite, or an attribute has no training row.
    """
    settings = settings or ProbeSettings()
    matrix = np.asarray(features, dtype=np.float32).reshape(len(product_ids), -1)
    row_of = _rows_of_products(matrix, product_ids, (train, validation, test))
    train_products = np.unique(train["product_id"].map(row_of).to_numpy(dtype=np.int64))
    projection = fit_projection(matrix[train_products], settings)
    components = projection(matrix)

    probes: dict[str, Probe] = {}
    parts = []
    for attribute, rows in test.groupby("attribute", sort=True):
        fit_rows = train[train["attribute"] == attribute]
        check_rows = validation[validation["attribute"] == attribute]
        if fit_rows.empty:
            raise SelvedgeError(f"the linear probe has no training row of {attribute}; read more products.")
        probe = fit_probe(
            str(attribute),
            components[fit_rows["product_id"].map(row_of)],
            fit_rows["truth"].to_numpy(dtype=object),
            components[check_rows["product_id"].map(row_of)],
            check_rows["truth"].to_numpy(dtype=object),
            settings,
        )
        probabilities = probe.probabilities(components[rows["product_id"].map(row_of)])
        value = np.array(probe.classes, dtype=object)[probabilities.argmax(axis=1)]
        confidence = np.clip(probabilities.max(axis=1).astype(np.float64), 0.0, 1.0)
        parts.append(rows.assign(value=value, confidence=confidence, abstained=False, in_vocabulary=True))
        probes[str(attribute)] = probe
    return pd.concat(parts).loc[test.index], probes


def fit_projection(features: Floats32, settings: ProbeSettings) -> Projection:
    """Leading principal components of standardised features, by a randomised SVD with three power iterations.

    Args:
        features: (rows, dimensions) float32.

    Source: Halko, Martinsson, Tropp, SIAM Review 2011, algorithm 4.4.
    """
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale > 1e-6 * max(float(scale.max()), 1e-12), scale, np.inf).astype(np.float32)
    standard = (features - mean) / scale
    kept = min(settings.components, *standard.shape)
    sketch = min(kept + 16, *standard.shape)
    start = np.random.default_rng(settings.seed).standard_normal((standard.shape[1], sketch), dtype=np.float32)
    basis = np.linalg.qr(standard @ start)[0]
    for _ in range(3):
        basis = np.linalg.qr(standard @ (standard.T @ basis))[0]
    _, values, directions = np.linalg.svd(basis.T @ standard, full_matrices=False)
    common = np.sqrt(float(np.mean(values[:kept] ** 2)) / len(features))
    return Projection(mean, scale, (directions[:kept].T / max(common, 1e-12)).astype(np.float32))


def fit_probe(
    attribute: str,
    train: Floats32,
    train_truth: NDArray[np.object_],
    validation: Floats32,
    validation_truth: NDArray[np.object_],
    settings: ProbeSettings,
) -> Probe:
    """Multinomial logistic regression at every L2 strength; the one with the best validation macro-F1 is kept.

    Equal scores keep the stronger penalty; without validation rows the middle strength is kept.
    """
    codes = encode(train_truth, train_truth)
    design = np.hstack([train, np.ones((len(train), 1), dtype=np.float32)])
    weights: Floats32 = np.zeros((design.shape[1], len(codes.classes)), dtype=np.float32)
    fitted = []
    for l2 in settings.l2:
        weights = _minimise(design, codes.truth, weights, l2, settings.iterations)
        probe = Probe(attribute, codes.classes, weights, l2, float("nan"))
        if len(validation_truth):
            value = np.array(codes.classes, dtype=object)[probe.probabilities(validation).argmax(axis=1)]
            probe = Probe(attribute, codes.classes, weights, l2, macro_f1(validation_truth, value))
        fitted.append(probe)
    if not len(validation_truth):
        return fitted[len(fitted) // 2]
    return max(fitted, key=lambda probe: probe.validation_macro_f1)


def _minimise(design: Floats32, truth: NDArray[np.int64], start: Floats32, l2: float, iterations: int) -> Floats32:
    """L-BFGS on mean negative log-likelihood + l2 / 2 |weights|², the bias not penalised; products in float32."""
    rows, shape = np.arange(len(truth)), start.shape
    penalty = np.full(shape, l2)
    penalty[-1] = 0.0

    def loss_and_gradient(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat.reshape(shape)
        logp = log_softmax(design @ weights.astype(np.float32), axis=1)
        error = np.exp(logp)
        error[rows, truth] -= 1.0
        gradient = (design.T @ error).astype(np.float64) / len(truth) + penalty * weights
        loss = -float(logp[rows, truth].mean()) + 0.5 * float((penalty * weights**2).sum())
        return loss, gradient.ravel()

    solution = minimize(
        loss_and_gradient,
        start.astype(np.float64).ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": iterations, "ftol": 1e-6, "gtol": 1e-5},
    )
    return solution.x.reshape(shape).astype(np.float32)


def _rows_of_products(
    features: Floats32, product_ids: Sequence[int], frames: tuple[pd.DataFrame, ...]
) -> dict[int, int]:
    if not np.isfinite(features).all():
        bad = product_ids[int(np.flatnonzero(~np.isfinite(features).all(axis=1))[0])]
        raise SelvedgeError(f"the features of product {bad} are not finite; compute the features again.")
    row_of = {int(product): row for row, product in enumerate(product_ids)}
    for frame in frames:
        missing = ~frame["product_id"].isin(row_of.keys())
        if missing.any():
            product = frame.loc[missing, "product_id"].iloc[0]
            raise SelvedgeError(f"product {product} has no features; compute them before the linear probe.")
    return row_of
