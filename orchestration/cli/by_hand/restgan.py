"""restgan by hand: data set and judge of a catalogue, a base continued on it, and scores of what it draws.

Belongs here: its steps and its keys of the results. Not here: the work (training/restgan/, restgan_scoring.py).
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.cli.by_hand.work import ByHand, Scored, ToCompare, ToScore, catalogue_tables

if TYPE_CHECKING:
    from orchestration.family import Review
    from orchestration.review.contest import Contest
    from training.reporting import Reporter
    from training.restgan.candidate import RestganCandidateSettings

PREPARED_FOLDER = "restgan"  # inside the catalogue directory: data sets and judges, by the settings they were made with


def settings() -> "type[RestganCandidateSettings]":
    from training.restgan.candidate import RestganCandidateSettings

    return RestganCandidateSettings


def train(catalog: Path, chosen: "RestganCandidateSettings", out: Path, reporter: "Reporter") -> dict[str, Any]:
    """Raises: as for `prepare` and `train_candidate` of training/restgan; or it is no complete catalogue directory."""
    from training.restgan.candidate import prepare, train_candidate
    from training.restgan.sampling import load_artefact

    place = _prepared_in(catalog, chosen)
    prepared = prepare(catalogue_tables(catalog), chosen, place, reporter)
    result = train_candidate(prepared, chosen, out, reporter)
    model = load_artefact(result.artefact)
    return {
        "path": str(result.artefact),
        "digest": result.digest,
        "steps": result.training.steps,
        "parameters": sum(p.numel() for part in (model.text, model.generator) for p in part.parameters()),
        "base_digest": result.base_digest,
        "losses": {name: value for name, value in result.to_dict()["last"].items() if name != "step"},
        "judge": dict(prepared.judge.own_accuracy),
        "bottoms": len(prepared.bottoms),
    }


def score(asked: ToScore, reporter: "Reporter") -> Scored:
    """The model on part test of its own data set: of other bottoms, nobody knows which it has learnt by heart.

    Raises:
        SelvedgeError: the folder is not whole, or the catalogue does not give the bottoms that it was trained with.
    """
    from orchestration.restgan_scoring import score_restgan
    from training.restgan.candidate import bottoms_of

    prepared = bottoms_of(asked.folder, catalogue_tables(asked.catalog), reporter)
    return score_restgan(
        asked.folder,
        prepared,
        family=asked.family,
        candidate=digest(asked.folder)[:12],
        champion=asked.champion,
        reporter=reporter,
    )


def digest(folder: Path) -> str:
    """Raises: SelvedgeError: the folder holds no artefact of the family."""
    from training.restgan.sampling import read_about

    return str(read_about(folder)["digest"])


def compare(asked: ToCompare) -> "Contest":
    """Raises: as for `orchestration.review.strips.contest_of_folders`."""
    from orchestration.review.strips import contest_of_folders

    return contest_of_folders(asked.family, asked.candidate, asked.folder, asked.champion, asked.catalog)


def review() -> "Review":
    """As the family declares it to the graph."""
    from orchestration.families.restgan import REVIEW

    return REVIEW


BY_HAND = ByHand(settings, train, score, digest, compare, review)


def _prepared_in(catalog: Path, chosen: "RestganCandidateSettings") -> Path:
    """Where the data set and the judge of these settings are kept; other settings have another place."""
    from training.restgan.candidate import made_with

    content = json.dumps([_base_digest(chosen), made_with(chosen), asdict(chosen.judge)])
    return catalog / PREPARED_FOLDER / hashlib.sha256(content.encode()).hexdigest()[:12]


def _base_digest(chosen: "RestganCandidateSettings") -> str:
    """The base's, or `none`; asked before minutes of work.

    Raises:
        SelvedgeError: there is no such base, or its networks have other sizes.
    """
    from training.restgan.candidate import NO_BASE, base_folder
    from training.restgan.sampling import read_about
    from training.restgan.settings import RestganSettings
    from training.restgan.start import refuse_other_sizes
    from training.settings import settings_from

    if chosen.base == NO_BASE:
        return NO_BASE
    folder = base_folder(chosen.base)
    about = read_about(folder)
    refuse_other_sizes(folder, settings_from(RestganSettings, about["settings"], f"base {folder}"), chosen.restgan)
    return str(about["digest"])
