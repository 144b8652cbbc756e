"""A family of its own kind in one folder: a model is a number in a file, better where the number is larger.

Belongs here: the declaration, training and scoring. Not here: its assets (preparation.py, publication.py), its contest
(contest.py), its kind of pair (pair_kind.py), its section of the report (report_section.py).
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from evaluation.evidence import Evidence, GateRule, metrics_evidence
from orchestration.assets.candidates import Opening
from orchestration.families.contract import (
    Adopted,
    Contenders,
    Family,
    ResultKeys,
    Review,
    ScoredCandidate,
    TrainedCandidate,
    TrainingRequest,
)
from tests.orchestration.families.toy.contest import contest
from tests.orchestration.families.toy.report_section import section

if TYPE_CHECKING:
    import dagster as dg

    from orchestration.assets.published import Tables
    from orchestration.registry.interface import Served
    from orchestration.runtime.settings import Settings
    from training.reporting import Reporter

NAME = "toy"
FEATURES, TOYS = "training/toy_features", "inference/toys"
MODEL_FILE = "selvedge.json"
ATTRIBUTES = ("colour", "sleeve")
BASE_MEAN = 0.4
COLUMNS = ["family", "candidate", "subject", "attribute", "slice", "metric", "value", "low", "high", "support"]


@dataclass(frozen=True)
class ToySettings:
    """What a candidate is trained by: the number that it will be."""

    mean: float = 0.5


@dataclass(frozen=True)
class ToyScores:
    """An `Evaluation`."""

    scores: pd.DataFrame
    evidence: Evidence
    predictions: dict[str, pd.DataFrame] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        (folder / "evidence.json").write_text(self.evidence.to_json())


def write_model(folder: Path, mean: float) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_text(json.dumps({"mean": mean}))
    return folder


def read_mean(folder: Path) -> float:
    return float(json.loads((folder / MODEL_FILE).read_text())["mean"])


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / MODEL_FILE).read_bytes()).hexdigest()


def open_candidate(instance: "dg.DagsterInstance", settings: "Settings", tables: "Tables") -> Opening:
    from orchestration.families.stages import candidate_settings

    return Opening(NAME, asdict(candidate_settings(ToySettings, settings, NAME)), "dataset", {})


def adopt(adopted: Adopted, settings: "Settings") -> Opening:
    return Opening(NAME, dict(adopted.run.settings), adopted.dataset_sha256, {"dataset": adopted.dataset})


def train(request: TrainingRequest, reporter: "Reporter") -> TrainedCandidate:
    by_hand = isinstance(request.data, Path)
    mean = request.settings.mean if by_hand else request.data.settings["mean"]  # type: ignore[union-attr]
    folder = write_model(request.folder / "model", mean)
    reporter.progress(1, 1, "training")
    keys = {"path": str(folder), "digest": digest(folder), "steps": 1, "parameters": 1, "number": mean}
    return TrainedCandidate(folder, digest(folder), keys, {"mean": mean}, shown={"number": mean})


def score(contenders: Contenders, reporter: "Reporter", flags: frozenset[str] = frozenset()) -> ScoredCandidate:
    means = {"base": BASE_MEAN, "candidate": read_mean(contenders.folder)}
    if contenders.champion is not None:
        means["champion"] = read_mean(contenders.champion[1])
    if "floor" in flags:
        means["floor:nothing"] = 0.0
    named = (contenders.family, contenders.candidate)
    rows = [
        (*named, subject, attribute, "all", "macro_f1", value, value - 0.01, value + 0.01, 100)
        for subject, value in means.items()
        for attribute in (*ATTRIBUTES, "mean")
    ]
    for rival in means.keys() - {"candidate"}:
        gain = means["candidate"] - means[rival]
        row = (*named, "candidate", "mean", "all", f"macro_f1_minus_{rival}")
        rows.append((*row, gain, gain - 0.01, gain + 0.01, 100))
    scores = pd.DataFrame(rows, columns=COLUMNS)
    evidence = metrics_evidence(scores, contenders.champion[0] if contenders.champion else None, "dataset")
    answers = pd.DataFrame({"product_id": [1, 2, 3]})
    return ScoredCandidate(
        ToyScores(scores, evidence, {"candidate": answers}),
        metrics={"test/mean": means["candidate"]},
        tables={"mean": (["who", "mean"], [[who, value] for who, value in means.items()])},
        keys={"distance": means["candidate"] - BASE_MEAN},
    )


def rule(settings: "Settings") -> GateRule:
    """As every family's, with both kinds of evidence."""
    from evaluation.preference_plan import PreferencePlan

    return GateRule(
        NAME,
        required=("metrics", "verdict"),
        delta=0.05,
        plan_sha256=PreferencePlan().sha256,
        simulated_ballots=settings.simulated_ballots,
    )


def kinds() -> list[Any]:
    from tests.orchestration.families.toy.pair_kind import Numbers

    return [Numbers()]


def served() -> "Served":
    """Plain files: nothing answers."""
    from orchestration.registry.interface import Served

    return Served(Path(__file__), lambda: None, ())  # type: ignore[arg-type,return-value]


def assets() -> list[Any]:
    import dagster as dg

    from tests.orchestration.families.toy import preparation, publication

    return list(dg.load_assets_from_modules([preparation, publication]))


TOY = Family(
    name=NAME,
    describes="Learns nothing.",
    assets=assets,
    prepared=(FEATURES,),
    trained_from=(FEATURES,),
    scored_on=(),
    publishes=TOYS,
    settings=lambda: ToySettings,
    open=open_candidate,
    adopt=adopt,
    train=train,
    score=score,
    digest=digest,
    rule=rule,
    served=served,
    review=Review(kinds, contest),
    section=section,
    results={
        "train": ResultKeys({"number": "the number that it is"}, {"parameters": "always one"}),
        "evaluate": ResultKeys({"distance": "to the base"}),
    },
    flags={"floor": "score nothing at all, too."},
)
