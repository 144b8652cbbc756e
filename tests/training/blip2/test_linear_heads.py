"""Linear heads: they learn what the frozen features hold, from the samples that LoRA meets and no others."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from catalog.errors import SelvedgeError
from tests.training.blip2.conftest import COLOURS, PATTERNS, Shop, schema
from tests.training.blip2.test_lora import SHORT
from training.blip2.base import Base
from training.blip2.features import FeatureStore
from training.blip2.linear_heads import linear_head_answers

SETTINGS = replace(SHORT, steps=60, views=1, learning_rate=2e-3)


def rows_of_test(shop: Shop) -> pd.DataFrame:
    return shop.pairs[shop.pairs["split"] == "test"].rename(columns={"value": "truth"})


def answers_of(base: Base, shop: Shop, store: FeatureStore, pairs: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    pictures = dict(enumerate(sha256 for sha256, _ in shop.items))
    return linear_head_answers(base, pairs, schema(), store, SETTINGS, test, pictures)


def test_they_read_colours_from_the_features(base: Base, shop: Shop, store: FeatureStore):
    rows = rows_of_test(shop)
    answers = answers_of(base, shop, store, shop.pairs, rows)
    colours = answers[answers["attribute"] == "Colour"]
    assert (colours["value"] == colours["truth"]).mean() > 0.6
    assert set(colours["value"]) <= set(COLOURS)
    assert set(answers.loc[answers["attribute"] == "Pattern", "value"]) <= set(PATTERNS)
    assert answers["confidence"].between(0, 1).all() and answers.index.equals(rows.index)


def test_only_training_rows_teach_them(base: Base, shop: Shop, store: FeatureStore):
    rows, pairs = rows_of_test(shop), shop.pairs.copy()
    once = answers_of(base, shop, store, pairs, rows)
    elsewhere = pairs["split"] != "train"
    rng = np.random.default_rng(0)
    for attribute, values in (("Colour", list(COLOURS)), ("Pattern", list(PATTERNS))):
        chosen = elsewhere & (pairs["attribute"] == attribute)
        pairs.loc[chosen, "value"] = rng.choice(values, chosen.sum())
        pairs.loc[chosen, "answer"] = attribute + ": " + pairs.loc[chosen, "value"]
    again = answers_of(base, shop, store, pairs, rows)
    pd.testing.assert_frame_equal(once, again)


def test_what_the_schema_does_not_ask_stays_unanswered(base: Base, shop: Shop, store: FeatureStore):
    rows = rows_of_test(shop)
    strange = pd.concat([rows, rows.iloc[:1].assign(attribute="Heel", truth="High")], ignore_index=True)
    answers = answers_of(base, shop, store, shop.pairs, strange)
    assert answers["value"].iloc[-1] is None and not answers["in_vocabulary"].iloc[-1]
    assert answers["in_vocabulary"].iloc[:-1].all()
    with pytest.raises(SelvedgeError, match="0 validation rows"):
        answers_of(base, shop, store, shop.pairs[shop.pairs["split"] == "train"], rows)
