"""What is watched of a drop: what its products say of themselves, their image features, and how the champion answers.

Belongs here: gathering these for a drop and for every drop of the champion's training snapshot. Not here: comparing
them (evaluation/drift.py), the checks (orchestration/graph/watching.py).

Like is compared with like. Values are those that a drop states, before and now, in the champion's vocabulary. Features
are those of the cache, averaged over the queries; nothing is computed here. Answers of the snapshot are those that the
champion gave to its test products when it was scored: on what it learnt from it abstains less. For the same reason only
answers count whose product states a value, as those of the test products do.
"""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestration.families.contract import PublishedDrop, Watched

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from evaluation.drift import Delivery
    from training.blip2.features import KeptFeatures

FEATURES = "features"  # metadata of inference/attributes: which folder of the feature cache it read
SEED = 0


def watch(published: PublishedDrop) -> Watched:
    """The drop and the newest drops that its champion learnt from.

    Raises:
        SelvedgeError: the snapshot's tables are missing or damaged, or a file of the feature cache is.
    """
    from catalog.qa import UNMAPPED, stated_values
    from catalog.schema import AttributeSchema
    from catalog.tables import frame_of
    from training.blip2.features import KeptFeatures
    from training.catalogue import read_dataset

    drop, opening, tables = published.drop, published.opening, published.tables
    schema = AttributeSchema.from_dict(
        published.about["attribute_schema"], f"the schema of inference/attributes of {drop}"
    )
    question_set = next(iter(schema.question_sets))
    store = str(published.about.get(FEATURES, ""))  # an older Selvedge did not say
    kept = KeptFeatures(published.settings.features() / store) if store else None
    frozen = read_dataset(opening.dataset["dataset"], opening.dataset["question_set"])
    snapshot = list(opening.dataset["drops"])[-published.most :]
    products = frozen.products[frozen.products["drop"].isin(snapshot)]
    scored = _scored(published, dict(zip(products["product_id"], products["drop"], strict=True)))
    earlier = _deliveries(products, stated_values(products, schema, question_set), frozen.images, scored, kept)

    products, images, answers = (
        frame_of(tables.read(published.instance, name, drop))
        for name in ("catalog/products", "catalog/images", "inference/attributes")
    )
    stated = stated_values(products, schema, question_set)
    truth = stated[stated["value"] != UNMAPPED].rename(columns={"value": "truth"}).drop(columns="drop")
    answers = answers.merge(truth, on=["product_id", "attribute"])
    (new,) = _deliveries(products, stated, images, answers, kept).values() or (_nothing(),)
    return Watched(new, list(earlier.values()))


def _nothing() -> "Delivery":
    from evaluation.drift import Delivery

    return Delivery({})


def _scored(published: PublishedDrop, drops: Mapping[int, str]) -> "pd.DataFrame":
    """The champion's answers to its test products, with the drop of each; none where they were not kept.

    A value that it was never taught it could only abstain from; a drop's answers leave such values out, too.
    """
    import pandas as pd

    from evaluation.scores import CANDIDATE
    from training.blip2.scoring import PREDICTIONS_FILE

    file = published.scored / PREDICTIONS_FILE
    if not file.exists():
        return pd.DataFrame(columns=["drop", "truth", "value", "abstained"])
    answers = pd.read_parquet(io.BytesIO(file.read_bytes()))
    own = (answers["subject"] == CANDIDATE) & answers["in_vocabulary"].eq(True)
    answers = answers[own & answers["product_id"].isin(set(drops))]
    return answers.assign(drop=answers["product_id"].map(drops))


def _deliveries(
    products: "pd.DataFrame",
    stated: "pd.DataFrame",
    images: "pd.DataFrame",
    answers: "pd.DataFrame",
    kept: "KeptFeatures | None",
) -> "dict[str, Delivery]":
    """One delivery a drop.

    Args:
        products: drop, product_id. stated: as `stated_values`. images: drop, product_id, sha256.
        answers: drop, truth, value, abstained.
    """
    from evaluation.drift import ABSTENTION, CONTRADICTION, Delivery

    pictures = dict(iter(images.groupby("drop", sort=False)["sha256"]))
    said = dict(iter(stated.groupby("drop", sort=False)))
    answered = dict(iter(answers.groupby("drop", sort=False)))
    deliveries = {}
    for drop, rows in products.groupby("drop", sort=False):
        given = answered.get(drop, answers[:0])
        abstained = given["abstained"].to_numpy(dtype=bool)
        wrong = (given["value"] != given["truth"]).to_numpy(dtype=bool)
        deliveries[str(drop)] = Delivery(
            _values(rows["product_id"], said.get(drop, stated[:0])),
            _features(kept, sorted(set(pictures.get(drop, ())))),
            {ABSTENTION: abstained, CONTRADICTION: wrong[~abstained]},
        )
    return deliveries


def _values(product_ids: "pd.Series", stated: "pd.DataFrame") -> dict[str, list[str]]:
    """Attribute -> its value for every product, "" where it states none."""
    values = {}
    for attribute, rows in stated.groupby("attribute"):
        by_product = dict(zip(rows["product_id"], rows["value"], strict=True))
        values[str(attribute)] = [by_product.get(product_id, "") for product_id in product_ids]
    return values


def _features(kept: "KeptFeatures | None", pictures: list[str]) -> "np.ndarray | None":
    """(pictures, d) features of as many pictures as are compared; None unless all of these are in the cache."""
    import numpy as np

    from evaluation.drift import FEATURE_ROWS

    drawn = np.random.default_rng(SEED).permutation(len(pictures))[:FEATURE_ROWS]
    names = [pictures[position] for position in sorted(drawn)]
    if kept is None or not names or kept.missing(names):
        return None
    averaged: np.ndarray = kept.read(names).float().mean(dim=1).numpy()
    return averaged
