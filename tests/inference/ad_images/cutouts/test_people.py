"""People: who is found in drawings and, where they are at hand, in real photographs."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from catalog.drawn import draw_garment, sample_spec
from inference.ad_images.cutouts.cut import cut_out
from inference.ad_images.cutouts.people import FOLDER, load_detector
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.request import OnModel
from tests.photographs import photographs
from training.person_detector.figures import draw_example

LABELS = Path(__file__).parents[1] / "on_model_ids.csv"


def png(rgb: np.ndarray) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(rgb).save(sink, "PNG")
    return sink.getvalue()


def test_drawn_people_are_found_and_drawn_garments_are_not() -> None:
    detector = load_detector()
    people = [detector.score(draw_example(np.random.default_rng([1, n]), True)) >= 0 for n in range(60)]
    garments = [detector.score(draw_garment(sample_spec(5, n), 128, parts=False).image) >= 0 for n in range(40)]
    assert sum(people) >= 55 and sum(garments) <= 1


def test_a_person_is_refused_or_kept_and_other_goods_are_not_looked_at() -> None:
    rgb = np.asarray(Image.fromarray(draw_example(np.random.default_rng([1, 3]), True)).resize((256, 256)))
    assert load_detector().score(rgb) >= 0
    with pytest.raises(AdRefused, match="somebody wears the Shirts") as caught:
        cut_out(png(rgb), article_type="Shirts", apparel=True, on_model=OnModel.REFUSE)
    assert caught.value.code is RefusalCode.ON_MODEL
    for apparel, on_model in ((True, OnModel.KEEP), (False, OnModel.REFUSE)):
        try:
            made = cut_out(png(rgb), article_type="Shirts", apparel=apparel, on_model=on_model)
        except AdRefused as refused:
            assert refused.code is not RefusalCode.ON_MODEL
        else:
            assert made.person is apparel


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


def test_real_people_are_found() -> None:
    folder = photographs("kaggle-fashion") / "images"
    with LABELS.open() as file:
        labels = {row["product_id"]: row["on_model"] == "1" for row in csv.DictReader(file)}
    detector = load_detector()
    seen = {name: detector.score(np.asarray(Image.open(folder / f"{name}.jpg").convert("RGB"))) >= 0 for name in labels}
    worn = [seen[name] for name, label in labels.items() if label]
    alone = [seen[name] for name, label in labels.items() if not label]
    assert len(labels) == 200 and np.mean(worn) >= 0.95 and np.mean(alone) <= 0.05
