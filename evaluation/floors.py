"""Floors: what is reached without looking at the picture. A score that is not above them says nothing.

Belongs here: answers of the floors for the test rows, learnt from the training rows. Not here: scoring them (scores.py
scores floors and models alike), and the fourth floor, the model without the picture: its answers come from the model
itself, asked with blank features, and enter scores.py as the subject `floor:no_picture`.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from catalog.errors import SelvedgeError

MAJORITY = "floor:majority"
PRIOR_DRAW = "floor:prior_draw"
MAJORITY_GIVEN_COARSE = "floor:majority_given_coarse"
MAJORITY_GIVEN_TYPE = "floor:majority_given_type"
NO_PICTURE = "floor:no_picture"
TYPE_COLUMN = "article_type"
TYPE_ATTRIBUTE = "Article Type"  # the question that the column answers


def floor_predictions(
    train: pd.DataFrame, test: pd.DataFrame, given: Sequence[str], seed: int = 0
) -> dict[str, pd.DataFrame]:
    """The floors that need labels only, as predictions by subject.

    Where the question set does not give the article type, the last of them is told it all the same, except where it
    is asked for: season and usage of photographs follow from the type, so that a model which is above the other floors
    may have read the type from the picture and no more.

    Args:
        train, test: labelled rows (`scores.labelled_rows`): product_id, attribute, truth and the `given` columns.
        given: the coarse columns of the question set, known without the picture.
        seed: fixes the draw from the prior.

    Raises:
        SelvedgeError: a column is missing, or the training rows lack an attribute of the test rows.
    """
    _require(train, test, given)
    floors = {
        MAJORITY: majority(train, test),
        PRIOR_DRAW: draw_from_prior(train, test, seed),
        MAJORITY_GIVEN_COARSE: majority_given(train, test, given),
    }
    if TYPE_COLUMN not in given:
        _require(train, test, [TYPE_COLUMN])
        given_type = majority_given(train, test, [TYPE_COLUMN, *given])
        asked = test["attribute"] == TYPE_ATTRIBUTE
        floors[MAJORITY_GIVEN_TYPE] = given_type.where(~asked, floors[MAJORITY_GIVEN_COARSE])
    return floors


def majority(train: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """Every test row answered with its attribute's commonest training value; confidence is that value's share."""
    return majority_given(train, test, given=())


def draw_from_prior(train: pd.DataFrame, test: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Every test row answered by a draw from its attribute's training values; confidence is the drawn value's share.

    The draws follow the order of (attribute, product_id), so the order of the rows is without effect.
    """
    ordered = test.sort_values(["attribute", "product_id"], kind="stable")
    uniform = np.random.default_rng(seed).random(len(ordered))
    value = pd.Series(index=ordered.index, dtype=object)
    confidence = pd.Series(index=ordered.index, dtype=np.float64)
    for attribute, positions in ordered.groupby("attribute", sort=True).indices.items():
        share = _shares(train.loc[train["attribute"] == attribute, "truth"])
        drawn = np.searchsorted(np.cumsum(share.to_numpy()), uniform[positions] * 0.999999, side="right")
        value.iloc[positions] = share.index.to_numpy(dtype=object)[drawn]
        confidence.iloc[positions] = share.to_numpy()[drawn]
    return _predictions(test, value.reindex(test.index), confidence.reindex(test.index))


def majority_given(train: pd.DataFrame, test: pd.DataFrame, given: Sequence[str]) -> pd.DataFrame:
    """Every test row answered with the commonest training value among rows of equal `given` columns.

    A combination that training lacks is looked up without its last column, then the one before, down to the plain
    majority. Ties go to the alphabetically first value.
    """
    value = pd.Series([None] * len(test), index=test.index, dtype=object)
    confidence = pd.Series(np.nan, index=test.index, dtype=np.float64)
    for used in range(len(given), -1, -1):
        keys = ["attribute", *given[:used]]
        best = _commonest(train, keys)
        answers = test[keys].merge(best, on=keys, how="left")
        fill = value.isna().to_numpy() & answers["truth"].notna().to_numpy()
        value[fill] = answers.loc[fill, "truth"].to_numpy(dtype=object)
        confidence[fill] = answers.loc[fill, "share"].to_numpy()
    return _predictions(test, value, confidence)


def _commonest(train: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """One row for each combination of `keys`: its commonest truth and that truth's share."""
    counts = train.groupby([*keys, "truth"], dropna=False, observed=True).size().rename("rows").reset_index()
    counts["share"] = counts["rows"] / counts.groupby(keys, dropna=False)["rows"].transform("sum")
    ranked = counts.sort_values(["rows", "truth"], ascending=[False, True], kind="stable")
    return ranked.drop_duplicates(keys)[[*keys, "truth", "share"]]


def _shares(truth: pd.Series) -> pd.Series:
    return truth.value_counts(normalize=True, sort=False).sort_index()


def _predictions(test: pd.DataFrame, value: pd.Series, confidence: pd.Series) -> pd.DataFrame:
    return test.assign(value=value, confidence=confidence, abstained=False, in_vocabulary=True)


def _require(train: pd.DataFrame, test: pd.DataFrame, given: Sequence[str]) -> None:
    for name, rows in (("training", train), ("test", test)):
        missing = [column for column in ("product_id", "attribute", "truth", *given) if column not in rows]
        if missing:
            raise SelvedgeError(
                f"the {name} rows lack the columns {missing}; the floors of this question set need them."
            )
    unknown = sorted(set(test["attribute"]) - set(train["attribute"]))
    if unknown:
        raise SelvedgeError(
            f"no training row has a value of {unknown[0]}, which the test rows ask for; "
            "read more products or take the attribute out of the question set."
        )
