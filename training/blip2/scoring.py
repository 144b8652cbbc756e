"""One candidate on the test split, beside everything it is held against: the scores asset and `selvedge evaluate`.

Belongs here: gathering every subject's answers to the same rows, and publishing what comes of it. Not here: metrics and
intervals (evaluation/scores.py), the decision (evaluation/gate.py), how a model answers (training/blip2/artefact.py).

Torch is imported inside functions: the module is named by the code location, which must load in seconds.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import SelvedgeError

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from catalog.workspace import Catalogue
    from evaluation.gate import Evidence
    from evaluation.scores import ScoreSettings
    from training.blip2.artefact import AttributeModel
    from training.reporting import Reporter

    # Subject -> its answers to the test rows, for ceilings that are computed elsewhere.
    Ceilings = Mapping[str, pd.DataFrame]
    Progress = Callable[[int, int, str], None]

SCORES_FILE, PREDICTIONS_FILE, EVIDENCE_FILE = "scores.parquet", "predictions.parquet", "evidence.json"


@dataclass(frozen=True)
class LabelledCatalogue:
    """The rows a model is scored on, and those its floors and ceilings learn from: the catalogue's tables as frames."""

    products: "pd.DataFrame"
    images: "pd.DataFrame"
    qa_pairs: "pd.DataFrame"

    @classmethod
    def of(cls, catalogue: "Catalogue") -> "LabelledCatalogue":
        """From a catalogue directory (`catalog.workspace.open_catalogue`)."""
        return cls(catalogue.products.to_pandas(), catalogue.images.to_pandas(), catalogue.qa_pairs.to_pandas())

    @property
    def sha256(self) -> str:
        """Of the labels and pictures scored on: what the evidence names as its data set."""
        from catalog.tables import as_table, content_sha256

        pairs = self.qa_pairs.sort_values(["product_id", "attribute"])
        images = self.images.sort_values("product_id")
        hashes = [content_sha256(as_table(pairs, "qa_pairs"))]
        hashes += [f"{product} {sha}" for product, sha in zip(images["product_id"], images["sha256"], strict=True)]
        return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


@dataclass(frozen=True)
class Incumbent:
    """The champion a candidate is compared with, pinned to its version."""

    version: str
    folder: Path


@dataclass(frozen=True)
class ScoreRun:
    """What one evaluation gave.

    Attributes:
        scores: the table `scores`. predictions: subject -> test rows with value, confidence, abstained.
        plots: file name -> PNG.
    """

    scores: "pd.DataFrame"
    predictions: Mapping[str, "pd.DataFrame"]
    evidence: "Evidence"
    plots: Mapping[str, bytes] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Scores, predictions, evidence and plots as files of a folder that is there."""
        import evaluation.tables  # noqa: F401  declares the table
        from catalog.tables import publish_bytes, write_table

        write_table(self.scores, folder / SCORES_FILE, "scores")
        publish_bytes(self.evidence.to_json().encode(), folder / EVIDENCE_FILE)
        for name, content in self.files.items():
            publish_bytes(content, folder / name)

    @property
    def files(self) -> dict[str, bytes]:
        """The plots, and everybody's answers one below the other, by file name."""
        import pandas as pd

        named = [frame.assign(subject=name) for name, frame in self.predictions.items()]
        stacked = pd.concat(named, ignore_index=True)
        return {**self.plots, PREDICTIONS_FILE: stacked.to_parquet(index=False, compression="zstd")}


