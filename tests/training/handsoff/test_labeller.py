"""The labeller: features as interpolation gives them, pixels of every class, labels that follow, doubt where due."""

import os
import signal

import numpy as np
import pytest
import torch
from torch.nn import functional

from catalog.errors import SelvedgeError
from tests.training.handsoff.labelling import KINDS, exact, generator, labelled, labeller_settings
from tests.training.handsoff.small import SIZE
from training.handsoff.hypercolumns import bytes_of, bytes_of_all, gather, hypercolumns, width_of
from training.handsoff.labeller import divergence, load_labeller, uncertainty
from training.handsoff.labeller_training import choose_pixels, load_trained, targets_of, train_labeller
from training.handsoff.labels import LabelKinds
from training.reporting import Silent
from training.stopping import TrainingStopped


@pytest.fixture(scope="module")
def frozen():
    return generator()


@pytest.fixture(scope="module")
def trained(frozen, tmp_path_factory):
    out = tmp_path_factory.mktemp("labeller")
    return train_labeller(frozen, exact(frozen), labelled(frozen), labeller_settings(epochs=40), out, Silent())


def test_features_of_chosen_pixels_are_those_of_the_whole_enlarged_grid(frozen):
    codes = frozen.sample(2, 0).w
    features = frozen.features(codes)
    whole = torch.cat(
        [functional.interpolate(f, (SIZE, SIZE), mode="bilinear", align_corners=False) for f in features], dim=1
    )
    pixels = torch.tensor([[0, 17, 255], [15, 240, 100]])
    expected = whole.flatten(2).gather(2, pixels[:, None].expand(-1, whole.shape[1], -1)).transpose(1, 2)
    assert torch.allclose(hypercolumns(features, SIZE, pixels), expected, atol=1e-5)
    rows = gather(frozen, codes, [np.array([0, 17, 255]), np.array([], np.int64)])
    assert torch.allclose(rows, expected[0], atol=1e-5) and width_of(frozen) == whole.shape[1]
    with pytest.raises(ValueError, match="outside the 16 x 16 grid"):
        hypercolumns(features, SIZE, torch.tensor([[256]]))


def test_memory_is_that_of_the_chosen_pixels(frozen, trained):
    assert trained.bytes == bytes_of(frozen, 8, 96) == 8 * 96 * width_of(frozen) * 4
    assert trained.all_bytes == bytes_of_all(frozen, 8) == 8 * SIZE**2 * width_of(frozen) * 4


