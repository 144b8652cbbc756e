"""Retrieval: how good the first k products of a ranking are.

Belongs here: precision@k and nDCG@k of graded relevance, their floor and their best, over queries with intervals. Not
here: who ranks (inference/discovery/, BM25 in benchmarks/discovery.py), what is relevant.

A grade is how many of the asked attributes a product has, from 0 to what was asked. Equal scores keep the order in
which the products are given; whoever wants ties broken by chance draws it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from catalog.errors import SelvedgeError
from evaluation.classification import Floats
from evaluation.hierarchical import CrossedResamples, Resampled


def ranked_grades(grades: ArrayLike, scores: ArrayLike, k: int, left_out: ArrayLike | None = None) -> Floats:
    """The grades of each query's first k products, best score first; equal scores keep the products' order.

    Args:
        grades, scores: (queries, products). left_out: (queries, products) bool, products that a query does not rank,
            as the one it was made from.

    Returns:
        (queries, k) float64.

    Raises:
        SelvedgeError: other shapes, a score that is not a number, or fewer than k products to rank.
    """
    table, ordered = _tables(grades, scores)
    if not np.isfinite(ordered).all():
        raise SelvedgeError("a score of the ranking is not finite; rank again.")
    gone = np.zeros(table.shape, bool) if left_out is None else np.asarray(left_out, bool)
    _require_enough(gone, k)
    order = np.argsort(np.where(gone, np.inf, -ordered), axis=1, kind="stable")[:, :k]
    return np.take_along_axis(table, order, axis=1)


def best_grades(grades: ArrayLike, k: int, left_out: ArrayLike | None = None) -> Floats:
    """(queries, k) float64, as `ranked_grades` of a ranking by the grades themselves: no ranking is better."""
    return ranked_grades(grades, grades, k, left_out)


def precision(ranked: ArrayLike, full: float) -> Floats:
    """(queries,) float64: share of the first k products that have all that was asked, precision@k.

    Args:
        ranked: (queries, k) grades of `ranked_grades`. full: the grade of a product that has all.

    The divisor is k also where fewer than k products have all; `best_grades` shows what can be reached.
    """
    return np.asarray((np.asarray(ranked, np.float64) >= full).mean(axis=1), np.float64)


def gain(ranked: ArrayLike, best: ArrayLike) -> Floats:
    """(queries,) float64: nDCG@k, the discounted gain of a ranking over that of the best one; NaN where nothing counts.

    DCG = sum over places i = 1..k of grade / log2(i + 1), with linear gain: a product with two of three asked
    attributes is worth two thirds of one with all.

    Args:
        ranked, best: (queries, k) grades, of `ranked_grades` and `best_grades`.

    Source: Järvelin and Kekäläinen, TOIS 2002; the same numbers as scikit-learn's `ndcg_score`.
    """
    first, ideal = np.asarray(ranked, np.float64), np.asarray(best, np.float64)
    discount = 1 / np.log2(np.arange(2, first.shape[1] + 2))
    reached, possible = first @ discount, ideal @ discount
    return np.divide(reached, possible, out=np.full(len(first), np.nan), where=possible > 0)


def chance(grades: ArrayLike, k: int, full: float, left_out: ArrayLike | None = None) -> tuple[Floats, Floats]:
    """precision@k and nDCG@k that a random order has on average: two of (queries,) float64, exact, without drawing."""
    table, _ = _tables(grades, grades)
    ranked = np.ones(table.shape, bool) if left_out is None else ~np.asarray(left_out, bool)
    count = ranked.sum(axis=1)
    all_of_it = ((table >= full) & ranked).sum(axis=1) / count
    mean = (table * ranked).sum(axis=1) / count
    return all_of_it, gain(np.repeat(mean[:, None], k, axis=1), best_grades(table, k, left_out))


def mean_over_queries(values: ArrayLike, groups: Sequence[str], draws: CrossedResamples) -> Resampled:
    """The mean of a figure over queries and trainings, both drawn again; a query without a value is left out.

    Args:
        values: (trainings, queries) or (queries,). groups: of every query, those that would move together.

    Raises:
        SelvedgeError: another number of trainings than the draws have, or a group that they do not know.
    """
    table = np.atleast_2d(np.asarray(values, np.float64))
    there = ~np.isnan(table)
    return draws.ratio(np.where(there, table, 0.0), there, groups)


def _tables(grades: ArrayLike, scores: ArrayLike) -> tuple[Floats, Floats]:
    table, ordered = np.asarray(grades, np.float64), np.asarray(scores, np.float64)
    if table.ndim != 2 or table.shape != ordered.shape or not table.size:
        raise SelvedgeError(
            f"grades of shape {table.shape} and scores of shape {ordered.shape} make no ranking; give both as "
            "(queries, products), and at least one of each."
        )
    return table, ordered


def _require_enough(gone: NDArray[np.bool_], k: int) -> None:
    least = int((~gone).sum(axis=1).min())
    if not 1 <= k <= least:
        raise SelvedgeError(f"the first {k} of {least} products cannot be looked at; choose 1 to {least}.")
