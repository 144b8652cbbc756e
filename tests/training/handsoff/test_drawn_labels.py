"""Labelled drawn garments as files: what is written is the drawn truth, and no item is in two folders."""

from pathlib import Path

import numpy as np

from catalog.drawn.spec import BLOCK, sample_spec
from catalog.drawn.truth import GROUPS, draw_truth
from training.handsoff.drawn_labels import write_drawn_labels
from training.handsoff.labels import read_labelled


def test_a_folder_holds_the_drawn_truth_and_stays_as_it_is(tmp_path: Path) -> None:
    write_drawn_labels(tmp_path / "labels", 3, seed=9, size=64)
    read = read_labelled(tmp_path / "labels", 64)
    assert read.kinds.classes == tuple(GROUPS) and len(read) == 3
    truth = draw_truth(sample_spec(9, BLOCK), 64)
    assert np.array_equal(read.pictures.array[1], truth.image) and np.array_equal(read.masks[1], truth.classes)
    write_drawn_labels(tmp_path / "labels", 5, seed=9, size=64)
    assert len(read_labelled(tmp_path / "labels", 64)) == 3


def test_items_behind_the_first_are_other_ones(tmp_path: Path) -> None:
    for name, first in (("labels", 0), ("test", 2)):
        write_drawn_labels(tmp_path / name, 2, seed=9, first=first, size=32)
    names = [set(read_labelled(tmp_path / name, 32).pictures.names) for name in ("labels", "test")]
    assert not names[0] & names[1] and all(int(name) % BLOCK == 0 for both in names for name in both)
