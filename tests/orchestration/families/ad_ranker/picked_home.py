"""A home in which people picked among ads: recipes as files, a round of picks in the ledger, picks of a known taste."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from catalog.files import publish_bytes
from inference.ad_images.plan import Plan, Support
from inference.ad_images.recipes import CutoutStamp, Recipe, recipe_bytes
from inference.ad_images.request import AdBrief, AdRequest
from inference.ad_images.scene import Light, Scene
from labeling.review.ledger.ledger import Ledger
from labeling.review.ledger.picks import Judgement, PickTask, PulledPick, ShownPicture
from training.ad_ranker.features import FEATURES

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
DROP = "may"


def recipe_file(file: Path, number: int, features: dict[str, float]) -> None:
    """A recipe without much in it, beside where its picture would be."""
    size = (64, 64)
    brief = AdBrief(AdRequest("r", b"", size=size), "studio", "", Support.STANDS, 0.5, {})
    plan = Plan(number, 0, 0, 0.5, 0.5, 0.9, 0.0, Support.STANDS, 0, "")
    scene = Scene("studio", "", size, 0, Support.STANDS, Light(0.0, 45.0, 0.5, 0.0), None, (), None, 1.0)
    recipe = Recipe(
        brief, "", CutoutStamp("c", "", "", 1.0, False), "", plan, scene, "studio", "1", (), 0.0, number, "", "1",
        features=features,
    )  # fmt: skip
    publish_bytes(recipe_bytes(recipe), file)


def picked_among(
    ledger: Ledger, root: Path, requests: int, rater: str = "ann@shop.example", measured: Callable[[int], bool] = bool
) -> None:
    """A round of `requests`, all picked by one rater whose taste is contrast, with some chance in it.

    Args:
        measured: of a request's number from 1, whether its recipes hold measurements.
    """
    rng = np.random.default_rng(0)
    tasks, picks, picked = [], [], {}
    for number in range(requests):
        rows = rng.normal(0, 1, (3, len(FEATURES)))
        shown = []
        for rank, row in enumerate(rows, start=1):
            file = root / f"{number}-beach" / "ab" / f"{rank}.json"
            measurements = dict(zip(FEATURES, map(float, row), strict=True)) if measured(number + 1) else {}
            recipe_file(file, rank, measurements)
            shown.append(ShownPicture(f"{number:060d}{rank:04d}", str(file.with_suffix(".png"))))
        key = f"{number:032x}"
        tasks.append(PickTask(key, f"{number}-beach/ab", number, tuple(shown)))
        position = int((2 * rows[:, FEATURES.index("contrast")] + rng.gumbel(0, 1, 3)).argmax())
        at = NOON + timedelta(seconds=number)
        picks.append(PulledPick(number + 1, key, rater, None, str(position + 1), "", 4.0, at, at))
        picked[number + 1] = shown[position].sha256
    simulated = rater.endswith(".invalid")
    ledger.picks.open_round(f"picks-{DROP}", DROP, bytes(32), tasks)
    ledger.picks.store(
        f"picks-{DROP}", picks, lambda pick: Judgement(picked[pick.annotation_id], None, simulated, None), NOON
    )
