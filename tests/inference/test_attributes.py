"""Predicting attributes: the same in a batch as alone, once per picture, and never twice without a cause."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from catalog.errors import SelvedgeError
from catalog.schema import load_schema
from catalog.tables import as_table, read_frame, write_table
from inference.ad_images.quality.champion_judge import ChampionJudge
from inference.attributes import predict_attributes, summarise_attributes
from tests.inference.ad_images.quality.pictures import ground
from tests.inference.ad_images.quality.pictures import picture as ad_picture
from tests.inference.tiny_model import draw_shop, save_picture, save_tiny_artefact
from training.blip2.artefact import Question, load_artefact
from training.blip2.features import FeatureStore

SCHEMA = load_schema()
TYPES = ["Shirts", "Jeans", "Heels", "Handbags", "Dresses", "Watches", "Casual Shoes"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_artefact(save_tiny_artefact(tmp_path_factory.mktemp("model") / "a", SCHEMA, "details"))


@pytest.fixture
def shop(tmp_path):
    return draw_shop(tmp_path / "images", TYPES)


@pytest.fixture
def ask(model, tmp_path):
    """Predict with a store of this test's own."""

    def predict(products, images, *, of=model, **more):
        store = FeatureStore(tmp_path / "features", of.base, of.feature_precision)
        return predict_attributes(of, images, products, store=store, model_uri="models:/blip2-attributes/1", **more)

    return predict


def test_every_applicable_question_has_a_row_that_fits_the_table(model, shop, ask, tmp_path):
    made = ask(*shop)
    frame = read_frame(write_table(made.frame, tmp_path / "attributes.parquet", "attributes"))
    expected = [(i, name) for i, t in enumerate(TYPES, start=1) for name in SCHEMA.applicable(t, "details")]
    assert list(zip(frame.product_id, frame.attribute, strict=True)) == expected
    assert (made.computed, made.reused, made.pictures) == (len(expected), 0, len(TYPES))
    for row in frame.itertuples():
        assert row.value in SCHEMA.attributes[row.attribute].vocabulary
        assert 0 < row.confidence <= 1 and row.abstained == (row.confidence < 0.2)
        assert row.model_uri == "models:/blip2-attributes/1" and row.model_digest == model.digest
    assert frame.abstained.any() and not frame.abstained.all()
    told = summarise_attributes(frame)
    assert told["Colour"]["rows"] == len(TYPES) and 0 <= told["Colour"]["answered"] <= 1


def test_a_batch_of_all_equals_singles_and_chunks(shop, ask):
    products, images = shop
    whole = ask(products, images).frame
    chunks = ask(products, images, pictures_at_once=2).frame
    singles = pd.concat([ask(products[i : i + 1], images).frame for i in range(len(products))], ignore_index=True)
    for other in (chunks, singles):
        assert list(other.value) == list(whole.value) and list(other.abstained) == list(whole.abstained)
        np.testing.assert_allclose(other.confidence, whole.confidence, rtol=1e-5)
        assert list(other.input_hash) == list(whole.input_hash)


def test_cached_features_answer_as_the_pictures_do(model, shop, ask):
    products, images = shop
    frame = ask(products, images).frame
    pictures = [Image.open(uri) for uri in images.uri]
    questions = [Question(row.product_id - 1, row.attribute, TYPES[row.product_id - 1]) for row in frame.itertuples()]
    direct = model.answer(pictures, questions)
    assert list(direct.value) == list(frame.value)
    np.testing.assert_allclose(direct.confidence, frame.confidence, rtol=1e-4)


def test_the_second_time_nothing_is_computed(shop, ask):
    first = ask(*shop)
    second = ask(*shop, previous=first.frame)
    assert (second.computed, second.reused, second.pictures) == (0, first.computed, 0)
    assert as_table(second.frame, "attributes") == as_table(first.frame, "attributes")


def test_a_changed_picture_is_the_only_one_asked_about_again(shop, ask, tmp_path):
    products, images = shop
    first = ask(products, images)
    changed = images.copy()
    changed.loc[2, ["uri", "sha256"]] = save_picture(tmp_path / "images", seed=99).values()
    second = ask(products, changed, previous=first.frame)
    own = len(SCHEMA.applicable(TYPES[2], "details"))
    assert (second.computed, second.reused, second.pictures) == (own, first.computed - own, 1)
    new = second.frame.input_hash != first.frame.input_hash
    assert set(second.frame.product_id[new]) == {3} and new.sum() == own


