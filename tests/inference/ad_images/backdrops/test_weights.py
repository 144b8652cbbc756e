"""Folders of weights: what may paint, and the sentence where one may not."""

import json
from pathlib import Path

import pytest

from inference.ad_images.backdrops.weights import check_weights, pipelines
from inference.ad_images.refusal import AdRefused, RefusalCode

CARD = "---\nlicense: {}\n---\n"


def folder_of(
    home: Path, class_name: str = "Flux2KleinPipeline", licence: str = "apache-2.0", name: str = "FLUX.2-klein-4B"
) -> Path:
    """A folder as a download leaves it, with empty weights: reading them is not this stage's."""
    folder = home / name
    index = {"_class_name": class_name, "is_distilled": True}
    for component, library in {"transformer": "diffusers", "vae": "diffusers", "text_encoder": "transformers"}.items():
        index[component] = [library, "AnyClass"]
        (folder / component).mkdir(parents=True)
        (folder / component / "config.json").write_text(json.dumps({"joint_attention_dim": 7680}))
        (folder / component / "model.safetensors").write_bytes(b"")
    (folder / "model_index.json").write_text(json.dumps({**index, "scheduler": ["diffusers", "Euler"]}))
    (folder / "README.md").write_text(CARD.format(licence))
    return folder


def refused(folder: Path, code: RefusalCode) -> str:
    with pytest.raises(AdRefused) as refusal:
        check_weights(folder)
    assert refusal.value.code is code
    return str(refusal.value)


def test_the_named_default_may_paint(tmp_path):
    weights = check_weights(folder_of(tmp_path))
    assert weights.pipeline is not None and weights.pipeline.model == "FLUX.2-klein-4B" == pipelines()[0].model
    assert weights.pipeline.paints_with == "Flux2KleinInpaintPipeline" and weights.licence == "apache-2.0"


def test_missing_weights(tmp_path):
    assert "SELVEDGE_AD_WEIGHTS" in refused(tmp_path / "nowhere", RefusalCode.BACKEND_MISSING)
    folder = folder_of(tmp_path)
    (folder / "transformer" / "model.safetensors").unlink()
    assert "has no weights" in refused(folder, RefusalCode.BACKEND_MISSING)
    (folder / "transformer" / "pytorch_model.bin").write_bytes(b"cos\nsystem\n")
    assert "is a pickle, which is never opened" in refused(folder, RefusalCode.BACKEND_MISSING)


@pytest.mark.parametrize("content", ["{", "[]", ""])
def test_an_index_that_is_none(tmp_path, content):
    folder = folder_of(tmp_path)
    (folder / "model_index.json").write_text(content)
    assert "model_index.json" in refused(folder, RefusalCode.BACKEND_MISSING)


def test_another_architecture(tmp_path):
    folder = folder_of(tmp_path, "StableDiffusion3Pipeline", name="sd3")
    assert "StableDiffusion3Pipeline" in refused(folder, RefusalCode.BACKEND_MISSING)


def test_code_of_a_folder_is_never_run(tmp_path):
    folder = folder_of(tmp_path)
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "transformer": ["mine", "Network"]}))
    assert "never run" in refused(folder, RefusalCode.BACKEND_MISSING)


@pytest.mark.parametrize(
    ("class_name", "name"),
    [
        ("FluxFillPipeline", "weights"),
        ("FluxKontextInpaintPipeline", "weights"),
        ("Flux2Pipeline", "weights"),
        ("BriaFiboEditPipeline", "weights"),
        ("Flux2KleinPipeline", "FLUX.2-klein-9B"),
        ("Flux2KleinPipeline", "flux2_klein_base_9b"),
    ],
)
def test_denied_models_whatever_their_card_says(tmp_path, class_name, name):
    assert "may not be used for ads" in refused(folder_of(tmp_path, class_name, name=name), RefusalCode.NO_LICENCE)


@pytest.mark.parametrize(("wide", "model"), [(12288, "FLUX.2-klein-9B"), (15360, "FLUX.2-dev")])
def test_a_renamed_copy_is_known_by_its_dimensions(tmp_path, wide, model):
    folder = folder_of(tmp_path, name="my-model")
    (folder / "transformer" / "config.json").write_text(json.dumps({"joint_attention_dim": wide}))
    assert model in refused(folder, RefusalCode.NO_LICENCE)


def test_a_fine_tune_of_a_denied_model(tmp_path):
    folder = folder_of(tmp_path, name="my-model")
    (folder / "README.md").write_text(
        "---\nlicense: apache-2.0\nbase_model: [black-forest-labs/FLUX.1-Kontext-dev]\n---\n"
    )
    assert "FLUX.1-Kontext" in refused(folder, RefusalCode.NO_LICENCE)


def test_a_licence_is_stated_and_allowed(tmp_path):
    assert "cc-by-nc-4.0" in refused(folder_of(tmp_path, licence="cc-by-nc-4.0"), RefusalCode.NO_LICENCE)
    folder = folder_of(tmp_path, name="silent")
    (folder / "README.md").unlink()
    assert "states no licence" in refused(folder, RefusalCode.NO_LICENCE)
    (folder / "LICENSE.md").write_text("Apache License\n   Version 2.0, January 2004")
    assert check_weights(folder).licence == "apache-2.0"
    (folder / "LICENSE.md").write_text("FLUX Non-Commercial License v2.1")
    (folder / "README.md").write_text(CARD.format("apache-2.0"))
    assert "non-commercial" in refused(folder, RefusalCode.NO_LICENCE)
    (folder / "LICENSE.md").unlink()
    (folder / "README.md").write_text("---\nlicense: other\nlicense_name: flux-non-commercial-license\n---\n")
    assert "flux-non-commercial-license" in refused(folder, RefusalCode.NO_LICENCE)


def test_the_digest_follows_the_weights(tmp_path):
    folder = folder_of(tmp_path)
    before = check_weights(folder).digest()
    assert before == check_weights(folder).digest()
    (folder / "vae" / "model.safetensors").write_bytes(b"x")
    assert before != check_weights(folder).digest()
