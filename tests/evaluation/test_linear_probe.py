"""The linear probe reads what is linear in the features, and only that."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from catalog.errors import SelvedgeError
from evaluation import linear_probe
from evaluation.classification import accuracy
from evaluation.linear_probe import ProbeSettings, probe_predictions

PRODUCTS, DIMENSIONS = 600, 300
SMALL = ProbeSettings(components=40)


def catalogue(seed: int = 0) -> tuple[np.ndarray, pd.DataFrame]:
    """Features in which `pattern` is linear, `fit` is noise, and `neck` is known for half of the products."""
    rng = np.random.default_rng(seed)
    hidden = rng.standard_normal((PRODUCTS, 12))
    features = hidden @ rng.standard_normal((12, DIMENSIONS)) + 0.5 * rng.standard_normal((PRODUCTS, DIMENSIONS)) + 3.0
    best = (hidden @ rng.standard_normal((12, 4))).argmax(axis=1)
    parts = [
        pd.DataFrame({"product_id": np.arange(PRODUCTS), "attribute": "pattern", "truth": [f"p{i}" for i in best]}),
        pd.DataFrame(
            {"product_id": np.arange(PRODUCTS), "attribute": "fit", "truth": rng.choice(["a", "b"], PRODUCTS)}
        ),
        pd.DataFrame(
            {"product_id": np.arange(0, PRODUCTS, 2), "attribute": "neck", "truth": [f"n{i % 2}" for i in best[::2]]}
        ),
    ]
    return features.astype(np.float32), pd.concat(parts, ignore_index=True)


def parts_of(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    return rows[rows["product_id"] < 400], rows[rows["product_id"].between(400, 499)], rows[rows["product_id"] >= 500]


def test_it_reads_what_is_linear_and_fails_on_noise():
    features, rows = catalogue()
    train, validation, test = parts_of(rows)
    answers, probes = probe_predictions(features, range(PRODUCTS), train, validation, test, SMALL)
    score = {name: accuracy(part["truth"], part["value"]) for name, part in answers.groupby("attribute")}
    assert score["pattern"] > 0.9
    assert score["neck"] > 0.8
    assert 0.35 < score["fit"] < 0.65
    assert answers.index.equals(test.index)
    assert answers["confidence"].between(0, 1).all()
    assert probes["fit"].l2 >= probes["pattern"].l2


def test_it_agrees_with_scikit_learn_at_the_same_penalty():
    features, rows = catalogue()
    pattern = rows[rows["attribute"] == "pattern"]
    components = linear_probe.fit_projection(features[:400], SMALL)(features)
    settings = ProbeSettings(components=40, l2=(0.01,), iterations=500)
    nothing = np.array([], dtype=object)
    truth = pattern["truth"].to_numpy(dtype=object)[:400]
    probe = linear_probe.fit_probe("pattern", components[:400], truth, components[:0], nothing, settings)
    reference = LogisticRegression(C=1 / (0.01 * 400), max_iter=2000, tol=1e-8).fit(components[:400], list(truth))
    np.testing.assert_allclose(
        probe.probabilities(components[400:]), reference.predict_proba(components[400:]), atol=0.02
    )


def test_the_projection_keeps_the_directions_of_most_variance():
    rng = np.random.default_rng(0)
    features = (rng.standard_normal((200, 5)) @ rng.standard_normal((5, 80))).astype(np.float32)
    projection = linear_probe.fit_projection(features, ProbeSettings(components=5))
    components = projection(features)
    back = components @ np.linalg.pinv(projection.directions) * projection.scale + projection.mean
    np.testing.assert_allclose(back, features, atol=1e-3)
    assert np.mean(components.var(axis=0)) == pytest.approx(1, abs=0.01)


def test_an_attribute_of_one_value_is_answered_with_it():
    features, rows = catalogue()
    train, validation, test = parts_of(rows[rows["attribute"] == "pattern"].assign(truth="plain"))
    answers, _ = probe_predictions(features, range(PRODUCTS), train, validation, test, SMALL)
    assert set(answers["value"]) == {"plain"}
    assert (answers["confidence"] == 1).all()


def test_a_constant_feature_and_few_rows_are_no_trouble():
    features, rows = catalogue()
    features[:, 7] = 2.0
    train, validation, test = parts_of(rows[rows["attribute"] == "pattern"])
    answers, _ = probe_predictions(features, range(PRODUCTS), train.head(20), validation, test)
    assert answers["value"].notna().all()


def test_missing_and_broken_features_are_refused_with_a_sentence():
    features, rows = catalogue()
    train, validation, test = parts_of(rows)
    with pytest.raises(SelvedgeError, match="product 500 has no features"):
        probe_predictions(features[:500], range(500), train, validation, test, SMALL)
    features[3, 0] = np.nan
    with pytest.raises(SelvedgeError, match="features of product 3 are not finite"):
        probe_predictions(features, range(PRODUCTS), train, validation, test, SMALL)
