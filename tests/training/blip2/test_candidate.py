"""One candidate from tables to artefact, on a base small enough for tests."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from catalog.errors import SelvedgeError
from tests.training.blip2.conftest import Shop, schema
from tests.training.blip2.test_lora import SHORT, Recorder
from training.blip2.artefact import Question, load_artefact, untrained_model
from training.blip2.base import Base, load_base
from training.blip2.candidate import train_candidate
from training.blip2.continuation import continue_base
from training.blip2.features import FeatureStore
from training.blip2.settings import Blip2CandidateSettings, ContinuationSettings
from training.catalogue import CatalogueTables, gather_tables, join_images
from training.reporting import Silent
from training.stopping import TrainingStopped

GENTLE = ContinuationSettings(steps=12, batch_size=8, warmup_steps=2, checkpoint_every=5, precision="fp32")


@pytest.fixture
def tables(shop: Shop) -> CatalogueTables:
    """The shop as published tables."""
    pairs = shop.pairs.drop(columns="image_sha256")
    one_each = shop.pairs.drop_duplicates("product_id")
    products = pd.DataFrame(
        {"product_id": one_each["product_id"], "article_type": "Shirts", "attributes": [{"x": "y"}] * 60}
    )
    images = pd.DataFrame(
        {"product_id": range(60), "sha256": [s for s, _ in shop.items], "uri": [uri for _, uri in shop.items]}
    )
    return gather_tables(products, images, one_each[["product_id", "group_id", "split"]], pairs, schema())


def test_from_tables_to_a_model_that_answers(tables, base_folder: Path, shop: Shop, tmp_path: Path):
    settings = Blip2CandidateSettings(base=str(base_folder), lora=replace(SHORT, steps=40), risk=0.2)
    result = train_candidate(tables, settings, tmp_path / "features", tmp_path / "out", Silent())
    assert set(result.validation_macro_f1) == {"trie", "scored"}
    assert result.validation_macro_f1[result.decoding] == max(result.validation_macro_f1.values())
    assert result.merge.same_answers == result.merge.questions > 0
    assert set(result.calibration.attributes) == {"Colour", "Pattern"}
    assert set(result.seconds) == {"base", "features", "lora", "calibration", "save"}
    model = load_artefact(result.artefact)
    assert model.digest == result.digest
    store = FeatureStore(tmp_path / "features", model.base)
    validation = tables.pairs().query("split == 'validation'")
    frame = model.answer(
        store.read(validation["image_sha256"].tolist()),
        [Question(row, attribute, "Shirts") for row, attribute in enumerate(validation["attribute"])],
    )
    kept = ~frame["abstained"].to_numpy()
    wrong = frame["value"].to_numpy() != validation["value"].to_numpy()
    assert not kept.any() or wrong[kept].mean() <= 0.2 + 1e-9
    again = Recorder()
    assert train_candidate(tables, settings, tmp_path / "features", tmp_path / "out", again).digest == result.digest
    assert "train/loss" not in again.values


def test_tables_that_do_not_belong_together_are_named(tables, shop: Shop):
    parts = (tables.products, tables.images, tables.splits)
    with pytest.raises(SelvedgeError, match="qa_pairs is empty"):
        gather_tables(*parts, tables.qa_pairs.iloc[:0], schema())
    with pytest.raises(SelvedgeError, match="asks about 'Heel', which question set 'details' does not"):
        gather_tables(*parts, tables.qa_pairs.replace({"attribute": {"Pattern": "Heel"}}), schema())
    with pytest.raises(SelvedgeError, match="no row for product 0"):
        join_images(tables.qa_pairs, tables.images.iloc[1:])
    few = gather_tables(*parts, tables.qa_pairs[tables.qa_pairs["value"] != "Red"], schema())
    assert "Red" not in few.schema.attributes["Colour"].vocabulary and len(tables.items("train")) == 40


def test_a_base_is_continued_on_every_question_of_the_catalogue(tables):
    products = tables.products.assign(
        master_category="Apparel", gender=["Men", "Women"] * 30, sub_category=None, season=None, usage=None, year=None,
        base_colour=None, drop="first",
    )  # fmt: skip
    splits = tables.splits.assign(drop="first")
    asked = replace(tables, products=products, splits=splits).with_coarse_columns()
    pairs = asked.pairs()
    assert set(pairs["attribute"]) == {"Colour", "Pattern", "Master Category", "Gender"} == set(asked.schema.attributes)
    assert asked.schema.attributes["Gender"].vocabulary == ("Men", "Women")
    assert asked.schema.attributes["Colour"] == tables.schema.attributes["Colour"]
    assert (pairs["split"] == pairs["product_id"].map(splits.set_index("product_id")["split"])).all(), (
        "no question changes sides"
    )


def continued(base_folder: Path, shop: Shop, out: Path, reporter: Silent, settings=GENTLE) -> Base:
    return continue_base(load_base(base_folder), shop.pairs, schema(), dict(shop.items), settings, out, reporter)


def test_continuing_changes_the_eyes_and_a_broken_run_ends_the_same(
    base: Base, base_folder, shop: Shop, tmp_path: Path
):
    whole = continued(base_folder, shop, tmp_path / "whole", Silent())
    assert whole.vision_digest != base.vision_digest and whole.recipe["continued_from"]["digest"] == base.digest
    assert not any(parameter.requires_grad for parameter in whole.model.parameters())
    asked = [untrained_model(one, schema(), "details").decoding for one in (base, whole)]
    assert asked == ["scored", "trie"], "what was taught to choose at forks is asked to"
    with pytest.raises(TrainingStopped, match="stopped at step 10 of 12"):
        continued(base_folder, shop, tmp_path / "broken", Recorder(terminate_at=10))
    assert not (tmp_path / "broken").exists()
    resumed = continued(base_folder, shop, tmp_path / "broken", Silent())
    assert resumed.digest == whole.digest
    assert not list(tmp_path.glob("*checkpoint"))
    recorder = Recorder()
    assert continued(base_folder, shop, tmp_path / "whole", recorder).digest == whole.digest and not recorder.values


def test_continuing_learns(base_folder: Path, shop: Shop, tmp_path: Path):
    """Weights drawn at random see no colours within a minute, but they learn what a shop of one colour answers."""
    recorder = Recorder()
    settings = replace(GENTLE, steps=40, image_rate=2e-3, language_rate=5e-3, checkpoint_every=100)
    colour = shop.pairs["attribute"] == "Colour"
    pairs = shop.pairs.assign(answer=np.where(colour, "Colour: Red", "Pattern: Solid"))
    pictures, out = dict(shop.items), tmp_path / "base"
    continue_base(load_base(base_folder), pairs, schema(), pictures, settings, out, recorder)
    assert recorder.values["continuation/loss"][-1] < 0.2, "a guess costs (ln 4 + ln 2) / 2 = 1.04"


def test_a_step_asks_as_many_questions_of_a_picture_as_it_is_told(base_folder: Path, shop: Shop, tmp_path: Path):
    digests = {
        count: continued(base_folder, shop, tmp_path / str(count), Silent(), replace(GENTLE, questions=count)).digest
        for count in (1, 2, 3)
    }
    assert digests[1] != digests[2] == digests[3], "the shop has two questions a picture"


def test_nothing_to_continue_on_is_said(base_folder: Path, shop: Shop, tmp_path: Path):
    with pytest.raises(SelvedgeError, match="no training pair"):
        continue_base(
            load_base(base_folder), shop.pairs.iloc[:0], schema(), dict(shop.items), GENTLE, tmp_path / "b", Silent()
        )
    with pytest.raises(SelvedgeError, match=r"loss became .* lower continuation.image_rate"):
        wild = replace(GENTLE, image_rate=1e30, language_rate=1e30, clip_norm=1e30)
        continued(base_folder, shop, tmp_path / "b", Silent(), wild)
    assert not (tmp_path / "b").exists()