def score_artefact(
    artefact: Path,
    rows: LabelledCatalogue,
    features: Path,
    *,
    family: str,
    candidate: str,
    champion: Incumbent | None = None,
    ceilings: "Ceilings | None" = None,
    settings: "ScoreSettings | None" = None,
    reporter: "Reporter | None" = None,
) -> ScoreRun:
    """Scores of a candidate beside base, champion, floors and ceilings, all on the same test rows.

    Args:
        artefact: the candidate's folder.
        features: folder of the feature cache; what is missing is computed.
        champion: whom the evidence will name; None where there is none.
        ceilings: answers of other subjects, e.g. `ceiling:cnn`, to the test rows of `split_rows(rows, "test")`.

    Raises:
        SelvedgeError: the catalogue asks nothing the candidate was taught, has no test row, or a file is damaged.
    """
    from evaluation.evidence import metrics_evidence
    from evaluation.floors import NO_PICTURE, floor_predictions
    from evaluation.linear_probe import LINEAR_PROBE
    from evaluation.scores import BASE, CANDIDATE, CHAMPION, score_subjects
    from training.blip2.artefact import load_artefact

    progress = reporter.progress if reporter else _silent
    model = load_artefact(artefact)
    parts = {split: split_rows(rows, split) for split in ("train", "validation", "test")}
    test = parts["test"]
    _require_questions(model, test, artefact)
    given = [column for column in model.schema.question_set(model.question_set).given if column in test]
    subjects: dict[str, pd.DataFrame] = dict(floor_predictions(parts["train"], test, given))
    subjects[NO_PICTURE] = _answers_without_picture(model, test)
    subjects[BASE] = _answers(base_of(artefact, model), rows, test, features, progress)
    if champion is not None:
        subjects[CHAMPION] = _answers(load_artefact(champion.folder), rows, test, features, progress)
    subjects[CANDIDATE] = _answers(model, rows, test, features, progress)
    subjects[LINEAR_PROBE] = _probe_answers(model, rows, parts, features, progress)
    for name, answers in (ceilings or {}).items():
        subjects[name] = answers
    scores = score_subjects(subjects, family, candidate, settings)
    evidence = metrics_evidence(scores, champion.version if champion else None, rows.sha256)
    return ScoreRun(scores, subjects, evidence, _plots(scores, subjects, model.calibration.risk))


def split_rows(rows: LabelledCatalogue, split: str) -> "pd.DataFrame":
    """The labelled rows of one split, as every subject has to answer them."""
    from evaluation.scores import labelled_rows

    return labelled_rows(rows.qa_pairs, rows.products, split)


def cnn_ceiling(
    rows: LabelledCatalogue,
    given: "Sequence[str]",
    work: Path | None = None,
    reporter: "Reporter | None" = None,
    seconds: float | None = None,
) -> "Ceilings":
    """The end-to-end network on the same rows: what these pictures give to a model that may change everything.

    Args:
        given: product columns known beside the picture: those of the question set.
        work: folder for its checkpoints. seconds: rough length; None trains all epochs.
    """
    import pandas as pd

    from training import attribute_classifier as classifier
    from training.attribute_network import load_pictures

    train, validation, test = (split_rows(rows, split) for split in ("train", "validation", "test"))
    pictures_of = rows.images.drop_duplicates("product_id", keep="last")
    ids = [int(product) for product in pictures_of["product_id"]]
    row_of = {product: number for number, product in enumerate(ids)}
    of_product = rows.products.drop_duplicates("product_id", keep="last").set_index("product_id").loc[ids]
    settings = classifier.ClassifierSettings(seconds=seconds)
    pictures = load_pictures(list(pictures_of["uri"]), settings.size)
    trained = classifier.train_attribute_classifier(
        pictures,
        classifier.label_columns(pd.concat([train, validation]), ids),
        sorted({row_of[product] for product in train["product_id"]}),
        sorted({row_of[product] for product in validation["product_id"]}),
        settings,
        given={column: [v if isinstance(v, str) else None for v in of_product[column]] for column in given},
        out=work,
        reporter=reporter,
    )
    return {classifier.CEILING_CNN: classifier.classifier_predictions(trained.model, pictures, ids, test)}


def _answers(
    model: "AttributeModel", rows: LabelledCatalogue, test: "pd.DataFrame", features: Path, progress: "Progress"
) -> "pd.DataFrame":
    """A model's answers to labelled rows; what it was not taught stays unanswered, which counts as wrong."""
    products = [int(product) for product in test["product_id"].unique()]
    seen = _features(model, rows, products, features, progress)
    return _ask(model, seen, test, {product: row for row, product in enumerate(products)})


def _answers_without_picture(model: "AttributeModel", test: "pd.DataFrame") -> "pd.DataFrame":
    """The same questions about an empty white page: what the words alone give away."""
    from PIL import Image

    side = model.base.preprocessing.size
    blank = model.features([Image.new("RGB", (side, side), "white")])
    return _ask(model, blank, test, dict.fromkeys(test["product_id"].unique().tolist(), 0))


