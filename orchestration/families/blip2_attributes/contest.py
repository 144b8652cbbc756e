"""Two models that say what a picture shows, asked the same questions about the same pictures.

Belongs here: the two models of a round, and their answers or descriptions as its tables. Not here: which versions they
are (orchestration/families/registered.py), what a pair looks like to people (labeling/review/pairs/kinds.py).

Both sides come from one code path with the same settings: the same pictures, the same questions, and, for
descriptions, the same writer with the same seed, so that only the model's answers differ. A base, which has no
threshold of its own, is silent as often as the candidate.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError
from labeling.review.rounds.compared import Compared
from labeling.review.rounds.contest import Contest
from labeling.review.rounds.progress import Progress, silent
from orchestration.families.blip2_attributes.candidate import FEATURES_FOLDER, dataset
from orchestration.families.contract import Contenders

if TYPE_CHECKING:
    import pandas as pd

    from catalog.schema import AttributeSchema
    from labeling.review.pairs.kinds import PairKind
    from orchestration.assets.candidates import Opening
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


def contest(contenders: Contenders) -> AnswerContest:
    """A candidate against the champion, or against the base where there is none.

    Raises:
        SelvedgeError: a folder holds no model, the data is not there, or the base is missing.
    """
    from training.blip2.artefact import load_artefact

    rows = _rows(contenders.data, contenders.workspace / FEATURES_FOLDER)
    model = load_artefact(contenders.folder)
    versions = (contenders.family, contenders.candidate, contenders.version)
    if contenders.champion is not None:
        version, folder = contenders.champion
        return AnswerContest(
            *versions, "champion", version, rows, model.schema, lambda: model, lambda: load_artefact(folder)
        )
    from training.blip2.scoring import base_of

    try:
        base = base_of(contenders.folder, model)
    except SelvedgeError as error:
        raise SelvedgeError(
            f"{contenders.family} has no champion, and the base of {contenders.candidate} cannot stand in: {error}"
        ) from error
    opponent = f"base-{base.base.digest[:12]}"
    return AnswerContest(*versions, "base", opponent, rows, model.schema, lambda: model, lambda: base)


def _rows(data: "Opening | Path", features: Path) -> Rows:
    """The tables as they stand, with products that nothing is asked about."""
    if isinstance(data, Path):
        from catalog.workspace import open_catalogue

        tables = open_catalogue(data)
        return Rows(
            tables.products.to_pandas(), tables.images.to_pandas(), tables.splits.to_pandas(),
            tables.qa_pairs.to_pandas(), features,
        )  # fmt: skip
    frozen = dataset(data)
    return Rows(frozen.products, frozen.images, frozen.splits, frozen.qa_pairs, features)


def compare_answers(contest: AnswerContest, kind: "PairKind[Any]", progress: Progress = silent) -> Compared:
    """Ask both models about every product of the test split.

    Raises:
        SelvedgeError: the test split is empty, or a picture is missing.
    """
    import inference.tables  # noqa: F401  declares the tables `attributes` and `descriptions`
    from catalog.splits import TEST
    from labeling.review.pairs.coverage import at_same_coverage

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
    if contest.opponent == "base":
        results["opponent"] = at_same_coverage(results["opponent"], results["candidate"])
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
