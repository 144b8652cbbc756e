"""blip2-attributes by hand: LoRA on cached features, and scores beside base, floors and ceilings.

Belongs here: its steps and its keys of the results. Not here: the work (training/blip2/, evaluation_run.py).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.cli.by_hand.work import ByHand, Scored, ToCompare, ToScore, catalogue_tables

if TYPE_CHECKING:
    from orchestration.family import Review
    from orchestration.review.contest import Contest
    from training.blip2.settings import Blip2CandidateSettings
    from training.reporting import Reporter

FEATURES_FOLDER = "features"  # inside the catalogue directory, so that training, scoring and inference share them


def settings() -> "type[Blip2CandidateSettings]":
    from training.blip2.settings import Blip2CandidateSettings

    return Blip2CandidateSettings


def train(catalog: Path, chosen: "Blip2CandidateSettings", out: Path, reporter: "Reporter") -> dict[str, Any]:
    """Raises: as for `training.blip2.candidate.train_candidate`; or it is no complete catalogue directory."""
    from training.blip2.candidate import train_candidate

    tables = catalogue_tables(catalog, chosen.question_set)
    result = train_candidate(tables, chosen, catalog / FEATURES_FOLDER, out, reporter)
    return {
        "path": str(result.artefact),
        "digest": result.digest,
        "steps": result.lora.steps,
        "best_step": result.lora.best_step,
        "monitor": result.lora.monitor,
        "best_value": result.lora.best_value,
        "decoding": result.decoding,
        "validation_macro_f1": result.validation_macro_f1,
        "parameters": result.lora.parameters,
    }


def score(asked: ToScore, reporter: "Reporter") -> Scored:
    """Raises: as for `orchestration.evaluation_run.score_artefact`; or it is no complete catalogue directory."""
    from catalog.workspace import open_catalogue
    from orchestration.evaluation_run import LabelledCatalogue, cnn_ceiling, score_artefact
    from training.blip2.artefact import read_about

    about = read_about(asked.folder)
    catalogue = open_catalogue(asked.catalog)
    rows = LabelledCatalogue.of(catalogue)
    given = catalogue.schema.question_set(about["question_set"]).given if asked.cnn else ()
    return score_artefact(
        asked.folder,
        rows,
        asked.catalog / FEATURES_FOLDER,
        family=asked.family,
        candidate=about["digest"][:12],
        champion=asked.champion,
        ceilings=cnn_ceiling(rows, given, reporter=reporter) if asked.cnn else None,
        reporter=reporter,
    )


def digest(folder: Path) -> str:
    """Raises: SelvedgeError: the folder holds no artefact of the family."""
    from training.blip2.artefact import read_about

    return str(read_about(folder)["digest"])


def compare(asked: ToCompare) -> "Contest":
    """Raises: as for `orchestration.review.contest.contest_of_folders`."""
    from orchestration.review.contest import contest_of_folders

    features = asked.catalog / FEATURES_FOLDER
    return contest_of_folders(asked.family, asked.candidate, asked.folder, asked.champion, asked.catalog, features)


def review() -> "Review":
    """As the family declares it to the graph."""
    from orchestration.families.blip2_attributes import REVIEW

    return REVIEW


BY_HAND = ByHand(settings, train, score, digest, compare, review, options=frozenset({"cnn"}))
