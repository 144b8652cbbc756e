"""The served ad ranker: measurements in, an order out, and one sentence for a bad request."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from inference.ad_ranker_entry import AdOrder
from inference.refused_request import RefusedRequest
from training.ad_ranker.candidate import RANKER_FILE
from training.ad_ranker.features import FEATURES
from training.ad_ranker.ranker import AdRanker


@pytest.fixture
def served(tmp_path):
    weights = np.zeros(len(FEATURES))
    weights[FEATURES.index("contrast")] = 2.0
    AdRanker(weights, np.ones(len(FEATURES)), 1.0, 10).save(tmp_path / RANKER_FILE)
    model = AdOrder()
    model.load_context(SimpleNamespace(artifacts={"model": str(tmp_path)}))
    return model


def pictures(*contrasts, request="a"):
    rows = pd.DataFrame(0.0, index=range(len(contrasts)), columns=list(FEATURES))
    return rows.assign(contrast=contrasts, request=request)


def test_pictures_are_ordered_within_their_request(served):
    asked = pd.concat([pictures(1.0, 3.0, 2.0), pictures(5.0, 4.0, request="b")], ignore_index=True)
    answer = served.predict(None, asked)
    assert answer["place"].tolist() == [3, 1, 2, 1, 2]
    assert answer["score"].tolist() == [2.0, 6.0, 4.0, 10.0, 8.0]


@pytest.mark.parametrize(
    ("spoilt", "sentence"),
    [
        (lambda rows: rows.drop(columns="thirds"), "a request needs the column thirds"),
        (lambda rows: rows.drop(columns="request"), "a request needs the column request"),
        (lambda rows: rows.assign(halo=["1", "wide"]), "row 1: halo is no number"),
        (lambda rows: rows.assign(halo=np.nan), "row 0: halo is no number"),
        (lambda rows: rows["halo"].to_numpy(), "a request is a table"),
        (lambda rows: pd.concat([rows] * 5001), "send at most 10000 at once"),
    ],
)
def test_a_bad_request_is_one_sentence(served, spoilt, sentence):
    with pytest.raises(RefusedRequest, match=sentence):
        served.predict(None, spoilt(pictures(1.0, 2.0)))
