"""Attributes: what the promoted model sees on every product's picture.

Belongs here: asking the questions that apply, stamping the answers, not asking again what was answered. Not here:
answering (training/blip2/), choosing the model or the place of the table (orchestration/).

A picture's features come from the feature store, so they are computed once whatever is asked of them and however
often the model is retrained. A row is taken from the last table as long as picture, model, schema, prompt and
question are the same.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import pandas as pd
import pyarrow as pa
import torch

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from catalog.schema import AttributeSchema
from inference.tables import ATTRIBUTES
from training.blip2.artefact import AttributeModel, Question, load_artefact
from training.blip2.features import FeatureStore, compute_features
from training.reporting import Reporter

FORMAT = 1
PRODUCTS_AT_ONCE = 256  # bounds memory; a batch gives what its products give alone
COLUMNS = ATTRIBUTES.names
Progress = Callable[[int, int, str], None]
Item = TypeVar("Item")
Row = dict[str, Any]


@dataclass(frozen=True)
class Predicted:
    """A whole table `attributes` and how it came about.

    Attributes:
        frame: one row per product and question, products in their order, questions in the set's order.
        computed, reused: rows answered now, rows taken over.
        pictures: pictures whose features had to be computed.
        features: folder of the feature store, below that of all stores.
    """

    frame: pd.DataFrame
    computed: int
    reused: int
    pictures: int
    features: str

    def counts(self) -> dict[str, int]:
        """The figures for an asset's metadata."""
        return {"computed": self.computed, "reused": self.reused, "pictures": self.pictures}


@dataclass(frozen=True)
class _Asked:
    """One question about one product, with the row it will become."""

    image_sha256: str
    question: Question
    row: Row


def predict_attributes(
    model: AttributeModel,
    images: pd.DataFrame,
    products: pd.DataFrame,
    *,
    store: FeatureStore,
    model_uri: str,
    previous: pd.DataFrame | None = None,
    products_at_once: int = PRODUCTS_AT_ONCE,
    progress: Progress | None = None,
) -> Predicted:
    """Ask the model every question that applies to every product.

    Args:
        model: from `load_artefact`. store: of the model's own base and feature precision.
        images, products: tables of those names, for one drop. Questions apply by the catalogue's article type where the
            question set is given it; a set that asks for the article type is asked of every product.
        model_uri: the registered version, as rows show it, like `models:/blip2-attributes/3`.
        previous: the table `attributes` as last published.
        progress: called with (products done, products, "predicting").

    Raises:
        SelvedgeError: a product has no standardised picture, or the picture changed since.
    """
    pictures = _pictures(images)
    model_digest = model.digest or f"base:{model.base.digest}"
    published = _known_rows(previous)
    stamp = [FORMAT, model_digest, model.base.digest, model.schema.digest(), model.base.prompt.to_dict()]
    rows: list[Row] = []
    computed = reused = looked_at = done = 0
    for chunk in _chunks(cast(list[Row], products.to_dict("records")), products_at_once):
        wanted = [asked for product in chunk for asked in _questions(model, product, pictures, stamp)]
        for asked in wanted:
            asked.row.update(model_uri=model_uri, model_digest=model_digest)
        answered = {
            key: row for asked in wanted if (row := published.get(key := _key(asked.row))) and _same(row, asked.row)
        }
        open_questions = [asked for asked in wanted if _key(asked.row) not in answered]
        looked_at += _answer(model, open_questions, pictures, store)
        # A version of other name but equal digest answers the same: only the stamp of where it came from is renewed.
        rows += [answered.get(_key(asked.row), asked.row) | {"model_uri": model_uri} for asked in wanted]
        computed, reused, done = computed + len(open_questions), reused + len(answered), done + len(chunk)
        if progress is not None:
            progress(done, len(products), "predicting")
    return Predicted(pd.DataFrame(rows, columns=COLUMNS), computed, reused, looked_at, store.folder.name)


