"""Classification metrics on plain arrays: accuracy, macro-F1, calibration, coverage and risk.

Belongs here: figures for one attribute of one subject, from truths, answers and confidences. Not here: what makes two
answers equal (answers.py), intervals (intervals.py), many attributes and subjects in one table (scores.py).

Macro-F1 is the leading figure because majority baselines are high: on the public set fabric and collar of tops are
right 100 % of the time by naming the commonest class. It averages over the classes that the truth holds; an answer
outside them costs its true class a hit and counts for no other class.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NO_CLASS = -1  # an answer that no truth has, or no answer at all


@dataclass(frozen=True)
class Codes:
    """Truths and answers as numbers.

    classes: the distinct truths, sorted. truth: (n,) int64 into classes. answer: (n,) int64 into classes, or NO_CLASS.
    """

    classes: tuple[str, ...]
    truth: Ints
    answer: Ints


@dataclass(frozen=True)
class CoverageRisk:
    """What happens when only the most confident answers are given, from one answer to all of them.

    threshold: (k,) float64, descending; answers with at least this confidence are given.
    coverage: (k,) float64 in (0, 1], share of rows answered. risk: (k,) float64 in [0, 1], share of those wrong.
    """

    threshold: Floats
    coverage: Floats
    risk: Floats


def encode(truth: Sequence[str] | ArrayLike, answer: Sequence[str | None] | ArrayLike) -> Codes:
    """Number the classes of the truth and read the answers in them.

    Args:
        truth: (n,) strings, none missing. answer: (n,) strings; None or NaN where there is no answer.

    Raises:
        ValueError: no rows, lengths that differ, or a missing truth.
    """
    truths = np.asarray(truth, dtype=object)
    answers = np.asarray(answer, dtype=object)
    if not len(truths) or len(truths) != len(answers):
        raise ValueError(f"truth has {len(truths)} rows and answer {len(answers)}; they must be equal and not zero")
    if not all(isinstance(value, str) for value in truths):
        raise ValueError("a truth is missing; score labelled rows only")
    classes = tuple(sorted(set(truths)))
    number = {name: index for index, name in enumerate(classes)}
    return Codes(
        classes,
        np.array([number[value] for value in truths], dtype=np.int64),
        np.array([number.get(value, NO_CLASS) for value in answers], dtype=np.int64),
    )


def accuracy(truth: Sequence[str] | ArrayLike, answer: Sequence[str | None] | ArrayLike) -> float:
    """Share of rows answered exactly, in [0, 1]."""
    codes = encode(truth, answer)
    return float(np.mean(codes.truth == codes.answer))


def class_f1(codes: Codes) -> tuple[Floats, Ints]:
    """F1 of every class of the truth and its number of rows.

    Returns:
        f1: (classes,) float64 in [0, 1]; support: (classes,) int64, at least 1.
    """
    count = len(codes.classes)
    support = np.bincount(codes.truth, minlength=count)
    answered = np.bincount(codes.answer[codes.answer >= 0], minlength=count)
    hits = np.bincount(codes.truth[codes.truth == codes.answer], minlength=count)
    return 2.0 * hits / (support + answered), support.astype(np.int64)


def macro_f1(
    truth: Sequence[str] | ArrayLike, answer: Sequence[str | None] | ArrayLike, minimum_support: int = 1
) -> float:
    """Mean F1 over the classes with at least `minimum_support` rows of truth; NaN where no class has as many.

    Equals scikit-learn's f1_score(labels=<those classes>, average="macro", zero_division=0). Rows of smaller classes
    stay in: an answer that takes one of them for a large class costs that class precision.
    """
    f1, support = class_f1(encode(truth, answer))
    kept = f1[support >= minimum_support]
    return float(kept.mean()) if len(kept) else float("nan")


def confidence_bins(confidence: ArrayLike, bins: int = 15) -> Ints:
    """Which of `bins` equal widths of [0, 1] each confidence falls in; 1.0 belongs to the last.

    Raises:
        ValueError: a confidence is missing or outside [0, 1].
    """
    values = np.asarray(confidence, dtype=np.float64)
    if not np.all((values >= 0) & (values <= 1)):
        raise ValueError("a confidence is missing or outside 0 to 1")
    return np.minimum((values * bins).astype(np.int64), bins - 1)


def expected_calibration_error(confidence: ArrayLike, correct: ArrayLike, bins: int = 15) -> float:
    """Mean distance between confidence and accuracy over equal-width bins, weighted by rows; in [0, 1], 0 is best.

    Args:
        confidence: (n,) in [0, 1], of the given answer. correct: (n,) bool.

    Source: Naeini et al., AAAI 2015; 15 bins as in Guo et al., ICML 2017.
    """
    values = np.asarray(confidence, dtype=np.float64)
    right = np.asarray(correct, dtype=np.float64)
    bin_of = confidence_bins(values, bins)
    gaps = np.bincount(bin_of, weights=values - right, minlength=bins)
    return float(np.abs(gaps).sum() / len(values))


def coverage_risk(confidence: ArrayLike, correct: ArrayLike) -> CoverageRisk:
    """The coverage-risk curve, one point for every distinct confidence, most confident first.

    Args:
        confidence: (n,) float, higher is surer. correct: (n,) bool.

    Rows of equal confidence enter together, because no threshold can part them.
    """
    values = np.asarray(confidence, dtype=np.float64)
    wrong = ~np.asarray(correct, dtype=bool)
    order = np.argsort(-values, kind="stable")
    values, wrong = values[order], wrong[order]
    last = np.append(np.flatnonzero(np.diff(values) != 0), len(values) - 1)
    errors = np.cumsum(wrong)[last]
    answered = last + 1
    return CoverageRisk(values[last], answered / len(values), errors / answered)


def area_under_risk(confidence: ArrayLike, correct: ArrayLike) -> float:
    """AURC: mean risk over all coverages 1/n, 2/n … 1; in [0, 1], 0 is best, the error rate when confidence is blind.

    Within rows of equal confidence the expected risk of a random order is taken, so the order of the rows is without
    effect.

    Source: Geifman, Uziel, El-Yaniv, ICLR 2019.
    """
    curve = coverage_risk(confidence, correct)
    n = len(np.asarray(correct))
    answered = np.concatenate([[0.0], np.rint(curve.coverage * n)])
    errors = np.concatenate([[0.0], np.rint(curve.coverage * n) * curve.risk])
    counts = np.arange(1, n + 1)
    return float(np.mean(np.interp(counts, answered, errors) / counts))


def coverage_at_risk(curve: CoverageRisk, risk: float) -> float:
    """The largest share of rows that can be answered with at most `risk` of them wrong; 0 where none can."""
    kept = curve.coverage[curve.risk <= risk + 1e-12]
    return float(kept.max()) if len(kept) else 0.0


def confusion_matrix(
    truth: Sequence[str] | ArrayLike, answer: Sequence[str | None] | ArrayLike
) -> tuple[Ints, list[str]]:
    """Counts of (truth, answer) and the names of the classes.

    Returns:
        counts: (classes, classes + 1) int64, rows are truths; the last column holds answers that no truth has.
    """
    codes = encode(truth, answer)
    count = len(codes.classes)
    column = np.where(codes.answer == NO_CLASS, count, codes.answer)
    counts = np.bincount(codes.truth * (count + 1) + column, minlength=count * (count + 1))
    return counts.reshape(count, count + 1), list(codes.classes)
