"""The judge learns what pictures show from its own part alone, learns nothing from shuffled labels, survives a file."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from catalog.errors import SelvedgeError
from evaluation.generation import inception_score
from training.attribute_judge import load_judge, resized, save_judge
from training.restgan import judge_training
from training.restgan.dataset import ATTRIBUTES, Bottoms, freeze
from training.restgan.judge_training import JudgeSettings, moved, train_judge

from .synthetic import synthetic_bottoms

QUICK = JudgeSettings(epochs=24, device="cpu")


def with_parts(bottoms: Bottoms, judge: float = 0.5, test: float = 0.3) -> Bottoms:
    """The same bottoms with larger parts for the judge."""
    draw = np.random.default_rng(0).random(len(bottoms))
    part = np.where(draw < judge, "judge", np.where(draw < judge + test, "test", "train"))
    return freeze(replace(bottoms, rows=bottoms.rows.assign(part=part)))


def changed(bottoms: Bottoms, **arrays: np.ndarray) -> Bottoms:
    return freeze(replace(bottoms, **arrays))


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def bottoms() -> Bottoms:
    return with_parts(synthetic_bottoms(480, size=16))


@pytest.fixture(scope="module")
def judge(bottoms):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    trained = train_judge(bottoms, QUICK)
    torch.set_num_threads(before)
    return trained


def test_it_learns_the_synthetic_bottoms(judge, bottoms):
    for name in ATTRIBUTES:
        exam = judge.exam[name]
        assert exam.accuracy > 0.95 and exam.low <= exam.accuracy <= exam.high
        assert exam.majority < 0.6 and exam.rows == len(bottoms.of("test"))
        assert exam.calibration_error < 0.1


def test_probabilities_and_features_have_the_promised_shapes(judge, bottoms):
    pictures = bottoms.of("test").pictures
    answers, features = judge.probabilities(pictures), judge.features(pictures)
    assert features.shape == (len(pictures), 64) and features.dtype == np.float32
    learnt = judge.features(bottoms.of("judge").pictures)
    assert abs(learnt.mean()) < 0.1 and learnt.var(axis=0).mean() == pytest.approx(1, abs=0.1)
    for name, classes in (("type", 3), ("colour", 4), ("gender", 3)):
        assert answers[name].shape == (len(pictures), classes)
        np.testing.assert_allclose(answers[name].sum(axis=1), 1, atol=1e-5)
        assert inception_score(answers[name]) > 0.85 * classes
    np.testing.assert_allclose(judge.features(pictures[:3]), features[:3], atol=1e-3)


def test_what_it_knows_does_not_depend_on_the_part_of_the_generator(judge, bottoms):
    train = bottoms.rows["part"].to_numpy() == "train"
    pictures, labels = bottoms.pictures.copy(), bottoms.labels.copy()
    pictures[train], labels[train] = 0, 0
    other = train_judge(changed(bottoms, pictures=pictures, labels=labels), QUICK)
    for name, value in judge.network.state_dict().items():
        assert torch.equal(value, other.network.state_dict()[name]), name
    assert other.exam == judge.exam and other.data != judge.data


def test_another_seed_is_another_judge(judge, bottoms):
    short = replace(QUICK, epochs=1)
    first, same, other = (train_judge(bottoms, replace(short, seed=seed)).digest for seed in (0, 0, 1))
    assert first == same != other


def test_shuffled_labels_teach_it_nothing(bottoms):
    own = np.flatnonzero(bottoms.rows["part"].to_numpy() == "judge")
    labels = bottoms.labels.copy()
    labels[own] = np.random.default_rng(1).permutation(labels[own])
    blind = train_judge(changed(bottoms, labels=labels), replace(QUICK, epochs=8))
    for name, classes in (("type", 3), ("colour", 4), ("gender", 3)):
        assert blind.exam[name].accuracy < 1 / classes + 0.15
        # It is not sure of what it cannot know, either.
        unsure = blind.probabilities(bottoms.of("test").pictures)[name]
        assert unsure.max(axis=1).mean() < 0.6


def test_unknown_labels_are_left_out_of_training_and_examination(bottoms):
    labels = bottoms.labels.copy()
    labels[::3, 2] = -1
    trained = train_judge(changed(bottoms, labels=labels), QUICK)
    assert trained.exam["gender"].accuracy > 0.9
    assert trained.exam["gender"].rows < trained.exam["type"].rows == len(bottoms.of("test"))


def test_saved_and_loaded_it_is_the_same_judge(judge, bottoms, tmp_path):
    path = tmp_path / "judge.safetensors"
    save_judge(judge, path)
    again = load_judge(path)
    assert again.digest == judge.digest and again.exam == judge.exam and again.data == bottoms.digest
    pictures = bottoms.pictures[:9]
    assert np.array_equal(again.features(pictures), judge.features(pictures))
    for name, table in judge.probabilities(pictures).items():
        assert np.array_equal(again.probabilities(pictures)[name], table)


def test_a_judge_that_was_tampered_with_is_refused(judge, tmp_path):
    path = tmp_path / "judge.safetensors"
    save_judge(judge, path)
    tensors = {name: value.clone() for name, value in load_file(path).items()}
    save_file(tensors | {"head.bias": tensors["head.bias"] + 1}, path, judge.header() | {"digest": judge.digest})
    with pytest.raises(SelvedgeError, match="does not match its digest"):
        load_judge(path)
    save_file(tensors, path, judge.header() | {"format": "9"})
    with pytest.raises(SelvedgeError, match="has format '9'"):
        load_judge(path)
    for content in (b"no weights", None):
        path.write_bytes(content) if content else path.unlink()
        with pytest.raises(SelvedgeError, match="cannot be read"):
            load_judge(path)


def test_views_are_moved_over_white_and_never_interpolated_or_recoloured():
    pictures = torch.zeros((60, 3, 16, 16))
    pictures[:, :, 4:8, 4] = torch.tensor([10.0, 200.0, 90.0])[:, None]
    pictures[:, :, :4], pictures[:, :, 8:], pictures[:, :, 4:8, :4], pictures[:, :, 4:8, 5:] = 255, 255, 255, 255
    views = moved(pictures, 0.25, True, torch.Generator().manual_seed(0))
    colours = torch.unique(views.permute(0, 2, 3, 1).reshape(-1, 3), dim=0)
    assert colours.tolist() == [[10.0, 200.0, 90.0], [255.0, 255.0, 255.0]]
    places = (views[:, 0] < 255).float().flatten(1).argmax(dim=1)
    assert len(places.unique()) > 30
    assert torch.equal(views, moved(pictures, 0.25, True, torch.Generator().manual_seed(0)))
    assert torch.equal(moved(pictures, 0.0, False, torch.Generator()), pictures)


def test_pictures_of_another_side_are_resized_with_anti_aliasing(judge, bottoms):
    pictures = bottoms.of("test").pictures
    large = pictures.repeat(2, axis=1).repeat(2, axis=2)
    truth = bottoms.of("test").labels
    for column, (_, table) in enumerate(judge.probabilities(large).items()):
        assert (table.argmax(axis=1) == truth[:, column]).mean() > 0.9
    lines = np.zeros((1, 64, 64, 3), np.uint8)
    lines[:, ::2] = 255
    assert resized(lines, 16)[0, :, 2:-2].std() < 30


@pytest.mark.parametrize("wrong", [np.zeros((2, 16, 16, 3)), np.zeros((2, 3, 16, 16), np.uint8),
                                   np.zeros((2, 16, 12, 3), np.uint8), np.zeros((0, 16, 16, 3), np.uint8)])  # fmt: skip
def test_what_is_no_picture_is_refused(judge, wrong):
    with pytest.raises(SelvedgeError, match="give square RGB pictures"):
        judge.features(wrong)


def test_too_few_pictures_or_one_class_only_are_refused_with_a_sentence(bottoms, monkeypatch):
    with pytest.raises(SelvedgeError, match="needs 50 pictures in part judge and 20 in part test, and there are"):
        train_judge(synthetic_bottoms(120, size=16), QUICK)
    labels = bottoms.labels.copy()
    labels[:, 1] = 2
    with pytest.raises(SelvedgeError, match="part judge shows 1 colour classes"):
        train_judge(changed(bottoms, labels=labels), QUICK)
    labels[:, 1] = np.where(bottoms.rows["part"] == "test", -1, bottoms.labels[:, 1])
    with pytest.raises(SelvedgeError, match="part test has no picture whose colour is known"):
        train_judge(changed(bottoms, labels=labels), QUICK)
    for settings in ({"epochs": 0}, {"shift": 0.6}, {"calibration_share": 0.0}):
        with pytest.raises(SelvedgeError, match="setting"):
            JudgeSettings(**settings)
    monkeypatch.setattr(judge_training, "masked_loss", lambda *a: torch.tensor(float("nan"), requires_grad=True))
    with pytest.raises(
        SelvedgeError, match="attribute judge: the loss became nan at step 1; nothing was kept; lower judge"
    ):
        train_judge(bottoms, QUICK)
