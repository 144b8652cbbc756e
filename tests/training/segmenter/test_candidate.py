"""The segmenter's training: it learns, resumes to the same bytes, takes what the settings say and refuses the rest."""

import json
import os
import shutil
import signal

import numpy as np
import pytest
import torch

from catalog.errors import SelvedgeError
from evaluation.segmentation import mean_iou, overlaps
from tests.training.segmenter.squares import CLASSES, drawn, settings, train, write
from training.reporting import Silent
from training.segmenter.segmenter import load_segmenter
from training.segmenter.settings import SegmenterSettings
from training.segmenter.sources import Sources, content_of
from training.stopping import TrainingStopped


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    return write(tmp_path_factory.mktemp("labelled") / "set")


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    return write(tmp_path_factory.mktemp("generated") / "set", 20, 1)


@pytest.fixture(scope="module")
def trained(labelled, tmp_path_factory):
    return train(labelled, tmp_path_factory.mktemp("segmenter"))


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_squares_are_learnt_and_told_on_white_and_on_colour(labelled, tmp_path):
    result = train(labelled, tmp_path, steps=100, learning_rate=0.01, batch_size=8)
    segmenter = load_segmenter(result.artefact)
    pictures, truth = drawn(20, 9)
    assert mean_iou(overlaps(segmenter.segment_squares(pictures), truth, 3)) > 0.9
    on_colour = np.where(truth[..., None] == 0, np.array([30, 160, 60], np.uint8), pictures)
    assert mean_iou(overlaps(segmenter.segment_squares(on_colour), truth, 3)) > 0.85
    assert result.history[-1]["loss"] < result.history[0]["loss"] / 3


def test_a_killed_training_goes_on_to_the_same_bytes(labelled, trained, tmp_path):
    class Killer(Silent):
        def progress(self, done, total, what):
            if done == 4:
                os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(TrainingStopped, match="stopped at step 4 of 12; run it again to go on from there"):
        train(labelled, tmp_path, reporter=Killer())
    again = train(labelled, tmp_path)
    assert files(again.artefact) == files(trained.artefact) and again.history == trained.history


def test_a_finished_one_is_not_trained_again_and_another_seed_is_another_segmenter(labelled, trained, tmp_path):
    written = trained.artefact.joinpath("weights.safetensors").stat().st_mtime_ns
    assert train(labelled, trained.artefact.parent) == trained
    assert trained.artefact.joinpath("weights.safetensors").stat().st_mtime_ns == written
    assert train(labelled, tmp_path / "same").digest == trained.digest
    assert train(labelled, tmp_path / "other", seed=1).digest != trained.digest


def test_what_is_learnt_from_follows_the_setting(labelled, generated, tmp_path):
    for data, counts in (("labelled", (12, 0)), ("generated", (0, 20)), ("both", (12, 20))):
        result = train(labelled, tmp_path / data, generated, data=data, steps=2)
        assert (result.pictures["labelled"], result.pictures["generated"]) == counts
        assert result.classes == CLASSES and result.steps == 2
        assert ("validation_miou" in result.history[-1]) == (data == "generated")
    held = train(labelled, tmp_path / "held", validation=0.25, steps=2)
    assert held.pictures == {"labelled": 9, "generated": 0, "validation": 3}
    assert 0 <= held.history[-1]["validation_miou"] <= 1


def test_generated_pictures_that_are_missing_or_of_other_classes_are_refused(labelled, tmp_path):
    for data in ("generated", "both"):
        with pytest.raises(SelvedgeError, match=f"segmenter.data is '{data}' and there are no generated pictures"):
            train(labelled, tmp_path / "out", data=data)
    other = write(tmp_path / "other", classes=("background", "body", "sleeve"))
    with pytest.raises(SelvedgeError, match="have the classes background, body, sleeve, and the"):
        train(labelled, tmp_path / "out", other, data="both")
    assert not (tmp_path / "out" / "model").exists()


def test_pictures_without_masks_and_with_one_class_are_refused(tmp_path):
    with pytest.raises(SelvedgeError, match="have no masks; name classes and draw them"):
        train(write(tmp_path / "points", classes=()), tmp_path / "out")
    single = write(tmp_path / "single")
    file = single / "labels.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"classes": ["background"]}))
    with pytest.raises(SelvedgeError, match="names 1 class; a labeller tells between 2 and 255"):
        train(single, tmp_path / "out")


def test_settings_out_of_range_are_refused_by_name():
    with pytest.raises(SelvedgeError, match=r"segmenter.data is 'all'; use one of"):
        SegmenterSettings(data="all")
    with pytest.raises(SelvedgeError, match=r"segmenter.backgrounds is 1.5; it must lie between 0 and 1"):
        SegmenterSettings(backgrounds=1.5)
    with pytest.raises(SelvedgeError, match=r"segmenter.size is 100"):
        SegmenterSettings(size=100)


def test_only_what_is_learnt_from_makes_another_run(labelled, tmp_path):
    folder = shutil.copytree(labelled, tmp_path / "set")
    before = content_of(folder)
    (folder / "notes.txt").write_text("seen by Ada")
    assert content_of(folder) == before == content_of(labelled)
    (folder / "images" / "3.png").write_bytes((folder / "images" / "4.png").read_bytes())
    assert content_of(folder) != before


def test_a_batch_of_both_holds_the_share_of_each_and_later_the_labelled_alone(labelled, generated):
    both = settings(data="both", batch_size=8, labelled_share=0.25, generated_until=0.5, steps=10)
    sources = Sources(labelled, generated, both)
    sources.pools["generated"].pictures.zero_()
    for step, black in ((0, 6), (4, 6), (5, 0), (9, 0)):
        pictures, masks = sources.batch(both, step, torch.Generator().manual_seed(step))
        assert (pictures.flatten(1).amax(dim=1) == 0).sum() == black and len(masks) == 8
