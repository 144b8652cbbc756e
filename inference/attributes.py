"""Attributes: what the promoted model sees on every product's picture.

Belongs here: asking the questions that apply, stamping the answers, not asking again what was answered. Not here:
answering (training/blip2/), where it is computed (compute.py), choosing the model or the place of the table
(orchestration/).

A picture's features come from the feature store, so they are computed once whatever is asked of them and however
often the model is retrained. Other processes are handed what features there are, and hand back those that they
computed: the store stays on the machine that publishes, where the next run and the watch on drops look for them. A row
is taken from the last table as long as picture, model, schema, prompt and question are the same.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from catalog.places import remove_parts
from catalog.schema import AttributeSchema
from inference.compute import Compute, LocalCompute, OnBatch, Work
from inference.tables import ATTRIBUTES
from training.blip2.artefact import AttributeModel, Question, load_artefact
from training.blip2.features import FeatureStore, look, packed, unpacked
from training.reporting import Reporter

FORMAT = 1
PICTURES_AT_ONCE = 256  # bounds memory; a batch gives what its pictures give alone, but for a number's last bits
COLUMNS = ATTRIBUTES.names
ANSWER = {"value": pa.string(), "confidence": pa.float64(), "abstained": pa.bool_()}
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


@dataclass(frozen=True)
class _Seen:
    """A picture and what is asked about it."""

    sha256: str
    uri: str
    asked: Sequence[_Asked]


def predict_attributes(
    model: AttributeModel,
    images: pd.DataFrame,
    products: pd.DataFrame,
    *,
    store: FeatureStore,
    model_uri: str,
    previous: pd.DataFrame | None = None,
    pictures_at_once: int = PICTURES_AT_ONCE,
    progress: Progress | None = None,
    compute: Compute | None = None,
    folder: Path | None = None,
) -> Predicted:
    """Ask the model every question that applies to every product.

    Args:
        model: from `load_artefact`. store: of the model's own base and feature precision.
        images, products: tables of those names, for one drop. Questions apply by the catalogue's article type where the
            question set is given it; a set that asks for the article type is asked of every product.
        model_uri: the registered version, as rows show it, like `models:/blip2-attributes/3`.
        previous: the table `attributes` as last published.
        pictures_at_once: of a batch. All questions about a picture are in one, whichever products they are about.
        progress: called with (products done, products, "predicting").
        compute: where it is computed; this process by default. The table is the same wherever that is, but for last
            bits of confidences where processes have other numbers of threads.
        folder: of `model`, for processes elsewhere, which load it from there.

    Raises:
        SelvedgeError: a product has no standardised picture, or the picture changed since; or as `Compute.map`.
        ServiceUnavailable: as `Compute.map`.
    """
    compute = compute or LocalCompute()
    pictures = _pictures(images)
    model_digest = model.digest or f"base:{model.base.digest}"
    published = _known_rows(previous)
    stamp = [FORMAT, model_digest, model.base.digest, model.schema.digest(), model.base.prompt.to_dict()]
    wanted = [
        asked
        for product in cast(list[Row], products.to_dict("records"))
        for asked in _questions(model, product, pictures, stamp)
    ]
    for asked in wanted:
        asked.row.update(model_uri=model_uri, model_digest=model_digest)
        before = published.get(_key(asked.row))
        # A version of other name but equal digest answers the same: only the stamp of where it came from is renewed.
        if before is not None and _same(before, asked.row):
            asked.row.update(before | {"model_uri": model_uri})
    seen = _seen([asked for asked in wanted if "value" not in asked.row], dict(pictures.values()))
    done, looked_at = len(products) - len({asked.row["product_id"] for picture in seen for asked in picture.asked}), 0
    remove_parts(store.folder)
    store.refresh()
    batches = list(_chunks(seen, pictures_at_once))
    work = Work(partial(_answers, model), f"{__name__}:{answering.__name__}", {"folder": str(folder)})
    answered = compute.map(work, (_batch(batch, store) for batch in batches))
    for batch, answers in zip(batches, answered, strict=True):
        looked_at += _fill_in(batch, answers, store)
        done += len({asked.row["product_id"] for picture in batch for asked in picture.asked})
        if progress is not None:
            progress(done, len(products), "predicting")
    computed = sum(len(picture.asked) for picture in seen)
    frame = pd.DataFrame([asked.row for asked in wanted], columns=COLUMNS)
    return Predicted(frame, computed, len(wanted) - computed, looked_at, store.folder.name)


def predict_tables(
    model: Path,
    uri: str,
    images: pa.Table,
    products: pa.Table,
    previous: pa.Table | None,
    features: Path,
    reporter: Reporter,
    compute: Compute | None = None,
) -> tuple[AttributeSchema, Predicted]:
    """What the model of a folder sees on the products of two published tables, with the vocabulary it was asked in.

    Args:
        uri, previous: as `model_uri` and `previous` of `predict_attributes`. features: folder of the feature store.
        compute: where it is computed; this process by default.

    Raises:
        SelvedgeError: the artefact is damaged, or as `predict_attributes`.
        ServiceUnavailable: as `predict_attributes`.
    """
    loaded = _loaded(model)
    predicted = predict_attributes(
        loaded,
        images.to_pandas(),
        products.to_pandas(),
        store=FeatureStore(features, loaded.base, loaded.feature_precision),
        model_uri=uri,
        previous=None if previous is None else previous.to_pandas(),
        progress=reporter.progress,
        compute=compute,
        folder=model.resolve(),
    )
    return loaded.schema, predicted


def answering(folder: str) -> OnBatch:
    """What answers the questions of a batch with the model of a folder."""
    return partial(_answers, _loaded(Path(folder)))


def summarise_attributes(attributes: pd.DataFrame) -> dict[str, dict[str, float]]:
    """By attribute: rows, the share answered (not abstained), and the mean confidence of the answers given."""
    summary = {}
    for name, rows in attributes.groupby("attribute", sort=True):
        given = rows[~rows["abstained"]]
        confidence = float(given["confidence"].mean()) if len(given) else 0.0
        summary[str(name)] = {"rows": len(rows), "answered": len(given) / len(rows), "confidence": confidence}
    return summary


def _loaded(folder: Path) -> AttributeModel:
    return load_artefact(folder, device="cuda" if torch.cuda.is_available() else "cpu")


def _seen(asked: Sequence[_Asked], uris: Mapping[str, str]) -> list[_Seen]:
    """The questions by picture, in the order in which pictures are first asked about."""
    by_picture: dict[str, list[_Asked]] = {}
    for each in asked:
        by_picture.setdefault(each.image_sha256, []).append(each)
    return [_Seen(sha256, uris[sha256], questions) for sha256, questions in by_picture.items()]


def _batch(seen: Sequence[_Seen], store: FeatureStore) -> pa.Table:
    """Pictures to work on, a row each: sha256, uri, attributes and article_types of its questions, features.

    Features are null where the store has none; these are computed with the answers.
    """
    hashes = [picture.sha256 for picture in seen]
    missing = set(store.missing(hashes))
    words, asked = pa.list_(pa.string()), [[each.question for each in picture.asked] for picture in seen]
    columns = {
        "sha256": pa.array(hashes, pa.string()),
        "uri": pa.array([picture.uri for picture in seen], pa.string()),
        "attributes": pa.array([[question.attribute for question in row] for row in asked], words),
        "article_types": pa.array([[question.article_type for question in row] for row in asked], words),
    }
    stored = [sha256 for sha256 in hashes if sha256 not in missing]
    features = dict(zip(stored, store.read(stored), strict=True)) if stored else {}
    return pa.table(columns).append_column(*packed([features.get(sha256) for sha256 in hashes]))


def _answers(model: AttributeModel, batch: pa.Table) -> pa.Table:
    """A `_batch` worked on, a row a picture: value, confidence, abstained of its questions, and features it lacked."""
    rows, stored = batch.drop_columns("features").to_pylist(), unpacked(batch)
    missing = [number for number, features in enumerate(stored) if features is None]
    new = (
        look(model.base, [(rows[number]["sha256"], rows[number]["uri"]) for number in missing], model.feature_precision)
        if missing
        else ()
    )
    computed = dict(zip(missing, new, strict=True))
    features = [computed[number] if row is None else row for number, row in enumerate(stored)]
    questions = [
        Question(number, attribute, article_type)
        for number, row in enumerate(rows)
        for attribute, article_type in zip(row["attributes"], row["article_types"], strict=True)
    ]
    answers = model.answer(torch.stack(features), questions)
    offsets = np.cumsum([0, *(len(row["attributes"]) for row in rows)])
    columns = {
        name: pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(answers[name].tolist(), kind))
        for name, kind in ANSWER.items()
    }
    return pa.table(columns).append_column(*packed([computed.get(number) for number in range(len(rows))]))


def _fill_in(seen: Sequence[_Seen], answers: pa.Table, store: FeatureStore) -> int:
    """The answers of a batch into the rows of its questions, its new features into the store; how many these are."""
    for picture, answer in zip(seen, answers.drop_columns("features").to_pylist(), strict=True):
        for asked, *given in zip(picture.asked, *answer.values(), strict=True):
            asked.row.update(zip(answer, given, strict=True))
    features = zip(seen, unpacked(answers), strict=True)
    new = {picture.sha256: computed for picture, computed in features if computed is not None}
    if new:
        store.write(list(new), torch.stack(list(new.values())))
    return len(new)


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