def test_every_class_and_keypoint_gets_its_pixels():
    mask = np.zeros((16, 16), np.uint8)
    mask[3, 3:6] = 1
    mask[8:, 8:] = 2
    point = np.array([[12.5, 1.5, 1], [2, 14, 0]])
    small = choose_pixels(mask, point, labeller_settings(pixels=60), 0)
    assert len(small) == 60 == len(set(small)) and (np.diff(small) > 0).all()
    counts = np.bincount(mask.ravel()[small], minlength=3)
    assert counts[1] == 3 and counts[2] >= 15 and counts[0] >= 15
    near = np.hypot(small % 16 + 0.5 - 12.5, small // 16 + 0.5 - 1.5) <= 2
    assert near.sum() >= 8
    assert (choose_pixels(mask, point, labeller_settings(pixels=60), 0) == small).all()
    assert len(choose_pixels(mask, point, labeller_settings(pixels=10_000), 0)) == 256


def test_targets_are_class_heat_and_value(frozen):
    labels = labelled(frozen, 1)
    pixels = np.arange(SIZE * SIZE)
    targets = targets_of(labels, [pixels], 0.1)
    assert (targets[:, 0].numpy() == labels.masks.ravel()).all() and np.allclose(targets[:, 2], labels.maps.ravel())
    x, y, _ = labels.points[0, 0]
    assert targets[:, 1].argmax() == int(y) * SIZE + int(x) and targets[:, 1].max() == 1


def test_labels_of_pictures_that_it_never_saw_follow_the_pictures(frozen, trained):
    truth, labels = labelled(frozen, 8, 9), load_trained(trained, frozen).label(exact(frozen, 8, 9).codes)
    commonest = np.bincount(truth.masks.ravel()).max() / truth.masks.size
    assert (labels.masks == truth.masks).mean() > commonest + 0.1
    seen = labelled(frozen).maps.mean()
    assert np.abs(labels.maps - truth.maps).mean() < 0.7 * np.abs(truth.maps - seen).mean()
    assert labels.points.shape == (8, 1, 3) and labels.uncertainty.shape == (8,)
    middle = np.hypot(*(truth.points[:, 0, :2] - SIZE / 2).T).mean()
    assert np.hypot(*(truth.points - labels.points)[:, 0, :2].T).mean() < middle
    wrong = labels.masks != truth.masks
    assert labels.doubts[wrong].mean() > labels.doubts[~wrong].mean()


def test_each_kind_of_label_stands_alone(frozen, tmp_path):
    labels = labelled(frozen)
    for name, kinds in (
        ("points", LabelKinds((), KINDS.keypoints)),
        ("maps", LabelKinds((), (), KINDS.maps)),
        ("classes", LabelKinds(KINDS.classes)),
    ):
        only = type(labels)(
            labels.pictures, kinds, labels.masks * bool(kinds.classes), labels.points[:, : len(kinds.keypoints)],
            labels.maps[:, : len(kinds.maps)],
        )  # fmt: skip
        result = train_labeller(frozen, exact(frozen), only, labeller_settings(epochs=2), tmp_path / name, Silent())
        answer = load_trained(result, frozen).label(frozen.sample(2, 0).w)
        assert answer.points.shape[1] == len(kinds.keypoints) and answer.maps.shape[1] == len(kinds.maps)
        assert (answer.uncertainty > 0).all()


def test_divergence_is_the_definition():
    shares = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
    assert divergence(shares).item() == pytest.approx(np.log(2))
    assert divergence(torch.tensor([[[0.3, 0.7]], [[0.3, 0.7]]])).item() == pytest.approx(0, abs=1e-7)
    first, second = np.array([0.2, 0.8]), np.array([0.6, 0.4])
    entropy = lambda p: -(p * np.log(p)).sum()  # noqa: E731
    expected = entropy((first + second) / 2) - (entropy(first) + entropy(second)) / 2
    assert divergence(torch.tensor(np.stack([first, second]))[:, None]).item() == pytest.approx(expected)
    assert uncertainty(torch.arange(100.0).view(10, 10)) == pytest.approx(94.5)  # the mean of 90 to 99


def test_a_stop_goes_on_to_the_same_weights_and_a_second_call_trains_nothing(frozen, trained, tmp_path):
    class Killer(Silent):
        def progress(self, done, total, what):
            os.kill(os.getpid(), signal.SIGTERM)

    small = labeller_settings(epochs=40)
    with pytest.raises(TrainingStopped, match="run it again to go on"):
        train_labeller(frozen, exact(frozen), labelled(frozen), small, tmp_path, Killer())
    again = train_labeller(frozen, exact(frozen), labelled(frozen), small, tmp_path, Silent())
    assert again.digest == trained.digest
    written = (tmp_path / "model" / "weights.safetensors").stat().st_mtime_ns
    train_labeller(frozen, exact(frozen), labelled(frozen), small, tmp_path, Silent())
    assert (tmp_path / "model" / "weights.safetensors").stat().st_mtime_ns == written


def test_codes_of_another_generator_or_other_pictures_and_one_class_are_refused(frozen, trained, tmp_path):
    labels, small = labelled(frozen), labeller_settings()
    with pytest.raises(SelvedgeError, match="the inversions are of generator other and not of small"):
        train_labeller(frozen, exact(frozen, generator="other"), labels, small, tmp_path, Silent())
    with pytest.raises(SelvedgeError, match="are of other pictures than the labels"):
        train_labeller(frozen, exact(frozen, 7), labels, small, tmp_path, Silent())
    first = type(labels)(labels.pictures, KINDS, labels.masks * 0, labels.points, labels.maps)
    with pytest.raises(SelvedgeError, match="the 8 pictures that could be inverted show one class only"):
        train_labeller(frozen, exact(frozen), first, small, tmp_path, Silent())
    with pytest.raises(SelvedgeError, match="reads the features of generator small and not of other"):
        load_labeller(trained.artefact, generator("other"))
