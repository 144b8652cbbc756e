"""Masks compared: the same test picture, as two segmenters see its parts.

Belongs here: the two sides of a round and its test pictures. Not here: which versions they are
(orchestration/families/registered.py), what a pair looks like (labeling/review/pairs/masks.py).

Where there is no champion, the mask of the nearest labelled picture stands in, moved to the test picture's size.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labeling.review.pairs.plan import Opponent
from labeling.review.rounds.contest import Contest
from labeling.review.rounds.progress import Progress, silent
from orchestration.families.contract import Contenders
from orchestration.families.garment_segmenter.candidate import label_set, read_segmenter

if TYPE_CHECKING:
    import pandas as pd

    from labeling.review.pairs.kinds import PairKind
    from labeling.review.rounds.compared import Compared
    from training.handsoff.labels import LabelledPictures
    from training.segmenter.segmenter import GarmentSegmenter

SIDE = 256  # pixels of a test picture as it is shown
NEAREST = "nearest-labelled"
DROP = "test"
Masks = Callable[["LabelledPictures"], np.ndarray]


@dataclass(frozen=True)
class MaskContest(Contest):
    """Two ways to segment, and the test pictures that both are asked about.

    Attributes:
        segmenter: the candidate's. rival: gives the opponent's (n, S, S) masks. test: reads the test pictures.
    """

    segmenter: "GarmentSegmenter"
    rival: Masks
    test: "Callable[[], LabelledPictures]"

    def compare(self, kind: "PairKind[Any]", progress: Progress = silent) -> "Compared":
        """Raises: SelvedgeError: a version tells other classes than the test pictures are labelled with."""
        from labeling.review.rounds.compared import Compared
        from training.segmenter.scoring import masks_of

        test = self.test()
        ours = masks_of(self.segmenter, test)
        progress(1, 2, "segmenting test pictures")
        theirs = self.rival(test)
        progress(2, 2, "segmenting test pictures")
        products, splits = _as_products(test)
        return Compared(kind, None, _table(test, ours), _table(test, theirs), products, splits, {})


def contest(contenders: Contenders) -> MaskContest:
    """A candidate against the champion, or against the masks of the nearest labelled pictures.

    Raises:
        SelvedgeError: a folder holds no segmenter, or the label set is gone.
    """
    from training.handsoff.labels import read_labelled
    from training.segmenter.scoring import masks_of, nearest_masks

    labels = label_set(contenders.data)
    opponent: Opponent = "base" if contenders.champion is None else "champion"
    if contenders.champion is None:
        learnt = read_labelled(labels.labelled, SIDE)
        version, rival = NEAREST, lambda test: nearest_masks(learnt, test)
    else:
        champion = read_segmenter(contenders.champion[1])
        version, rival = contenders.champion[0], lambda test: masks_of(champion, test)
    return MaskContest(
        contenders.family, contenders.candidate, contenders.version, opponent, version,
        read_segmenter(contenders.folder), rival, lambda: read_labelled(labels.test, SIDE),
    )  # fmt: skip


def _table(test: "LabelledPictures", masks: np.ndarray) -> "pd.DataFrame":
    """Table `masks`: a row a test picture, numbered from 1."""
    import pandas as pd

    from catalog.files import png_bytes

    return pd.DataFrame(
        {
            "product_id": np.arange(1, len(test) + 1),
            "picture": [png_bytes(picture) for picture in test.pictures.array],
            "mask": [png_bytes(mask) for mask in masks],
            "classes": [list(test.kinds.classes)] * len(test),
        }
    )


def _as_products(test: "LabelledPictures") -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Tables `products` and `splits` of the test pictures: what a round draws its items from."""
    import pandas as pd

    from catalog.splits import TEST
    from catalog.tables import schema_of

    numbers = np.arange(1, len(test) + 1)
    facts = pd.DataFrame({"drop": DROP, "product_id": numbers, "product_display_name": list(test.pictures.names)})
    names = schema_of("products").names
    products = facts.assign(**{name: None for name in names if name not in facts})[names]
    splits = pd.DataFrame({"product_id": numbers, "drop": DROP, "group_id": list(test.pictures.names), "split": TEST})
    return products, splits