def test_a_changed_article_type_asks_only_what_changed(shop, ask):
    products, images = shop
    first = ask(products, images)
    renamed = products.assign(article_type=["Tops", *TYPES[1:]])
    second = ask(renamed, images, previous=first.frame)
    own = SCHEMA.applicable("Tops", "details")
    same = [
        n for n in own if n in SCHEMA.applicable("Shirts", "details") and "{noun}" not in SCHEMA.attributes[n].question
    ]
    assert second.computed == len(own) - len(same) and second.pictures == 0


def test_another_model_makes_every_row_stale_and_keeps_the_features(model, shop, ask, tmp_path_factory):
    """Same base, other adapter: answers are new, pictures are not looked at again."""
    first = ask(*shop)
    other = load_artefact(save_tiny_artefact(tmp_path_factory.mktemp("other") / "b", SCHEMA, "details", seed=1))
    assert ask(*shop, of=other, previous=first.frame).reused == 0
    again = load_artefact(save_tiny_artefact(tmp_path_factory.mktemp("again") / "a", SCHEMA, "details"))
    assert again.digest == model.digest and ask(*shop, of=again, previous=first.frame).computed == 0


def test_a_new_name_for_the_same_model_is_stamped_without_asking_again(model, shop, ask, tmp_path):
    first = ask(*shop)
    store = FeatureStore(tmp_path / "features", model.base)
    second = predict_attributes(
        model, shop[1], shop[0], store=store, model_uri="models:/blip2-attributes/2", previous=first.frame
    )
    assert second.computed == 0 and set(second.frame.model_uri) == {"models:/blip2-attributes/2"}


def test_the_columns_set_asks_every_product_for_its_type(shop, tmp_path):
    model = load_artefact(save_tiny_artefact(tmp_path / "c", SCHEMA, "columns"))
    store = FeatureStore(tmp_path / "features", model.base)
    products = shop[0].assign(article_type=["Shirts", None, *TYPES[2:]])
    frame = predict_attributes(model, shop[1], products, store=store, model_uri="m").frame
    assert list(frame.attribute) == ["Article Type", "Colour", "Usage", "Season"] * len(TYPES)
    swapped = products.assign(article_type="Belts")  # the catalogue's type must not leak into the question
    again = predict_attributes(model, shop[1], swapped, store=store, model_uri="m", previous=frame)
    assert again.computed == 0


def test_a_product_without_picture_is_named(shop, ask):
    products, images = shop
    with pytest.raises(SelvedgeError, match="product 7 has no row in table images"):
        ask(products, images[:-1])


def test_a_picture_that_changed_on_disk_is_named(shop, ask, tmp_path):
    products, images = shop
    (tmp_path / "images" / "4.jpg").write_bytes(b"other")
    with pytest.raises(SelvedgeError, match=r"4\.jpg changed"):
        ask(products, images)


def test_no_products_give_an_empty_table_and_progress_is_told(shop, ask):
    products, images = shop
    assert as_table(ask(products[:0], images).frame, "attributes").num_rows == 0
    seen = []
    ask(products, images, pictures_at_once=3, progress=lambda *told: seen.append(told))
    assert seen == [(3, 7, "predicting"), (6, 7, "predicting"), (7, 7, "predicting")]


def test_the_champion_answers_closed_questions_about_an_ad(model):
    judge = ChampionJudge(model)
    question = "Is the advertised product shown more than once?"
    answers = [judge.ask(question, ad_picture(background=ground(wall=wall))) for wall in ((9, 9, 9), (255, 250, 9))]
    assert all(isinstance(answer, bool) for answer, _ in answers)
    assert answers[0][1].startswith(f"by blip2-attributes {model.digest[:16]}, ") and "never taught" in answers[0][1]
    assert answers[0] == judge.ask(question, ad_picture(background=ground(wall=(9, 9, 9)))) and answers[0] != answers[1]
