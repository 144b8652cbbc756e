"""Ranking: which three of the pictures that pass are shown to a person.

Belongs here: measuring the features, and the choice of three that differ. Not here: which pictures pass (quality/), the
ranker and its fit (training/ad_ranker/), BRISQUE (the benchmark's judge, which the ranker never sees).

While the ranker is untrained the order is the one that `untrained_order` states.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.ad_images.feedback import holds_back
from inference.ad_images.finding import Finding, Strictness
from inference.ad_images.quality.brand import Brand
from inference.ad_images.quality.guidelines import GUIDELINES
from inference.ad_images.quality.measurements import measure, thumbnail
from inference.ad_images.scene import AdPicture
from training.ad_ranker.candidate import RANKER_FILE
from training.ad_ranker.features import FEATURES
from training.ad_ranker.ranker import AdRanker

Array = NDArray[np.float64]

MEASURED = (
    "object_expansion", "halo", "duplicates", "frame_share", "thirds", "text_area", "overlay_area", "contact_shadow",
    "shadow_side", "horizon", "horizon_tilt", "highlights", "blacks", "brightness", "palette", "contrast", "sharpness",
    "clutter",
)  # fmt: skip
UNITS = {name: GUIDELINES[name].unit for name in MEASURED} | {
    "brightness_off": "L* from 60",
    "share_off": "% of frame from 50",
    "off_center": "% of width",
    "turned": "°",
}
MIDDLE_BRIGHTNESS, MIDDLE_SHARE = 60.0, 50.0
ALIKE = 2.0  # mean ΔE of two thumbnails below which two pictures are one


def ranker_of(folder: Path | None) -> AdRanker:
    """The ranker of an artefact's folder; None gives an untrained one. Raises: SelvedgeError: as `AdRanker.load`."""
    return AdRanker.untrained() if folder is None else AdRanker.load(folder / RANKER_FILE)


def features(picture: AdPicture, findings: Sequence[Finding]) -> Array:
    """(len(FEATURES),) measurements in the units of `UNITS`.

    Values of the findings are taken; what the brand did not ask is measured. What does not apply to the picture (a
    horizon seen from above) takes the usual limit, the same for all pictures of a product.
    """
    values = {finding.guideline: finding.value for finding in findings if finding.guideline in MEASURED}
    asked = [name for name in MEASURED if name not in values and name != "palette"]
    values |= measure(picture, Brand(""), asked)
    plan = picture.placed.plan
    row = {name: values.get(name, GUIDELINES[name].limit) for name in MEASURED}
    row["brightness_off"] = abs(row["brightness"] - MIDDLE_BRIGHTNESS)
    row["share_off"] = abs(row["frame_share"] - MIDDLE_SHARE)
    row["off_center"] = 100 * abs(plan.center_x - 0.5)
    row["turned"] = abs(plan.rotation)
    return np.array([row[name] for name in FEATURES])


def top_three(
    pictures: Sequence[AdPicture],
    findings: Sequence[Sequence[Finding]],
    ranker: AdRanker,
    relaxed: Sequence[str] = (),
) -> list[int]:
    """Positions of at most three pictures, best first.

    Only pictures that pass; the best first, then the best in another section that does not look like one chosen
    before, and where no section is left, the best with another turn or scene. Two that look alike are never both shown,
    so there may be fewer than three.

    Args:
        findings: of each picture. relaxed: guidelines that were let go.
    """
    passing = [at for at, answers in enumerate(findings) if not any(holds_back(answer, relaxed) for answer in answers)]
    if not passing:
        return []
    order = _order(pictures, findings, passing, ranker)
    looks = {position: thumbnail(pictures[position]) for position in order}
    shown: list[int] = []
    for another_section in (True, False):
        for position in order:
            if len(shown) < 3 and position not in shown:
                plans = [pictures[other].placed.plan for other in shown]
                plan = pictures[position].placed.plan
                same_section = another_section and any(plan.section == other.section for other in plans)
                same_plan = any(_varied(plan) == _varied(other) for other in plans)
                if not (same_section or same_plan or _alike(looks, position, shown)):
                    shown.append(position)
    return sorted(shown, key=order.index)


def _varied(plan: Any) -> tuple[int, float, int]:
    return plan.section, plan.rotation, plan.scene_seed


def _alike(looks: dict[int, np.ndarray], position: int, shown: Sequence[int]) -> bool:
    return any(float(np.linalg.norm(looks[position] - looks[other], axis=-1).mean()) < ALIKE for other in shown)


def _order(
    pictures: Sequence[AdPicture], findings: Sequence[Sequence[Finding]], passing: Sequence[int], ranker: AdRanker
) -> list[int]:
    if not ranker.trained:
        return sorted(passing, key=lambda position: untrained_order(pictures[position], findings[position]))
    rows = np.stack([features(pictures[position], findings[position]) for position in passing])
    scores = dict(zip(passing, ranker.scores(rows), strict=True))
    return sorted(passing, key=lambda position: (-scores[position], _neutral(pictures[position])))


def untrained_order(picture: AdPicture, findings: Sequence[Finding]) -> tuple[int, str]:
    """What an untrained ranker sorts by: failed weighted guidelines, then a hash of product and plan."""
    return untrained_key(findings, picture.placed.cutout_digest, picture.placed.plan.number)


def untrained_key(findings: Sequence[Finding], cutout_digest: str, plan: int) -> tuple[int, str]:
    """`untrained_order` of a picture that is known by its recipe."""
    failed = sum(not finding.passed and finding.strictness is Strictness.WEIGHTED for finding in findings)
    return failed, hashlib.sha256(f"{cutout_digest}:{plan}".encode()).hexdigest()


def _neutral(picture: AdPicture) -> str:
    return untrained_key((), picture.placed.cutout_digest, picture.placed.plan.number)[1]
