"""Scores of a ranker on held-out picks, beside the untrained order, chance and the champion.

Belongs here: the figures and their intervals. Not here: the held-out part (picks.py), the decision
(evaluation/gate.py).

The figures: `accuracy`, how often the picked picture comes first of those shown; `pair_accuracy`, how often a picked
picture comes before one that was not, which the gate goes by; `log_loss` and `calibration_error` of the probability
that a ranker gives a pair. A single person agrees with others about 65 times in 100, so a `pair_accuracy` far above 0.7
on single answers is suspicious. Products are resampled, with all of their picks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from catalog.errors import SelvedgeError
from evaluation.scores import ALL, BASE, CANDIDATE, CHAMPION, FLOOR, MEAN
from training.ad_ranker.picks import Pick, Picks
from training.ad_ranker.ranker import AdRanker, Array

if TYPE_CHECKING:
    import pandas as pd

    from evaluation.evidence import Evidence

PICK = "pick"  # the one thing that is asked, as the table's attribute
RANDOM = f"{FLOOR}random"
ACCURACY, PAIR_ACCURACY, LOG_LOSS = "accuracy", "pair_accuracy", "log_loss"
CALIBRATION_ERROR = "calibration_error"
BINS = 10
SCORES_FILE, EVIDENCE_FILE = "scores.parquet", "evidence.json"


@dataclass(frozen=True)
class RankerScores:
    """What one evaluation gave: the table `scores`, the candidate's answers, the evidence."""

    scores: "pd.DataFrame"
    predictions: "Mapping[str, pd.DataFrame]"
    evidence: "Evidence"

    def write(self, folder: Path) -> None:
        """Scores and evidence as files of a folder that is there."""
        import evaluation.tables  # noqa: F401  declares the table
        from catalog.files import publish_text
        from catalog.tables import write_table

        write_table(self.scores, folder / SCORES_FILE, "scores")
        publish_text(self.evidence.to_json(), folder / EVIDENCE_FILE)


def score_rankers(
    candidate: AdRanker,
    champion: tuple[str, AdRanker] | None,
    picks: Picks,
    *,
    family: str,
    name: str,
) -> RankerScores:
    """Every subject on the held-out picks.

    Args:
        champion: its version and ranker. name: the candidate's.

    Raises:
        SelvedgeError: nothing is held out.
    """
    import pandas as pd

    from evaluation.evidence import metrics_evidence
    from evaluation.gate import PICKS
    from evaluation.intervals import GroupResamples, interval, resampled_mean
    from evaluation.tables import SCORES

    held_out = picks.part(held_out=True)
    if not held_out:
        raise SelvedgeError("no pick is held out; let people pick among ads of more products.")
    weights = GroupResamples(pick.group for pick in held_out).row_weights(pick.group for pick in held_out)
    rankers = {CANDIDATE: candidate, **({CHAMPION: champion[1]} if champion else {})}
    values = {subject: _figures(held_out, ranker) for subject, ranker in rankers.items()}
    values |= {BASE: _ordered(held_out), RANDOM: _by_chance(held_out)}
    rows = []
    for subject, figures in values.items():
        for metric, column in figures.items():
            bounds = interval(float(column.mean()), resampled_mean(column, weights))
            rows.append((subject, metric, float(column.mean()), bounds.low, bounds.high))
    for rival in values.keys() - {CANDIDATE}:
        for metric in (ACCURACY, PAIR_ACCURACY):
            gain = values[CANDIDATE][metric] - values[rival][metric]
            bounds = interval(float(gain.mean()), resampled_mean(gain, weights))
            against = FLOOR.removesuffix(":") if rival == RANDOM else rival
            rows.append((CANDIDATE, f"{metric}_minus_{against}", float(gain.mean()), bounds.low, bounds.high))
    rows += [
        (subject, CALIBRATION_ERROR, calibration_error(held_out, ranker), np.nan, np.nan)
        for subject, ranker in rankers.items()
    ]
    table = pd.DataFrame(
        [
            (family, name, subject, attribute, ALL, metric, value, low, high, len(held_out))
            for subject, metric, value, low, high in sorted(rows)
            for attribute in (PICK, MEAN)
        ],
        columns=SCORES.names,
    )
    answers = pd.DataFrame(
        {
            "request": [pick.request for pick in held_out],
            "product_id": [pick.product_id for pick in held_out],
            "first": values[CANDIDATE][ACCURACY],
        }
    )
    evidence = metrics_evidence(table, champion[0] if champion else None, picks.sha256)
    whose = {"answers": len(picks.picks), "simulated": picks.simulated or candidate.simulated}
    evidence = replace(evidence, others={PICKS: whose})
    return RankerScores(table, {CANDIDATE: answers}, evidence)


def calibration_error(picks: Sequence[Pick], ranker: AdRanker) -> float:
    """Mean distance of said and seen over ten bins of confidence, of the pairs of picks."""
    from evaluation.classification import expected_calibration_error

    said = np.concatenate([_said(pick, ranker) for pick in picks])
    return expected_calibration_error(np.maximum(said, 1 - said), said > 0.5, BINS)


def _said(pick: Pick, ranker: AdRanker) -> Array:
    """The probability of what was picked, against each of the others."""
    others = np.delete(pick.rows, pick.position, axis=0)
    return ranker.probability(pick.rows[[pick.position]], others)


def _figures(picks: Sequence[Pick], ranker: AdRanker) -> dict[str, Array]:
    figures = _of_scores([ranker.scores(pick.rows) for pick in picks], picks)
    loss = [-np.log(np.clip(_said(pick, ranker), 1e-12, 1)).mean() for pick in picks]
    return figures | {LOG_LOSS: np.array(loss)}


def _ordered(picks: Sequence[Pick]) -> dict[str, Array]:
    """The order of an untrained ranker."""
    return _of_scores([-pick.untrained for pick in picks], picks)


def _by_chance(picks: Sequence[Pick]) -> dict[str, Array]:
    """What any order gives in the mean: exact, not drawn."""
    return _of_scores([np.zeros(len(pick.rows)) for pick in picks], picks)


def _of_scores(scores: Sequence[Array], picks: Sequence[Pick]) -> dict[str, Array]:
    """(picks,) of each figure; where several come first together, each has its share."""
    first, pairs = [], []
    for of_pick, pick in zip(scores, picks, strict=True):
        own, others = of_pick[pick.position], np.delete(of_pick, pick.position)
        best = of_pick == of_pick.max()
        first.append(float(best[pick.position]) / best.sum())
        pairs.append(np.mean((own > others) + 0.5 * (own == others)))
    return {ACCURACY: np.array(first), PAIR_ACCURACY: np.array(pairs)}
