"""Picture strips: both sides are alike in everything but what was drawn; a gold pair's error is plain."""

import base64
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from catalog.errors import SelvedgeError
from catalog.garments import foreground, median_colour
from catalog.lab import difference, lab_to_rgb
from catalog.tables import read_frame, write_table
from labeling.review.label_page import PICTURE, SIDE_PIXELS
from labeling.review.pairs.items import Slot
from labeling.review.pairs.products import Product
from labeling.review.pairs.rendering import PICTURE_SIDE
from labeling.review.pairs.strips import (
    CONTRADICTIONS,
    FAR,
    GAP,
    PLAIN,
    SHEET_SIDE,
    PictureStrips,
    Strip,
    fitted,
    one_steps,
    pack_frames,
    recoloured,
    strip_sheet,
    unpack_frames,
    word_card,
    word_cards,
)
from labeling.review.rounds.tasks import make_pair
from tests.labeling.review.rounds_for_tests import STRIP_COLOURS, strip_material, strip_table, trousers

KIND = PictureStrips()
KEY = bytes(range(32))


def strip(words: list[str], side: int, seed: int = 0, asked: tuple[float, float, float] | None = None) -> Strip:
    """Frames of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (len(words), side, side, 3), dtype=np.uint8)
    return Strip(tuple(words), pack_frames(pixels), asked, -1)


def shown(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


@given(
    st.lists(st.text("abcdefghijklm", min_size=1, max_size=30), min_size=1, max_size=9),
    st.sampled_from([16, 32, 64, 96]),
    st.sampled_from([16, 32, 64, 96]),
)
@settings(max_examples=20, deadline=None)
def test_versions_of_any_side_are_shown_in_one_size_and_kind(words, side, other):
    one, another = (shown(KIND.render(each)) for each in KIND.level(strip(words, side), strip(words, other, 1)))
    assert one.size == another.size and one.size[0] == SHEET_SIDE
    assert (one.format, one.mode, one.info) == (another.format, another.mode, another.info)
    assert one.quantization == another.quantization and not one.getexif()


@pytest.mark.parametrize("words", [["women"], ["women", "black"], ["men", "navy blue", "pants"], list("abcdefghi")])
def test_captions_and_grid_do_not_follow_from_the_side_of_the_frames(words):
    blank = (np.full((len(words), side, side, 3), 255, np.uint8) for side in (32, 64))
    first, second = (np.asarray(strip_sheet(Strip(tuple(words), pack_frames(frames), None, -1))) for frames in blank)
    assert (first == second).all() and (first < 255).any()


def test_one_result_on_both_sides_is_one_picture_to_the_byte():
    material = strip_material()
    for item in (1, 2, 3):
        _, task = make_pair(material, KEY, "may-one", Slot(item, "aa"))
        assert task["left"] == task["right"] and task["left"].startswith(PICTURE)
        _, again = make_pair(material, KEY, "may-one", Slot(item, "aa"))
        assert task == again


def test_a_task_holds_the_words_and_two_strips_and_nothing_else():
    material = strip_material()
    table = strip_table(1)
    pair, task = make_pair(material, KEY, "may-one", Slot(4, "plain"))
    assert task.keys() == {"key", "photo", "left", "right"}
    assert shown(task["photo"]).size == (PICTURE_SIDE, PICTURE_SIDE)
    assert task["left"] != task["right"] and shown(task["left"]).size == shown(task["right"]).size
    own = KIND.render(KIND.read(table)[4])
    assert task["left" if pair.left == "candidate" else "right"] == own


def test_the_card_is_the_same_whatever_was_drawn():
    cards = [word_cards(strip_table(seed, 10, side)) for seed, side in ((1, 16), (2, 64))]
    assert all(cards[0](item) == cards[1](item) for item in range(1, 11))
    assert cards[0](1) != cards[0](2)


@given(st.lists(st.text("abcmw ", min_size=1, max_size=400), min_size=1, max_size=12))
@settings(max_examples=30, deadline=None)
def test_no_words_leave_the_card(words):
    card = np.asarray(Image.open(io.BytesIO(word_card(words))))
    assert card.shape == (PICTURE_SIDE, PICTURE_SIDE, 3)
    edge = np.concatenate([card[:3].reshape(-1, 3), card[-3:].reshape(-1, 3), card[:, -20:].reshape(-1, 3)])
    assert (edge == 255).all()


@given(st.text("abcmw", min_size=1, max_size=200), st.integers(60, 400))
@settings(max_examples=40, deadline=None)
def test_a_line_fits_and_loses_its_end_only_when_it_must(text, width):
    line, font = fitted(text, width, 30)
    assert font.getlength(line) <= width
    assert line == text or (line.endswith("…") and text.startswith(line[:-1]))


def test_frames_are_kept_as_they_were_drawn(tmp_path):
    frames = np.random.default_rng(3).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    assert (unpack_frames(pack_frames(frames), 5) == frames).all()
    table = strip_table(1, 9)
    write_table(table, tmp_path / "strips.parquet", "strips")
    assert KIND.read(read_frame(tmp_path / "strips.parquet")) == KIND.read(table)


def test_a_planted_strip_is_plainly_of_another_colour_from_the_colour_word_on():
    planted = 0
    for product_id, sound in KIND.read(strip_table(1)).items():
        product = Product(product_id, {}, bytes)
        wrong = KIND.plant(sound, product, 7)
        assert wrong == KIND.plant(sound, product, 7)
        if sound.asked is None:
            assert wrong is None
            continue
        planted += 1
        before, after = (unpack_frames(strip_of.frames, len(sound.words)) for strip_of in (sound, wrong))
        assert (before[:1] == after[:1]).all() and wrong.words == sound.words
        for frame, changed in zip(before[1:], after[1:], strict=True):
            garment = foreground(frame)
            differs = (frame != changed).any(axis=2)
            assert not differs[~garment].any() and differs[garment].mean() > 0.9
            assert difference(median_colour(changed, garment), np.array(sound.asked)) > PLAIN
    assert planted == 40


def test_what_is_not_right_itself_is_no_gold():
    red = trousers(lab_to_rgb(np.array(STRIP_COLOURS["red"])), 48)
    product = Product(1, {}, bytes)

    def planted(frame: np.ndarray, asked: tuple[float, float, float]) -> Strip | None:
        return KIND.plant(Strip(("red", "pants"), pack_frames(np.stack([frame, frame])), asked, 0), product, 1)

    assert planted(red, STRIP_COLOURS["red"]) is not None
    assert planted(red, STRIP_COLOURS["khaki"]) is None, "another colour than was asked"
    empty, speck = np.full((48, 48, 3), 255, np.uint8), np.full((48, 48, 3), 255, np.uint8)
    speck[20:26, 20:26] = red[24, 16]
    assert planted(empty, (100, 0, 0)) is None and planted(speck, STRIP_COLOURS["red"]) is None


@given(st.tuples(st.floats(5, 95), st.floats(-60, 70), st.floats(-70, 70)))
@settings(max_examples=60, deadline=None)
def test_any_colour_has_one_that_contradicts_it(asked):
    assert (difference(CONTRADICTIONS, np.array(asked)) >= FAR).any()


def test_a_garment_keeps_its_soft_edge_and_an_empty_frame_stays():
    frame = trousers(np.array([30, 40, 120], np.uint8), 96)
    soft = np.asarray(Image.fromarray(frame).resize((32, 32), Image.Resampling.BOX))
    moved = recoloured(soft, CONTRADICTIONS[3]).astype(int)
    edge = (soft.min(axis=2) > 150) & (soft.max(axis=2) < 255)
    assert (moved[edge].min(axis=1) > 100).all(), "what was nearly backdrop is so still"
    empty = np.full((32, 32, 3), 255, np.uint8)
    assert (recoloured(empty, CONTRADICTIONS[0]) == 255).all()


def test_tables_that_hold_no_strips_are_told():
    table = strip_table(1, 4)
    with pytest.raises(SelvedgeError, match="table strips has no column words"):
        KIND.read(pd.DataFrame({"product_id": [1]}))
    with pytest.raises(SelvedgeError, match="table strips shows product 1 twice; keep one"):
        KIND.read(pd.concat([table, table]))
    for frames in (b"", b"no picture", pack_frames(np.zeros((3, 8, 8, 3), np.uint8))):
        with pytest.raises(SelvedgeError, match="holds no 4 square frames for product 1; compare the versions again"):
            KIND.read(table.assign(frames=frames))


def test_versions_that_were_asked_different_words_are_not_compared():
    with pytest.raises(SelvedgeError, match=r"asked different words \('men pants' and 'men shorts'\)"):
        KIND.level(strip(["men", "pants"], 16), strip(["men", "shorts"], 16))


def test_two_words_that_are_one_thing_are_one_step_and_pictures_are_large():
    words = ("women", "polka", "dot", "pants")
    assert one_steps(words) == [("women", 0), ("polka dot", 2), ("pants", 3)]
    assert one_steps(("polka", "pants")) == [("polka", 0), ("pants", 1)]
    frames = np.stack([np.full((8, 8, 3), shade, np.uint8) for shade in (10, 60, 120, 200)])
    sheet = np.asarray(strip_sheet(Strip(words, pack_frames(frames), None, -1)))
    assert 60 not in sheet[100, :, 0] and {10, 120} <= set(sheet[100, :, 0].tolist())
    six = np.stack([np.full((8, 8, 3), 10 * number, np.uint8) for number in range(1, 10)])
    nine = strip_sheet(Strip(tuple("abcdefghi"), pack_frames(six), None, -1))
    assert nine.width == 2 * SIDE_PIXELS and (nine.width - 2 * GAP) // 3 >= 2 * 160
