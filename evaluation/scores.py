"""Scores: every subject on the same test rows, in one long table with floors, ceilings and intervals.

Belongs here: the rows that are scored, the figures of each subject for each attribute, their means, slices and paired
differences. Not here: the metrics themselves (classification.py), what may be promoted (gate.py), pictures (plots.py).

A subject is anything that answered the test rows: `base`, `candidate`, `champion`, `floor:…`, `ceiling:…`. All are held
to the same rows, and one set of resampled groups serves them all, so that differences are paired.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from catalog.errors import SelvedgeError
from evaluation import classification, intervals
from evaluation.answers import normalise
from evaluation.classification import Codes, Floats
from evaluation.intervals import GroupResamples
from evaluation.tables import SCORES

BASE, CANDIDATE, CHAMPION = "base", "candidate", "champion"
FLOOR, CEILING = "floor:", "ceiling:"
ALL, MEAN = "all", "mean"
SLICES = ("article_type", "gender", "base_colour")
ROW_KEY = ["product_id", "attribute"]
COMPARED = ("accuracy", "macro_f1", "macro_f1_min20")


@dataclass(frozen=True)
class ScoreSettings:
    """resamples, seed: of the groups. stated_risks: shares of wrong answers at which coverage is reported.
    slices: product columns. minimum_slice_rows: slices with fewer rows of an attribute are left out."""

    resamples: int = 1000
    seed: int = 0
    stated_risks: tuple[float, ...] = (0.05, 0.1)
    slices: tuple[str, ...] = SLICES
    minimum_slice_rows: int = 20


@dataclass(frozen=True)
class Figure:
    """One metric on some rows: the value, the value in every resample, the rows behind it."""

    value: float
    replicates: Floats
    support: int


# (subject, attribute, slice, metric) -> figure
Figures = dict[tuple[str, str, str, str], Figure]


def means(scores: pd.DataFrame, metric: str) -> dict[str, float]:
    """A metric's mean over attributes on all test rows, by subject, of table `scores`."""
    whole = scores[(scores["metric"] == metric) & (scores["slice"] == ALL) & (scores["attribute"] == MEAN)]
    return {str(subject): float(value) for subject, value in zip(whole["subject"], whole["value"], strict=True)}


def labelled_rows(qa_pairs: pd.DataFrame, products: pd.DataFrame, split: str | None = None) -> pd.DataFrame:
    """The rows that can be scored: one for each product and attribute with a known value.

    Args:
        qa_pairs, products: tables of these names. split: only rows of this split; None keeps all.

    Returns:
        product_id, group_id, split, attribute, truth, and the products' master_category, article_type, gender and
        base_colour; missing product columns are the text "unknown".

    Raises:
        SelvedgeError: a Q&A pair of a product that is not in `products`.
    """
    pairs = qa_pairs if split is None else qa_pairs[qa_pairs["split"] == split]
    columns = ["master_category", "article_type", "gender", "base_colour"]
    described = products.drop_duplicates("product_id", keep="last").set_index("product_id")[columns]
    missing = ~pairs["product_id"].isin(described.index)
    if missing.any():
        product = pairs.loc[missing, "product_id"].iloc[0]
        raise SelvedgeError(f"qa_pairs names product {product}, which products lacks; make the Q&A pairs again.")
    rows = pairs[["product_id", "group_id", "split", "attribute"]].assign(truth=pairs["value"])
    rows = rows.join(described, on="product_id")
    rows[columns] = rows[columns].astype(object).where(rows[columns].notna(), "unknown")
    return rows.reset_index(drop=True)


