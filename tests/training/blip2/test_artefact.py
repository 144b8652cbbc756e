"""The model artefact: what is saved comes back, and what is not understood is refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from catalog.errors import SelvedgeError
from tests.training.blip2.conftest import COLOURS, PATTERNS, QUESTIONS, Shop, schema
from tests.training.blip2.test_lora import SHORT
from training.blip2.artefact import AttributeModel, Question, load_artefact, read_about, save_artefact, untrained_model
from training.blip2.base import Base, load_base, save_base
from training.blip2.calibration import AttributeCalibration, Calibration
from training.blip2.features import FeatureStore, compute_features
from training.blip2.lora import train_lora
from training.reporting import Silent

CALIBRATION = Calibration(
    0.1, {"Colour": AttributeCalibration(2.0, 0.26, 9, 1, 0, 0), "Pattern": AttributeCalibration(1.0, 1.01, 9, 0, 0, 0)}
)


@pytest.fixture(scope="module")
def artefact(base_folder, shop: Shop, features_root, tmp_path_factory) -> Path:
    base = load_base(base_folder)
    store = FeatureStore(features_root, base)
    compute_features(base, shop.items, store, views=2)
    folder = tmp_path_factory.mktemp("candidate")
    adapter = train_lora(base, shop.pairs, schema(), store, SHORT, folder, Silent()).adapter
    save_artefact(folder / "model", base, adapter, schema(), "details", "trie", CALIBRATION, notes={"steps": 24})
    return folder / "model"


@pytest.fixture
def model(artefact: Path) -> AttributeModel:
    return load_artefact(artefact)


def test_an_artefact_answers_pictures_and_cached_features_alike(model: AttributeModel, shop: Shop, features_root):
    store = FeatureStore(features_root, model.base)
    some = shop.items[:6]
    questions = [one for row in range(6) for one in model.questions_for(row, "Shirts")]
    from_cache = model.answer(store.read([sha256 for sha256, _ in some]), questions)
    from_pictures = model.answer([Image.open(uri) for _, uri in some], questions)
    assert from_cache.drop(columns="confidence").equals(from_pictures.drop(columns="confidence"))
    assert np.allclose(from_cache["confidence"], from_pictures["confidence"], atol=1e-5)
    assert list(from_cache["attribute"][:2]) == ["Colour", "Pattern"]
    assert from_cache["question"][0] == QUESTIONS["Colour"]
    assert set(from_cache["value"]) <= set(COLOURS) | set(PATTERNS)
    assert (from_cache["answer"] == from_cache["attribute"] + ": " + from_cache["value"]).all()
    assert from_cache.loc[from_cache["attribute"] == "Pattern", "abstained"].all()
    assert from_cache["confidence"].between(0, 1).all()


def test_questions_come_back_in_their_order(model: AttributeModel, shop: Shop):
    pictures = [Image.open(uri) for _, uri in shop.items[:3]]
    questions = [Question(2, "Pattern"), Question(0, "Colour"), Question(2, "Colour"), Question(1, "Pattern")]
    shuffled = model.answer(pictures, questions)
    assert list(zip(shuffled["product_index"], shuffled["attribute"], strict=True)) == [
        (q.product_index, q.attribute) for q in questions
    ]
    for row, question in enumerate(questions):
        alone = model.answer(pictures, [question])
        assert alone["value"][0] == shuffled["value"][row]
        assert alone["confidence"][0] == pytest.approx(shuffled["confidence"][row], abs=1e-5)
    assert list(model.answer(pictures, []).columns) == list(shuffled.columns)


def test_questions_that_cannot_be_answered_are_named(model: AttributeModel, shop: Shop):
    pictures = [Image.open(shop.items[0][1])]
    with pytest.raises(SelvedgeError, match="attribute 'Heel' was not taught"):
        model.answer(pictures, [Question(0, "Heel")])
    with pytest.raises(SelvedgeError, match="picture 3 of 1"):
        model.answer(pictures, [Question(3, "Colour")])
    assert model.questions_for(0, "Jeans") == []


def test_a_confidence_that_is_not_finite_is_never_given(model: AttributeModel):
    features = torch.zeros(2, 8, 48)
    features[1, 3, 5] = torch.nan
    asked = model.questions_for(0, "Shirts")
    with pytest.raises(SelvedgeError, match=r"questions have no finite confidence; its weights or"):
        model.answer(features, [*asked, *model.questions_for(1, "Shirts")])


def test_the_adapter_is_in_the_weights(model: AttributeModel, base: Base, shop: Shop):
    pictures = [Image.open(uri) for _, uri in shop.items[:4]]
    questions = [Question(row, "Colour") for row in range(4)]
    trained = replace_calibration(model).answer(pictures, questions)
    plain = untrained_model(base, schema(), "details")
    plain.decoding = "trie"
    assert not np.allclose(trained["confidence"], plain.answer(pictures, questions)["confidence"], atol=1e-3)
    assert not any(hasattr(module, "lora_A") for module in model.base.model.modules())


def replace_calibration(model: AttributeModel) -> AttributeModel:
    return AttributeModel(model.base, model.schema, model.question_set, model.decoding, Calibration(0.1, {}))


def test_a_base_that_ships_with_selvedge_is_named_and_another_is_included(
    artefact: Path, base: Base, base_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert (artefact / "base" / "model.safetensors").is_file() and read_about(artefact)["base_included"]
    monkeypatch.setenv("SELVEDGE_MODELS", str(base_folder.parent))
    adapter = artefact / "adapter"
    save_artefact(tmp_path / "m", base, adapter, schema(), "details", "trie", CALIBRATION)
    assert not (tmp_path / "m" / "base").exists()
    assert load_artefact(tmp_path / "m").base.digest == base.digest
    other = tmp_path / "models" / base.profile.folder
    with torch.no_grad():
        base.model.query_tokens += 1
    save_base(other, base.model, base.tokenizer, base.preprocessing, base.prompt, {}, profile=base.profile)
    monkeypatch.setenv("SELVEDGE_MODELS", str(tmp_path / "models"))
    with pytest.raises(SelvedgeError, match=r"was trained on base .* but .* holds"):
        load_artefact(tmp_path / "m")


def test_formats_and_families_this_code_does_not_know_are_refused(artefact: Path, tmp_path: Path):
    folder = tmp_path / "m"
    shutil.copytree(artefact, folder)
    about = json.loads((folder / "selvedge.json").read_text())
    for change, sentence in (
        ({"format": 2}, "has format 2, this version reads 1"),
        ({"family": "restgan"}, "of the family restgan"),
        ({"decoding": "scored"}, "does not match its digest"),
    ):
        (folder / "selvedge.json").write_text(json.dumps(about | change))
        with pytest.raises(SelvedgeError, match=sentence):
            load_artefact(folder)
    with pytest.raises(SelvedgeError, match=r"selvedge\.json is missing"):
        load_artefact(tmp_path)


def test_another_adapter_is_noticed(artefact: Path, tmp_path: Path):
    folder = tmp_path / "m"
    shutil.copytree(artefact, folder)
    file = folder / "adapter" / "adapter_model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(SelvedgeError, match="does not match its digest"):
        load_artefact(folder)
    file.unlink()
    with pytest.raises(SelvedgeError, match=r"adapter_model\.safetensors is missing"):
        load_artefact(folder)


def test_saving_again_gives_the_same_digest(artefact: Path, base: Base, tmp_path: Path):
    arguments = (base, artefact / "adapter", schema(), "details", "trie")
    digest = save_artefact(tmp_path / "a", *arguments, CALIBRATION, notes={"anything": 1})
    assert digest == load_artefact(artefact).digest == load_artefact(tmp_path / "a").digest
    assert save_artefact(tmp_path / "a", *arguments, replace(CALIBRATION, risk=0.2)) != digest
