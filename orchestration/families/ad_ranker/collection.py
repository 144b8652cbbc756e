"""Collecting picks: from the ledger and the recipes of what was shown to a folder that a candidate learns from.

Belongs here: whether there are enough, and the two tables of one folder, named by their content. Not here: the ledger
(labeling/review/ledger/), the tables' columns (training/ad_ranker/picks.py).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import SelvedgeError
from orchestration.families.ad_ranker import NAME

if TYPE_CHECKING:
    from labeling.review.ledger.ledger import Ledger
    from orchestration.assets.published import Tables
    from orchestration.runtime.settings import Settings
    from training.ad_ranker.candidate import AdRankerSettings

DIGITS = 16


@dataclass(frozen=True)
class Collected:
    """A folder of picks. answers: in it; without_measurements: that were left out, with their pictures."""

    folder: Path
    sha256: str
    answers: int
    simulated: int
    without_measurements: int


def ranker_settings(settings: "Settings") -> "AdRankerSettings":
    """How candidates are trained.

    Raises:
        SelvedgeError: as `candidate_settings`, or scripted annotators' picks are asked for outside of the demo.
    """
    from orchestration.families.stages import candidate_settings
    from training.ad_ranker.candidate import AdRankerSettings

    options = candidate_settings(AdRankerSettings, settings, NAME)
    if options.simulated_picks and not settings.simulated_ballots:
        raise SelvedgeError(
            f"simulated_picks of {NAME} trains on scripted annotators' picks, which only the demo may; leave it out."
        )
    return options


def lacking(ledger: "Ledger", settings: "Settings") -> str:
    """Why the picks so far train nothing, in one sentence; "" where they do. Raises: as `ranker_settings`."""
    from labeling.review.picks.pulling import last_picks
    from training.ad_ranker.picks import too_few

    options = ranker_settings(settings)
    counted = [
        pick
        for pick in last_picks(ledger.picks.picks())
        if pick.judgement.picked_sha256 is not None and (options.simulated_picks or not pick.judgement.simulated)
    ]
    return too_few(len(counted), options.least_picks)


def collect_picks(ledger: "Ledger", tables: "Tables", root: Path) -> Collected:
    """Write the picks that count, and what was shown to them, below `root`; the same again is the same folder.

    Raises:
        SelvedgeError: a recipe is gone or was changed.
    """
    import pandas as pd

    from catalog.tables import as_table
    from inference.ad_images.shown import shown_rows
    from labeling.review.picks.pulling import last_picks
    from training.ad_ranker.picks import AD_PICKS, AD_SHOWN, picks_sha256, write_picks

    picks = last_picks(ledger.picks.picks())
    tasks = {round_.round_id: ledger.picks.tasks(round_.round_id) for round_ in ledger.picks.rounds()}
    shown, answers = {}, []
    left_out = 0
    for pick in picks:
        task = tasks[pick.round_id][pick.pick.task_key]
        if task.request not in shown:
            pictures = [(picture.sha256, tables.standing(picture.uri)) for picture in task.shown]
            shown[task.request] = shown_rows(task.request, pictures)
        if not shown[task.request]:
            left_out += 1
            continue
        answers.append(
            {
                "request": task.request,
                "product_id": task.product_id,
                "picked_sha256": pick.judgement.picked_sha256,
                "comment": pick.pick.comment,
                "annotator": pick.pick.rater,
                "simulated": pick.judgement.simulated,
                "seconds": pick.pick.seconds,
                "created_at": pick.pick.created_at,
                "updated_at": pick.pick.updated_at,
            }
        )
    answers_table = pd.DataFrame(answers, columns=AD_PICKS.names)
    answers_table["product_id"] = answers_table["product_id"].astype("Int64")
    rows = [row for request in sorted(shown) for row in shown[request]]
    shown_table = pd.DataFrame(rows, columns=AD_SHOWN.names)
    sha256 = picks_sha256(as_table(answers_table, "ad_picks"), as_table(shown_table, "ad_shown"))
    folder = root / sha256[:DIGITS]
    folder.mkdir(parents=True, exist_ok=True)
    write_picks(answers_table, shown_table, folder)
    return Collected(folder, sha256, len(answers), sum(bool(row["simulated"]) for row in answers), left_out)