def score_subjects(
    predictions: Mapping[str, pd.DataFrame], family: str, candidate: str, settings: ScoreSettings | None = None
) -> pd.DataFrame:
    """Every figure of every subject.

    Args:
        predictions: subject -> rows of product_id, group_id, attribute, truth, value (None: no answer), confidence
            (in [0, 1]; NaN throughout where the subject has none), abstained, in_vocabulary and the slice columns.
            A value counts when it equals the truth after `answers.normalise`; synonyms are resolved before.

    Returns:
        The table `scores`. Metrics: accuracy, macro_f1, macro_f1_min20 (classes with at least 20 rows), ece, aurc,
        coverage_at_risk_<r>, answered (share not abstained), answered_risk (share wrong among those), oov_rate; in
        slices accuracy and macro_f1. Attribute `mean` is the mean over attributes. Differences of the candidate, in
        pairs: <metric>_minus_floor (of each attribute's best floor), _minus_base, _minus_champion.

    Raises:
        SelvedgeError: no rows, a missing column, or subjects that answered other rows than the first.
    """
    settings = settings or ScoreSettings()
    if not predictions:
        raise SelvedgeError("there is nothing to score; give at least one subject's predictions.")
    aligned = _align(predictions, settings)
    first = next(iter(aligned.values()))
    resamples = GroupResamples(first["group_id"], settings.resamples, settings.seed)
    figures: Figures = {}
    for attribute, positions in first.groupby("attribute", sort=True).indices.items():
        weights = resamples.row_weights(first["group_id"].iloc[positions])
        parts = _slices(first.iloc[positions], settings)
        for subject, rows in aligned.items():
            _score_attribute(figures, subject, str(attribute), rows.iloc[positions], weights, parts, settings)
    figures |= _means(figures)
    figures |= _differences(figures)
    return _as_scores(figures, family, candidate)


def subject_order(subject: str) -> tuple[int, str]:
    """Sort key: floors, then base, champion, candidate, then ceilings."""
    ranks = {BASE: 1, CHAMPION: 2, CANDIDATE: 3}
    if subject.startswith(FLOOR):
        return 0, subject
    return ranks.get(subject, 5 if subject.startswith(CEILING) else 4), subject


def intervals_apart(scores: pd.DataFrame, attribute: str, above: str, below: str, metric: str = "macro_f1") -> bool:
    """Whether the interval of subject `above` lies wholly over that of `below`, on all rows of an attribute.

    Raises:
        SelvedgeError: one of the two was not scored.
    """
    rows_of_metric = scores[
        (scores["metric"] == metric) & (scores["slice"] == ALL) & (scores["attribute"] == attribute)
    ]
    rows = rows_of_metric.set_index("subject")
    for subject in (above, below):
        if subject not in rows.index:
            raise SelvedgeError(f"the scores hold no {metric} of {subject} for {attribute}; score it first.")
    return float(rows["low"][above]) > float(rows["high"][below])


def _align(predictions: Mapping[str, pd.DataFrame], settings: ScoreSettings) -> dict[str, pd.DataFrame]:
    """All subjects in one row order, answers normalised; group, truth and slices are those of the first subject."""
    needed = [*ROW_KEY, "group_id", "truth", "value", "confidence", "abstained", "in_vocabulary", *settings.slices]
    aligned: dict[str, pd.DataFrame] = {}
    for subject, frame in predictions.items():
        missing = [column for column in needed if column not in frame]
        if missing or frame.empty:
            what = f"lack the column {missing[0]}" if missing else "are empty"
            raise SelvedgeError(f"the predictions of {subject} {what}; score the rows of `labelled_rows`.")
        rows = frame.sort_values(ROW_KEY, kind="stable").reset_index(drop=True)
        if rows.duplicated(ROW_KEY).any():
            raise SelvedgeError(f"{subject} answered a product's attribute twice; keep one answer a row.")
        rows["truth"], rows["value"] = _normalised(rows["truth"]), _normalised(rows["value"])
        sure = rows["confidence"].to_numpy(dtype=np.float64)
        if not np.isnan(sure).all() and not ((sure >= 0) & (sure <= 1)).all():
            raise SelvedgeError(
                f"{subject} has a confidence that is no number from 0 to 1; its weights or features are damaged."
            )
        reference = next(iter(aligned.values()), rows)
        if not rows[[*ROW_KEY, "truth"]].equals(reference[[*ROW_KEY, "truth"]]):
            raise SelvedgeError(f"{subject} answered other test rows than {next(iter(aligned))}; use one test split.")
        aligned[subject] = rows
    return aligned


