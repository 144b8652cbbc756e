"""A candidate: a ranker fitted on the picks that are not held out.

Belongs here: the settings, the fit from a folder of picks, the artefact. Not here: the ranker (ranker.py), scoring it
(scoring.py).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from catalog.errors import SelvedgeError
from training.settings import Range, hold_to_ranges

ARTEFACT_FOLDER, RANKER_FILE = "artefact", "selvedge.json"
LEAST_EVER = 20  # with fewer, a handful of products is held out and no figure says anything


@dataclass(frozen=True)
class AdRankerSettings:
    """least_picks: answers that chose a picture, below which nothing is trained. simulated_picks: learn from scripted
    annotators' picks, too, for a rehearsal: what comes of it is nobody's preference and says so."""

    least_picks: Annotated[int, Range(LEAST_EVER)] = 80
    simulated_picks: bool = False

    def __post_init__(self) -> None:
        hold_to_ranges(self)


@dataclass(frozen=True)
class TrainedRanker:
    """picks: that it was fitted on. held_out: kept for scoring. none_of_these: answers that chose no picture."""

    artefact: Path
    digest: str
    picks: int
    held_out: int
    pairs: int
    none_of_these: int
    simulated: bool


def train_ranker(picks_folder: Path | str, settings: AdRankerSettings, folder: Path) -> TrainedRanker:
    """Fit on the picks of a folder; takes milliseconds, so one that was killed simply begins again.

    Args:
        folder: of the candidate; the artefact is written inside.

    Raises:
        SelvedgeError: too few picks, or their tables are damaged.
    """
    from training.ad_ranker.picks import pairs_of, read_picks, too_few
    from training.ad_ranker.ranker import AdRanker

    picks = read_picks(picks_folder, simulated=settings.simulated_picks)
    if reason := too_few(len(picks.picks), settings.least_picks):
        raise SelvedgeError(f"{picks_folder}: {reason}")
    learnt, held_out = picks.part(held_out=False), picks.part(held_out=True)
    if not learnt or not held_out:
        raise SelvedgeError(
            f"{picks_folder}: the picks are of too few products to hold any out; let people pick among more of them."
        )
    ranker = AdRanker.fit(*pairs_of(learnt), simulated=any(pick.simulated for pick in learnt))
    artefact = folder / ARTEFACT_FOLDER
    artefact.mkdir(parents=True, exist_ok=True)
    digest = ranker.save(artefact / RANKER_FILE)
    return TrainedRanker(
        artefact, digest, len(learnt), len(held_out), ranker.pairs, picks.none_of_these, ranker.simulated
    )
