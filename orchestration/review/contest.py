"""The contest: which two models a round compares, from the registry or from folders given by hand.

Belongs here: what every contest is, finding a candidate and its champion; of models that read pictures also the base
and the rows they are shown. Not here: what they say of those rows (comparison.py), models that draw (strips.py).

A candidate of the registry is judged on the data set it was opened with, because nothing of that data set's test
split was seen in its training; where there is no champion the base it was trained from stands in.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from catalog.errors import SelvedgeError
from orchestration.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from catalog.schema import AttributeSchema
    from orchestration.candidates import Opening
    from orchestration.review.comparison import Compared
    from training.blip2.artefact import AttributeModel

Opponent = Literal["champion", "base"]
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Contest(ABC):
    """Two versions of a family, and how they are compared.

    Attributes:
        kinds: of pair that these versions can be shown in, the usual one first.
        candidate_version, opponent_version: as the registry counts them; of a model given by hand, its digest.
    """

    kinds: ClassVar[tuple[str, ...]]

    family: str
    candidate: str
    candidate_version: str
    opponent: Opponent
    opponent_version: str

    @abstractmethod
    def compare(self, kind: str, progress: Progress | None = None) -> "Compared":
        """What both versions give for the same products; asked through `comparison.compare`, which knows the kind."""


@dataclass(frozen=True)
class Rows:
    """The tables of one data set: what the models are asked about, and what is known of it."""

    products: "pd.DataFrame"
    images: "pd.DataFrame"
    splits: "pd.DataFrame"
    qa_pairs: "pd.DataFrame"
    features: Path


@dataclass(frozen=True)
class AnswerContest(Contest):
    """Two models that say what a picture shows, and the pictures.

    Attributes:
        load_candidate, load_opponent: called once each, as both models may not fit into memory together.
        schema: the candidate's vocabulary.
    """

    kinds = ("attribute-cards", "descriptions")

    rows: Rows
    schema: "AttributeSchema"
    load_candidate: "Callable[[], AttributeModel]"
    load_opponent: "Callable[[], AttributeModel]"

    def compare(self, kind: str, progress: Progress | None = None) -> "Compared":
        from orchestration.review.comparison import compare_answers

        return compare_answers(self, kind, progress)


@dataclass(frozen=True)
class Registered:
    """A candidate of the registry. champion: version and folder of the one there is now; None where there is none."""

    version: str
    folder: Path
    opening: "Opening"
    champion: tuple[str, Path] | None


def registered(settings: Settings, family: str, candidate: str) -> Registered:
    """A candidate and whom it has to beat.

    Raises:
        SelvedgeError: no such candidate, or it is the champion itself.
        ServiceUnavailable: MLflow does not answer.
    """
    from orchestration.candidates import read_opening
    from orchestration.registry import Registry
    from orchestration.resources import Tables

    registry = Registry(settings)
    version = registry.of_candidate(family, candidate)
    if version is None:
        known = [one.candidate for one in registry.versions(family)][-3:]
        remedy = f"the newest are {', '.join(known)}." if known else "train one first."
        raise SelvedgeError(f"candidate {candidate} of {family} is unknown to MLflow; {remedy}")
    opened = read_opening(Tables(root=str(settings.tables())), family, candidate)
    champion = registry.champion(family)
    if champion is not None and champion.version == version.version:
        raise SelvedgeError(f"{candidate} is the champion of {family} itself; there is nothing to judge.")
    opponent = None if champion is None else (str(champion.version), registry.artefact_path(champion))
    return Registered(str(version.version), registry.artefact_path(version), opened, opponent)


def contest_of_registry(settings: Settings, family: str, candidate: str) -> AnswerContest:
    """A registered candidate against the champion there is now.

    Raises:
        SelvedgeError: as `registered`; or there is neither champion nor base.
        ServiceUnavailable: MLflow does not answer.
    """
    from orchestration.defs.training.dataset import read_dataset

    found = registered(settings, family, candidate)
    frozen = read_dataset(found.opening.dataset["dataset"], found.opening.dataset["question_set"])
    rows = Rows(frozen.products, frozen.images, frozen.splits, frozen.qa_pairs, settings.features())
    return _contest(family, candidate, found.version, found.folder, found.champion, rows)


def contest_of_folders(
    family: str, candidate: str, model: Path, champion: Path | None, catalog: Path, features: Path
) -> AnswerContest:
    """A model folder against another one, or against its own base, on a catalogue directory.

    Raises:
        SelvedgeError: a folder holds no model, both are the same model, or the base is missing.
    """
    from catalog.workspace import open_catalogue
    from training.blip2.artefact import read_about

    catalogue = open_catalogue(catalog)
    products, images = catalogue.products.to_pandas(), catalogue.images.to_pandas()
    rows = Rows(products, images, catalogue.splits.to_pandas(), catalogue.qa_pairs.to_pandas(), features)
    opponent = None if champion is None else (by_digest(read_about(champion)["digest"]), champion)
    return _contest(family, candidate, by_digest(read_about(model)["digest"]), model, opponent, rows)


def _contest(
    family: str, candidate: str, version: str, folder: Path, opponent: tuple[str, Path] | None, rows: Rows
) -> AnswerContest:
    from training.blip2.artefact import load_artefact

    model = load_artefact(folder)
    if opponent is not None:
        against, place = opponent
        return AnswerContest(
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
    return AnswerContest(
        family, candidate, version, "base", f"base-{base.base.digest[:12]}", rows, model.schema, lambda: model,
        lambda: base,
    )  # fmt: skip


def by_digest(digest: str) -> str:
    """What a model that has no number in the registry is called."""
    return f"model-{digest[:12]}"
