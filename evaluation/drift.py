"""Drift: is a drop like the drops that a model learnt from? Statistics, and thresholds by permutation over drops.

Belongs here: the arithmetic, on plain arrays. Not here: where a drop's values and features are, and what follows from
an alarm (orchestration/), drawing it (drift_plots.py).

Limits copied from paper to paper (PSI 0.2, Jensen-Shannon 0.1) hold for random samples of columns with a few values. A
delivery is no random sample: it is forty shoes of one brand, and drops of consecutive ids differ three to six times
more than random ones. So the unit is the drop. Each drop, the new one among them, is compared with all the others
together. If the new one comes from where the others came from, each is as likely to be the odd one, and the share that
is at least as odd as the new one is an exact p-value, however unlike each other drops are (Vovk, Gammerman, Shafer:
Algorithmic Learning in a Random World, 2005, section 2.2). Its smallest value beside m earlier drops is 1 / (m + 1):
with fewer than 1 / rate - 1 of them nothing can be judged at that rate, and that is the answer.

Several statistics share one rate: each is put into units of its own upper spread over all drops (from the median to the
90 % quantile, which do not ask which drop is the new one), and a drop is as odd as its oddest statistic (max-type).
With the median absolute deviation in its place the statistic with the longest tail would decide alone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from catalog.errors import SelvedgeError

ATTRIBUTES, FEATURES, ABSTENTION, CONTRADICTION = "attributes", "image features", "abstention", "contradiction"
DRIFT = (ATTRIBUTES, FEATURES, ABSTENTION)
QUALITY = (CONTRADICTION,)
FALSE_ALARMS = 0.05  # of drops that are like the earlier ones
FEATURE_ROWS = 100  # products of a drop whose features are compared: distances grow with the square
UPPER = 0.9
RIDGE = 0.3  # of the mean variance: directions in which pictures hardly differ count, their noise does not
LIKELY = 1.0  # a value that a drop is expected to hold less often is counted as `rare`: alone it would decide
ANSWERS = 20  # shares of fewer say nothing, and the widest of them would be the limit of all statistics


@dataclass(frozen=True)
class Delivery:
    """What is compared of one drop.

    Attributes:
        values: attribute -> (products,) its value for every product, "" where it has none.
        features: (products, d) float, one row a picture; None where there are none.
        answers: name -> (questions,) bool, of a model's answers: `abstention`, `contradiction`.
    """

    values: Mapping[str, Sequence[str]]
    features: np.ndarray | None = None
    answers: Mapping[str, np.ndarray] = field(default_factory=dict)

    def rows(self, statistic: str) -> int:
        """How much there is to compare."""
        if statistic == ATTRIBUTES:
            return max((len(values) for values in self.values.values()), default=0)
        if statistic == FEATURES:
            return 0 if self.features is None else len(self.features)
        return len(self.answers.get(statistic, ()))


@dataclass(frozen=True)
class Statistic:
    """One statistic of a judged drop.

    Attributes:
        value: of the new drop. limit: an alarm is a value above it. p: of this statistic alone.
        earlier: (drops,) its values over the earlier drops.
    """

    name: str
    value: float
    limit: float
    p: float
    earlier: np.ndarray


@dataclass(frozen=True)
class Judgement:
    """Whether a drop is like the earlier ones.

    Attributes:
        alarm: None where it cannot be judged. p: joint; None likewise.
        statistics: those that were judged. left_out: statistic -> why it could not be.
        drops: earlier drops it was compared with. needed: at the stated rate. false_alarms: that rate.
        by_attribute: attribute -> its part of the statistic `attributes`: of the new drop, and the others' median.
    """

    alarm: bool | None
    p: float | None
    statistics: tuple[Statistic, ...]
    left_out: Mapping[str, str]
    drops: int
    needed: int
    false_alarms: float
    by_attribute: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """For an operator."""
        if self.alarm is None:
            return f"not judged: {'; '.join(f'{name}: {why}' for name, why in self.left_out.items())}"
        over = [f"{s.name} {s.value:.3g} (limit {s.limit:.3g})" for s in self.statistics if s.value > s.limit]
        looked = ", ".join(s.name for s in self.statistics)
        verdict = f"differs in {', '.join(over)}" if self.alarm else "like the earlier drops"
        missing = "".join(f"; {name} not judged: {why}" for name, why in self.left_out.items())
        figures = f"p = {self.p:.3g} against {self.false_alarms:g} over {looked}, {self.drops} earlier drops"
        return f"{verdict}; {figures}{missing}"


def drops_needed(false_alarms: float) -> int:
    """Earlier drops without which no alarm at this rate is possible.

    Raises:
        SelvedgeError: the rate is not above 0 and at most one half.
    """
    if not 0 < false_alarms <= 0.5:
        raise SelvedgeError(f"a rate of false alarms is above 0 and at most 0.5, not {false_alarms}.")
    return math.ceil(1 / false_alarms - 1e-9) - 1


def judge(
    new: Delivery,
    earlier: Sequence[Delivery],
    statistics: Sequence[str] = DRIFT,
    false_alarms: float = FALSE_ALARMS,
    seed: int = 0,
) -> Judgement:
    """Is the new drop like the earlier ones?

    A larger drop is compared by as many of its rows as the new one has, drawn at random: small samples differ more. A
    smaller one is taken as it is, which costs power and never a false alarm.

    Args:
        statistics: to judge, jointly. A statistic counts where the new drop and enough earlier ones have what it needs.
        false_alarms: the rate over drops that are like the earlier ones, for all statistics together.
        seed: of the rows that are drawn.

    Raises:
        SelvedgeError: the rate is none, or a feature is not finite.
    """
    needed, left_out, judged = drops_needed(false_alarms), {}, []
    compared = list(earlier)
    for name in statistics:
        least = 1 if name in (ATTRIBUTES, FEATURES) else ANSWERS
        having = [drop for drop in compared if drop.rows(name) >= least]
        if new.rows(name) < least:
            of = f" of {least} answers" if least > 1 else ""
            left_out[name] = f"the drop has {new.rows(name) or 'none'}{of}"
        elif len(having) < needed:
            left_out[name] = f"not enough drops: {len(having)} of {needed}"
        else:
            judged.append(name)
            compared = having
    if not judged:
        return Judgement(None, None, (), left_out, 0, needed, false_alarms)
    drops = [*compared, new]
    by_attribute = _by_attribute(drops, seed) if ATTRIBUTES in judged else {}
    series = np.stack([_series(name, drops, by_attribute, seed) for name in judged])
    middle = np.median(series, axis=1, keepdims=True)
    spread = _spread(series, middle)
    oddness = ((series - middle) / spread).max(axis=0)
    p = _p_value(oddness)
    alarms_allowed = math.floor(false_alarms * len(drops) + 1e-9)
    limits = middle[:, 0] + spread[:, 0] * np.sort(oddness[:-1])[-alarms_allowed]
    return Judgement(
        p <= false_alarms + 1e-12,
        p,
        tuple(
            Statistic(name, float(of_drops[-1]), float(limit), _p_value(of_drops), of_drops[:-1])
            for name, of_drops, limit in zip(judged, series, limits, strict=True)
        ),
        left_out,
        len(compared),
        needed,
        false_alarms,
        {name: (float(each[-1]), float(np.median(each[:-1]))) for name, each in by_attribute.items()},
    )


def chi_square(counts: np.ndarray) -> np.ndarray:
    """Each drop against all others together: the statistic of homogeneity of the 2 x values table.

    Args:
        counts: (drops, values) products.

    Returns:
        (drops,) float64; 0 where the drop or all others hold nothing.
    """
    own = counts.sum(axis=1, keepdims=True)
    pooled = counts.sum(axis=0, keepdims=True)
    total, rest = pooled.sum(), pooled - counts
    with np.errstate(divide="ignore", invalid="ignore"):
        expected, expected_rest = own * pooled / total, (total - own) * pooled / total
        terms = (counts - expected) ** 2 / expected + (rest - expected_rest) ** 2 / expected_rest
    result: np.ndarray = np.nan_to_num(terms, nan=0.0, posinf=0.0).sum(axis=1)
    return result


def energy_distances(features: Sequence[np.ndarray]) -> np.ndarray:
    """Each drop against all others together: 2 E|X - Y| - E|X - X'| - E|Y - Y'| with Euclidean distances.

    Args:
        features: one (rows, d) array a drop.

    Returns:
        (drops,) float64, at least 0; 0 only for equal distributions (Székely and Rizzo, 2013).
    """
    sizes = np.array([len(rows) for rows in features], dtype=float)
    everything = np.concatenate(features).astype(float)
    squares = (everything**2).sum(axis=1)
    starts = np.concatenate([[0], np.cumsum(sizes[:-1])]).astype(int)
    sums = np.zeros((len(features), len(features)))
    for number, (start, size) in enumerate(zip(starts, sizes.astype(int), strict=True)):
        part = slice(start, start + size)
        squared = squares[part, None] + squares - 2 * everything[part] @ everything.T
        squared[np.arange(size), np.arange(start, start + size)] = 0  # a row and itself, without rounding
        sums[number] = np.add.reduceat(np.sqrt(np.maximum(squared, 0)).sum(axis=0), starts)
    within, across = np.diag(sums), sums.sum(axis=1)
    rest_size = sizes.sum() - sizes
    rest = sums.sum() - 2 * across + within
    result: np.ndarray = (
        2 * (across - within) / (sizes * rest_size) - within / sizes**2 - rest / np.maximum(rest_size, 1) ** 2
    )
    return result


def _series(name: str, drops: Sequence[Delivery], by_attribute: Mapping[str, np.ndarray], seed: int) -> np.ndarray:
    """(drops,) a statistic of each drop against all others together."""
    if name == ATTRIBUTES:
        return np.sum(list(by_attribute.values()), axis=0)
    rows = drops[-1].rows(name)
    if name == FEATURES:
        cut = min(rows, FEATURE_ROWS)
        parts = [np.asarray(drop.features, dtype=float)[_drawn(drop.rows(name), cut, seed)] for drop in drops]
        if not all(np.isfinite(part).all() for part in parts):
            raise SelvedgeError("an image feature is not finite; the model that computed it is damaged.")
        return energy_distances(_whitened(parts))
    flags = [np.asarray(drop.answers[name])[_drawn(drop.rows(name), rows, seed)] for drop in drops]
    hits, sizes = np.array([part.sum() for part in flags], dtype=float), np.array([len(part) for part in flags])
    difference = hits / sizes - (hits.sum() - hits) / np.maximum(sizes.sum() - sizes, 1)
    # Fewer contradictions are good news; fewer abstentions may be another kind of picture.
    return difference if name == CONTRADICTION else np.abs(difference)


def _whitened(parts: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The features turned and scaled to equal variances over all drops.

    Unscaled, the distance between two garments hides that all pictures moved a little: half a drop in another drawing
    style was noticed in 7 of 40 trials, scaled in 22 of 25.
    """
    rows = np.concatenate(parts)
    middle = rows.mean(axis=0)
    variances, directions = np.linalg.eigh(np.atleast_2d(np.cov((rows - middle).T)))
    scaled = directions / np.sqrt(np.maximum(variances, 0) + RIDGE * max(variances.mean(), np.finfo(float).tiny))
    return [(part - middle) @ scaled for part in parts]