def _normalised(values: pd.Series) -> pd.Series:
    forms = {value: normalise(value) for value in values.unique() if isinstance(value, str)}
    return pd.Series([forms.get(value) for value in values], index=values.index, dtype=object)


def _slices(rows: pd.DataFrame, settings: ScoreSettings) -> dict[str, NDArray[np.int64]]:
    """Slice name -> positions in an attribute's rows, for slices with enough rows."""
    parts = {}
    for column in settings.slices:
        for value, positions in rows.groupby(column, sort=True).indices.items():
            if len(positions) >= settings.minimum_slice_rows:
                parts[f"{column}={value}"] = np.asarray(positions, dtype=np.int64)
    return parts


def _score_attribute(
    figures: Figures,
    subject: str,
    attribute: str,
    rows: pd.DataFrame,
    weights: NDArray[np.float32],
    parts: Mapping[str, NDArray[np.int64]],
    settings: ScoreSettings,
) -> None:
    codes = classification.encode(rows["truth"], rows["value"])
    correct = codes.truth == codes.answer
    figures_of_metric = {
        "macro_f1": (_macro_f1(codes, 1), intervals.resampled_macro_f1(codes, weights)),
        "macro_f1_min20": (_macro_f1(codes, 20), intervals.resampled_macro_f1(codes, weights, 20)),
        **_shares(rows, correct, weights),
        **_confidence_figures(rows["confidence"].to_numpy(dtype=np.float64), correct, weights, settings),
    }
    for metric, (value, replicates) in figures_of_metric.items():
        figures[subject, attribute, ALL, metric] = Figure(value, replicates, len(rows))
    for part, positions in parts.items():
        sliced, sliced_weights = _subset(codes, positions), weights[:, positions]
        right = correct[positions]
        figures[subject, attribute, part, "accuracy"] = Figure(
            float(right.mean()), intervals.resampled_mean(right, sliced_weights), len(positions)
        )
        figures[subject, attribute, part, "macro_f1"] = Figure(
            _macro_f1(sliced, 1), intervals.resampled_macro_f1(sliced, sliced_weights), len(positions)
        )


def _shares(
    rows: pd.DataFrame, correct: NDArray[np.bool_], weights: NDArray[np.float32]
) -> dict[str, tuple[float, Floats]]:
    """Figures that are the mean of a yes or no: accuracy, answered, answered_risk, oov_rate."""
    answered = ~rows["abstained"].to_numpy(dtype=bool)
    outside = ~rows["in_vocabulary"].to_numpy(dtype=bool)
    shares = {
        name: (float(np.mean(column)), intervals.resampled_mean(column, weights))
        for name, column in (("accuracy", correct), ("answered", answered), ("oov_rate", outside))
    }
    if answered.any():
        wrong = ~correct[answered]
        shares["answered_risk"] = (float(wrong.mean()), intervals.resampled_mean(wrong, weights[:, answered]))
    return shares


def _confidence_figures(
    confidence: Floats, correct: NDArray[np.bool_], weights: NDArray[np.float32], settings: ScoreSettings
) -> dict[str, tuple[float, Floats]]:
    """ECE, AURC and coverage at the stated risks; nothing for a subject without confidences."""
    if np.isnan(confidence).all():
        return {}
    curve = classification.coverage_risk(confidence, correct)
    resampled = intervals.resampled_risk(confidence, correct, weights, settings.stated_risks)
    by_metric = {
        "ece": (
            classification.expected_calibration_error(confidence, correct),
            intervals.resampled_calibration_error(confidence, correct, weights),
        ),
        "aurc": (classification.area_under_risk(confidence, correct), resampled.area),
    }
    for risk in settings.stated_risks:
        coverage = classification.coverage_at_risk(curve, risk)
        by_metric[f"coverage_at_risk_{risk:g}"] = (coverage, resampled.coverage_at[float(risk)])
    return by_metric


