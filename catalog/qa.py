"""Q&A pairs: the questions of a catalogue with their true answers, in the published form.

Belongs here: finding a product's value, normalising it, leaving out (and counting) what cannot be taught, the CSVs.
Not here: the wording and vocabularies (schema.py), splits.

Nothing is dropped silently: values outside the vocabulary, rare values and missing values come back as counts.
"""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from upath import UPath

from catalog.errors import SelvedgeError
from catalog.files import publish_text
from catalog.groups import Rows
from catalog.schema import Attribute, AttributeSchema
from catalog.splits import EXCLUDED, SPLITS, TRAIN, VALIDATION
from catalog.tables import schema_of

CSV_HEADER = ("id", "Question", "Answer")  # the published form of the AWS fine-tuning example
UNMAPPED = "not in the vocabulary"


@dataclass(frozen=True)
class QaPairs:
    """What can be taught from a catalogue, and what was left out.

    All counts are products by attribute, then by value as delivered (`unmapped`) or by vocabulary value (`rare`).
    """

    table: pa.Table  # schema `qa_pairs`
    schema: AttributeSchema  # narrowed to what pairs of train and validation teach: put it into a model's artefact
    question_set: str
    unmapped: dict[str, dict[str, int]]  # not in the vocabulary
    rare: dict[str, dict[str, int]]  # in it, with fewer products than the question set's minimum
    missing: dict[str, int]  # the product says nothing about an attribute its type has
    excluded: int  # products without a usable split
    redelivered: int  # rows of products that were assigned with an earlier drop, whose row is the one used

    def summary(self) -> dict[str, Any]:
        """Counts for metadata."""
        by_split = Counter(self.table.column("split").to_pylist())
        return {
            "pairs": self.table.num_rows,
            "by_split": {split: by_split[split] for split in SPLITS if by_split[split]},
            "by_attribute": dict(Counter(self.table.column("attribute").to_pylist()).most_common()),
            "question_set": self.question_set,
            "unmapped": self.unmapped,
            "rare": self.rare,
            "missing": self.missing,
            "excluded_products": self.excluded,
            "redelivered_products": self.redelivered,
        }


def make_qa_pairs(
    products: Rows,
    splits: Rows,
    schema: AttributeSchema,
    question_set: str,
    *,
    minimum_products: int | None = None,
    required: bool = True,
) -> QaPairs:
    """One pair per product and applicable attribute with a value in the vocabulary.

    Args:
        products: schema `products`.
        splits: schema `splits`; products marked excluded, or absent, get no pair and are counted. Of one that came
            in several drops, the row of the drop it was assigned with is used: a split vouches for that image alone.
        schema: the attribute schema.
        question_set: which attributes to ask, e.g. `schema.choose_question_set(products)`.
        minimum_products: instead of the question set's own.
        required: whether a catalogue that gives no pair is refused. One of a few products can be described by a model
            that others taught.

    Raises:
        SelvedgeError: no pair is left though some are required, or a split or question set that does not exist.
    """
    questions = schema.question_set(question_set)
    minimum = questions.minimum_products if minimum_products is None else minimum_products
    frame, excluded, redelivered = _with_splits(products, splits)
    values, unmapped, missing = _values(frame, schema, question_set)
    kept, rare = _without_rare(values, minimum)
    if not kept and required:
        raise SelvedgeError(
            f"question set {question_set!r} gives no Q&A pair from {len(frame) + excluded} products "
            f"(values outside the vocabulary {sum(map(_total, unmapped.values()))}, values with fewer than {minimum} "
            f"products {sum(map(_total, rare.values()))}, excluded products {excluded}); mend the attribute schema or "
            "give more products."
        )
    seen: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    articles = frame["article_type"].tolist()
    taught = frame["split"].isin([TRAIN, VALIDATION]).tolist()
    for row, attribute, value in kept:
        if not taught[row]:  # a value that only test products have is one that the model cannot know of
            continue
        if articles[row] is not None and articles[row] not in seen[attribute][value]:
            seen[attribute][value].append(articles[row])
    narrowed = schema.narrowed({name: dict(by_value) for name, by_value in seen.items()}, question_set)
    table = _table(frame, kept, schema, question_set)
    return QaPairs(table, narrowed, question_set, unmapped, rare, dict(missing), excluded, redelivered)


def stated_values(products: Rows, schema: AttributeSchema, question_set: str) -> pd.DataFrame:
    """What products say of themselves, whether it can be taught or not.

    Returns:
        drop, product_id, attribute, value: a row for every attribute of the question set that a product states, and for
        every column that is given with the picture. A value outside the vocabulary is `UNMAPPED`.

    Raises:
        SelvedgeError: a question set that does not exist.
    """
    frame = _as_delivered(products)
    named = frame[["drop", "product_id"]]
    rows = [
        (row, attribute.name, attribute.value_of(text) or UNMAPPED)
        for row, attribute, text in _stated(frame, schema, question_set)
        if text is not None
    ]
    asked = named.loc[[row for row, _, _ in rows]].assign(
        attribute=[name for _, name, _ in rows], value=[value for _, _, value in rows]
    )
    given = [
        named[frame[column].notna()].assign(attribute=column, value=frame[column].dropna().astype(str))
        for column in schema.question_set(question_set).given
    ]
    return pd.concat([asked, *given], ignore_index=True)


