"""Coverage: a base that answers everything is asked to leave out as much as the candidate does.

Belongs here: which answers of a base become dashes. Not here: a model's own thresholds (training), what a dash looks
like (kinds.py).

A candidate is calibrated to say nothing where it is not sure; its base is not, and says something of everything. On two
cards the dash would then name the side, pair after pair. Both are asked at the same coverage instead: of each attribute
the base leaves out as many of its least sure answers as the candidate does. What is judged is who is right where it
speaks, and who chose better where to be silent; that is also how a base with a threshold of its own would be used.
"""

import pandas as pd

from catalog.errors import SelvedgeError


def at_same_coverage(base: pd.DataFrame, candidate: pd.DataFrame) -> pd.DataFrame:
    """The base's answers with as many left out, attribute by attribute, as the candidate leaves out.

    Args:
        base, candidate: tables `attributes` about the same products.

    Returns:
        `base` with `abstained` set on its least confident answers, equal ones by product; one that it left out by
        itself stays left out, and counts. Nothing else changes.

    Raises:
        SelvedgeError: an answer has no confidence to order it by.
    """
    if base["confidence"].isna().any():
        raise SelvedgeError("the base's answers have no confidence; ask it again before a round is opened.")
    wanted = candidate[candidate["abstained"].astype(bool)].groupby("attribute").size()
    # Answers it left out come first, so that they are the first of the share.
    order = base.assign(_answers=~base["abstained"].astype(bool)).sort_values(["_answers", "confidence", "product_id"])
    rank = order.groupby("attribute").cumcount().reindex(base.index)
    left_out = rank < base["attribute"].map(wanted).fillna(0)
    return base.assign(abstained=base["abstained"].astype(bool) | left_out)
