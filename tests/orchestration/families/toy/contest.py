"""The toy's contest: a number for every product, another one from each version."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from labeling.review.pairs.kinds import PairKind
from labeling.review.rounds.compared import Compared
from labeling.review.rounds.contest import Contest
from labeling.review.rounds.progress import Progress, silent
from orchestration.families.contract import Contenders
from tests.labeling.review.rounds_for_tests import catalogue, columns_of

PRODUCTS = 80


@dataclass(frozen=True)
class ToyContest(Contest):
    def compare(self, kind: PairKind[Any], progress: Progress = silent) -> Compared:
        products, splits = catalogue(PRODUCTS)
        ids = products["product_id"]
        numbers = {side: pd.DataFrame({"product_id": ids, "number": ids % step}) for side, step in (("a", 7), ("b", 5))}
        progress(1, 1, "counting")
        return Compared(
            kind,
            None,
            numbers["a"],
            numbers["b"],
            columns_of(products, "products"),
            columns_of(splits, "splits"),
            {},
        )


def contest(contenders: Contenders) -> ToyContest:
    opponent, version = ("champion", contenders.champion[0]) if contenders.champion else ("base", "base")
    return ToyContest(contenders.family, contenders.candidate, contenders.version, opponent, version)  # type: ignore[arg-type]