def _macro_f1(codes: Codes, minimum_support: int) -> float:
    f1, support = classification.class_f1(codes)
    kept = f1[support >= minimum_support]
    return float(kept.mean()) if len(kept) else float("nan")


def _subset(codes: Codes, positions: NDArray[np.int64]) -> Codes:
    """The codes of some rows, classes numbered anew among the truths that are left."""
    left, truth = np.unique(codes.truth[positions], return_inverse=True)
    number = np.full(len(codes.classes) + 1, classification.NO_CLASS, dtype=np.int64)  # NO_CLASS indexes the last
    number[left] = np.arange(len(left))
    return Codes(tuple(codes.classes[i] for i in left), truth.astype(np.int64), number[codes.answer[positions]])


def _means(figures: Figures) -> Figures:
    """The mean over attributes, value by value and resample by resample; attributes without a figure stay out."""
    grouped: dict[tuple[str, str, str], list[Figure]] = {}
    for (subject, _, part, metric), figure in figures.items():
        if not np.isnan(figure.value):
            grouped.setdefault((subject, part, metric), []).append(figure)
    return {
        (subject, MEAN, part, metric): Figure(
            float(np.mean([figure.value for figure in group])),
            np.mean([figure.replicates for figure in group], axis=0),
            sum(figure.support for figure in group),
        )
        for (subject, part, metric), group in grouped.items()
    }


def _differences(figures: Figures) -> Figures:
    """Candidate minus base, champion, each ceiling and the best floor on all rows, in pairs: the same resamples."""
    differences: Figures = {}
    floor_names = sorted({subject for subject, *_ in figures if subject.startswith(FLOOR)})
    ceiling_names = sorted({subject for subject, *_ in figures if subject.startswith(CEILING)})
    for (subject, attribute, part, metric), figure in figures.items():
        if subject != CANDIDATE or part != ALL or metric not in COMPARED:
            continue
        for name in (BASE, CHAMPION, *ceiling_names):
            if (name, attribute, ALL, metric) in figures:
                other = figures[name, attribute, ALL, metric]
                short = name.removeprefix(CEILING)
                differences[CANDIDATE, attribute, ALL, f"{metric}_minus_{short}"] = _minus(figure, other)
        floors = [figures.get((name, attribute, ALL, metric)) for name in floor_names]
        scored_floors = [floor for floor in floors if floor is not None and not np.isnan(floor.value)]
        if scored_floors and attribute != MEAN:
            best = max(scored_floors, key=lambda floor: floor.value)
            differences[CANDIDATE, attribute, ALL, f"{metric}_minus_floor"] = _minus(figure, best)
    # The mean of the differences to each attribute's own best floor: no floor is best everywhere.
    return differences | _means({key: figure for key, figure in differences.items() if key[3].endswith("_minus_floor")})


def _minus(figure: Figure, other: Figure) -> Figure:
    return Figure(figure.value - other.value, figure.replicates - other.replicates, figure.support)


def _as_scores(figures: Figures, family: str, candidate: str) -> pd.DataFrame:
    rows = []
    for (subject, attribute, part, metric), figure in figures.items():
        bounds = intervals.interval(figure.value, figure.replicates)
        key = (family, candidate, subject, attribute, part, metric)
        rows.append((*key, figure.value, bounds.low, bounds.high, figure.support))
    frame = pd.DataFrame(rows, columns=SCORES.names)
    return frame.sort_values(["slice", "attribute", "metric", "subject"], kind="stable").reset_index(drop=True)
