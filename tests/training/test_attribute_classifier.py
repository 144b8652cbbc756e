"""The classifier learns what pictures show, forgives missing labels, and resumes to the very same weights."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from catalog.errors import SelvedgeError
from training import attribute_classifier
from training.attribute_classifier import (
    MISSING,
    ClassifierSettings,
    classifier_predictions,
    label_columns,
    masked_loss,
    train_attribute_classifier,
)
from training.attribute_network import (
    AttributeClassifier,
    augment,
    load_pictures,
    probabilities,
)
from training.muon import orthogonal
from training.reporting import Silent
from training.stopping import TrainingStopped

QUICK = ClassifierSettings(
    size=32, width=8, epochs=6, batch_size=16, precision="fp32", device="cpu", checkpoint_every=7
)


def squares(n: int = 160, seed: int = 0) -> tuple[torch.Tensor, dict[str, list[str | None]]]:
    """Noise with a red or blue square, large or small; `type` (a trap as a module name) is missing for a third."""
    rng = np.random.default_rng(seed)
    pictures = rng.integers(180, 255, (n, 3, 32, 32)).astype(np.uint8)
    colour, size = rng.integers(0, 2, n), rng.integers(0, 2, n)
    for i in range(n):
        half = 4 + 6 * size[i]
        pictures[i, :, 16 - half : 16 + half, 16 - half : 16 + half] = 20
        pictures[i, 2 * colour[i], 16 - half : 16 + half, 16 - half : 16 + half] = 220
    types: list[str | None] = ["Large" if s else "Small" for s in size]
    types = [None if i % 3 == 0 else value for i, value in enumerate(types)]
    return torch.from_numpy(pictures), {"colour": ["Blue" if c else "Red" for c in colour], "type": types}


PICTURES, LABELS = squares()
TRAIN, VALIDATION, TEST = range(100), range(100, 120), range(120, 160)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def trained():
    return train_attribute_classifier(PICTURES, LABELS, TRAIN, VALIDATION, QUICK)


def test_it_learns_what_the_pictures_show(trained):
    rows = pd.DataFrame(
        [
            {"product_id": i, "attribute": name, "truth": values[i]}
            for name, values in LABELS.items()
            for i in TEST
            if values[i] is not None
        ]
    )
    found = classifier_predictions(trained.model, PICTURES, range(160), rows)
    assert (found["truth"] == found["value"]).groupby(found["attribute"]).mean().min() > 0.9
    assert found.index.equals(rows.index) and found["confidence"].between(0, 1).all()
    assert trained.validation_macro_f1 > 0.9
    assert len(trained.history) == QUICK.epochs


@pytest.mark.parametrize("architecture", ["residual", "separable"])
def test_every_architecture_trains(architecture):
    settings = replace(QUICK, architecture=architecture, epochs=2)
    result = train_attribute_classifier(PICTURES, LABELS, TRAIN, VALIDATION, settings)
    assert result.history[-1]["train/loss"] < result.history[0]["train/loss"]
    assert result.model.embed(PICTURES[:3]).shape == (3, 16 * QUICK.width)


class Stopping(Silent):
    """Asks the process to stop at a step, as a scheduler would."""

    def __init__(self, at: int) -> None:
        self.at = at

    def progress(self, done: int, total: int, what: str) -> None:
        if done == self.at:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGTERM)


def test_a_stopped_run_resumes_to_the_same_weights(tmp_path, trained):
    with pytest.raises(TrainingStopped, match="stopped at step 11"):
        train_attribute_classifier(PICTURES, LABELS, TRAIN, VALIDATION, QUICK, out=tmp_path, reporter=Stopping(11))
    resumed = train_attribute_classifier(PICTURES, LABELS, TRAIN, VALIDATION, QUICK, out=tmp_path)
    assert resumed.steps == trained.steps
    assert resumed.history == trained.history
    for name, value in trained.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


def test_a_checkpoint_of_other_work_is_left_behind(tmp_path, trained):
    other = replace(QUICK, seed=5)
    train_attribute_classifier(PICTURES, LABELS, TRAIN, VALIDATION, replace(other, epochs=1), out=tmp_path)
    fresh = train_attribute_classifier(PICTURES, LABELS, TRAIN, VALIDATION, QUICK, out=tmp_path)
    assert fresh.history == trained.history


def test_unlabelled_cells_teach_nothing():
    model = AttributeClassifier({"a": ["x", "y"], "b": ["u", "v", "w"]}, {}, 32, 8, "residual")
    logits = torch.randn(4, 5, requires_grad=True)
    targets = torch.tensor([[0, MISSING], [1, MISSING], [MISSING, MISSING], [0, MISSING]])
    masked_loss(model, logits, targets).backward()
    assert torch.equal(logits.grad[:, 2:], torch.zeros(4, 3))
    assert torch.equal(logits.grad[2], torch.zeros(5))
    nothing = masked_loss(model, logits.detach(), torch.full((4, 2), MISSING))
    assert float(nothing) == 0
    flat = masked_loss(model, torch.zeros(4, 5), torch.zeros(4, 2, dtype=torch.long))
    assert float(flat) == pytest.approx(1.0, abs=1e-5)


def test_given_columns_are_used_and_unseen_values_are_allowed():
    blank = torch.full((120, 3, 32, 32), 128, dtype=torch.uint8)
    kinds = ["Shirts" if i % 2 else "Jeans" for i in range(120)]
    labels = {"fit": ["Slim" if kind == "Jeans" else "Regular" for kind in kinds]}
    settings = replace(QUICK, epochs=4)
    told = train_attribute_classifier(blank, labels, range(80), range(80, 120), settings, given={"article_type": kinds})
    blind = train_attribute_classifier(blank, labels, range(80), range(80, 120), settings)
    assert told.validation_macro_f1 == 1
    assert blind.validation_macro_f1 < 0.5
    codes = told.model.given_codes({"article_type": ["Jeans", "Capes", None]}, 3)
    assert codes[1:].tolist() == [[0], [0]]
    assert torch.isfinite(probabilities(told.model, blank[:3], codes)["fit"]).all()
    with pytest.raises(SelvedgeError, match="given article_type"):
        told.model.given_codes({}, 3)


def test_a_time_limit_cuts_the_steps_and_still_ends_the_schedule(monkeypatch):
    clock = iter(range(10_000))
    monkeypatch.setattr(attribute_classifier.time, "monotonic", lambda: next(clock) / 10)  # looked at once a step
    settings = replace(QUICK, epochs=500, seconds=2.0)
    result = train_attribute_classifier(PICTURES, LABELS, TRAIN, VALIDATION, settings)
    assert attribute_classifier.TIMED_STEPS < result.steps <= 2 * attribute_classifier.TIMED_STEPS


def test_augmentation_varies_place_and_light_and_is_repeatable():
    views = [augment(PICTURES[:8], torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(views[0], views[1]) and not torch.equal(views[0], views[2])
    assert views[0].shape == PICTURES[:8].shape and views[0].min() >= 0 and views[0].max() <= 255
    colours = views[0].mean(dim=(2, 3)) - PICTURES[:8].float().mean(dim=(2, 3))
    assert (colours.max(dim=1).values - colours.min(dim=1).values).max() < 25


def test_muon_brings_singular_values_together():
    matrix = torch.randn(40, 90, generator=torch.Generator().manual_seed(0)) * torch.logspace(0, -1, 40)[:, None]
    values = torch.linalg.svdvals(orthogonal(matrix))
    assert values.max() < 1.4 and values.min() > 0.3
    torch.testing.assert_close(orthogonal(matrix.T), orthogonal(matrix).T)


def test_pictures_are_loaded_in_order_and_a_broken_one_is_named(tmp_path):
    for place, colour in enumerate(((250, 0, 0), (0, 250, 0))):
        Image.new("RGB", (60, 80), colour).save(tmp_path / f"{place}.png")
    loaded = load_pictures([tmp_path / "1.png", tmp_path / "0.png"], 32)
    assert loaded.shape == (2, 3, 32, 32) and loaded[0, 1].min() == 250 and loaded[1, 0].min() == 250
    (tmp_path / "2.png").write_bytes(b"no picture")
    with pytest.raises(SelvedgeError, match=r"2\.png cannot be read"):
        load_pictures([tmp_path / "2.png"], 32)


def test_bad_settings_and_labels_are_refused_with_a_sentence(monkeypatch):
    with pytest.raises(SelvedgeError, match="no labelled training row"):
        train_attribute_classifier(PICTURES, {"fit": [None] * 160}, TRAIN, VALIDATION, QUICK)
    with pytest.raises(SelvedgeError, match="architecture vgg"):
        train_attribute_classifier(PICTURES, LABELS, TRAIN, VALIDATION, replace(QUICK, architecture="vgg"))
    with pytest.raises(SelvedgeError, match="precision fp8"):
        train_attribute_classifier(PICTURES, LABELS, TRAIN, VALIDATION, replace(QUICK, precision="fp8"))
    monkeypatch.setattr(attribute_classifier, "masked_loss", lambda *a: torch.tensor(math.nan, requires_grad=True))
    with pytest.raises(
        SelvedgeError, match="attribute classifier: the loss became nan at step 1; nothing was kept; lower"
    ):
        train_attribute_classifier(PICTURES, LABELS, TRAIN, VALIDATION, QUICK)


def test_predictions_name_what_the_classifier_does_not_know(trained):
    row = pd.DataFrame([{"product_id": 1, "attribute": "hem", "truth": "x"}])
    with pytest.raises(SelvedgeError, match="no attribute hem"):
        classifier_predictions(trained.model, PICTURES, range(160), row)
    with pytest.raises(SelvedgeError, match="no product 999"):
        classifier_predictions(trained.model, PICTURES, range(160), row.assign(product_id=999, attribute="type"))


def test_label_columns_leave_gaps_where_a_product_has_no_value():
    rows = pd.DataFrame({"product_id": [1, 2, 2], "attribute": ["fit", "fit", "neck"], "truth": ["a", "b", "c"]})
    assert label_columns(rows, [2, 1, 3]) == {"fit": ["b", "a", None], "neck": ["c", None, None]}
