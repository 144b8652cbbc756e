"""Ads compared: of the same nine pictures of a product, the one that each of two rankers would show first.

Belongs here: the two rankers of a round, the products of the test split, their ads. Not here: which versions they are
(orchestration/families/registered.py), what a pair looks like (labeling/review/pairs/ads.py).

Both sides come from one run of the pipeline: scenes, shadows and checks are the same, and only the choice differs.
Products of which both rankers choose one picture are left out: nobody could tell the sides. The scenes are the house's
own, drawn, by the guidelines of a lifestyle ad, whatever a drop's ads are made with.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError
from labeling.review.pairs.plan import Opponent
from labeling.review.rounds.contest import Contest
from labeling.review.rounds.progress import Progress, silent
from orchestration.families.ad_ranker.candidate import read_ranker
from orchestration.families.contract import Contenders

if TYPE_CHECKING:
    from inference.ad_images.orders import AdOrder
    from inference.ad_images.result import AdResult
    from labeling.review.pairs.kinds import PairKind
    from labeling.review.rounds.compared import Compared
    from training.ad_ranker.ranker import AdRanker
    from training.catalogue import CatalogueTables

MOST = 300  # products; a round shows about half of them
SIZE = (512, 512)
QUALITY = 92  # of the JPEG that is kept of each ad
FIRST_PLAN = "ads-first-plan"
UNTRAINED = "untrained"
Make = Callable[["AdOrder"], "AdResult"]


@dataclass(frozen=True)
class AdContest(Contest):
    """Two rankers, and the catalogue whose test products they choose for.

    Attributes:
        rankers: the candidate's and the opponent's. tables: reads the catalogue. by_hand: no registered candidate.
        make: the ads of one product, once for both.
    """

    rankers: "tuple[AdRanker, AdRanker]"
    tables: "Callable[[], CatalogueTables]"
    by_hand: bool
    make: Make

    def compare(self, kind: "PairKind[Any]", progress: Progress = silent) -> "Compared":
        """Raises: SelvedgeError: no test product has ads that differ, or the kind says nothing of this opponent."""
        import pandas as pd

        from inference.ad_images.orders import orders_of
        from inference.ad_images.refusal import AdRefused
        from inference.tables import ATTRIBUTES
        from labeling.review.pairs.items import products_of_test_split
        from labeling.review.rounds.compared import Compared

        if kind.name == FIRST_PLAN and not (self.by_hand and self.opponent == "base"):
            raise SelvedgeError(
                f"pairs of the kind {FIRST_PLAN} are about the pipeline, not about a candidate and its champion; open "
                "them with --model FOLDER and --catalog DIR, and without --champion."
            )
        read = self.tables()
        test = products_of_test_split(read.products, read.splits)["product_id"]
        products = read.products[read.products["product_id"].isin(test)]
        nobody = pd.DataFrame(columns=ATTRIBUTES.names)
        orders = orders_of(products, read.images, nobody, most=MOST, size=SIZE, stamps={})
        shown: dict[int, tuple[bytes, bytes]] = {}
        for done, order in enumerate(orders, start=1):
            progress(done, len(orders), "making ads")
            try:
                pair = self._pair(kind, self.make(order))
            except AdRefused:
                continue  # a product without an ad is in no round
            if pair is not None:
                shown[order.product.product_id] = pair
        if not shown:
            raise SelvedgeError(
                f"{self.candidate} and its opponent choose the same picture of every test product; there is nothing "
                "for people to judge."
            )
        ours, theirs = (
            pd.DataFrame({"product_id": list(shown), "picture": [pair[side] for pair in shown.values()]})
            for side in (0, 1)
        )
        of_round = products[products["product_id"].isin(shown)]
        splits = read.splits[read.splits["product_id"].isin(shown)]
        images = read.images[read.images["product_id"].isin(shown)]
        return Compared(kind, None, ours, theirs, of_round, splits, {"images": images})

    def _pair(self, kind: "PairKind[Any]", result: "AdResult") -> tuple[bytes, bytes] | None:
        """Both sides' pictures; None where they are one."""
        from inference.ad_images.ranking import top_three
        from inference.ad_images.recipes import pixels_sha256

        judged = result.attempts[-1].judged
        pictures, findings = [each.picture for each in judged], [each.findings for each in judged]
        first = [top_three(pictures, findings, ranker, judged[0].relaxed)[0] for ranker in self.rankers]
        sides = [pictures[position].pixels for position in first]
        if kind.name == FIRST_PLAN:
            sides[1] = result.attempts[0].judged[0].picture.pixels
        if pixels_sha256(sides[0]) == pixels_sha256(sides[1]):
            return None
        return _jpeg(sides[0]), _jpeg(sides[1])


def contest(contenders: Contenders) -> AdContest:
    """A candidate against the champion, or against the untrained order.

    Raises:
        SelvedgeError: a folder holds no ranker, or a candidate was opened without a catalogue.
    """
    from training.ad_ranker.ranker import AdRanker

    opponent: Opponent = "base" if contenders.champion is None else "champion"
    version, rival = (
        (UNTRAINED, AdRanker.untrained())
        if contenders.champion is None
        else (contenders.champion[0], read_ranker(contenders.champion[1]))
    )
    return AdContest(
        contenders.family,
        contenders.candidate,
        contenders.version,
        opponent,
        version,
        (read_ranker(contenders.folder), rival),
        lambda: _catalogue(contenders),
        isinstance(contenders.data, Path),
        _maker(),
    )


def _catalogue(contenders: Contenders) -> "CatalogueTables":
    from training.catalogue import read_catalogue_folder, read_dataset

    if isinstance(contenders.data, Path):
        return read_catalogue_folder(contenders.data, None)
    dataset = contenders.data.dataset
    if not dataset.get("catalogue"):
        raise SelvedgeError(f"{contenders.candidate} was opened in a home without a catalogue; read a drop first.")
    return read_dataset(dataset["catalogue"], dataset["question_set"])


def _maker() -> Make:
    """The house's pipeline: drawn scenes, the guidelines of a lifestyle ad, an untrained order."""
    from inference.ad_images.backdrops.studio.backdrop import Studio
    from inference.ad_images.guardrails.local import LocalGuardrail
    from inference.ad_images.pipeline import AdPipeline
    from inference.ad_images.quality.brand import read_brand

    pipeline = AdPipeline(
        Studio(),
        read_brand("lifestyle"),
        lambda request: LocalGuardrail(request.product.brand if request.product else ""),
    )
    return lambda order: pipeline.make(order.request())


def _jpeg(pixels: Any) -> bytes:
    from PIL import Image

    from catalog.files import jpeg_bytes

    return jpeg_bytes(Image.fromarray(pixels), QUALITY, subsampling=0)
