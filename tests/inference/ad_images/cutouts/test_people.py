"""People: who is found in drawings and, where they are at hand, in real photographs."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from catalog.drawn import draw_garment, sample_spec
from inference.ad_images.cutout import Cutout
from inference.ad_images.cutouts.cut import cut_out
from inference.ad_images.cutouts.people import FOLDER, load_detector, may_be_worn
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.request import ListedProduct, OnModel
from tests.inference.ad_images.drawn_people import BELOW_THE_WAIST, TO_THE_THIGH, WHOLE, photo_of_a_person
from tests.photographs import photographs
from training.person_detector.figures import draw_example


def test_drawn_people_are_found_and_drawn_garments_are_not() -> None:
    detector = load_detector()
    people = [detector.score(draw_example(np.random.default_rng([1, n]), True)) >= 0 for n in range(60)]
    garments = [detector.score(draw_garment(sample_spec(5, n), 128, parts=False).image) >= 0 for n in range(40)]
    assert sum(people) >= 55 and sum(garments) <= 1


def cut(photo: bytes, on_model: OnModel, apparel: bool | None = True) -> Cutout:
    return cut_out(photo, article_type="Shirts", apparel=apparel, on_model=on_model)


def test_a_person_is_refused_or_kept_whole() -> None:
    with pytest.raises(AdRefused, match="somebody wears the Shirts") as caught:
        cut(photo_of_a_person(WHOLE), OnModel.REFUSE)
    assert caught.value.code is RefusalCode.ON_MODEL
    kept = cut(photo_of_a_person(WHOLE), OnModel.KEEP)
    assert kept.person and kept.pixels.shape[0] > 200, "from head to feet"
    assert cut(photo_of_a_person(WHOLE), OnModel.KEEP, apparel=None).person, "people are looked for, too"
    assert not cut(photo_of_a_person(WHOLE), OnModel.REFUSE, apparel=False).person


@pytest.mark.parametrize(("view", "side"), [(TO_THE_THIGH, "bottom"), (BELOW_THE_WAIST, "top")])
def test_nobody_is_kept_without_head_or_feet(view: tuple[float, float, float], side: str) -> None:
    with pytest.raises(AdRefused, match=f"frame cuts them off .{side}") as caught:
        cut(photo_of_a_person(view, 6 if side == "top" else 0), OnModel.KEEP)
    assert caught.value.code is RefusalCode.ON_MODEL


def test_a_person_whom_a_file_brings_cut_out_is_held_to_the_same() -> None:
    figure = Image.open(io.BytesIO(photo_of_a_person(TO_THE_THIGH))).convert("RGB")
    figure.putalpha(Image.fromarray((np.asarray(figure).min(axis=-1) < 250).astype(np.uint8) * 255))
    sink = io.BytesIO()
    figure.save(sink, "PNG")
    with pytest.raises(AdRefused, match="frame cuts them off"):
        cut(sink.getvalue(), OnModel.KEEP)


@pytest.mark.parametrize(
    ("category", "worn"), [("Apparel", True), ("Footwear", False), ("Free Items", None), ("Costumes", None), ("", None)]
)
def test_what_may_be_worn_is_said_by_the_catalogue(category: str, worn: bool | None) -> None:
    assert may_be_worn(ListedProduct(1, "", "", category)) is worn
    assert may_be_worn(None) is None


def test_a_detector_that_is_missing_or_changed_is_named(tmp_path: Path) -> None:
    with pytest.raises(AdRefused, match="cannot be used") as caught:
        load_detector(tmp_path)
    assert caught.value.code is RefusalCode.BACKEND_MISSING
    for file in FOLDER.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("digest: ", "digest: 0"))
    with pytest.raises(AdRefused, match="not those of its recipe"):
        load_detector(tmp_path)


@pytest.mark.parametrize("name", ["on_model_ids.csv", "on_model_held_out_ids.csv"])
def test_real_people_are_found(name: str) -> None:
    folder = photographs("kaggle-fashion") / "images"
    with (Path(__file__).parents[1] / name).open() as file:
        labels = {row["product_id"]: row["on_model"] == "1" for row in csv.DictReader(file)}
    detector = load_detector()
    seen = {each: detector.score(np.asarray(Image.open(folder / f"{each}.jpg").convert("RGB"))) >= 0 for each in labels}
    worn = [seen[each] for each, label in labels.items() if label]
    alone = [seen[each] for each, label in labels.items() if not label]
    assert len(labels) >= 200 and np.mean(worn) >= 0.95 and np.mean(alone) <= 0.05
