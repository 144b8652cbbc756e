"""Labelled rows and answers of known quality, for the tests of evaluation/."""

import numpy as np
import pandas as pd

VOCABULARY = {
    "pattern": ["Solid", "Striped", "Checked", "Printed"],
    "fit": ["Slim Fit", "Regular Fit", "Loose Fit"],
    "neck": ["Round Neck", "V-Neck", "Polo Collar", "Hood", "Boat Neck"],
}


def labelled(products: int = 300, seed: int = 0, first_id: int = 10001) -> pd.DataFrame:
    """Rows of every attribute for every product; about 1.4 products a group, classes thinning out."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "product_id": np.arange(first_id, first_id + products),
            "group_id": [f"g{first_id + i}" for i in rng.integers(0, int(products * 0.7), products)],
            "article_type": rng.choice(["Shirts", "Jeans", "Dresses"], products),
            "gender": rng.choice(["Men", "Women"], products),
            "base_colour": rng.choice(["Navy Blue", "White", "Red"], products),
        }
    )
    parts = []
    for attribute, values in VOCABULARY.items():
        share = 1 / np.arange(1, len(values) + 1)
        parts.append(frame.assign(attribute=attribute, truth=rng.choice(values, products, p=share / share.sum())))
    return pd.concat(parts, ignore_index=True)


def answered(rows: pd.DataFrame, quality: float, seed: int = 1) -> pd.DataFrame:
    """The rows answered right with probability `quality`, else by any value."""
    rng = np.random.default_rng(seed)
    right = rng.random(len(rows)) < quality
    guess = [rng.choice(VOCABULARY[attribute]) for attribute in rows["attribute"]]
    confidence = np.where(right, rng.beta(6, 2, len(rows)), rng.beta(3, 3, len(rows)))
    return rows.assign(
        value=np.where(right, rows["truth"], guess),
        confidence=confidence,
        abstained=confidence < 0.4,
        in_vocabulary=True,
    )
