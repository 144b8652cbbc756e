"""Two models that say what a picture shows, asked the same questions about the same pictures.

Belongs here: which two models a round compares, from the registry or from folders, and their answers or descriptions
as tables of a round. Not here: what a pair looks like to people (labeling/review/pairs/kinds.py).

Both sides come from one code path with the same settings: the same pictures, the same questions, and, for
descriptions, the same writer with the same seed, so that only the model's answers differ.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError
from labeling.review.rounds.compared import Compared
from labeling.review.rounds.contest import Contest, by_digest
from labeling.review.rounds.progress import Progress, silent
from orchestration.families.registered import registered
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from catalog.schema import AttributeSchema
    from labeling.review.pairs.kinds import PairKind
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
class AnswerContest(Contest):
    """Two models that say what a picture shows, and the pictures.

    Attributes:
        load_candidate, load_opponent: called once each, as both models may not fit into memory together.
        schema: the candidate's vocabulary.
    """

    rows: Rows
    schema: "AttributeSchema"
    load_candidate: "Callable[[], AttributeModel]"
    load_opponent: "Callable[[], AttributeModel]"

    def compare(self, kind: "PairKind[Any]", progress: Progress = silent) -> Compared:
        return compare_answers(self, kind, progress)


def contest_of_registry(settings: Settings, family: str, candidate: str) -> AnswerContest:
    """A registered candidate against the champion there is now.

    Raises:
        SelvedgeError: as `registered`; or there is neither champion nor base.
        ServiceUnavailable: MLflow does not answer.
    """
    from orchestration.assets.dataset import read_dataset

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
    from training.blip2.scoring import base_of

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


def compare_answers(contest: AnswerContest, kind: "PairKind[Any]", progress: Progress = silent) -> Compared:
    """Ask both models about every product of the test split.

    Raises:
        SelvedgeError: the test split is empty, or a picture is missing.
    """
    from catalog.splits import TEST

    rows = contest.rows
    test = rows.splits.loc[rows.splits["split"] == TEST]
    keys = test[["product_id", "drop"]]
    products, images = (table.merge(keys, on=["product_id", "drop"]) for table in (rows.products, rows.images))
    products = products.drop_duplicates("product_id").sort_values("product_id", ignore_index=True)
    if products.empty:
        raise SelvedgeError("the test split is empty; read more products before opening a round.")
    pairs = rows.qa_pairs[rows.qa_pairs["product_id"].isin(products["product_id"])].reset_index(drop=True)
    results = {
        version: _attributes(load, contest, version, products, images, progress)
        for version, load in (("candidate", contest.load_candidate), ("opponent", contest.load_opponent))
    }
    if kind.results == "descriptions":
        results = {version: _described(table, products, contest.schema) for version, table in results.items()}
    splits = test.reset_index(drop=True)
    further = {"images": images, "qa_pairs": pairs}
    return Compared(kind, contest.schema, results["candidate"], results["opponent"], products, splits, further)


def _attributes(
    load: Callable[[], Any],
    contest: AnswerContest,
    asked: str,
    products: "pd.DataFrame",
    images: "pd.DataFrame",
    progress: Progress,
) -> "pd.DataFrame":
    from inference.attributes import predict_attributes
    from training.blip2.features import FeatureStore

    model = load()
    store = FeatureStore(contest.rows.features, model.base, model.feature_precision)
    version = contest.candidate_version if asked == "candidate" else contest.opponent_version
    uri = f"models:/{contest.family}/{version}"

    def asking(done: int, total: int, _: str) -> None:
        progress(done, total, f"asking the {asked}")

    return predict_attributes(model, images, products, store=store, model_uri=uri, progress=asking).frame


def _described(attributes: "pd.DataFrame", products: "pd.DataFrame", schema: "AttributeSchema") -> "pd.DataFrame":
    """The grammar writer's texts. Its seed is the model's name, so both versions are given the same one: otherwise
    equal answers would read differently, and annotators would judge the draw of a sentence plan."""
    from inference.descriptions.publish import describe

    nameless = attributes.assign(model_uri="round", model_digest="")
    return describe(products, nameless, None, None, schema).frame
