"""Floors say what labels alone reach, and nothing that only the picture or the test rows could tell."""

import numpy as np
import pandas as pd
import pytest

from catalog.errors import SelvedgeError
from evaluation import floors
from evaluation.classification import accuracy, macro_f1

from .rows import labelled


def rows(*triples: tuple[str, str, str]) -> pd.DataFrame:
    frame = pd.DataFrame(triples, columns=["article_type", "gender", "truth"])
    return frame.assign(attribute="neck", product_id=np.arange(len(frame)), group_id="g")


TRAIN = rows(
    ("Shirts", "Men", "Collar"), ("Shirts", "Men", "Collar"), ("Shirts", "Women", "Bow"), ("Tshirts", "Men", "Round"),
    ("Tshirts", "Men", "Round"), ("Tshirts", "Men", "V"), ("Tshirts", "Women", "V"), ("Tshirts", "Women", "V"),
)  # fmt: skip


def test_majority_names_the_commonest_training_value():
    test = rows(("Shirts", "Men", "Collar"), ("Tshirts", "Men", "Round"))
    predictions = floors.majority(TRAIN, test)
    assert predictions["value"].tolist() == ["V", "V"]
    assert predictions["confidence"].tolist() == pytest.approx([3 / 8, 3 / 8])


def test_majority_given_the_coarse_columns_falls_back_to_fewer():
    test = rows(("Shirts", "Women", "x"), ("Shirts", "Boys", "x"), ("Ties", "Men", "x"), ("Tshirts", "Men", "x"))
    predictions = floors.majority_given(TRAIN, test, ["article_type", "gender"])
    assert predictions["value"].tolist() == ["Bow", "Collar", "V", "Round"]
    assert predictions["confidence"].tolist() == pytest.approx([1.0, 2 / 3, 3 / 8, 2 / 3])


def test_a_draw_from_the_prior_follows_the_prior_and_not_the_row_order():
    train, test = labelled(2000), labelled(3000, seed=1, first_id=90000)
    predictions = floors.draw_from_prior(train, test, seed=4)
    drawn = predictions.groupby("attribute")["value"].value_counts(normalize=True)
    share = train.groupby("attribute")["truth"].value_counts(normalize=True)
    assert (drawn - share).abs().max() < 0.03
    mixed = test.sample(frac=1.0, random_state=0)
    again = floors.draw_from_prior(train, mixed, seed=4).loc[test.index]
    assert again["value"].tolist() == predictions["value"].tolist()
    assert floors.draw_from_prior(train, test, seed=5)["value"].tolist() != predictions["value"].tolist()


def test_floors_never_read_the_truth_of_the_test_rows():
    train, test = labelled(400), labelled(200, seed=1, first_id=90000)
    blinded = test.assign(truth="?")
    for subject, predictions in floors.floor_predictions(train, test, ["article_type", "gender"]).items():
        other = floors.floor_predictions(train, blinded, ["article_type", "gender"])[subject]
        assert predictions["value"].tolist() == other["value"].tolist()
        assert predictions.index.equals(test.index) and predictions["value"].notna().all()


def test_coarse_columns_help_where_they_tell():
    train, test = labelled(900), labelled(300, seed=1, first_id=90000)
    pattern_of = {"Shirts": "Solid", "Jeans": "Striped", "Dresses": "Checked"}
    train, test = (
        f[f["attribute"] == "pattern"].assign(truth=lambda r: r["article_type"].map(pattern_of)) for f in (train, test)
    )
    predictions = floors.floor_predictions(train, test, ["article_type"])
    assert accuracy(test["truth"], predictions[floors.MAJORITY_GIVEN_COARSE]["value"]) == 1
    assert macro_f1(test["truth"], predictions[floors.MAJORITY]["value"]) < 0.25


def test_what_the_type_gives_away_is_a_floor_except_for_the_type_itself():
    train, test = labelled(900), labelled(300, seed=1, first_id=90000)
    season_of = {"Shirts": "Summer", "Jeans": "Winter", "Dresses": "Spring"}

    def asked(frame: pd.DataFrame) -> pd.DataFrame:
        once = frame[frame["attribute"] == "pattern"]
        seasons = once.assign(attribute="Season", truth=once["article_type"].map(season_of))
        return pd.concat([seasons, once.assign(attribute="Article Type", truth=once["article_type"])])

    predictions = floors.floor_predictions(asked(train), asked(test), ["gender"])
    told = predictions[floors.MAJORITY_GIVEN_TYPE]
    season = told["attribute"] == "Season"
    assert accuracy(told.loc[season, "truth"], told.loc[season, "value"]) == 1
    coarse = predictions[floors.MAJORITY_GIVEN_COARSE]
    assert told.loc[~season, "value"].tolist() == coarse.loc[~season, "value"].tolist()
    given = floors.floor_predictions(asked(train), asked(test), ["article_type", "gender"])
    assert floors.MAJORITY_GIVEN_TYPE not in given, "where the type is given, the coarse floor knows it already"


def test_bad_rows_are_refused_with_a_sentence():
    with pytest.raises(SelvedgeError, match="lack the columns \\['usage'\\]"):
        floors.floor_predictions(TRAIN, TRAIN, ["usage"])
    with pytest.raises(SelvedgeError, match="no training row has a value of fit"):
        floors.floor_predictions(TRAIN, TRAIN.assign(attribute="fit"), [])