def _ask(model: "AttributeModel", seen: "Tensor", test: "pd.DataFrame", row_of: Mapping[int, int]) -> "pd.DataFrame":
    from training.blip2.artefact import Question

    taught = test["attribute"].isin(model.schema.attributes).to_numpy()
    asked = test[taught]
    questions = [
        Question(row_of[product], attribute, None if article_type == "unknown" else article_type)
        for product, attribute, article_type in asked[["product_id", "attribute", "article_type"]].itertuples(
            index=False, name=None
        )
    ]
    answered = model.answer(seen, questions).set_index(asked.index)
    answers = test.assign(value=None, confidence=0.0, abstained=True, in_vocabulary=taught)
    for column in ("value", "confidence", "abstained"):
        answers.loc[asked.index, column] = answered[column]
    return answers


def _features(
    model: "AttributeModel", rows: LabelledCatalogue, products: list[int], folder: Path, progress: "Progress"
) -> "Tensor":
    """(products, queries, dimensions), from the cache; what it lacks is computed."""
    from training.blip2.features import FeatureStore, compute_features

    pictures = rows.images.drop_duplicates("product_id", keep="last").set_index("product_id").loc[products]
    store = FeatureStore(folder, model.base, model.feature_precision)
    items = list(zip(pictures["sha256"], pictures["uri"], strict=True))
    compute_features(model.base, items, store, progress=lambda done, total: progress(done, total, "image features"))
    return store.read(list(pictures["sha256"]))


def base_of(artefact: Path, model: "AttributeModel") -> "AttributeModel":
    """The base the candidate was trained from, asked the candidate's questions."""
    from training.blip2.artefact import read_about, untrained_model
    from training.blip2.base import load_base

    about = read_about(artefact)
    base = load_base(artefact / "base" if about["base_included"] else about["base"]["profile"])
    return untrained_model(base, model.schema, model.question_set, model.feature_precision)


def _probe_answers(
    model: "AttributeModel",
    rows: LabelledCatalogue,
    parts: "Mapping[str, pd.DataFrame]",
    features: Path,
    progress: "Progress",
) -> "pd.DataFrame":
    import pandas as pd

    from evaluation.linear_probe import probe_predictions

    products = [int(product) for product in pd.concat(parts.values())["product_id"].unique()]
    seen = _features(model, rows, products, features, progress).float().numpy()
    answers, _ = probe_predictions(seen, products, parts["train"], parts["validation"], parts["test"])
    return answers


def _plots(scores: "pd.DataFrame", subjects: "Mapping[str, pd.DataFrame]", stated_risk: float) -> dict[str, bytes]:
    from evaluation import plots
    from evaluation.answers import normalise
    from evaluation.classification import coverage_risk
    from evaluation.scores import CANDIDATE, CHAMPION

    models = (CANDIDATE, CHAMPION)
    right = {
        name: [isinstance(v, str) and normalise(v) == normalise(t) for v, t in answers.itertuples(index=False)]
        for name, answers in ((name, subjects[name][["value", "truth"]]) for name in subjects if name in models)
    }
    sure = {name: subjects[name]["confidence"].tolist() for name in right}
    curves = {name: coverage_risk(sure[name], right[name]) for name in right}
    return {
        "scores.png": plots.score_plot(scores),
        "coverage_risk.png": plots.coverage_risk_plot(
            curves, stated_risk, _chosen(subjects[CANDIDATE], right[CANDIDATE])
        ),
        "reliability.png": plots.reliability_plot(sure, right),
        "confusion.png": plots.confusion_plot(subjects[CANDIDATE]),
    }


def _chosen(answers: "pd.DataFrame", right: "Sequence[bool]") -> "tuple[float, float] | None":
    """Coverage and risk on the test split at the thresholds that validation chose; None where nothing is answered."""
    given = [good for good, abstained in zip(right, answers["abstained"], strict=True) if not abstained]
    return (len(given) / len(right), 1 - sum(given) / len(given)) if given else None


def _require_questions(model: "AttributeModel", test: "pd.DataFrame", artefact: Path) -> None:
    if test.empty:
        raise SelvedgeError("the catalogue's test split holds no labelled row; read one with more products.")
    if not test["attribute"].isin(model.schema.attributes).any():
        raise SelvedgeError(
            f"model {artefact} knows {', '.join(sorted(model.schema.attributes))}, but the catalogue asks "
            f"{', '.join(sorted(test['attribute'].unique()))}; read it with --question-set {model.question_set}."
        )


def _silent(done: int, total: int, what: str) -> None: ...
