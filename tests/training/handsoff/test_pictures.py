"""Prepared pictures: squares on white, mapped from disk, held to their hash."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from catalog.errors import SelvedgeError
from catalog.files import jpeg_bytes, png_bytes
from training.handsoff.pictures import of_folder, of_tables, prepare_pictures, read_pictures, square


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "photographs"
    (place / "more").mkdir(parents=True)
    (place / "b.png").write_bytes(png_bytes(Image.new("RGB", (40, 80), (200, 0, 0))))
    (place / "a.JPG").write_bytes(jpeg_bytes(Image.new("RGB", (90, 30), (0, 0, 200)), 92))
    (place / "more" / "c.png").write_bytes(png_bytes(Image.new("RGBA", (16, 16), (0, 0, 0, 0))))
    (place / "notes.txt").write_text("no picture")
    return place


def test_a_folder_becomes_squares_on_white_in_the_order_of_its_names(folder, tmp_path):
    pictures = prepare_pictures(of_folder(folder), 16, tmp_path / "prepared")
    assert pictures.names == ("a.JPG", "b.png", "more/c.png") and pictures.array.shape == (3, 16, 16, 3)
    assert isinstance(pictures.array, np.memmap) and not pictures.array.flags.writeable
    wide, high, clear = pictures.array
    assert (wide[:5] == 255).all() and (wide[-5:] == 255).all() and abs(wide[8].astype(int) - (0, 0, 200)).max() < 4
    assert (high[:, :4] == 255).all() and (high[:, 4:12] == (200, 0, 0)).all() and (clear == 255).all()
    again = read_pictures(tmp_path / "prepared", 16)
    assert again.digest == pictures.digest and (again.at(np.array([1])).numpy()[0] == high).all()


def test_a_large_picture_is_averaged_and_not_sampled():
    checks = np.indices((256, 256)).sum(axis=0) % 2 * 255
    small = square(png_bytes(Image.fromarray(checks.astype(np.uint8))), 64)
    assert abs(small.astype(int) - 128).max() <= 1


def test_a_catalogue_gives_each_picture_once_and_none_of_its_test_split(folder):
    uri = str(folder / "b.png")
    images = pd.DataFrame({"product_id": [3, 1, 2, 4], "uri": [uri] * 4, "sha256": ["x", "y", "x", "z"]})
    splits = pd.DataFrame({"product_id": [1, 2, 3, 4], "split": ["train", "train", "train", "test"]})
    sources = of_tables(images, splits)
    assert [name for name, _ in sources] == ["1", "3"] and sources[0][1]() == (folder / "b.png").read_bytes()
    with pytest.raises(SelvedgeError, match="no picture outside its test split"):
        of_tables(images, splits.assign(split="test"))


def test_what_cannot_be_prepared_is_named_and_nothing_is_left(folder, tmp_path):
    (folder / "b.png").write_bytes((folder / "b.png").read_bytes()[:60])
    with pytest.raises(SelvedgeError, match=r"picture b\.png does not decode .*; take it out or replace it"):
        prepare_pictures(of_folder(folder), 16, tmp_path / "prepared")
    sources = of_folder(folder)
    (folder / "b.png").unlink()
    with pytest.raises(SelvedgeError, match=r"picture b\.png cannot be read"):
        prepare_pictures(sources, 16, tmp_path / "prepared")
    with pytest.raises(SelvedgeError, match="size 50 of the pictures is not one of"):
        prepare_pictures(sources, 50, tmp_path / "prepared")
    with pytest.raises(SelvedgeError, match="no pictures to prepare"):
        prepare_pictures([], 16, tmp_path / "prepared")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SelvedgeError, match="empty holds no pictures"):
        of_folder(tmp_path / "empty")
    assert not (tmp_path / "prepared").exists()


def test_missing_damaged_or_differently_sized_pictures_are_refused(folder, tmp_path):
    place = tmp_path / "prepared"
    with pytest.raises(SelvedgeError, match="do not exist; prepare them first"):
        read_pictures(place)
    prepare_pictures(of_folder(folder), 16, place)
    with pytest.raises(SelvedgeError, match=r"are 16 pixels wide and 64 are wanted"):
        read_pictures(place, 64)
    array = np.lib.format.open_memmap(place / "pictures.npy", mode="r+")
    array[0, 0, 0, 0] ^= 1
    array.flush()
    with pytest.raises(SelvedgeError, match="do not match their digest"):
        read_pictures(place)
    (place / "pictures.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(SelvedgeError, match="are damaged"):
        read_pictures(place)