def untaught(pairs: QaPairs, products: int) -> list[str]:
    """The sentence of products that give no pair at all; nothing where they give any.

    Args:
        products: how many there are.
    """
    if pairs.table.num_rows:
        return []
    return [
        f"no answer is given by enough of the {products} products to be asked about: they can be described by a "
        "model, not teach one."
    ]


def write_vqa_csv(table: pa.Table, out: str | Path | UPath) -> dict[str, UPath]:
    """The pairs as `vqa_train.csv` and `vqa_validation.csv` (`id,Question,Answer`), each written whole.

    Returns:
        the files by split.
    """
    frame = table.to_pandas()
    written = {}
    for split in (TRAIN, VALIDATION):
        rows = frame[frame["split"] == split]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(CSV_HEADER)
        writer.writerows(zip(rows["product_id"], rows["question"], rows["answer"], strict=True))
        written[split] = UPath(out) / f"vqa_{split}.csv"
        publish_text(text.getvalue(), written[split])
    return written


_Value = tuple[int, str, str]  # row of the frame, attribute, value


def _with_splits(products: Rows, splits: Rows) -> tuple[pd.DataFrame, int, int]:
    """Rows that can be asked about, with group and split; how many have no usable split; how many came again."""
    frame = _as_delivered(products)
    key = ["product_id", "drop"]
    wanted = [*key, "group_id", "split"]
    assigned = splits.select(wanted).to_pandas() if isinstance(splits, pa.Table) else splits[wanted]
    unknown = sorted(set(assigned["split"]) - set(SPLITS))
    if unknown:
        raise SelvedgeError(
            f"table splits holds the unknown split {unknown[0]!r}; a split is one of {', '.join(SPLITS)}."
        )
    usable = assigned[assigned["split"] != EXCLUDED]
    has_split = frame["product_id"].isin(usable["product_id"])
    merged = frame[has_split].merge(usable, on=key, how="inner", sort=False).reset_index(drop=True)
    return merged, int((~has_split).sum()), int(has_split.sum()) - len(merged)


def _as_delivered(products: Rows) -> pd.DataFrame:
    """The columns that questions are about, None where a product says nothing."""
    texts = ["gender", "master_category", "sub_category", "article_type", "base_colour", "season", "year", "usage"]
    columns = ["product_id", "drop", "attributes", *texts]
    frame = products.select(columns).to_pandas() if isinstance(products, pa.Table) else products[columns].copy()
    frame = frame.reset_index(drop=True)
    for name in texts:
        frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
    return frame


def _values(
    frame: pd.DataFrame, schema: AttributeSchema, question_set: str
) -> tuple[list[_Value], dict[str, dict[str, int]], Counter[str]]:
    """Vocabulary values by row and attribute, values outside it, and attributes without a value."""
    mapped: list[_Value] = []
    unmapped: dict[str, Counter[str]] = defaultdict(Counter)
    missing: Counter[str] = Counter()
    for row, attribute, delivered in _stated(frame, schema, question_set):
        if delivered is None:
            missing[attribute.name] += 1
            continue
        value = attribute.value_of(delivered)
        if value is None:
            unmapped[attribute.name][delivered] += 1
        else:
            mapped.append((row, attribute.name, value))
    return mapped, {name: dict(counts.most_common()) for name, counts in unmapped.items()}, missing


def _stated(
    frame: pd.DataFrame, schema: AttributeSchema, question_set: str
) -> Iterator[tuple[int, Attribute, str | None]]:
    """Row, an attribute that its article type has, and what it says of it."""
    applicable = {
        article: [schema.attributes[name] for name in schema.applicable(article, question_set)]
        for article in frame["article_type"].unique()
    }
    for row, record in enumerate(frame.to_dict("records")):
        record["attributes"] = dict(record["attributes"]) if record["attributes"] is not None else {}
        for attribute in applicable[record["article_type"]]:
            yield row, attribute, _delivered(record, attribute)


def _delivered(record: dict[Any, Any], attribute: Attribute) -> str | None:
    for source in attribute.sources:
        kind, _, key = source.partition(":")
        value = record["attributes"].get(key) if kind == "json" else record[key]
        if value is not None:
            return str(value)
    return None


def _without_rare(values: list[_Value], minimum: int) -> tuple[list[_Value], dict[str, dict[str, int]]]:
    counts = Counter((attribute, value) for _, attribute, value in values)
    rare: dict[str, dict[str, int]] = defaultdict(dict)
    for (attribute, value), number in counts.most_common():
        if number < minimum:
            rare[attribute][value] = number
    return [entry for entry in values if counts[entry[1:]] >= minimum], dict(rare)


def _table(frame: pd.DataFrame, kept: list[_Value], schema: AttributeSchema, question_set: str) -> pa.Table:
    rows = [row for row, _, _ in kept]
    asked = {article: schema.asks(article, question_set) for article in frame["article_type"].unique()}
    articles = frame["article_type"].tolist()
    taken = frame.loc[rows]
    columns = {
        "product_id": taken["product_id"].to_numpy(),
        "drop": taken["drop"].tolist(),
        "group_id": taken["group_id"].tolist(),
        "split": taken["split"].tolist(),
        "attribute": [attribute for _, attribute, _ in kept],
        "question": [asked[articles[row]][attribute] for row, attribute, _ in kept],
        "answer": [schema.answer(attribute, value) for _, attribute, value in kept],
        "value": [value for _, _, value in kept],
    }
    return pa.table(columns, schema=schema_of("qa_pairs"))


def _total(counts: dict[str, int]) -> int:
    return sum(counts.values())
