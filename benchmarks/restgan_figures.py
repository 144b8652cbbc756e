"""The figures of the ReStGAN ladder: what the kept samples of its runs say, beside real pictures and floors.

Belongs here: gathering the finished runs of one data set and stage, and measuring every rung with the same draws. Not
here: the runs (restgan_runs.py), which targets they meet (restgan_targets.py), printing (restgan_ladder.py).

Only seeds that every rung has are compared: another seed is another training, and a rung with more of them would be
measured on other luck.

KID stands twice. Its cubic kernel grows with the sixth power of a feature's length, so that a few photographs with
long features make real against real anything at all. So it is also taken with all features brought to one length
(`kid_even`, ours), where no picture can decide it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from benchmarks.restgan_runs import COSTS, REAL, SCALES, Run, ground, kept_samples, runs
from catalog.errors import SelvedgeError
from catalog.lab import difference as colour_difference
from evaluation.generation import NOT_ASKED, frechet_distance, kernel_distance
from evaluation.generation_intervals import (
    Floor,
    accuracy_estimate,
    frechet_estimate,
    inception_ceiling,
    inception_estimate,
    kernel_estimate,
    real_floor,
)
from evaluation.hierarchical import CrossedResamples, Resampled
from evaluation.neighbours import memorisation, modes_covered
from evaluation.refinement import PictureSequences, answers_of, refinement
from evaluation.word_changes import no_effect, undo
from training.attribute_judge import AttributeJudge
from training.restgan.dataset import ATTRIBUTES, Bottoms
from training.restgan.samples import (
    REORDERED,
    SILENT,
    UNDONE,
    Queries,
    changes_of,
    garment_colours,
    sequences_of,
    whole_wanted,
)
from training.restgan.sampling import build_networks, read_about
from training.restgan.settings import VARIANTS
from training.restgan.words import COLOUR

Figures = dict[str, Resampled]
Samples = Mapping[str, NDArray[np.generic]]
RESAMPLES = 1000
LEAST_FOR_FRECHET = 2000  # pictures; with fewer the distance is mostly its own bias
SUBSETS = 5  # of the generated pictures, for the Fréchet distance at the floor's number


@dataclass(frozen=True)
class Cost:
    """parameters: of text encoder and generator. minutes: of one training (`Scale.device`), mean over the seeds.
    curves: one a seed, (images seen, seconds so far, KID) after each leg."""

    parameters: int
    minutes: float
    curves: tuple[tuple[tuple[int, float, float], ...], ...]


@dataclass(frozen=True)
class Ladder:
    """One data set at one side, measured.

    Attributes:
        data, side: which pictures; pixels, a key of SCALES.
        pictures, queries: whole queries asked, and queries asked word by word.
        seeds: that all rungs have. finished: rung -> seeds that are there.
        rungs: rung -> figures; plain: rung -> figures without an interval. costs: rung -> its cost.
        real, others: the same figures of real pictures, each asked its own query (ceiling) or another's (floor).
        floors: `kid`, `kid_even` and, where there are enough pictures, `fid`, real against real.
        judge: what judged. bottoms: the whole data set. artefacts: run -> digest of its model.
    """

    data: str
    side: int
    pictures: int
    queries: int
    seeds: tuple[int, ...]
    finished: Mapping[str, tuple[int, ...]]
    rungs: Mapping[str, Figures]
    plain: Mapping[str, Mapping[str, float]]
    costs: Mapping[str, Cost]
    real: Figures
    others: Figures
    floors: Mapping[str, Floor]
    judge: AttributeJudge
    bottoms: Bottoms
    artefacts: Mapping[str, str] = field(default_factory=dict)


def measure_ladder(data: str, side: int, out: Path) -> Ladder:
    """Every finished run of a data set and side as one ladder.

    Raises:
        SelvedgeError: no run is finished, or no seed has all rungs that have begun.
    """
    found = finished_runs(data, side, out)
    seeds = shared_seeds({rung: tuple(of) for rung, of in found.items()}, data, side, out)
    bottoms, judge, queries = ground(data, side, out)
    trained = {rung: [Run(data, rung, seed, side) for seed in seeds] for rung in found}
    samples = {rung: [of[seed] for seed in seeds] for rung, of in found.items()}
    with threadpool_limits(
        1
    ):  # thousands of 64 x 64 matrices: beside other work a second thread costs 80 times as much
        same = _Same(bottoms, judge, queries, len(seeds))
        return Ladder(
            data, side, len(queries.held_out), len(queries.growing), seeds,
            {rung: tuple(of) for rung, of in found.items()},
            {rung: same.figures(some) for rung, some in samples.items()},
            {rung: same.plain(some) for rung, some in samples.items()},
            {rung: _cost(some, bottoms, out) for rung, some in trained.items()},
            same.real(), same.others(), same.floors, judge, bottoms,
            {run.name: str(read_about(out / "runs" / run.name / "model")["digest"])
             for some in trained.values() for run in some},
        )  # fmt: skip


def finished_runs(data: str, side: int, out: Path) -> dict[str, dict[int, Samples]]:
    """Rung -> seed -> samples, of what is finished; in the order of the ladder."""
    found: dict[str, dict[int, Samples]] = {}
    for run in runs(data, side):
        samples = kept_samples(run, out)
        if samples is not None:
            found.setdefault(run.variant, {})[run.seed] = samples
    return {rung: dict(sorted(found[rung].items())) for rung in VARIANTS if rung in found}


def shared_seeds(finished: Mapping[str, Sequence[int]], data: str, side: int, out: Path) -> tuple[int, ...]:
    """The seeds that all rungs have.

    Raises:
        SelvedgeError: there is none.
    """
    seeds = sorted(set.intersection(*(set(of) for of in finished.values()))) if finished else []
    if not seeds:
        flag = " --gpu" if SCALES[side].device != "cpu" else " --photographs" if data == REAL else ""
        what = "no finished run" if not finished else "no seed that all rungs have"
        raise SelvedgeError(
            f"{out} holds {what} of the ladder on {data} at {side} pixels; "
            f"`python -m benchmarks.restgan_runs --out {out}{flag}` makes the missing ones."
        )
    return tuple(seeds)


class _Same:
    """What all rungs of one ladder share: queries, real pictures as the judge sees them, draws."""

    def __init__(self, bottoms: Bottoms, judge: AttributeJudge, queries: Queries, seeds: int) -> None:
        self.bottoms, self.queries, self.seeds = bottoms, queries, seeds
        self.held_out, self.own = queries.held_out, judge.own_accuracy
        self.names = [str(query) for query in self.held_out.rows["query"]]
        self.groups = [str(group) for group in self.held_out.rows["group_id"]]
        self.wanted = whole_wanted(self.held_out)
        self.draws = CrossedResamples(self.names, seeds, RESAMPLES)
        self.word_draws = CrossedResamples(queries.names, seeds, RESAMPLES)
        self.features = judge.features(self.held_out.pictures)
        self.train_features = judge.features(bottoms.of("train").pictures)
        self.probabilities = judge.probabilities(self.held_out.pictures)
        self.word_answers = answers_of(judge.probabilities(queries.growing.pictures), ATTRIBUTES)
        self.lab = garment_colours(self.held_out.pictures)
        self.with_frechet = len(self.held_out) >= LEAST_FOR_FRECHET
        self.even = at_one_length(self.features)
        self.floors = {
            "kid": real_floor(self.features, self.groups, measure=kernel_distance),
            "kid_even": real_floor(self.even, self.groups, measure=kernel_distance),
        }
        if self.with_frechet:
            self.floors["fid"] = real_floor(self.features, self.groups, measure=frechet_distance)

    def figures(self, trainings: Sequence[Samples]) -> Figures:
        """Figures of one rung, one training a seed."""
        features = np.stack([one["features"] for one in trainings])
        tables = {name: np.stack([one[f"probabilities/{name}"] for one in trainings]) for name in ATTRIBUTES}
        found = self._asked(tables, np.stack([one["lab"] for one in trainings]))
        found |= {f"inception/{name}": inception_estimate(tables[name], self.names, self.draws) for name in ATTRIBUTES}
        found["kid"] = kernel_estimate(self.features, self.groups, features, self.names, self.draws)
        even = at_one_length(features)
        found["kid_even"] = kernel_estimate(self.even, self.groups, even, self.names, self.draws)
        if self.with_frechet:
            found["fid"] = frechet_estimate(self.features, self.groups, features, self.names, self.draws)
        sequences = [sequences_of(one, self.queries) for one in trainings]
        return found | self._said(sequences) | self._refined(sequences) | self._changed(trainings)

    def plain(self, trainings: Sequence[Samples]) -> dict[str, float]:
        """Figures without an interval, means over the trainings."""
        rng = np.random.default_rng(0)
        rows: dict[str, list[float]] = {}
        for one in trainings:
            features = np.asarray(one["features"], np.float64)
            answers = answers_of({name: one[f"probabilities/{name}"] for name in ATTRIBUTES}, ATTRIBUTES)
            near = memorisation(features, self.train_features, self.features)
            shown = modes_covered(answers_of(self.probabilities, ATTRIBUTES), answers)
            some = {"copies": near.copies, "closer": near.closer, "kinds": shown.share, "kinds_mass": shown.mass}
            if self.with_frechet:
                taken = [rng.permutation(len(features))[: self.floors["fid"].rows] for _ in range(2 * SUBSETS)]
                pairs = zip(taken[::2], taken[1::2], strict=True)
                some["fid_as_floor"] = float(np.mean([frechet_distance(self.features[a], features[b])
                                                      for a, b in pairs]))  # fmt: skip
            for name, value in some.items():
                rows.setdefault(name, []).append(value)
        return {name: float(np.mean(values)) for name, values in rows.items()}

    def real(self) -> Figures:
        """The ceiling: real pictures under their own queries."""
        found = self._pictures(0)
        for name in ATTRIBUTES:
            table = self.probabilities[name]
            found[f"inception/{name}"] = inception_ceiling(table, self.groups, RESAMPLES, len(table))
        return found

    def others(self) -> Figures:
        """The floor: real pictures under queries of other products, what the shares of the classes give away."""
        return self._pictures(len(self.held_out) // 2)

    def _pictures(self, turn: int) -> Figures:
        """Real pictures, `turn` places away from their queries, as many copies as there are trainings."""

        def copies(array: NDArray[Any]) -> NDArray[Any]:
            return np.stack([np.roll(array, turn, axis=0)] * self.seeds)

        found = self._asked({name: copies(table) for name, table in self.probabilities.items()}, copies(self.lab))
        some = self.queries.growing
        n, longest = some.words.shape
        answers = np.roll(self.word_answers, turn and n // 2, axis=0)[:, None].repeat(longest, axis=1)
        nothing = np.zeros((n, longest, 1))
        one = PictureSequences(
            ATTRIBUTES, self.queries.names, some.lengths, self.queries.wanted, self.queries.mentioned,
            answers, answers, nothing, nothing,
        )  # fmt: skip
        return found | self._said([one] * self.seeds)

    def _asked(self, tables: Mapping[str, NDArray[Any]], lab: NDArray[Any]) -> Figures:
        """Whole queries: what is asked is shown, and in its colour."""
        asked = np.flatnonzero(self.wanted[:, COLOUR] != NOT_ASKED)
        centres = self.bottoms.colours.centres[self.wanted[asked, COLOUR]]
        away = colour_difference(lab[:, asked], centres[None])
        return {
            "whole": accuracy_estimate(tables, self.wanted, self.names, self.draws),
            "colour": median_estimate(away, [self.names[row] for row in asked], self.draws),
        }

    def _said(self, sequences: Sequence[PictureSequences]) -> Figures:
        names = {"all": None, **{name: name for name in ATTRIBUTES}}
        return {f"words/{name}": word_accuracy(sequences, self.word_draws, one) for name, one in names.items()}

    def _refined(self, sequences: Sequence[PictureSequences]) -> Figures:
        whole = refinement(sequences, self.own, self.word_draws)
        names = ("gain", "gain_share", "retention", "relative_retention", "drift", "summary", "colour_drift")
        return {name: cast(Resampled, getattr(whole, name)) for name in names}

    def _changed(self, trainings: Sequence[Samples]) -> Figures:
        silent, reordered, undone = (changes_of(trainings, self.queries, one) for one in (SILENT, REORDERED, UNDONE))
        nothing, order = no_effect(silent, self.word_draws), no_effect(reordered, self.word_draws)
        back = undo(undone, self.queries.removed, self.word_draws)
        return {
            "silent_drift": nothing.drift, "order_agreement": order.agreement, "order_drift": order.drift,
            "undo_released": back.released, "undo_kept": back.kept,
        }  # fmt: skip


def word_accuracy(
    trainings: Sequence[PictureSequences], draws: CrossedResamples, attribute: str | None = None
) -> Resampled:
    """Share of mentioned attributes found, over all words: `RefinementFigures.accuracy`, of one attribute or of all."""
    first = trainings[0]
    present = np.arange(first.mentioned.shape[1]) < np.asarray(first.lengths)[:, None]
    wanted = np.array([attribute in (None, name) for name in first.attributes])
    asked = first.mentioned & present[..., None] & wanted
    hits = np.stack([(one.hits & asked).sum(axis=(1, 2)) for one in trainings])
    return draws.ratio(hits, np.broadcast_to(asked.sum(axis=(1, 2)), hits.shape), first.prompts)


def median_estimate(values: ArrayLike, prompts: Sequence[str], draws: CrossedResamples) -> Resampled:
    """The median over prompts, mean over trainings, with prompts and seeds resampled.

    Args:
        values: (seeds, n) float. prompts: of every one of the n pictures.
    """
    table = np.asarray(values, np.float64)
    weights = draws.prompt_weights(prompts)
    replicates = []
    for row in table:
        order = np.argsort(row)
        reached = np.cumsum(weights[:, order], axis=1, dtype=np.float64)
        replicates.append(row[order][(reached < reached[:, -1:] / 2).sum(axis=1)])
    return draws.mean_over_seeds(np.median(table, axis=1), np.stack(replicates, axis=1))


def at_one_length(features: ArrayLike) -> NDArray[np.float64]:
    """(..., d) features, each scaled so that the mean of its squares is 1; one of length 0 stays."""
    table = np.asarray(features, np.float64)
    length = np.sqrt((table**2).mean(axis=-1, keepdims=True))
    return np.divide(table, length, out=np.zeros_like(table), where=length > 0)


def _cost(trained: Sequence[Run], bottoms: Bottoms, out: Path) -> Cost:
    curves = []
    for run in trained:
        legs = json.loads((out / "runs" / run.name / COSTS).read_text())
        seconds = np.cumsum([leg["seconds"] for leg in legs])
        curves.append(tuple((int(leg["images"]), float(so_far), float(leg["kid"]))
                            for leg, so_far in zip(legs, seconds, strict=True)))  # fmt: skip
    networks = build_networks(trained[0].settings, bottoms.vocabulary, bottoms.colours)
    parameters = sum(one.numel() for network in networks for one in network.parameters())
    return Cost(parameters, float(np.mean([curve[-1][1] for curve in curves])) / 60, tuple(curves))
