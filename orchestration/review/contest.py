"""The contest: which two models a round compares, from the registry or from folders given by hand.

Belongs here: finding candidate, champion or base, and the rows they are shown. Not here: what they say of those rows
(comparison.py).

A candidate of the registry is judged on the data set it was opened with, because nothing of that data set's test
split was seen in its training; where there is no champion the base it was trained from stands in.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from catalog.errors import SelvedgeError
from orchestration.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from catalog.schema import AttributeSchema
    from training.blip2.artefact import AttributeModel


@dataclass(frozen=True)
class Rows:
    """The tables of one data set: what the models are asked about, and what is known of it."""

    products: "pd.DataFrame"
    images: "pd.DataFrame"
    splits: "pd.DataFrame"
    qa_pairs: "pd.DataFrame"
    features: Path


@dataclass(frozen=True)
class Contest:
    """Two versions and their ground.

    Attributes:
        candidate_version, opponent_version: as the registry counts them; of a model given by hand, its digest.
        load_candidate, load_opponent: called once each, as both models may not fit into memory together.
        schema: the candidate's vocabulary.
    """

    family: str
    candidate: str
    candidate_version: str
    opponent: Literal["champion", "base"]
    opponent_version: str
    rows: Rows
    schema: "AttributeSchema"
    load_candidate: "Callable[[], AttributeModel]"
    load_opponent: "Callable[[], AttributeModel]"


def contest_of_registry(settings: Settings, family: str, candidate: str) -> Contest:
    """A registered candidate against the champion there is now.

    Raises:
        SelvedgeError: no such candidate, it is the champion itself, or there is neither champion nor base.
        ServiceUnavailable: MLflow does not answer.
    """
    from orchestration.candidates import read_opening
    from orchestration.defs.training.dataset import read_dataset
    from orchestration.registry import Registry
    from orchestration.resources import Tables

    registry = Registry(settings)
    version = registry.of_candidate(family, candidate)
    if version is None:
        known = [one.candidate for one in registry.versions(family)][-3:]
        remedy = f"the newest are {', '.join(known)}." if known else "train one first."
        raise SelvedgeError(f"candidate {candidate} of {family} is unknown to MLflow; {remedy}")
    opened = read_opening(Tables(root=str(settings.tables())), family, candidate)
    frozen = read_dataset(opened.dataset["dataset"], opened.dataset["question_set"])
    rows = Rows(frozen.products, frozen.images, frozen.splits, frozen.qa_pairs, settings.features())
    champion = registry.champion(family)
    if champion is not None and champion.version == version.version:
        raise SelvedgeError(f"{candidate} is the champion of {family} itself; there is nothing to judge.")
    opponent = None if champion is None else (str(champion.version), registry.artefact_path(champion))
    return _contest(family, candidate, str(version.version), registry.artefact_path(version), opponent, rows)


def contest_of_folders(
    family: str, candidate: str, model: Path, champion: Path | None, catalog: Path, features: Path
) -> Contest:
    """A model folder against another one, or against its own base, on a catalogue directory.

    Raises:
        SelvedgeError: a folder holds no model, both are the same model, or the base is missing.
    """
    from catalog.workspace import open_catalogue
    from training.blip2.artefact import read_about

    catalogue = open_catalogue(catalog)
    products, images = catalogue.products.to_pandas(), catalogue.images.to_pandas()
    rows = Rows(products, images, catalogue.splits.to_pandas(), catalogue.qa_pairs.to_pandas(), features)
    opponent = None if champion is None else (_named(read_about(champion)["digest"]), champion)
    return _contest(family, candidate, _named(read_about(model)["digest"]), model, opponent, rows)


def _contest(
    family: str, candidate: str, version: str, folder: Path, opponent: tuple[str, Path] | None, rows: Rows
) -> Contest:
    from training.blip2.artefact import load_artefact

    model = load_artefact(folder)
    if opponent is not None:
        against, place = opponent
        return Contest(
            family, candidate, version, "champion", against, rows, model.schema, lambda: model,
            lambda: load_artefact(place),
        )  # fmt: skip
    from orchestration.evaluation_run import base_of

    try:
        base = base_of(folder, model)
    except SelvedgeError as error:
        raise SelvedgeError(
            f"{family} has no champion, and the base of {candidate} cannot stand in: {error}"
        ) from error
    return Contest(
        family, candidate, version, "base", f"base-{base.base.digest[:12]}", rows, model.schema, lambda: model,
        lambda: base,
    )  # fmt: skip


def _named(digest: str) -> str:
    return f"model-{digest[:12]}"
