"""The trained segmenter: pictures of any size, an artefact that is held to its hash, a network that keeps to itself."""

import json
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import SelvedgeError
from catalog.files import png_bytes
from tests.training.segmenter.squares import CLASSES, SIDE, drawn, train, write
from training.handsoff.pictures import square
from training.segmenter.network import SegmenterNetwork
from training.segmenter.segmenter import load_segmenter, segmenter_digest, squared


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("segmenter")
    return train(write(folder / "set"), folder / "run", steps=40, learning_rate=0.01)


@pytest.fixture(scope="module")
def segmenter(trained):
    return load_segmenter(trained.artefact)


@settings(max_examples=20, deadline=None)
@given(height=st.integers(1, 60), width=st.integers(1, 60), seed=st.integers(0, 99))
def test_probabilities_sum_to_one_and_keep_the_pictures_size(segmenter, height, width, seed):
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    shares = segmenter.probabilities(picture)
    assert shares.shape == (3, height, width) and shares.dtype == np.float32
    assert np.allclose(shares.sum(axis=0), 1, atol=1e-5) and (shares >= 0).all()
    mask = segmenter.segment(picture)
    assert mask.dtype == np.uint8 and (mask == shares.argmax(axis=0)).all()


def test_squares_in_batches_are_those_one_by_one(segmenter):
    pictures, _ = drawn(40, 3)
    masks = segmenter.segment_squares(pictures)
    assert masks.dtype == np.uint8
    assert (masks == np.stack([segmenter.segment(picture) for picture in pictures])).mean() > 0.999
    assert segmenter.segment_squares(pictures[:0]).shape == (0, SIDE, SIDE)
    with pytest.raises(ValueError, match=r"must be \(n, 16, 16, 3\)"):
        segmenter.segment_squares(pictures[:, :8])


def test_a_picture_with_room_at_its_side_has_its_classes_where_the_square_has_them(segmenter):
    picture, _ = drawn(1, 3)
    wide = np.full((SIDE, 2 * SIDE, 3), 255, np.uint8)
    wide[:, SIDE // 2 : -SIDE // 2] = picture[0]
    mask = segmenter.segment(wide)
    assert mask.shape == wide.shape[:2] and (mask[:, : SIDE // 4] == 0).mean() > 0.9
    assert (mask[:, SIDE // 2 : -SIDE // 2] > 0).mean() > 0.2


@pytest.mark.parametrize(("height", "width"), [(40, 40), (30, 60), (61, 33), (16, 9)])
def test_pictures_on_white_are_squared_as_those_that_were_learnt(height, width):
    rng = np.random.default_rng(0)
    picture = np.full((height, width, 3), 255, np.uint8)
    picture[3:-3, 3:-3] = rng.integers(0, 256, (height - 6, width - 6, 3))
    mine, (top, left, rows, columns) = squared(picture, SIDE)
    assert (mine == square(png_bytes(picture), SIDE)).all()
    assert max(rows, columns) == SIDE and top + rows <= SIDE and left + columns <= SIDE
    coloured, _ = squared(np.where(picture == 255, np.uint8(90), picture), SIDE)
    assert (coloured[0, 0] == 90).all() and (coloured[-1, -1] == 90).all()


def test_the_artefact_says_what_it_is(trained, segmenter):
    assert segmenter.classes == CLASSES and segmenter.size == SIDE
    assert segmenter.digest == trained.digest == segmenter_digest(trained.artefact)
    assert {path.name for path in trained.artefact.iterdir()} == {"selvedge.json", "weights.safetensors"}


def test_damaged_weights_another_format_and_changed_classes_are_refused(trained, tmp_path):
    def copy(name):
        return shutil.copytree(trained.artefact, tmp_path / name)

    def change(folder, **changes):
        file = folder / "selvedge.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    flipped = copy("flipped")
    content = bytearray((flipped / "weights.safetensors").read_bytes())
    content[-5] ^= 1
    (flipped / "weights.safetensors").write_bytes(content)
    with pytest.raises(SelvedgeError, match=r"does not match its digest \(weights.safetensors\); train it again"):
        load_segmenter(flipped)
    (flipped / "weights.safetensors").write_bytes(content[:100])
    with pytest.raises(SelvedgeError, match="missing or broken"):
        load_segmenter(flipped)
    for name, changes, sentence in (
        ("format", {"format": 99}, "has format 99, this version reads 1"),
        ("family", {"family": "restgan"}, "is of the family restgan, not garment-segmenter"),
        ("classes", {"classes": ["background", "lower", "upper"]}, "does not match its digest; train it again"),
    ):
        folder = copy(name)
        change(folder, **changes)
        with pytest.raises(SelvedgeError, match=sentence):
            segmenter_digest(folder)
    with pytest.raises(SelvedgeError, match="missing or not JSON"):
        load_segmenter(tmp_path / "nowhere")


def test_first_weights_follow_from_the_seed_and_leave_torchs_random_state():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, same, other = (SegmenterNetwork(3, 8, seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), same.parameters(), strict=True))
    assert not torch.equal(first.stem[0].weight, other.stem[0].weight)


def test_a_pictures_scores_do_not_depend_on_the_others():
    network, pictures = SegmenterNetwork(3, 8), torch.rand(4, 3, SIDE, SIDE)
    assert torch.allclose(network(pictures)[:1], network(pictures[:1]), atol=1e-5)
