"""Training and scoring a candidate of ad-ranker: fitted on people's picks, beside the untrained order and chance.

Belongs here: the two jobs on either kind of data, and what is shown of them. Not here: the work (training/ad_ranker/),
tracking and registering (orchestration/families/runner.py).

By hand a folder of picks stands where other families have a catalogue directory.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.families.ad_ranker import NAME
from orchestration.families.contract import Contenders, ScoredCandidate, TrainedCandidate, TrainingRequest

if TYPE_CHECKING:
    from orchestration.assets.candidates import Opening
    from training.reporting import Reporter

SIMULATED = "SIMULATED: scripted annotators picked, which is nobody's preference"


def train(request: TrainingRequest, reporter: "Reporter") -> TrainedCandidate:
    """The fit on the picks that are not held out.

    Raises:
        SelvedgeError: as `training.ad_ranker.candidate.train_ranker`.
    """
    from training.ad_ranker.candidate import AdRankerSettings, train_ranker
    from training.settings import settings_from

    settings, folder = request.settings, str(request.data)
    parameters: dict[str, Any] = {}
    if not isinstance(request.data, Path):
        opening = request.data
        settings = settings_from(AdRankerSettings, opening.settings, f"the opening of {request.folder.name}")
        folder, parameters = opening.dataset["picks"], dict(opening.settings)
    trained = train_ranker(folder, settings, request.folder)
    reporter.progress(1, 1, "fitting")
    described = {
        "picks": trained.picks,
        "held_out": trained.held_out,
        "none_of_these": trained.none_of_these,
        "simulated_picks": trained.simulated,
    }
    keys = {"path": str(trained.artefact), "digest": trained.digest, "steps": trained.pairs, **described}
    shown = {"picks": SIMULATED} if trained.simulated else {}
    return TrainedCandidate(trained.artefact, trained.digest, keys, parameters, (), described, shown)


def score(contenders: Contenders, reporter: "Reporter", flags: frozenset[str] = frozenset()) -> ScoredCandidate:  # noqa: ARG001 (the contract's)
    """The candidate and its champion on held-out picks. A candidate of scripted picks is scored on those, too.

    Raises:
        SelvedgeError: a ranker or a table of picks is missing or damaged.
    """
    from evaluation.scores import means
    from training.ad_ranker.picks import read_picks
    from training.ad_ranker.scoring import ACCURACY, CALIBRATION_ERROR, LOG_LOSS, PAIR_ACCURACY, score_rankers

    candidate = read_ranker(contenders.folder)
    champion = contenders.champion and (contenders.champion[0], read_ranker(contenders.champion[1]))
    picks = read_picks(picks_folder(contenders.data), simulated=candidate.simulated)
    evaluation = score_rankers(candidate, champion, picks, family=NAME, name=contenders.candidate)
    reporter.progress(1, 1, "scoring held-out picks")
    figures = {metric: means(evaluation.scores, metric) for metric in (PAIR_ACCURACY, ACCURACY, LOG_LOSS)}
    calibration = means(evaluation.scores, CALIBRATION_ERROR)
    whose = SIMULATED if picks.simulated else "people's picks"
    rows = [[who, *(f"{of[who]:.3f}" if who in of else "–" for of in figures.values())] for who in figures[ACCURACY]]
    return ScoredCandidate(
        evaluation,
        metrics={f"test/{PAIR_ACCURACY}/{who.replace(':', '_')}": v for who, v in figures[PAIR_ACCURACY].items()},
        tables={f"held-out picks ({whose})": (["who", *figures], rows)},
        keys={"pair_accuracy": figures[PAIR_ACCURACY], "calibration_error": calibration, "picks": whose},
    )


def picks_folder(data: "Opening | Path") -> str:
    return str(data) if isinstance(data, Path) else str(data.dataset["picks"])


def read_ranker(folder: Path) -> Any:
    """Raises: SelvedgeError: the folder holds no ranker, or one of other features."""
    from training.ad_ranker.candidate import RANKER_FILE
    from training.ad_ranker.ranker import AdRanker

    return AdRanker.load(folder / RANKER_FILE)


def digest(folder: Path) -> str:
    """Raises: SelvedgeError: as `read_ranker`."""
    return str(read_ranker(folder).digest)
