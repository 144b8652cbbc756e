"""Words become pictures and vectors, one more word at a time, and what was drawn is not drawn again."""

import shutil

import numpy as np
import pytest

from catalog.errors import SelvedgeError
from inference.discovery import model as model_module
from inference.discovery.model import load_model
from tests.inference.discovery.shop import random_judge, save_model, tiny_model
from training.attribute_judge import JUDGE_FILE
from training.restgan.words import GENDERS, TYPES


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("model") / "artefact")


def test_there_is_a_picture_a_vector_and_what_is_asked_after_each_word(model):
    steps = model.after_each_word("women's blue pants slim", seed=3)
    assert [step.text for step in steps] == ["women", "blue", "pants", "slim"]
    assert all(step.picture.shape == (32, 32, 3) and step.picture.dtype == np.uint8 for step in steps)
    vectors = model.judge.features(np.stack([step.picture for step in steps]))
    assert np.allclose([step.vector for step in steps], vectors, atol=1e-5)
    assert len({step.picture.tobytes() for step in steps}) == 4
    blue = model.generator.colours.cluster("blue")
    asked = {"gender": GENDERS.index("women"), "colour": blue, "type": TYPES.index("pants")}
    assert [step.asked for step in steps] == [
        {"gender": asked["gender"]}, {name: asked[name] for name in ("gender", "colour")}, asked, asked
    ]  # fmt: skip


def test_typed_at_once_or_added_word_by_word_is_the_same(model):
    typed = model.after_each_word("women blue pants slim", seed=5)
    growing = model.generator.refinement(5)
    for step in typed:
        assert np.abs(step.picture.astype(int) - growing.add(step.text)).max() <= 1


def test_products_agree_as_their_pictures_do(model):
    """What is computed from kept vectors is what the judge says of the pictures."""
    pictures = np.random.default_rng(1).integers(0, 256, (6, 32, 32, 3), np.uint8)
    vectors, said = model.embed(pictures), model.judge.probabilities(pictures)
    *_, jeans, cotton = model.after_each_word("men red jeans cotton", seed=2)
    classes = {"gender": GENDERS.index("men"), "colour": jeans.asked["colour"], "type": TYPES.index("jeans")}
    likelihood = sum(np.log(said[name][:, label]) for name, label in classes.items())
    for step in (jeans, cotton):
        cosine = vectors @ step.vector / np.linalg.norm(vectors, axis=1) / np.linalg.norm(step.vector)
        assert model.agreement(step, vectors) == pytest.approx(likelihood + cosine, abs=1e-4)
    (cotton_alone,) = model.after_each_word("cotton", seed=2)
    assert model.agreement(cotton_alone, cotton_alone.vector[None]) == pytest.approx([1.0], abs=1e-5)


def test_only_new_words_are_drawn(model, monkeypatch):
    drawn = []
    draw_last = model.generator.draw_last
    monkeypatch.setattr(model.generator, "draw_last", lambda *a: drawn.append(len(a[0])) or draw_last(*a))
    before = model.after_each_word("men red jeans", seed=11)
    after = model.after_each_word("men red jeans cotton", seed=11)
    model.after_each_word("men red", seed=11)
    model.after_each_word("men red", seed=12)
    assert drawn == [3, 1, 2]
    assert all(np.array_equal(one.picture, two.picture) for one, two in zip(before, after, strict=False))


def test_what_is_kept_is_bounded(model, monkeypatch):
    monkeypatch.setattr(model_module, "KEPT_PICTURES", 4)
    for seed in range(20, 26):
        model.after_each_word("men red jeans", seed)
    assert len(model._kept) == 4


def test_a_word_the_model_does_not_know_is_marked(model):
    steps = model.after_each_word("women lovely pants")
    assert [(step.text, step.recognised) for step in steps] == [("women", True), ("lovely", False), ("pants", True)]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "the query is empty"),
        ("<b>jeans</b>", "holds markup"),
        ("женские джинсы", "not Latin"),
        ("pants " * 500, "the query has 500 words"),
        ("lovely thing", "none of the words"),
    ],
)
def test_a_query_that_cannot_be_read_is_one_sentence(model, query, sentence):
    with pytest.raises(SelvedgeError, match=sentence):
        model.after_each_word(query)


def test_an_artefact_without_its_judge_is_refused(tmp_path):
    folder = save_model(tmp_path / "model")
    assert load_model(folder, "file://x").judge.digest == random_judge().digest
    (folder / JUDGE_FILE).unlink()
    with pytest.raises(SelvedgeError, match=r"judge .*judge\.safetensors cannot be read"):
        load_model(folder, "file://x")
    shutil.rmtree(folder)
    with pytest.raises(SelvedgeError):
        load_model(folder, "file://x")