def predict_tables(
    model: Path,
    uri: str,
    images: pa.Table,
    products: pa.Table,
    previous: pa.Table | None,
    features: Path,
    reporter: Reporter,
) -> tuple[AttributeSchema, Predicted]:
    """What the model of a folder sees on the products of two published tables, with the vocabulary it was asked in.

    Args:
        uri, previous: as `model_uri` and `previous` of `predict_attributes`. features: folder of the feature store.

    Raises:
        SelvedgeError: the artefact is damaged, or as `predict_attributes`.
    """
    loaded = load_artefact(model, device="cuda" if torch.cuda.is_available() else "cpu")
    predicted = predict_attributes(
        loaded,
        images.to_pandas(),
        products.to_pandas(),
        store=FeatureStore(features, loaded.base, loaded.feature_precision),
        model_uri=uri,
        previous=None if previous is None else previous.to_pandas(),
        progress=reporter.progress,
    )
    return loaded.schema, predicted


def summarise_attributes(attributes: pd.DataFrame) -> dict[str, dict[str, float]]:
    """By attribute: rows, the share answered (not abstained), and the mean confidence of the answers given."""
    summary = {}
    for name, rows in attributes.groupby("attribute", sort=True):
        given = rows[~rows["abstained"]]
        confidence = float(given["confidence"].mean()) if len(given) else 0.0
        summary[str(name)] = {"rows": len(rows), "answered": len(given) / len(rows), "confidence": confidence}
    return summary


def _answer(
    model: AttributeModel, asked: Sequence[_Asked], pictures: Mapping[int, tuple[str, str]], store: FeatureStore
) -> int:
    """Fill in the rows of some questions; returns how many pictures had no features yet."""
    if not asked:
        return 0
    order = {sha256: index for index, sha256 in enumerate(dict.fromkeys(each.image_sha256 for each in asked))}
    uris = dict(pictures.values())
    looked_at = compute_features(model.base, [(sha256, uris[sha256]) for sha256 in order], store)
    questions = [
        Question(order[question.image_sha256], question.question.attribute, question.question.article_type)
        for question in asked
    ]
    answers = model.answer(store.read(list(order)), questions)
    for each, value, confidence, abstained in zip(
        asked, answers["value"], answers["confidence"], answers["abstained"], strict=True
    ):
        each.row.update(value=str(value), confidence=float(confidence), abstained=bool(abstained))
    return looked_at


def _questions(
    model: AttributeModel, product: Row, pictures: Mapping[int, tuple[str, str]], stamp: list[Any]
) -> Iterator[_Asked]:
    product_id, article_type = int(product["product_id"]), product.get("article_type")
    if product_id not in pictures:
        raise SelvedgeError(f"product {product_id} has no row in table images; standardise this drop's images first.")
    sha256, _ = pictures[product_id]
    named = article_type if isinstance(article_type, str) and article_type else None
    words = model.schema.asks(named, model.question_set)
    for question in model.questions_for(0, named):
        content = [*stamp, sha256, question.attribute, words[question.attribute]]
        row: Row = {
            "drop": str(product["drop"]),
            "product_id": product_id,
            "attribute": question.attribute,
            "input_hash": json_sha256(content),
        }
        yield _Asked(sha256, question, row)


def _pictures(images: pd.DataFrame) -> dict[int, tuple[str, str]]:
    """Product id → (sha256, uri) of its standard copy."""
    return {
        int(product_id): (str(sha256), str(uri))
        for product_id, sha256, uri in zip(images["product_id"], images["sha256"], images["uri"], strict=True)
    }


def _known_rows(previous: pd.DataFrame | None) -> dict[tuple[str, int, str], Row]:
    if previous is None or previous.empty:
        return {}
    return {_key(row): row for row in cast(list[Row], previous[COLUMNS].to_dict("records"))}


def _key(row: Row) -> tuple[str, int, str]:
    return str(row["drop"]), int(row["product_id"]), str(row["attribute"])


def _same(published: Row, asked: Row) -> bool:
    return bool(published["input_hash"] == asked["input_hash"])


def _chunks(values: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