def _by_attribute(drops: Sequence[Delivery], seed: int) -> dict[str, np.ndarray]:
    """Attribute -> (drops,) its chi-square against all others together, for each product of the drop."""
    rows = drops[-1].rows(ATTRIBUTES)
    parts = [_drawn(drop.rows(ATTRIBUTES), rows, seed) for drop in drops]
    sizes = np.array([len(part) for part in parts], dtype=float)
    parted = {}
    for name in sorted({name for drop in drops for name in drop.values}):
        of_drops = [
            np.asarray(drop.values.get(name, ("",) * drop.rows(ATTRIBUTES)), dtype=object)[part]
            for drop, part in zip(drops, parts, strict=True)
        ]
        parted[name] = chi_square(_counts(of_drops)) / sizes
    return parted


def _counts(values: Sequence[np.ndarray]) -> np.ndarray:
    """(drops, values) products; values that a drop hardly ever holds are one, and stating none is one, too.

    In a drop of eight products every article type is rare, but which attributes are stated still tells skirts from
    shoes.
    """
    names = sorted({str(value) for part in values for value in part})
    column = {name: number for number, name in enumerate(names)}
    counts = np.zeros((len(values), len(names)))
    for row, part in enumerate(values):
        for value in part:
            counts[row, column[str(value)]] += 1
    rare = counts.mean(axis=0) < LIKELY
    return np.column_stack([counts[:, ~rare], counts[:, rare].sum(axis=1)])


def _drawn(rows: int, most: int, seed: int) -> np.ndarray:
    """Indices of at most so many rows."""
    return np.arange(rows) if rows <= most else np.sort(np.random.default_rng(seed).permutation(rows)[:most])


def _spread(series: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """(statistics, 1) a scale that is 0 for none: of a statistic that most drops agree in, the mean takes over."""
    scale = np.quantile(series, UPPER, axis=1, keepdims=True) - middle
    scale = np.where(scale > 0, scale, np.abs(series - middle).mean(axis=1, keepdims=True))
    return np.where(scale > 0, scale, 1.0)


def _p_value(series: np.ndarray) -> float:
    """The share of drops that are at least as far out as the last one, itself counted."""
    return float(np.mean(series >= series[-1] - 1e-12))
